//! `_core.RunReader`: reads the records of a run.
use std::sync::{Mutex, PoisonError};

use graflow_store::Records;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::errors::raised;

/// The records of one stream of a run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct RunReader {
    records: Mutex<Records>,
}

impl RunReader {
    pub(super) fn new(records: Records) -> RunReader {
        RunReader { records: Mutex::new(records) }
    }

    /// Asks the records without the interpreter lock.
    fn ask<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Records) -> T + Send) -> T {
        py.detach(|| work(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl RunReader {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let record = self.ask(py, Iterator::next).transpose().map_err(raised)?;
        Ok(record.map(|record| PyBytes::new(py, &record)))
    }

    fn batch<'py>(&self, py: Python<'py>) -> PyResult<Option<Vec<Bound<'py, PyBytes>>>> {
        let Some((bytes, places)) = self.ask(py, Records::next_batch).map_err(raised)? else { return Ok(None) };
        Ok(Some(places.into_iter().map(|(begin, end)| PyBytes::new(py, &bytes[begin..end])).collect()))
    }
}
