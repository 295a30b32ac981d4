//! `_core.Pool`: the reactor for Python.
use std::sync::{Mutex, MutexGuard, TryLockError};

use graflow_pool::{Cancelled, Event, Limits, LongBody, Payload, PoolError, Reactor, Woken};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

const REPORT: u8 = 0;
const REQUEST: u8 = 1;
const LOST: u8 = 2;
const OVERTIME: u8 = 3;
const OVERMEMORY: u8 = 4;
const WANTED: u8 = 5;

/// Ticket, process, for how long, and how long others took.
type LongBodyTuple = (u64, i32, f64, Option<f64>);

/// The coordinator's side of all worker links.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Pool {
    reactor: Mutex<Reactor>,
    wake_fd: i32,
}

/// The system's error with its number, which Python code can ask for.
fn system_error(error: std::io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text))
        }
        None => PyOSError::new_err(error),
    }
}

pub(crate) fn refused(error: PoolError) -> PyErr {
    match error {
        PoolError::Io(error) => system_error(error),
        other => PyValueError::new_err(other.to_string()),
    }
}

pub(crate) fn nanoseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9).min(9e18) as u64
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

impl Pool {
    /// Who its workers are and what they run.
    pub(crate) fn roster(&self) -> PyResult<std::sync::Arc<graflow_pool::Roster>> {
        Ok(self.lock()?.roster())
    }

    pub(crate) fn lock(&self) -> PyResult<MutexGuard<'_, Reactor>> {
        match self.reactor.try_lock() {
            Ok(guard) => Ok(guard),
            Err(TryLockError::WouldBlock) => Err(PyRuntimeError::new_err("the pool is in use by another thread")),
            Err(TryLockError::Poisoned(_)) => Err(PyRuntimeError::new_err("the pool failed earlier")),
        }
    }
}

#[pymethods]
impl Pool {
    #[new]
    fn new() -> PyResult<Pool> {
        let reactor = Reactor::new().map_err(system_error)?;
        let wake_fd = reactor.wake_fd();
        Ok(Pool { reactor: Mutex::new(reactor), wake_fd })
    }

    #[pyo3(signature = (socket_fd, claims_fd, pid, pidfd = None))]
    fn add_worker(&self, socket_fd: i32, claims_fd: i32, pid: i32, pidfd: Option<i32>) -> PyResult<usize> {
        self.lock()?.add_worker(socket_fd, claims_fd, pid, pidfd).map_err(refused)
    }

    /// A worker that is elsewhere: the near end of its link, and the copy of its claims.
    fn add_worker_elsewhere(&self, socket_fd: i32, claims_fd: i32) -> PyResult<usize> {
        self.lock()?.add_worker_elsewhere(socket_fd, claims_fd).map_err(refused)
    }

    /// Has each worker get at least so many seconds of work in flight.
    fn set_least_window(&self, window: f64) -> PyResult<()> {
        self.lock()?.set_least_window(nanoseconds(window));
        Ok(())
    }

    /// Whether it is not known yet whether a task begins that a worker elsewhere was asked to give back.
    fn is_in_doubt(&self, ticket: u64) -> PyResult<bool> {
        Ok(self.lock()?.is_in_doubt(ticket))
    }

    fn set_process(&self, worker: usize, pid: i32, pidfd: i32) -> PyResult<()> {
        self.lock()?.set_process(worker, pid, pidfd).map_err(refused)
    }

    fn remove_worker(&self, worker: usize) -> PyResult<()> {
        self.lock()?.remove_worker(worker);
        Ok(())
    }

    fn stop_worker(&self, worker: usize) -> PyResult<()> {
        self.lock()?.stop_worker(worker).map_err(refused)
    }

    fn kill_worker(&self, worker: usize) -> PyResult<bool> {
        Ok(self.lock()?.kill_worker(worker))
    }

    fn has_closed_its_link(&self, worker: usize) -> PyResult<bool> {
        Ok(self.lock()?.has_closed_its_link(worker))
    }

    fn define(&self, key: u64, blob: PyBackedBytes) -> PyResult<()> {
        self.lock()?.define(key, Payload::new(blob)).map_err(refused)
    }

    fn share(&self, key: u64, blob: PyBackedBytes) -> PyResult<()> {
        self.lock()?.share(key, Payload::new(blob)).map_err(refused)
    }

    fn forget(&self, key: u64) -> PyResult<()> {
        self.lock()?.forget(key);
        Ok(())
    }

