//! `_core.StepFeed`: the short way for plain steps of the workflow's own branch that run in the pool.
//!
//! A step is plain when its definition has no options beyond the usual, and its report says nothing but its result (or
//! asks for another iteration). Its payload is built here, it is waited for here, and its result goes into the channel
//! as bytes. Steps that surely follow it go to the same worker in the same task (a lease); what became of each is
//! applied here one after the other. Whatever else turns up goes to the driver.
//! Owns that bookkeeping and nothing else: it decides neither order (scheduler) nor placement (driver).

use graflow_pool::{Event, Payload, Reactor, Woken};
use graflow_scheduler::{Action, Directive, Micros};
use pyo3::exceptions::{PyAssertionError, PyRuntimeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PySet, PyString, PyTuple};

use crate::lease::{Outcome, Planner};
use crate::plain::NONE_PICKLE;
use crate::pool::{convert, refused, Pool};
use crate::scheduler::{to_tuple, ActionTuple, PyScheduler};

const RUN: i64 = 0;
/// The flag of a report that has a record and nothing unusual.
const EFFECTS: u32 = 2;
/// Tags of iterations whose turn comes within their lease; the driver's own are far below.
const FIRST_TAG: i64 = 1 << 40;
/// After a task that took longer, in nanoseconds, its worker's memory is looked at: by the driver.
const LONG_TASK: u64 = 50_000_000;

/// The step that is in the pool, or whose outcome is being applied.
struct Current {
    ticket: u64,
    node: u32,
    cause: i64,
    tag: i64,
    /// What it runs under: its own id, or that of the iteration.
    name: Py<PyString>,
    /// What the iteration was given, None for nothing.
    call: Option<Py<PyAny>>,
    /// How many steps were sent together with it, itself included; 0 for none.
    lease: usize,
}

/// What users can ask for of a run, as far as plain steps change it.
struct Books {
    data: Py<PyDict>,
    completed: Py<PySet>,
    completed_tasks: Py<PyList>,
    packed: Py<PyAny>,
    load: Py<PyAny>,
    /// Notes for the tracer that steps ran: called with names, times (two each) and the handler.
    note: Option<Py<PyAny>>,
}

/// An iteration's id, what it was given, and the cause of its task's activation.
type Iteration = (Py<PyString>, Option<Py<PyAny>>, i64);

/// Plain steps of one run.
#[pyclass(module = "graflow_fast._core")]
pub struct StepFeed {
    scheduler: Py<PyScheduler>,
    pool: Py<Pool>,
    planner: Planner,
    books: Books,
    /// The driver's iterations by tag: (id, data, cause).
    tags: Py<PyDict>,
    loads: Py<PyAny>,
    current: Option<Current>,
    outcomes: Option<Py<PyList>>,
    next_tag: i64,
    last_result: Py<PyAny>,
}

/// What is left for the driver after steps were applied.
enum Left {
    /// Nothing: all were applied.
    Nothing,
    /// The outcome with this index is not plain; its step is the current one.
    Outcome(usize),
}

#[pymethods]
impl StepFeed {
    #[new]
    #[allow(clippy::too_many_arguments)] // once for each run, from one place
    fn new(
        py: Python<'_>,
        scheduler: Py<PyScheduler>,
        pool: Py<Pool>,
        tasks: Py<PyList>,
        names: Py<PyList>,
        context: &Bound<'_, PyAny>,
        helper: Py<PyAny>,
        tags: Py<PyDict>,
        packed: Py<PyAny>,
        note: Option<Py<PyAny>>,
        leases: bool,
    ) -> PyResult<Self> {
        let channel = context.getattr("channel")?;
        let cycles = context.getattr("cycle_controller")?;
        let retries = context.getattr("retry_controller")?;
        let data: Py<PyDict> = channel.getattr("data")?.extract()?;
        let books = Books {
            data: data.clone_ref(py),
            completed: context.getattr("_completed")?.extract()?,
            completed_tasks: context.getattr("completed_tasks")?.extract()?,
            packed: packed.clone_ref(py),
            load: helper.getattr(py, "load")?,
            note,
        };
        let planner = Planner {
            tasks,
            names,
            task_class: helper.getattr(py, "task_class")?,
            packed,
            data,
            expiring: channel.getattr("ttl_data")?.extract()?,
            cycle_counts: cycles.getattr("cycle_counts")?.extract()?,
            cycle_limits: cycles.getattr("node_max_cycles")?.extract()?,
            retry_counts: retries.getattr("retry_counts")?.extract()?,
            retry_limits: retries.getattr("node_max_retries")?.extract()?,
            plans: rustc_hash::FxHashMap::default(),
            leases,
            most_steps: crate::lease::FIRST_STEPS,
            view: None,
            helper: Some(helper),
        };
        let loads = py.import("pickle")?.getattr("loads")?.unbind();
        Ok(Self {
            scheduler,
            pool,
            planner,
            books,
            tags,
            loads,
            current: None,
            outcomes: None,
            next_tag: FIRST_TAG,
            last_result: py.None(),
        })
    }

