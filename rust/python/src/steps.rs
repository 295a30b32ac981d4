//! `_core.StepFeed`: the short way for plain steps of the workflow's own branch that run in the pool.
//!
//! A step is plain when its definition has no options beyond the usual, and its report says nothing but its result (or
//! asks for another iteration). Its payload is built here, it is waited for here, and its result goes into the channel
//! as bytes. Steps that surely follow it go to the same worker in the same task (a lease); what became of each is
//! applied here one after the other. Whatever else turns up goes to the driver.
//! Owns that bookkeeping and nothing else: it decides neither order (scheduler) nor placement (driver).

use graflow_pool::{Event, Payload, Reactor, Woken};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyString, PyTuple};

use crate::lease::Planner;
use crate::pool::{convert, refused, Pool};
use crate::scheduler::{to_tuple, ActionTuple, PyScheduler};
use crate::values::Values;

mod applying;
mod books;

use applying::Left;
use books::Books;

const RUN: i64 = 0;
/// Tags of iterations whose turn comes within their lease; the driver's own are far below.
const FIRST_TAG: i64 = 1 << 40;

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
        let data: Py<Values> = channel.getattr("data")?.extract()?;
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
            unsure: rustc_hash::FxHashSet::default(),
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
        self.planner.renew();
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

fn node_of(current: &Option<Current>) -> u32 {
    current.as_ref().map_or(u32::MAX, |current| current.node)
}
