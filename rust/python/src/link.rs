//! `_core.WorkerLink`: the worker's end of a link for Python.
use graflow_pool::{Blocked, EndError, WorkerEnd};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

/// The worker's end of its link; used by one thread.
#[pyclass(module = "graflow_fast._core")]
pub struct WorkerLink {
    end: WorkerEnd,
}

/// Has this process killed when its parent dies; false if its parent is not (any more) `parent`.
#[pyfunction]
pub fn die_with_parent(parent: i32) -> bool {
    graflow_pool::die_with_parent(parent)
}

fn failed(error: EndError) -> PyErr {
    match error {
        EndError::Io(error) => PyOSError::new_err(error),
        EndError::Frame(error) => PyValueError::new_err(error.to_string()),
        EndError::NotRunning(_) => PyRuntimeError::new_err(error.to_string()),
    }
}

impl WorkerLink {
    /// Waits as `blocked` says, without the interpreter lock; signals are looked after.
    fn wait(&mut self, py: Python<'_>, blocked: Blocked) -> PyResult<()> {
        let end = &mut self.end;
        let waited = py.detach(|| match blocked {
            Blocked::Read => end.wait_readable(),
            Blocked::Write => end.wait_writable(),
            Blocked::Over => Ok(()),
        });
        match waited {
            Err(EndError::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => py.check_signals(),
            other => other.map_err(failed),
        }
    }

    /// A child that a task forked and let return into the worker's loop must end here: the link is its parent's.
    fn end_if_forked(&self, py: Python<'_>) -> PyResult<()> {
        if self.end.is_forked() {
            py.import("os")?.call_method1("_exit", (0,))?;
        }
        Ok(())
    }
}

#[pymethods]
impl WorkerLink {
    #[new]
    fn new(socket_fd: i32, claims_fd: i32) -> PyResult<WorkerLink> {
        Ok(WorkerLink { end: WorkerEnd::new(socket_fd, claims_fd)? })
    }

    fn watch_output(&mut self) -> PyResult<()> {
        Ok(self.end.watch_output()?)
    }

    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.end_if_forked(py)?;
        loop {
            match self.end.claim_next().map_err(failed)? {
                Ok(task) => {
                    let payload = PyBytes::new(py, &task.bytes[task.payload]);
                    return Ok(Some((task.ticket, payload).into_pyobject(py)?));
                }
                Err(Blocked::Over) => {
                    self.flush(py)?;
                    return Ok(None);
                }
                Err(blocked) => self.wait(py, blocked)?,
            }
        }
    }

    fn definition<'py>(&mut self, py: Python<'py>, key: u64) -> Option<Bound<'py, PyBytes>> {
        self.end.definition(key).map(|frame| PyBytes::new(py, &frame.body()[8..]))
    }

    fn take_forgotten(&mut self) -> Vec<u64> {
        self.end.take_forgotten()
    }

    fn report(&mut self, py: Python<'_>, ticket: u64, flags: u32, result: &[u8], effects: &[u8]) -> PyResult<()> {
        self.end_if_forked(py)?;
        if !self.end.report(ticket, flags, result, effects).map_err(failed)? {
            self.flush(py)?;
        }
        Ok(())
    }

    fn request<'py>(&mut self, py: Python<'py>, ticket: u64, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.end_if_forked(py)?;
        self.end.request(ticket, body).map_err(failed)?;
        loop {
            match self.end.take_reply().map_err(failed)? {
                Ok(frame) => return Ok(PyBytes::new(py, frame.body())),
                Err(Blocked::Over) => return Err(PyOSError::new_err("the coordinator is gone")),
                Err(blocked) => self.wait(py, blocked)?,
            }
        }
    }

    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        self.end_if_forked(py)?;
        while !self.end.flush().map_err(failed)? {
            self.wait(py, Blocked::Write)?;
        }
        Ok(())
    }

    fn has_queued(&self) -> bool {
        self.end.has_queued()
    }

    fn live_epoch(&self) -> u64 {
        self.end.live_epoch()
    }
}
