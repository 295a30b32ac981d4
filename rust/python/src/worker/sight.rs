//! What a body sees of the channel without asking anybody: the values that its worker was told.
//!
//! Owns what was loaded of them and can't change. Must not know what a body has written, nor ask the coordinator.
use std::sync::Arc;

use graflow_pool::ClaimTable;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};

use crate::wire::loading::plain_value;

/// Values that were told, for all bodies that see the same.
pub(crate) struct Sight {
    /// Where the coordinator says whether keys are live. Not the link, which another thread of the body may be using.
    claims: Arc<ClaimTable>,
    /// key -> value as bytes, None for a key that is not there.
    pub values: Py<PyDict>,
    /// What was loaded of `values` and can't change, and the lengths of lists in it.
    loaded: Py<PyDict>,
    lengths: Py<PyDict>,
    /// `crossing.loads`
    pub loads: Py<PyAny>,
}

/// What is found under a key.
pub(crate) enum Look<'py> {
    Value(Bound<'py, PyAny>),
    Absent,
    /// The coordinator knows.
    Ask,
}

impl Sight {
    pub(crate) fn new(py: Python<'_>, claims: Arc<ClaimTable>, values: Py<PyDict>, loads: Py<PyAny>) -> Self {
        Self { claims, values, loaded: PyDict::new(py).unbind(), lengths: PyDict::new(py).unbind(), loads }
    }

    /// The values, if nothing is read through to the coordinator.
    pub(crate) fn still<'a, 'py>(&'a self, py: Python<'py>) -> Option<&'a Bound<'py, PyDict>> {
        (self.claims.live_epoch() == 0).then(|| self.values.bind(py))
    }

    /// The value under a key that the body has not written.
    pub(crate) fn value<'py>(&self, values: &Bound<'py, PyDict>, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
        let py = key.py();
        if let Some(value) = self.loaded.bind(py).get_item(key)? {
            return Ok(Look::Value(value));
        }
        let Some(packed) = values.get_item(key)? else {
            return Ok(Look::Ask);
        };
        let Ok(bytes) = packed.cast::<PyBytes>() else {
            return Ok(if packed.is_none() { Look::Absent } else { Look::Ask });
        };
        let value = match plain_value(py, bytes.as_bytes())? {
            Some(value) => value,
            None => self.loads.bind(py).call1((bytes,))?,
        };
        if is_fixed(&value) {
            self.loaded.bind(py).set_item(key, &value)?;
        }
        Ok(Look::Value(value))
    }

    /// The length of the list under a key that the body has not written; None if that is not known, or no list.
    pub(crate) fn length(&self, values: &Bound<'_, PyDict>, key: &Bound<'_, PyString>) -> PyResult<Option<usize>> {
        let py = key.py();
        if let Some(length) = self.lengths.bind(py).get_item(key)? {
            return length.extract().map(Some);
        }
        let length = match self.value(values, key)? {
            Look::Value(value) => match value.cast_exact::<PyList>() {
                Ok(list) => list.len(),
                Err(_) => return Ok(None),
            },
            Look::Absent => 0,
            Look::Ask => return Ok(None),
        };
        self.lengths.bind(py).set_item(key, length)?;
        Ok(Some(length))
    }
}

/// True for values that nobody can change.
fn is_fixed(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
}
