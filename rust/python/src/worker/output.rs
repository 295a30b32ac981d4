//! `_core.OutputWatch` and `_core.gather_output`: what is written to descriptors 1 and 2 of a worker, for Python.
use std::sync::Arc;

use graflow_pool::{gather, Wait};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// How far descriptors 1 and 2 of this worker have been written; any thread may ask.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct OutputWatch {
    watch: Arc<graflow_pool::OutputWatch>,
}

impl OutputWatch {
    pub(crate) fn new(watch: Arc<graflow_pool::OutputWatch>) -> Self {
        Self { watch }
    }
}

#[pymethods]
impl OutputWatch {
    /// The positions if something was written since the last note.
    fn note(&self) -> Option<(i64, i64)> {
        self.watch.note().map(Into::into)
    }

    fn positions(&self) -> (i64, i64) {
        self.watch.positions().into()
    }

    /// What was written to descriptor 1 (index 0) or 2 between two positions.
    fn read<'py>(&self, py: Python<'py>, index: usize, start: i64, end: i64) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.watch.read(index, start, end)?))
    }

    /// What is behind them now is what is put back from now on.
    fn adopt(&self) {
        self.watch.adopt();
    }

    /// A body may have closed or replaced one of them: it is put back when that body has ended.
    fn doubt(&self) {
        self.watch.doubt();
    }
}

/// Moves what is in a pipe to the end of its file, without waiting: how many bytes, None if another process is at it.
#[pyfunction]
#[pyo3(signature = (pipe, file, news = None))]
pub fn gather_output(pipe: i32, file: i32, news: Option<i32>) -> PyResult<Option<usize>> {
    Ok(gather(pipe, file, news, Wait::No)?)
}
