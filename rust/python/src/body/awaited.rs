//! What a body returned, once it is there: bodies may be async, or return something that is to be awaited.
//!
//! Owns how such a result is told from others, which costs next to nothing. Must not know event loops:
//! `graflow_fast._body.coroutines` has them.
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

/// The result itself, or of one that is to be awaited what that gives.
#[inline]
pub(crate) fn awaited(result: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: it is the type of an object that lives.
    if result.is_none() || unsafe { ffi::PyType_GetSlot(result.get_type_ptr(), ffi::Py_am_await) }.is_null() {
        return Ok(result);
    }
    let py = result.py();
    py.import(intern!(py, "graflow_fast._body.coroutines"))?.call_method1(intern!(py, "outcome_of"), (result,))
}