    #[pyo3(
        signature = (ticket, payload, definitions = Vec::new(), timeout = None, memory_limit = None),
        text_signature = "($self, ticket, payload, definitions=(), timeout=None, memory_limit=None)"
    )]
    fn submit(
        &self,
        ticket: u64,
        payload: PyBackedBytes,
        definitions: Vec<u64>,
        timeout: Option<f64>,
        memory_limit: Option<u64>,
    ) -> PyResult<()> {
        let limits = Limits { timeout: timeout.map(nanoseconds), memory: memory_limit, lane: None };
        self.lock()?.submit(ticket, Payload::new(payload), &definitions, limits).map_err(refused)
    }

    fn cancel(&self, ticket: u64) -> PyResult<u8> {
        Ok(match self.lock()?.cancel(ticket) {
            Cancelled::Unknown => 0,
            Cancelled::TakenBack => 1,
            Cancelled::Running => 2,
        })
    }

    fn running_on(&self, ticket: u64) -> PyResult<i64> {
        Ok(self.lock()?.running_on(ticket).map_or(-1, |worker| worker as i64))
    }

    fn reply(&self, worker: usize, body: &[u8]) -> PyResult<()> {
        self.lock()?.reply(worker, body).map_err(refused)
    }

    #[pyo3(signature = (timeout, max_events = 4096))]
    fn poll<'py>(&self, py: Python<'py>, timeout: Option<f64>, max_events: usize) -> PyResult<Bound<'py, PyList>> {
        let mut guard = self.lock()?;
        let reactor = &mut *guard;
        let deadline = timeout.map(|timeout| Reactor::now().saturating_add(nanoseconds(timeout)));
        while py.detach(|| reactor.step(deadline)).map_err(refused)? == Woken::Tick {
            py.check_signals()?;
        }
        let out = PyList::empty(py);
        for event in reactor.take_events(max_events) {
            out.append(convert(py, event)?)?;
        }
        Ok(out)
    }

    fn room(&self) -> PyResult<usize> {
        Ok(self.lock()?.room())
    }

    fn backlog(&self) -> PyResult<usize> {
        Ok(self.lock()?.backlog())
    }

    fn workers(&self) -> PyResult<Vec<usize>> {
        Ok(self.lock()?.workers())
    }

    fn set_capacity(&self, workers: usize) -> PyResult<()> {
        self.lock()?.set_capacity(workers);
        Ok(())
    }

    fn memory_of(&self, worker: usize, enough: u64) -> PyResult<u64> {
        Ok(self.lock()?.memory_of(worker, enough))
    }

    /// The bodies that have been running for at least so many seconds.
    fn long_bodies(&self, least: f64) -> PyResult<Vec<LongBodyTuple>> {
        let bodies = self.lock()?.long_bodies(nanoseconds(least));
        let told = |body: LongBody| (body.ticket, body.pid, seconds(body.running), body.others.map(seconds));
        Ok(bodies.into_iter().map(told).collect())
    }

    fn set_live_epoch(&self, epoch: u64) -> PyResult<()> {
        self.lock()?.set_live_epoch(epoch);
        Ok(())
    }

    fn wake_fd(&self) -> i32 {
        self.wake_fd
    }
}

pub(crate) fn convert(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    let tuple = match event {
        Event::Report { ticket, worker, flags, started, ended, bytes, result, effects } => {
            let result = PyBytes::new(py, &bytes[result]);
            let effects = PyBytes::new(py, &bytes[effects]);
            (REPORT, ticket, worker, flags, seconds(started), seconds(ended), result, effects).into_pyobject(py)?
        }
        Event::Request { ticket, worker, bytes, body } => {
            (REQUEST, ticket, worker, PyBytes::new(py, &bytes[body..])).into_pyobject(py)?
        }
        Event::Lost { running, worker, has_begun, why } => {
            let running = running.map_or(-1, |ticket| ticket as i64);
            (LOST, running, worker, has_begun, why).into_pyobject(py)?
        }
        Event::Overtime { ticket, worker, running } => {
            (OVERTIME, ticket, worker, seconds(running)).into_pyobject(py)?
        }
        Event::Overmemory { ticket, worker, used } => (OVERMEMORY, ticket, worker, used).into_pyobject(py)?,
        Event::Wanted { workers } => (WANTED, workers).into_pyobject(py)?,
    };
    Ok(tuple.into_any())
}
