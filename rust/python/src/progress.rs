//! `_core.Progress`: the display of a run for Python. Owns the conversion; never keeps the interpreter's lock while it waits
//! for the display's thread.
use std::sync::Arc;
use std::time::Duration;

use graflow_progress::{Busy, Display, Mode, Options};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::driver::actions::micros;
use crate::driver::pool::Pool;
use crate::driver::scheduler::PyScheduler;

/// The display of one run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Progress {
    display: Arc<Display>,
}

#[pymethods]
impl Progress {
    #[new]
    #[pyo3(signature = (name, out, mode, *, glyphs, workers, began))]
    fn new(name: String, out: i32, mode: &str, glyphs: bool, workers: u64, began: f64) -> PyResult<Self> {
        let mode = match mode {
            "block" => Mode::Block,
            "plain" => Mode::Plain,
            other => return Err(PyValueError::new_err(format!("there is no display {other:?}"))),
        };
        let options = Options { name, mode, glyphs, workers, began: micros(began) };
        let display = Display::begin(options, out).map_err(PyOSError::new_err)?;
        Ok(Self { display: Arc::new(display) })
    }

    fn show(&self, scheduler: &Bound<'_, PyScheduler>) {
        scheduler.get().set_display(Some(Arc::clone(&self.display)));
    }

    fn watch(&self, pool: &Bound<'_, Pool>) -> PyResult<()> {
        self.display.watch(pool.get().roster()?);
        Ok(())
    }

    fn add_functions(&self, numbers: Vec<u16>, names: Vec<String>) {
        self.display.tally().add_functions(&numbers, names);
    }

    fn set_skipped(&self, skipped: u64) {
        self.display.tally().set_skipped(skipped);
    }

    fn add_items(&self, node: u32, ended: u64, total: Option<u64>, seconds: f64) {
        self.display.tally().add_items(node, ended, total, micros(seconds.max(0.0)));
    }

    fn begin_chunk(&self, ticket: u64, node: u32) {
        self.display.tally().begin_chunk(ticket, node);
    }

    fn end_chunk(&self, ticket: u64) {
        self.display.tally().end_chunk(ticket);
    }

    fn wait_for_wanted(&self, py: Python<'_>, timeout: f64) -> Option<Vec<u32>> {
        py.detach(|| self.display.wait_for_wanted(Duration::from_secs_f64(timeout.max(0.0))))
    }

    fn name(&self, node: u32, name: String) {
        self.display.tally().name(node, name);
    }

    fn say(&self, node: u32, done: f64, total: f64, text: &str) {
        self.display.tally().say(node, graflow_pool::said_words(done, total, text));
    }

    fn event(&self, kind: &str, text: &str) {
        self.display.event(kind, text);
    }

    fn enter(&self, py: Python<'_>) {
        py.detach(|| self.display.enter());
    }

    #[pyo3(signature = (last = None))]
    fn leave(&self, py: Python<'_>, last: Option<u8>) {
        py.detach(|| self.display.leave(last));
    }

    fn figures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let figures = py.detach(|| self.display.figures());
        let out = PyDict::new(py);
        out.set_item("done", figures.done)?;
        out.set_item("total", figures.total)?;
        out.set_item("failed", figures.failed)?;
        out.set_item("retried", figures.retried)?;
        out.set_item("elapsed", figures.elapsed)?;
        out.set_item("left", figures.left)?;
        out.set_item("busy", figures.busy)?;
        let running = figures.running.iter().map(|busy: &Busy| (busy.node, busy.worker, busy.seconds, &busy.said));
        out.set_item("running", running.collect::<Vec<_>>())?;
        Ok(out)
    }

    fn close(&self, py: Python<'_>, scheduler: &Bound<'_, PyScheduler>, last: &str) {
        scheduler.get().record();
        scheduler.get().set_display(None);
        py.detach(|| self.display.close(last));
    }
}