    /// Lets go of the run, which has this object in turn: the collector may be off.
    fn end(&mut self) {
        self.planner.helper = None;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.planner.traverse(&visit)?;
        self.books.traverse(&visit)?;
        visit.call(&self.tags)?;
        visit.call(&self.outcomes)?;
        visit.call(&self.last_result)?;
        self.current.as_ref().map_or(Ok(()), |current| visit.call(&current.call))
    }

    fn __clear__(&mut self) {
        self.planner.helper = None;
        self.books.note = None;
    }

    /// Forgets what is known of definitions: what they captured may have changed.
    fn renew(&mut self) {
        self.planner.plans.clear();
    }

    /// Runs the step that an action asks for, and those of its lease. Gives `action` itself when it is not plain, the
    /// scheduler's next action (or None), a list of the pool's events that are the driver's, or the index of an outcome
    /// that is.
    fn run<'py>(&mut self, py: Python<'py>, action: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let (kind, ticket, node, branch, attempt, tag, cause): ActionTuple = action.extract()?;
        if kind != RUN || branch != 0 || attempt != 0 {
            return Ok(action.clone().into_any());
        }
        let Ok(node) = u32::try_from(node) else {
            return Ok(action.clone().into_any());
        };
        self.current = None; // the one before may have become the driver's
        let Some(current) = self.submit(py, ticket as u64, node, tag, cause)? else {
            return Ok(action.clone().into_any());
        };
        self.current = Some(current);
        let mut events = self.wait(py)?;
        if events.len() == 1 {
            if let Some(left) = self.reported(py, &events[0])? {
                return self.answer(py, left, true);
            }
        }
        let out = PyList::empty(py);
        for event in events.drain(..) {
            out.append(convert(py, event)?)?;
        }
        Ok(out.into_any())
    }

    /// The step under way: (ticket, node, cause, tag, name, call, steps sent together).
    #[allow(clippy::type_complexity)]
    fn current<'py>(
        &self,
        py: Python<'py>,
    ) -> Option<(u64, u32, i64, i64, Bound<'py, PyString>, Option<Bound<'py, PyAny>>, usize)> {
        self.current.as_ref().map(|step| {
            let call = step.call.as_ref().map(|call| call.bind(py).clone());
            (step.ticket, step.node, step.cause, step.tag, step.name.bind(py).clone(), call, step.lease)
        })
    }

    /// The outcomes that an index given by `run` or `apply` refers to.
    fn outcomes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyList>> {
        self.outcomes.as_ref().map(|outcomes| outcomes.bind(py).clone())
    }

    /// Applies outcomes of a lease from an index on; the step before that has been completed by the driver.
    fn apply<'py>(&mut self, py: Python<'py>, index: usize, take_next: bool) -> PyResult<Bound<'py, PyAny>> {
        let left = self.apply_from(py, index, false)?;
        self.answer(py, left, take_next)
    }

    /// Applies all outcomes of a lease whose first step the driver has had in its hands.
    #[pyo3(signature = (ticket, node, cause, tag, name, call, outcomes))]
    #[allow(clippy::too_many_arguments)]
    fn apply_all<'py>(
        &mut self,
        py: Python<'py>,
        ticket: u64,
        node: u32,
        cause: i64,
        tag: i64,
        name: Py<PyString>,
        call: Option<Py<PyAny>>,
        outcomes: Py<PyList>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.current = Some(Current { ticket, node, cause, tag, name, call, lease: 0 });
        self.outcomes = Some(outcomes);
        let left = self.apply_from(py, 0, true)?;
        self.answer(py, left, false)
    }

    /// The result of the last step applied here.
    #[getter]
    fn last_result<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.last_result.bind(py).clone()
    }
}

