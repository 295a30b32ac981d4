//! What all bodies of one definition see alike in a worker: the channel as their group found it, as far as it is here.
//!
//! Owns what was loaded of it and can't change. Must not know what a body has written, nor ask anybody.
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyType};

use crate::link::WorkerLink;
use crate::scalars::scalar_value;

/// What all bodies of one definition see alike.
pub(crate) struct Sight {
    pub link: Py<WorkerLink>,
    /// key -> value as bytes, None for a key that is not there; None if each task sees other values.
    pub values: Option<Py<PyDict>>,
    /// What was loaded of `values` and can't change, and the lengths of lists in it.
    loaded: Py<PyDict>,
    lengths: Py<PyDict>,
    /// `(ticket, name, start, log, directives)`: makes the general context of a body.
    pub make: Py<PyAny>,
    pub common: Arc<Common>,
}

/// What holds for all bodies of this process.
pub(crate) struct Common {
    /// The class of plain tasks.
    pub plain: Py<PyType>,
    pub loads: Py<PyAny>,
    pub context_class: Py<PyAny>,
    pub channel_class: Py<PyAny>,
}

impl Sight {
    pub(crate) fn new(
        py: Python<'_>,
        link: Py<WorkerLink>,
        values: Option<Py<PyDict>>,
        make: Py<PyAny>,
        common: Arc<Common>,
    ) -> Self {
        let (loaded, lengths) = (PyDict::new(py).unbind(), PyDict::new(py).unbind());
        Self { link, values, loaded, lengths, make, common }
    }

    /// The values, if nothing is read through to the coordinator.
    pub(crate) fn still<'a, 'py>(&'a self, py: Python<'py>) -> Option<&'a Bound<'py, PyDict>> {
        let values = self.values.as_ref()?.bind(py);
        let link = self.link.try_borrow(py).ok()?;
        (link.live_epoch() == 0).then_some(values)
    }

    /// The value under a key that the body has not written.
    pub(crate) fn value<'py>(&self, values: &Bound<'py, PyDict>, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
        let py = key.py();
        if let Some(value) = self.loaded.bind(py).get_item(key)? {
            return Ok(Look::Value(value));
        }
        let Some(packed) = values.get_item(key)? else {
            return Ok(Look::General);
        };
        let Ok(bytes) = packed.cast::<PyBytes>() else {
            return Ok(if packed.is_none() { Look::Absent } else { Look::General });
        };
        let value = match scalar_value(py, bytes.as_bytes())? {
            Some(value) => value,
            None => self.common.loads.bind(py).call1((bytes,))?,
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
            Look::General => return Ok(None),
        };
        self.lengths.bind(py).set_item(key, length)?;
        Ok(Some(length))
    }
}

/// What is found under a key.
pub(crate) enum Look<'py> {
    Value(Bound<'py, PyAny>),
    Absent,
    /// The general channel knows.
    General,
}

/// True for values that nobody can change.
fn is_fixed(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
}
