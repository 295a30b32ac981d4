//! `_core.RunWriter`: writes a run.
use std::sync::{Mutex, MutexGuard, PoisonError};

use graflow_store::{Error, Result, State, Writer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::errors::raised;

/// Writes a run: appends records, and ends it.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct RunWriter {
    run: u64,
    epoch: u64,
    writer: Mutex<Option<Writer>>,
}

impl RunWriter {
    pub(super) fn new(writer: Writer) -> RunWriter {
        RunWriter { run: writer.run(), epoch: writer.epoch(), writer: Mutex::new(Some(writer)) }
    }

    /// Another thread may wait for the disk with it, so never waited for with the interpreter lock.
    fn lock(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does that without the interpreter lock.
    fn ask<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Writer) -> Result<T> + Send) -> PyResult<T> {
        py.detach(|| self.lock().as_mut().map_or(Err(Error::Ended), work)).map_err(raised)
    }
}

#[pymethods]
impl RunWriter {
    #[getter]
    fn run(&self) -> u64 {
        self.run
    }

    #[getter]
    fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn append(&self, py: Python<'_>, stream: u8, record: &Bound<'_, PyBytes>) -> PyResult<u64> {
        let bytes = record.as_bytes();
        // What fits into the tail is a copy, and not worth giving the interpreter lock away.
        if let Ok(mut writer) = self.writer.try_lock() {
            if let Some(writer) = writer.as_mut().filter(|writer| writer.has_room(bytes.len())) {
                return writer.append(stream, bytes).map_err(raised);
            }
        }
        self.ask(py, |writer| writer.append(stream, bytes))
    }

    fn next(&self, py: Python<'_>, stream: u8) -> PyResult<u64> {
        self.ask(py, |writer| writer.next(stream))
    }

    fn note(&self, py: Python<'_>, counts: String) -> PyResult<()> {
        self.ask(py, |writer| writer.note(counts))
    }

    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.ask(py, Writer::flush)
    }

    pub(crate) fn sync(&self, py: Python<'_>) -> PyResult<()> {
        self.ask(py, Writer::sync)
    }

    #[pyo3(signature = (state, counts = String::new()), text_signature = "($self, state, counts='')")]
    fn finish(&self, py: Python<'_>, state: &str, counts: String) -> PyResult<()> {
        let Some(state) = State::from_word(state).filter(|state| *state != State::Running) else {
            let text = format!("a run ends finished, failed or cancelled, not {state:?}");
            return Err(PyValueError::new_err(text));
        };
        py.detach(|| self.lock().take().map_or(Err(Error::Ended), |writer| writer.finish(state, counts)))
            .map_err(raised)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.lock().take()));
    }
}
