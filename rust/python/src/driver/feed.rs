//! `_core.Feed`: the way of tasks to the pool and of their effects back, between scheduler and pool without Python in between.
//!
//! Its turns (`turns.rs`) tell workers what they need to know of a task (`telling.rs`), hand it over (`starting.rs`) and
//! apply reports, each in one step (`applying.rs`); what branches did is given to Python by `logs.rs`. What needs the
//! user's objects (failures, fragments, tracers that listen) is done by the helper,
//! `_places/process/processes.py`. Decides neither order (scheduler) nor placement (`plans.rs` has the table).
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use graflow_pool::{Event, Reactor};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyList, PySet, PyString, PyType};
use rustc_hash::FxHashMap as HashMap;

use crate::driver::actions::{micros, to_tuple, ActionTuple};
use crate::driver::branches::Branches;
use crate::driver::guarded::Guarded;
use crate::driver::next_tasks::NextTasks;
use crate::driver::plans::Plans;
use crate::driver::pool::{convert, nanoseconds, Pool};
use crate::driver::scheduler::PyScheduler;
use crate::driver::versions::Versions;

/// An attempt that is in the pool.
pub(crate) struct Tracked {
    pub node: u32,
    pub branch: u64,
    pub cause: i64,
    /// 0 for the first try.
    pub number: u32,
    pub tag: i64,
    /// The task that runs in place of the node's own, if one does.
    pub given: Option<Py<PyAny>>,
    /// The id that it runs under if it is an iteration, and what that was given.
    pub iteration: Option<Py<PyString>>,
    pub data: Option<Py<PyAny>>,
    /// The version of the channel that it sees, where several tasks of the workflow's own branch run at once.
    pub version: Option<u64>,
    /// Shared memory that it was told of.
    pub held: Vec<PyBackedBytes>,
    /// Whether its definition names a handler, which tracers are shown.
    pub has_handler: bool,
    /// Whether Python is to hear of its end before it is applied.
    pub is_attended: bool,
    /// Whether its body has asked for something, so that Python is to hear of its end after it is applied.
    pub has_asked: bool,
}

/// What is known of a group beside what its branches have done.
pub(crate) struct Group {
    pub first: u64,
    pub last: u64,
    /// The key of what workers were told of the channel, 0 for nothing.
    pub view: u64,
    /// Whether the group says that its members run in the pool.
    pub in_pool: Option<bool>,
    /// The names that branches around the group have added.
    pub around: Py<PySet>,
}

/// The attempts of one run that are in the pool, and what branches have done.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Feed {
    pub(crate) scheduler: Py<PyScheduler>,
    pub(crate) pool: Py<Pool>,
    pub(crate) tasks: Py<PyList>,
    pub(crate) names: Py<PyList>,
    pub(crate) branches: Py<Branches>,
    /// `processes.Processes`; None once the run has ended.
    pub(crate) helper: Mutex<Option<Py<PyAny>>>,
    pub(crate) settings: FeedSettings,
    pub(crate) plain: Py<PyType>,
    /// None in a sequential run.
    pub(crate) versions: Option<Py<Versions>>,
    pub(crate) plans: Guarded<Plans>,
    pub(crate) groups: Guarded<Vec<Group>>,
    /// The key of what workers were told of the channel for the workflow's own branch, 0 before anybody asked.
    pub(crate) root_view: AtomicU64,
    pub(crate) tracked: Guarded<HashMap<u64, Tracked>>,
    pub(crate) next: Guarded<NextTasks>,
    /// Whether the pool sees to the limits of lanes: as long as their tasks run nowhere else.
    pub(crate) sends_ahead: AtomicBool,
    /// Branches (first, last) whose attempts the driver looks at before they start.
    pub(crate) watched: Guarded<Vec<(u64, u64)>>,
}

/// What holds for the whole run.
#[derive(FromPyObject)]
pub(crate) struct FeedSettings {
    /// Whether a tracer wants to hear of each attempt.
    pub listens: bool,
    /// Whether Python is to complete each task of the workflow's own branch, since it forgets what is not needed.
    pub forgets: bool,
    /// Whether it is counted how many pieces of a body's output have been shown before it ended.
    pub counts_pieces: bool,
}

