//! `_core.Store`: a store of runs for Python.
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use graflow_store::{Begin, Limits, Options, Result, Run, Store as Inner};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::errors::raised;
use super::reader::RunReader;
use super::rows;
use super::writer::RunWriter;

/// A store of runs, open.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Store {
    inner: Inner,
}

impl Store {
    /// Does that without the interpreter lock.
    fn ask<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&Inner) -> Result<T> + Send) -> PyResult<T> {
        py.detach(|| work(&self.inner)).map_err(raised)
    }

    fn row<'py>(&self, py: Python<'py>, found: Option<Run>) -> PyResult<Option<Bound<'py, PyDict>>> {
        found.map(|run| rows::run(py, &run)).transpose()
    }
}

fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| PyValueError::new_err(format!("{seconds} is no length of time")))
}

#[pymethods]
impl Store {
    #[new]
    #[pyo3(
        signature = (path, *, read_only = false, half = 4194304, interval = 0.1),
        text_signature = "(path, *, read_only=False, half=4194304, interval=0.1)"
    )]
    fn new(py: Python<'_>, path: PathBuf, read_only: bool, half: usize, interval: f64) -> PyResult<Store> {
        let options = Options { half: half.max(4096).next_multiple_of(4096), interval: duration(interval)? };
        let open = || if read_only { Inner::open_read_only(path) } else { Inner::open_with(path, options) };
        Ok(Store { inner: py.detach(open).map_err(raised)? })
    }

    #[getter]
    fn path(&self) -> OsString {
        self.inner.path().as_os_str().to_owned()
    }

    #[pyo3(signature = (workflow, *, name = None, program = String::new(), parent = None),
           text_signature = "($self, workflow, *, name=None, program='', parent=None)")]
    fn begin(
        &self,
        py: Python<'_>,
        workflow: String,
        name: Option<String>,
        program: String,
        parent: Option<u64>,
    ) -> PyResult<RunWriter> {
        let begin = Begin { name, workflow, program, parent };
        self.ask(py, |store| store.begin(&begin)).map(RunWriter::new)
    }

    fn resume(&self, py: Python<'_>, run: u64) -> PyResult<RunWriter> {
        self.ask(py, |store| store.resume(run)).map(RunWriter::new)
    }

    fn runs<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        rows::runs(py, &self.ask(py, Inner::runs)?)
    }

    fn run<'py>(&self, py: Python<'py>, run: u64) -> PyResult<Bound<'py, PyDict>> {
        rows::run(py, &self.ask(py, |store| store.run(run))?)
    }

    fn find<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        let found = self.ask(py, |store| store.find(name))?;
        self.row(py, found)
    }

    #[pyo3(signature = (run, stream, first = 0))]
    fn read(&self, py: Python<'_>, run: u64, stream: u8, first: u64) -> PyResult<RunReader> {
        self.ask(py, |store| store.read(run, stream, first)).map(RunReader::new)
    }

    #[pyo3(signature = (*, older = None, keep = None, max_bytes = None, unfinished = false, dry = false))]
    fn gc<'py>(
        &self,
        py: Python<'py>,
        older: Option<f64>,
        keep: Option<usize>,
        max_bytes: Option<u64>,
        unfinished: bool,
        dry: bool,
    ) -> PyResult<Bound<'py, PyDict>> {
        let limits = Limits { older: older.map(duration).transpose()?, keep, max_bytes, unfinished, dry };
        rows::collected(py, &self.ask(py, |store| store.gc(&limits))?)
    }

    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        rows::checked(py, &self.ask(py, Inner::check)?)
    }
}