impl StepFeed {
    /// Sends the step to the pool, with those that surely follow it; None when it is not plain.
    fn submit(&mut self, py: Python<'_>, ticket: u64, node: u32, tag: i64, cause: i64) -> PyResult<Option<Current>> {
        let (iteration, cause) = match self.iteration(py, tag)? {
            _ if tag == 0 => (None, cause),
            Some((name, data, cause)) => (Some((name, data)), cause),
            None => return Ok(None),
        };
        let sent = {
            let scheduler = self.scheduler.borrow(py);
            if scheduler.core.in_flight() != 1 || self.pool.get().lock()?.backlog() != 0 {
                return Ok(None);
            }
            self.planner.plan(py, &scheduler.core, node, cause, iteration.as_ref())?
        };
        let Some(sent) = sent else {
            return Ok(None);
        };
        self.pool
            .get()
            .lock()?
            .submit(ticket, Payload::from_vec(sent.payload), &sent.definitions, None, false)
            .map_err(refused)?;
        let name = match &iteration {
            Some((name, _)) => name.clone_ref(py),
            None => sent.name,
        };
        let call = iteration.and_then(|(_, data)| data);
        Ok(Some(Current { ticket, node, cause, tag, name, call, lease: sent.steps }))
    }

    /// The driver's iteration with a tag: (id, data, cause).
    fn iteration(&self, py: Python<'_>, tag: i64) -> PyResult<Option<Iteration>> {
        let found = if tag == 0 { None } else { self.tags.bind(py).get_item(tag)? };
        found.map(|entry| entry.extract()).transpose()
    }

    fn wait(&mut self, py: Python<'_>) -> PyResult<Vec<Event>> {
        let mut guard = self.pool.get().lock()?;
        let reactor = &mut *guard;
        while py.detach(|| reactor.step(None)).map_err(refused)? == Woken::Tick {
            py.check_signals()?;
        }
        Ok(reactor.take_events(usize::MAX).collect())
    }

    /// Applies a report; None when it is not one that this way knows.
    fn reported(&mut self, py: Python<'_>, event: &Event) -> PyResult<Option<Left>> {
        let Event::Report { ticket, flags, started, ended, bytes, result, effects, .. } = event else {
            return Ok(None);
        };
        let Some(current) = self.current.as_ref().filter(|current| current.ticket == *ticket) else {
            return Ok(None);
        };
        if ended.saturating_sub(*started) > LONG_TASK || !self.planner.expiring.bind(py).is_empty() {
            return Ok(None);
        }
        if current.lease > 0 {
            if *flags != EFFECTS {
                return Ok(None);
            }
            let outcomes = self.loads.call1(py, (PyBytes::new(py, &bytes[effects.clone()]),))?;
            self.outcomes = Some(outcomes.extract(py)?);
            return self.apply_from(py, 0, true).map(Some);
        }
        if *flags != 0 || !effects.is_empty() || current.tag != 0 {
            return Ok(None);
        }
        let result = &bytes[result.clone()];
        let value = if result == NONE_PICKLE {
            py.None().into_bound(py)
        } else {
            let books = &self.books;
            books.packed.bind(py).call1((PyBytes::new(py, result), books.load.bind(py)))?
        };
        let offset = wall_offset();
        let mut times = [offset + *started as f64 / 1e9, offset + *ended as f64 / 1e9].to_vec();
        self.store(py, value, None)?;
        let name = self.current.as_ref().map(|current| current.name.clone_ref(py));
        self.books.note(py, name.as_slice(), &mut times, self.planner.handler_of(py, node_of(&self.current))?)?;
        self.complete(py, None)?;
        Ok(Some(Left::Nothing))
    }