#[pymethods]
impl Feed {
    #[new]
    fn new(py: Python<'_>, parts: &Bound<'_, PyAny>, helper: Py<PyAny>) -> PyResult<Self> {
        let part = |name: &str| parts.getattr(name);
        let plain: Py<PyType> = part("plain")?.extract()?;
        let next = NextTasks::new(
            py,
            plain.bind(py),
            part("graph")?.extract()?,
            part("ids")?.extract()?,
            part("find")?.unbind(),
        )?;
        Ok(Self {
            scheduler: part("scheduler")?.extract()?,
            pool: part("pool")?.extract()?,
            tasks: part("tasks")?.extract()?,
            names: part("names")?.extract()?,
            branches: part("branches")?.extract()?,
            helper: Mutex::new(Some(helper)),
            settings: part("settings")?.extract()?,
            plain,
            versions: part("versions")?.extract()?,
            plans: Guarded::new(Plans::new(part("defaults")?.extract()?)),
            groups: Guarded::default(),
            root_view: AtomicU64::new(0),
            tracked: Guarded::default(),
            next: Guarded::new(next),
            sends_ahead: AtomicBool::new(part("sends_ahead")?.extract()?),
            watched: Guarded::default(),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.pool)?;
        visit.call(&self.scheduler)?;
        visit.call(&self.branches)?;
        visit.call(&self.versions)?;
        if let Ok(next) = self.next.0.try_lock() {
            next.traverse(&visit)?;
        }
        if let Ok(tracked) = self.tracked.0.try_lock() {
            for attempt in tracked.values() {
                visit.call(&attempt.given)?;
                visit.call(&attempt.data)?;
            }
        }
        match self.helper.try_lock() {
            Ok(helper) => visit.call(&*helper),
            Err(_) => Ok(()),
        }
    }

    /// Lets go of the run, which has this object in turn: the collector may be off.
    fn end(&self) {
        let helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(helper);
        self.plans.get().clear();
    }

    /// What functions captured may have changed: keys are asked for anew.
    fn renew(&self) {
        self.plans.get().renew();
    }

    /// A group has started, of so many members; see `Group` for the rest.
    fn open(
        &self,
        py: Python<'_>,
        first: u64,
        count: u64,
        place: (u64, Option<bool>),
        around: Bound<'_, PyList>,
    ) -> PyResult<()> {
        let (view, in_pool) = place;
        let around = PySet::new(py, around)?.unbind();
        self.groups.get().push(Group { first, last: first + count, view, in_pool, around });
        Ok(())
    }

    /// Attempts in the branches from `first` to `last` are the driver's to start.
    fn watch(&self, first: u64, last: u64) {
        self.watched.get().push((first, last));
    }

    /// Tasks of lanes may run elsewhere, too, from now on: the scheduler sees to their limits.
    fn keep_limits(&self) {
        self.sends_ahead.store(false, Ordering::Relaxed);
        self.scheduler.get().core.get().keep_limits();
    }

    /// Feeds tasks until the pool has enough; the first action that is the driver's, or None.
    fn feed(slf: &Bound<'_, Self>, now: f64) -> PyResult<Option<ActionTuple>> {
        Self::fed(slf, micros(now)).map(|action| action.map(to_tuple))
    }

    /// Starts the attempt that an action asks for, if it runs in the pool; says whether it does.
    fn start(slf: &Bound<'_, Self>, action: ActionTuple) -> PyResult<bool> {
        let (_, ticket, node, branch, number, tag, cause) = action;
        let cause = u32::try_from(cause).ok();
        Self::started(slf, (ticket as u64, node as u32, branch as u64), (number as u32, tag, cause))
    }

    /// Waits for the pool's news, applies reports, feeds what became ready, and goes on so until Python is needed.
    ///
    /// Returns (events that are the driver's, the driver's action or None). `timeout`: when to come back at the latest.
    fn drive<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<(Bound<'py, PyList>, Option<ActionTuple>)> {
        let py = slf.py();
        let this = slf.get();
        let until = timeout.map(|timeout| Reactor::now().saturating_add(nanoseconds(timeout)));
        let out = PyList::empty(py);
        loop {
            let deadline = this.scheduler.get().core.get().deadline().map(|due| due.saturating_mul(1000));
            let wait = match (until, deadline) {
                (Some(until), Some(deadline)) => Some(until.min(deadline)),
                (until, deadline) => until.or(deadline),
            };
            let events = this.wait(py, wait)?;
            let is_late = events.is_empty();
            let mut must_look = false;
            for event in events {
                match Self::take(slf, event)? {
                    Some(Event::Request { ticket, worker, bytes, body }) => {
                        must_look |= this.answer(py, ticket, worker, &bytes[body..])?;
                    }
                    Some(event) => out.append(convert(py, event)?)?,
                    None => {}
                }
            }
            this.scheduler.get().record();
            if must_look || !out.is_empty() || until.is_some_and(|until| Reactor::now() >= until) {
                return Ok((out, None));
            }
            let action = Self::fed(slf, Reactor::now() / 1000)?;
            if action.is_some() {
                return Ok((out, action.map(to_tuple)));
            }
            let is_idle = this.pool.get().lock()?.backlog() == 0;
            let is_called = this.scheduler.get().is_called.swap(false, Ordering::SeqCst);
            if is_idle || is_called || (is_late && deadline.is_none()) || this.scheduler.get().core.get().finished() {
                return Ok((out, None));
            }
        }
    }

    /// Waits for the pool's news, applies reports, and returns what is left for the driver.
    fn collect<'py>(slf: &Bound<'py, Self>, timeout: Option<f64>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let out = PyList::empty(py);
        let until = timeout.map(|timeout| Reactor::now().saturating_add(nanoseconds(timeout)));
        for event in slf.get().wait(py, until)? {
            if let Some(event) = Self::take(slf, event)? {
                out.append(convert(py, event)?)?;
            }
        }
        Ok(out)
    }

