//! `_core.WorkerLink`: the worker's end of a link for Python.
use std::sync::{Arc, OnceLock};

use graflow_pool::{own, Blocked, ClaimTable, EndError, OutputFiles, Task, WorkerEnd};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::worker::output::OutputWatch;
use crate::worker::runner::{Runner, RunningTask, Told};
use graflow_wire::work::Work;

/// The worker's end of its link; used by one thread.
#[pyclass(module = "graflow_fast._core")]
pub struct WorkerLink {
    end: WorkerEnd,
    running: Py<RunningTask>,
    /// Runs tasks; it is out of here while one runs, since bodies may use the link.
    runner: Option<Runner>,
    /// Keys forgotten since the runner was told last.
    forgotten: Vec<u64>,
}

/// Has this process killed when its parent dies; false if its parent is not (any more) `parent`.
#[pyfunction]
pub fn die_with_parent(parent: i32) -> bool {
    graflow_pool::die_with_parent(parent)
}

/// The claim table of this process, if it is a worker.
static CLAIMS: OnceLock<Arc<ClaimTable>> = OnceLock::new();

/// Says for the body that is running in this worker how far it is; false where there is no worker.
#[pyfunction]
pub fn say_progress(done: f64, total: f64, text: &str) -> bool {
    CLAIMS.get().inspect(|claims| claims.say(done, total, text)).is_some()
}

fn failed(error: EndError) -> PyErr {
    match error {
        EndError::Io(error) => PyOSError::new_err(error),
        EndError::Frame(error) => PyValueError::new_err(error.to_string()),
        EndError::NotRunning(_) => PyRuntimeError::new_err(error.to_string()),
    }
}

impl WorkerLink {
    /// What other threads may look at while the link is in use.
    pub(crate) fn claims(&self) -> Arc<ClaimTable> {
        self.end.claims()
    }

    /// Runs a task and reports it; false if there is nobody to run it.
    fn run(slf: &Bound<'_, Self>, task: &Task) -> PyResult<bool> {
        let Some(mut runner) = slf.borrow_mut().runner.take() else {
            return Ok(false);
        };
        let told = Told { ticket: task.ticket, frame: task.bytes.clone(), payload: task.payload.clone() };
        let done = match Work::read(&task.bytes[task.payload.clone()]) {
            Some(work) => runner.run(slf, &told, &work),
            None => Err(PyValueError::new_err("the coordinator has sent a task that can't be read")),
        };
        let mut link = slf.borrow_mut();
        for key in std::mem::take(&mut link.forgotten) {
            runner.forget(key);
        }
        link.runner = Some(runner);
        done.map(|()| true)
    }

    /// Lets this thread be in no task's body.
    fn unmark(slf: &Bound<'_, Self>) -> PyResult<()> {
        match &mut slf.borrow_mut().runner {
            Some(runner) => runner.mark(slf.py(), false),
            None => Ok(()),
        }
    }

    fn next_task<'py>(slf: &Bound<'py, Self>, until_idle: bool) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let py = slf.py();
        loop {
            let claimed = {
                let mut link = slf.borrow_mut();
                link.end_if_forked(py)?;
                link.end.claim_next().map_err(failed)?
            };
            match claimed {
                Ok(task) => {
                    slf.borrow().running.get().begin(task.ticket);
                    if !Self::run(slf, &task)? {
                        let payload = PyBytes::new(py, &task.bytes[task.payload.clone()]);
                        return (task.ticket, payload).into_pyobject(py).map(Some);
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
        CLAIMS.get_or_init(|| end.claims());
        Ok(WorkerLink { end, running, runner: None, forgotten: Vec::new() })
    }

    /// The task that is running.
    #[getter]
    fn running(&self, py: Python<'_>) -> Py<RunningTask> {
        self.running.clone_ref(py)
    }

    fn watch_output(&mut self, pipes: [i32; 2], files: [i32; 2], news: i32) -> PyResult<OutputWatch> {
        let [one, other] = files;
        let files = [own(one)?.into(), own(other)?.into()];
        let [one, other] = pipes;
        let given = OutputFiles { pipes: [own(one)?, own(other)?], files, news: own(news)? };
        Ok(OutputWatch::new(self.end.watch_output(given)?))
    }

    /// From now on `next` runs tasks itself; `side` is `graflow_fast._worker.tasks.Tasks`.
    fn run_tasks(&mut self, side: &Bound<'_, PyAny>) -> PyResult<()> {
        self.runner = Some(Runner::new(side, self.running.clone_ref(side.py()))?);
        Ok(())
    }

    #[pyo3(signature = (until_idle = false))]
    fn next<'py>(slf: &Bound<'py, Self>, until_idle: bool) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let found = Self::next_task(slf, until_idle);
        Self::unmark(slf)?;
        found
    }

    fn definition<'py>(&mut self, py: Python<'py>, key: u64) -> Option<Bound<'py, PyBytes>> {
        self.end.definition(key).map(|frame| PyBytes::new(py, &frame.body()[8..]))
    }

    fn take_forgotten(&mut self) -> Vec<u64> {
        let forgotten = self.end.take_forgotten();
        self.forgotten.extend_from_slice(&forgotten);
        forgotten
    }

    pub(crate) fn report(
        &mut self,
        py: Python<'_>,
        ticket: u64,
        flags: u32,
        result: &[u8],
        effects: &[u8],
    ) -> PyResult<()> {
        self.end_if_forked(py)?;
        if !self.end.report(ticket, flags, result, effects).map_err(failed)? {
            self.flush(py)?;
        }
        Ok(())
    }

    fn request<'py>(&mut self, py: Python<'py>, ticket: u64, body: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        self.end_if_forked(py)?;
        if !self.end.is_running(ticket) {
            // Nobody would answer. A thread that a body left behind may be here, or a body with another one's context.
            return Err(PyRuntimeError::new_err(
                "The task whose context this is has ended: take what you need from it before the body returns",
            ));
        }
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

    /// Tells who looks from outside what the running task is called.
    pub(crate) fn name(&self, name: &str) {
        self.end.name(name);
    }

    /// The running task has all it needs: from here on its time counts.
    pub(crate) fn begin_body(&mut self) {
        self.end.begin_body();
    }

    fn has_queued(&self) -> bool {
        self.end.has_queued()
    }

    fn live_epoch(&self) -> u64 {
        self.end.live_epoch()
    }
}