    /// Applies outcomes from an index on; `taken`: the first one's step is the current one already.
    fn apply_from(&mut self, py: Python<'_>, from: usize, taken: bool) -> PyResult<Left> {
        let Some(outcomes) = self.outcomes.as_ref().map(|outcomes| outcomes.clone_ref(py)) else {
            return Err(PyRuntimeError::new_err("there are no outcomes"));
        };
        let outcomes = outcomes.bind(py);
        let mut taken = taken;
        let (mut names, mut times) = (Vec::new(), Vec::new());
        let mut handler = None;
        let mut left = Left::Nothing;
        for index in from..outcomes.len() {
            let outcome = Outcome::read(&outcomes.get_item(index)?)?;
            if !taken {
                self.take(py, &outcome)?;
            }
            taken = false;
            let asked = outcome.iteration()?;
            if !outcome.is_plain || !self.planner.expiring.bind(py).is_empty() {
                left = Left::Outcome(index);
                break;
            }
            let node = node_of(&self.current);
            if handler.as_ref().is_none_or(|(known, _)| *known != node) {
                let found = self.planner.handler_of(py, node)?;
                if let Some((_, before)) = handler.replace((node, found.clone_ref(py))) {
                    if !before.is(&found) {
                        self.books.note(py, &names, &mut times, before)?;
                        names.clear();
                    }
                }
            }
            let value = match &outcome.result {
                None => py.None().into_bound(py),
                Some(bytes) => self.books.packed.bind(py).call1((bytes, self.books.load.bind(py)))?,
            };
            self.store(py, value, Some(&outcome.name))?;
            names.push(outcome.name.clone().unbind());
            times.extend([outcome.started, outcome.ended]);
            self.complete(py, asked)?;
        }
        if let Some((_, handler)) = handler {
            self.books.note(py, &names, &mut times, handler)?;
        }
        if matches!(left, Left::Nothing) {
            self.planner.ran(outcomes.len());
            self.outcomes = None;
        }
        Ok(left)
    }

    /// Takes the scheduler's next action, which must be the step that a worker has run already.
    fn take(&mut self, py: Python<'_>, outcome: &Outcome<'_>) -> PyResult<()> {
        let action = self.scheduler.borrow_mut(py).core.next(Reactor::now() / 1000);
        if let Some(Action::Run { ticket, node, branch: 0, attempt: 0, tag, cause }) = action {
            let expected = self.current.take().filter(|current| tag != 0 && current.tag == tag);
            let current = match expected {
                Some(before) => Current { ticket, node, lease: 0, ..before },
                None if tag != 0 => {
                    let (name, call, cause) =
                        self.iteration(py, tag)?.unwrap_or_else(|| (outcome.name.clone().unbind(), None, -1));
                    Current { ticket, node, cause, tag, name, call, lease: 0 }
                }
                None => {
                    let name = self.planner.names.bind(py).get_item(node as usize)?.extract()?;
                    Current { ticket, node, cause: cause.map_or(-1, i64::from), tag, name, call: None, lease: 0 }
                }
            };
            if current.name.bind(py).as_any().eq(&outcome.name)? {
                self.planner.start(py, node, &current.name)?;
                self.current = Some(current);
                return Ok(());
            }
        }
        let name = &outcome.name;
        Err(PyAssertionError::new_err(format!("a lease ran '{name}', but the scheduler would do {action:?}")))
    }

