//! What users can ask for of a run, as far as plain steps change it.
//!
//! Owns where results and the tracer's notes go. Must not know the scheduler or the pool.
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyList, PySet, PyString};

use crate::values::Values;

/// What users can ask for of a run, as far as plain steps change it.
pub(super) struct Books {
    pub data: Py<Values>,
    pub completed: Py<PySet>,
    pub completed_tasks: Py<PyList>,
    pub packed: Py<PyAny>,
    pub load: Py<PyAny>,
    /// Notes for the tracer that steps ran: called with names, times (two each) and the handler.
    pub note: Option<Py<PyAny>>,
}

impl Books {
    /// For the collector: a result may be an exception, and hold the whole run by its traceback.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)?;
        visit.call(&self.completed)?;
        visit.call(&self.completed_tasks)?;
        visit.call(&self.packed)?;
        visit.call(&self.load)?;
        visit.call(&self.note)
    }

    /// Tells the tracer that these steps ran; `times` is emptied.
    pub fn note(
        &self,
        py: Python<'_>,
        names: &[Py<PyString>],
        times: &mut Vec<f64>,
        handler: Py<PyString>,
    ) -> PyResult<()> {
        if let Some(note) = self.note.as_ref().filter(|_| !names.is_empty()) {
            note.call1(py, (names, times.as_slice(), handler))?;
        }
        times.clear();
        Ok(())
    }
}
