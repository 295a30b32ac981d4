//! `_core.WorkerLink`: the worker's end of a link for Python.
use graflow_pool::{Blocked, EndError, Task, WorkerEnd};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use crate::bodies::{Bodies, Outcome, RunningTask, Short};
use crate::effects::PLAIN_EFFECTS;
use crate::plain::PlainTask;

/// The worker's end of its link; used by one thread.
#[pyclass(module = "graflow_fast._core")]
pub struct WorkerLink {
    end: WorkerEnd,
    running: Py<RunningTask>,
    /// Runs plain tasks; it is out of here while one runs, since bodies may use the link.
    bodies: Option<Bodies>,
    /// Keys forgotten since the bodies were told last.
    forgotten: Vec<u64>,
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
    /// The task as the loop gets it: its ticket, and its payload (of a plain task, what is in it).
    fn handed_out<'py>(py: Python<'py>, task: &Task) -> PyResult<Bound<'py, PyTuple>> {
        let payload = &task.bytes[task.payload.clone()];
        let Some(plain) = PlainTask::read(payload) else {
            return (task.ticket, PyBytes::new(py, payload)).into_pyobject(py);
        };
        let bound = (!plain.bound.is_empty()).then(|| PyBytes::new(py, plain.bound));
        (task.ticket, (plain.name, plain.key, plain.view, bound, None::<u8>)).into_pyobject(py)
    }

    /// Runs a task, if it is plain and there is somebody to run it, and reports it; false if nothing has run.
    fn run_plain(slf: &Bound<'_, Self>, task: &Task) -> PyResult<bool> {
        let py = slf.py();
        let Some(plain) = PlainTask::read(&task.bytes[task.payload.clone()]) else {
            return Ok(false);
        };
        let (bodies, epoch) = {
            let mut link = slf.borrow_mut();
            (link.bodies.take(), link.end.live_epoch())
        };
        let Some(mut bodies) = bodies else {
            return Ok(false);
        };
        let outcome = bodies.run(py, task.ticket, &plain, epoch);
        let done = Self::report_plain(slf, task, &plain, outcome, &mut bodies);
        let mut link = slf.borrow_mut();
        for key in std::mem::take(&mut link.forgotten) {
            bodies.forget(key);
        }
        link.bodies = Some(bodies);
        done
    }

    fn report_plain(
        slf: &Bound<'_, Self>,
        task: &Task,
        plain: &PlainTask<'_>,
        outcome: PyResult<Outcome<'_>>,
        bodies: &mut Bodies,
    ) -> PyResult<bool> {
        let py = slf.py();
        let (result, context) = match outcome? {
            Outcome::NotPlain => return Ok(false),
            Outcome::Ended(result, context) => (result, context),
        };
        let (result, error) = match result {
            Ok(result) => {
                let short = bodies.short(py, context.as_ref())?;
                if let Some(packed) = bodies.scalar.of(&result)? {
                    let (flags, effects) = match &short {
                        Short::Not => (None, &[][..]),
                        Short::Result => (Some(0), &[][..]),
                        Short::Effects(record) => (Some(PLAIN_EFFECTS), &record[..]),
                    };
                    if let Some(flags) = flags {
                        slf.borrow_mut().report(py, task.ticket, flags, packed, effects)?;
                        return Ok(true);
                    }
                }
                (Some(result), None)
            }
            Err(error) => (None, Some(error)),
        };
        bodies.finish.call1(py, (task.ticket, plain.name, result, error, context))?;
        Ok(true)
    }

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
    fn new(py: Python<'_>, socket_fd: i32, claims_fd: i32) -> PyResult<WorkerLink> {
        let running = Py::new(py, RunningTask::default())?;
        let end = WorkerEnd::new(socket_fd, claims_fd)?;
        Ok(WorkerLink { end, running, bodies: None, forgotten: Vec::new() })
    }

    /// The task that is running.
    #[getter]
    fn running(&self, py: Python<'_>) -> Py<RunningTask> {
        self.running.clone_ref(py)
    }

    fn watch_output(&mut self) -> PyResult<()> {
        Ok(self.end.watch_output()?)
    }

    /// From now on `next` runs plain tasks itself.
    #[allow(clippy::too_many_arguments)] // a call from Python, by position
    fn run_plain_tasks(
        &mut self,
        body_of: Py<PyAny>,
        finish: Py<PyAny>,
        effects_of: Py<PyAny>,
        pieces: Py<PyList>,
        running: Py<PyAny>,
        marker: Py<PyAny>,
    ) {
        self.bodies = Some(Bodies::new(body_of, finish, effects_of, pieces, running, marker));
    }

    #[pyo3(signature = (until_idle = false))]
    fn next<'py>(slf: &Bound<'py, Self>, until_idle: bool) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let py = slf.py();
        loop {
            let claimed = {
                let mut link = slf.borrow_mut();
                link.end_if_forked(py)?;
                link.end.claim_next().map_err(failed)?
            };
            match claimed {
                Ok(task) => {
                    let name = PlainTask::name_in(&task.bytes[task.payload.clone()]);
                    let name = task.payload.start + name.start..task.payload.start + name.end;
                    slf.borrow().running.get().set(task.ticket, &task.bytes, name);
                    if !Self::run_plain(slf, &task)? {
                        return Self::handed_out(py, &task).map(Some);
                    }
                }
                Err(Blocked::Over) => {
                    slf.borrow_mut().flush(py)?;
                    return Ok(None);
                }
                Err(Blocked::Read) if until_idle => return Ok(Some(PyTuple::empty(py))),
                Err(blocked) => slf.borrow_mut().wait(py, blocked)?,
            }
        }
    }

    fn definition<'py>(&mut self, py: Python<'py>, key: u64) -> Option<Bound<'py, PyBytes>> {
        self.end.definition(key).map(|frame| PyBytes::new(py, &frame.body()[8..]))
    }

    fn take_forgotten(&mut self) -> Vec<u64> {
        let forgotten = self.end.take_forgotten();
        self.forgotten.extend_from_slice(&forgotten);
        forgotten
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