    /// Applies a report that Python has looked at: `written` are pieces of output that its record does not have.
    fn apply(
        slf: &Bound<'_, Self>,
        ticket: u64,
        flags: u32,
        times: (f64, f64),
        result: PyBackedBytes,
        record: PyBackedBytes,
        written: Option<Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        Self::applied(slf, ticket, flags, times, &result, &record, written)
    }

    /// An attempt in the pool, by its ticket: (node, branch, cause or -1, number, tag, version or None).
    fn attempt(&self, ticket: u64) -> Option<(u32, u64, i64, u32, i64, Option<u64>)> {
        let tracked = self.tracked.get();
        let found = tracked.get(&ticket)?;
        Some((found.node, found.branch, found.cause, found.number, found.tag, found.version))
    }

    /// Forgets an attempt: nothing will be applied of it.
    fn forget(&self, py: Python<'_>, ticket: u64) {
        let found = self.tracked.get().remove(&ticket);
        if let (Some(versions), Some(version)) = (&self.versions, found.and_then(|found| found.version)) {
            versions.bind(py).get().release(version);
        }
    }

    /// Hands an attempt to the pool again, which was lost through no fault of its own.
    fn send_again(slf: &Bound<'_, Self>, ticket: u64) -> PyResult<()> {
        Self::sent(slf, ticket)
    }

    /// Python is to hear of an attempt's end before it is applied.
    fn attend(&self, ticket: u64) {
        if let Some(tracked) = self.tracked.get().get_mut(&ticket) {
            tracked.is_attended = true;
        }
    }

    /// Notes that the body of an attempt has asked for something; false if it is none of these attempts.
    fn asked(&self, ticket: u64) -> bool {
        self.tracked.get().get_mut(&ticket).map(|tracked| tracked.has_asked = true).is_some()
    }

    /// The tickets of all attempts in the pool.
    fn tickets(&self) -> Vec<u64> {
        let mut tickets: Vec<u64> = self.tracked.get().keys().copied().collect();
        tickets.sort_unstable();
        tickets
    }

    /// A group has ended: nothing will be sent of its branches.
    fn close(&self, first: u64) {
        self.groups.get().retain(|group| group.first != first);
    }
}