    /// Puts the current step's result where users find it.
    fn store(&mut self, py: Python<'_>, value: Bound<'_, PyAny>, name: Option<&Bound<'_, PyString>>) -> PyResult<()> {
        let Some(current) = self.current.as_ref() else {
            return Err(PyRuntimeError::new_err("no step is under way"));
        };
        let name = name.unwrap_or(current.name.bind(py));
        let data = self.books.data.bind(py);
        data.set_item(result_key(name)?, &value)?;
        if current.tag != 0 {
            let base = self.planner.names.bind(py).get_item(current.node as usize)?;
            data.set_item(result_key(base.cast::<PyString>()?)?, &value)?;
            let tags = self.tags.bind(py);
            if !tags.is_empty() {
                tags.call_method1(intern!(py, "pop"), (current.tag, py.None()))?;
            }
        }
        let completed = self.books.completed.bind(py);
        if !completed.contains(name)? {
            completed.add(name)?;
            self.books.completed_tasks.bind(py).append(name)?;
        }
        self.last_result = value.unbind();
        Ok(())
    }

    /// Tells the scheduler that the current step has ended, and what it asked for.
    fn complete(
        &mut self,
        py: Python<'_>,
        asked: Option<(Bound<'_, PyString>, Option<Bound<'_, PyAny>>)>,
    ) -> PyResult<()> {
        let Some(current) = self.current.as_mut() else {
            return Err(PyRuntimeError::new_err("no step is under way"));
        };
        let ticket = current.ticket;
        current.tag = 0;
        let now: Micros = Reactor::now() / 1000;
        let mut directives = &[][..];
        let iterate;
        if let Some((name, data)) = asked {
            self.next_tag += 1;
            current.tag = self.next_tag;
            current.name = name.unbind();
            current.call = match data {
                None => None,
                Some(data) => Some(self.books.packed.call1(py, (data, &self.books.load))?),
            };
            iterate = [Directive::Iterate { tag: current.tag }];
            directives = &iterate;
        }
        self.scheduler
            .borrow_mut(py)
            .core
            .complete(ticket, directives, now)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(())
    }

    /// Hands an iteration whose turn has not come to the driver: it knows iterations by their tags.
    fn hand_over_iteration(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(current) = self.current.as_ref().filter(|current| current.tag >= FIRST_TAG) {
            self.tags.bind(py).set_item(current.tag, (&current.name, &current.call, current.cause))?;
        }
        Ok(())
    }

    fn answer<'py>(&mut self, py: Python<'py>, left: Left, take_next: bool) -> PyResult<Bound<'py, PyAny>> {
        self.hand_over_iteration(py)?;
        match left {
            Left::Outcome(index) => Ok(PyInt::new(py, index).into_any()),
            Left::Nothing => {
                self.current = None;
                if !take_next {
                    return Ok(py.None().into_bound(py));
                }
                let next = self.scheduler.borrow_mut(py).core.next(Reactor::now() / 1000);
                Ok(next.map(to_tuple).into_pyobject(py)?.into_any())
            }
        }
    }
}

impl Books {
    /// For the collector: a result may be an exception, and hold the whole run by its traceback.
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)?;
        visit.call(&self.completed)?;
        visit.call(&self.completed_tasks)?;
        visit.call(&self.packed)?;
        visit.call(&self.load)?;
        visit.call(&self.note)
    }

    /// Tells the tracer that these steps ran; `times` is emptied.
    fn note(
        &self,
        py: Python<'_>,
        names: &[Py<PyString>],
        times: &mut Vec<f64>,
        handler: Py<PyString>,
    ) -> PyResult<()> {
        if let Some(note) = self.note.as_ref().filter(|_| !names.is_empty()) {
            note.call1(py, (names, times.as_slice(), handler))?;
        }
        times.clear();
        Ok(())
    }
}

fn node_of(current: &Option<Current>) -> u32 {
    current.as_ref().map_or(u32::MAX, |current| current.node)
}

/// The key under which a task's result lies.
pub fn result_key<'py>(name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    const SUFFIX: &str = ".__result__";
    let text = name.to_str()?;
    let mut key = String::with_capacity(text.len() + SUFFIX.len());
    key.push_str(text);
    key.push_str(SUFFIX);
    Ok(PyString::new(name.py(), &key))
}

/// Seconds to add to the monotonic clock for those since the epoch.
fn wall_offset() -> f64 {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    wall.as_secs_f64() - Reactor::now() as f64 / 1e9
}
