//! The parameters of plain functions, read from their code: what `core/signatures.py` does for all others.
//!
//! Owns which functions these are: those whose parameters have no annotations, and without what decorators leave behind. Must not know where values
//! come from.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use crate::body::filling::Parameter;

/// Flags of a function's code (`inspect.CO_VARARGS`, `inspect.CO_VARKEYWORDS`).
const VARARGS: u32 = 0x04;
const VARKEYWORDS: u32 = 0x08;

static FUNCTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// The parameters that a run may fill, and whether any other keyword is welcome; None for a function that is not plain.
pub(crate) fn plain_parameters(
    function: &Bound<'_, PyAny>,
    skips_first: bool,
) -> PyResult<Option<(Vec<Parameter>, bool)>> {
    let py = function.py();
    let kind = FUNCTION
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import("types")?.getattr("FunctionType")?.cast_into()?.unbind()))?;
    if !function.get_type().is(kind) || !is_empty(function, intern!(py, "__dict__"))? {
        return Ok(None);
    }
    // Where annotations are computed when somebody reads them, that may fail.
    let is_lazy = py.version_info() >= (3, 14) && !function.getattr(intern!(py, "__annotate__"))?.is_none();
    if is_lazy || !are_unannotated(function)? {
        return Ok(None);
    }
    let code = function.getattr(intern!(py, "__code__"))?;
    let number = |name| -> PyResult<usize> { code.getattr(name)?.extract() };
    let positional = number(intern!(py, "co_argcount"))?;
    let by_position_alone = number(intern!(py, "co_posonlyargcount"))?;
    let keyword_only = number(intern!(py, "co_kwonlyargcount"))?;
    let flags: u32 = code.getattr(intern!(py, "co_flags"))?.extract()?;
    let names = code.getattr(intern!(py, "co_varnames"))?.cast_into::<PyTuple>()?;
    let defaults = function.getattr(intern!(py, "__defaults__"))?;
    let first_default = positional - if defaults.is_none() { 0 } else { defaults.len()?.min(positional) };
    let keyword_defaults = function.getattr(intern!(py, "__kwdefaults__"))?;
    let mut found = Vec::new();
    let mut place = usize::from(!skips_first);
    let mut add = |index: usize, is_fillable: bool, required: bool| -> PyResult<()> {
        if place > 0 && is_fillable {
            let name = names.get_item(index)?.cast_into::<PyString>()?;
            found.push(Parameter::new(&name, required, true)?);
        }
        place += 1;
        Ok(())
    };
    for index in 0..positional {
        add(index, index >= by_position_alone, index < first_default)?;
    }
    if flags & VARARGS != 0 {
        add(positional + keyword_only, false, false)?;
    }
    for index in positional..positional + keyword_only {
        let required = keyword_defaults.is_none() || !keyword_defaults.contains(names.get_item(index)?)?;
        add(index, true, required)?;
    }
    let takes_any = flags & VARKEYWORDS != 0 && place > 0;
    Ok(Some((found, takes_any)))
}

fn are_unannotated(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let annotations = function.getattr(intern!(function.py(), "__annotations__"))?;
    let Ok(annotations) = annotations.cast_exact::<PyDict>() else {
        return Ok(false);
    };
    Ok(annotations.is_empty() || (annotations.len() == 1 && annotations.contains(intern!(function.py(), "return"))?))
}

fn is_empty(function: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> PyResult<bool> {
    Ok(function.getattr(name)?.cast_into::<PyDict>().is_ok_and(|found| found.is_empty()))
}
