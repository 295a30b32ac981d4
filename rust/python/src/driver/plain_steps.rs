//! `_core.PlainSteps`: the short way for plain steps in this process: of the workflow's own branch, and members of groups.
//!
//! Does exactly what the driver does for such a step, with nothing in between: whole streaks of them in the calling thread;
//! of others it does what comes before and after the call. What is not plain (an iteration, a repeated
//! attempt, an exception, another placement, more than `next_task` of plain tasks) goes back to the driver. Which steps are
//! plain is `plain_plans.rs`'s, how a body is called `plain_calls.rs`'s, what it asked for `plain_asked.rs`'s; must not know pools.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::OnceLock;

use graflow_ledger::Effects;
use graflow_pool::Reactor;
use graflow_scheduler::{Action, Directive};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyType};

use crate::driver::actions::{micros, mistake, to_tuple, ActionTuple};
use crate::driver::branches::Branches;
use crate::driver::plain_asked::Simple;
use crate::driver::plain_calls::Ended;
use crate::driver::plain_journal::PlainJournal;
use crate::driver::plain_plans::{Filled, Plans, Step};
use crate::driver::plain_tables::Tables;
use crate::driver::root::now;
use crate::driver::scheduler::PyScheduler;
use crate::driver::value::Value;
use crate::tables::arguments::bound_of;
use crate::tables::slots::TaskSlots;

/// Steps between two looks for signals: a body that is Python code looks itself.
const STEPS_PER_LOOK: u32 = 256;

/// Runs plain steps of one run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct PlainSteps {
    pub(super) scheduler: Py<PyScheduler>,
    tasks: Py<PyList>,
    pub(super) names: Py<PyList>,
    plain: Py<PyType>,
    /// What the driver answers and does.
    pub(super) driver: Py<PyAny>,
    plans: Plans,
    simple: Simple,
    /// What members have done, and where new tasks go; asked for when it is first needed.
    branches: OnceLock<Py<Branches>>,
    /// The node and the branch whose body is running, and since when, in seconds since the epoch, as bits.
    node: AtomicU32,
    branch: AtomicU64,
    pub(super) started: AtomicU64,
    /// What writes down how steps end; None but in a durable run, where only those of the workflow's own branch are plain.
    pub(super) journal: Option<Py<PlainJournal>>,
}

#[pymethods]
impl PlainSteps {
    #[new]
    #[pyo3(signature = (scheduler, tasks, names, plain, driver, journal = None))]
    fn new(
        scheduler: Py<PyScheduler>,
        tasks: Py<PyList>,
        names: Py<PyList>,
        plain: Py<PyType>,
        driver: Py<PyAny>,
        journal: Option<Py<PlainJournal>>,
    ) -> Self {
        let (plans, simple, branches) = (Plans::default(), Simple::default(), OnceLock::new());
        let (node, branch, started) = <(AtomicU32, AtomicU64, AtomicU64)>::default();
        Self { scheduler, tasks, names, plain, driver, plans, simple, branches, node, branch, started, journal }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.journal)?;
        visit.call(&self.driver)
    }

    /// The name of the task whose body is running.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.names.bind(py).get_item(self.node.load(Ordering::Relaxed) as usize)
    }

    /// The branch that it runs in.
    #[getter]
    fn branch(&self) -> u64 {
        self.branch.load(Ordering::Relaxed)
    }

    /// When it started, in seconds since the epoch.
    #[getter]
    fn started(&self) -> f64 {
        f64::from_bits(self.started.load(Ordering::Relaxed))
    }

    /// Runs plain steps from `action` on; the first action that is none (`action` itself if nothing was run), or None.
    fn go_on<'py>(&self, py: Python<'py>, action: Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let driver = self.driver.bind(py);
        let first: ActionTuple = action.extract()?;
        let step = self.step_of(driver, first, false)?;
        let tables = Tables::of(driver)?;
        let Some(step) = step.map(|step| self.ready_here(driver, step, &tables)).transpose()?.flatten() else {
            return Ok(Some(action));
        };
        driver.call_method1(intern!(py, "enter"), (step.branch == 0,))?;
        let mut last = None;
        let outcome = self.streak(driver, step, &tables, &mut last);
        driver.call_method1(intern!(py, "leave"), (last.is_some(), last))?;
        let (action, ended) = outcome?;
        let following = match ended {
            None => return action.map(|action| Ok(action.into_pyobject(py)?.into_any())).transpose(),
            Some(Ended::Returned(..)) => return Ok(None),
            Some(Ended::Asked(context, result)) => {
                driver.call_method1(intern!(py, "returned"), (action, context, result))?
            }
            Some(Ended::Raised(context, error)) => {
                driver.call_method1(intern!(py, "raised"), (action, context, error.into_value(py)))?
            }
        };
        Ok(Some(following))
    }

    /// The scheduler's next action, but for the ends of members that are kept here.
    fn next(&self, py: Python<'_>, now: f64) -> PyResult<Option<ActionTuple>> {
        Ok(self.following(self.driver.bind(py), micros(now))?.map(to_tuple))
    }

    /// Begins a plain step that another thread runs: (its name, the function, whether it takes the context, arguments).
    ///
    /// None if the action is another one, and then nothing has happened.
    #[allow(clippy::type_complexity)]
    fn begin<'py>(
        &self,
        py: Python<'py>,
        action: ActionTuple,
    ) -> PyResult<Option<(Bound<'py, PyString>, Py<PyAny>, bool, Option<Bound<'py, PyDict>>)>> {
        let driver = self.driver.bind(py);
        let Some(step) = self.step_of(driver, action, true)? else {
            return Ok(None);
        };
        let tables = Tables::of(driver)?;
        let Some(step) = self.ready(driver, step, &tables)? else {
            return Ok(None);
        };
        let name = self.names.bind(py).get_item(step.node as usize)?.cast_into::<PyString>()?;
        self.count(py, &step, &name, &tables)?;
        let arguments = match step.arguments {
            Some(Filled::With(arguments)) => Some(arguments),
            _ => None,
        };
        Ok(Some((name, step.plan.function.clone_ref(py), step.plan.inject, arguments)))
    }

    /// Ends plain steps that ended in an earlier process, from that place of the entries on.
    ///
    /// The place of the first entry that is none of them, the action that came instead if there was one, and what time it
    /// was. `offset`: what to add to the time of day for the run's clock.
    fn catch_up<'py>(
        &self,
        py: Python<'py>,
        entries: &Bound<'py, PyList>,
        place: usize,
        offset: f64,
        now: f64,
    ) -> PyResult<(usize, Option<ActionTuple>, f64)> {
        self.end_again(self.driver.bind(py), entries, place, (offset, now))
    }

    /// Completes a step that began so at that time and has returned; false if the driver must do it.
    fn complete(&self, py: Python<'_>, action: ActionTuple, result: &Bound<'_, PyAny>, started: f64) -> PyResult<bool> {
        let driver = self.driver.bind(py);
        let (_, ticket, node, branch, ..) = action;
        if branch != 0 && self.branches(driver)?.records.get().contains_key(&(branch as u64)) {
            return Ok(false);
        }
        let name = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
        self.store(driver, (branch as u64, node as u32), &name, result, started, &Tables::of(driver)?)?;
        let now = Reactor::now() / 1000;
        self.scheduler.get().core.get().complete(ticket as u64, &[], now).map(|_| true).map_err(mistake)
    }
}

impl PlainSteps {
    /// Runs steps; the action that none was made of, with how it ended if its body has run.
    fn streak<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        first: Step<'py>,
        tables: &Tables<'py>,
        last: &mut Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Option<ActionTuple>, Option<Ended<'py>>)> {
        let py = driver.py();
        let mut steps = 0_u32;
        let mut step = first;
        loop {
            let (node, branch) = (step.node, step.branch);
            let name = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
            self.node.store(node, Ordering::Relaxed);
            self.branch.store(branch, Ordering::Relaxed);
            let ended = match &self.journal {
                None => self.step(py, &step, &name, tables)?,
                Some(journal) => self.step_written_down(py, &step, &name, tables, journal.get())?,
            };
            let Ended::Returned(result, directives) = ended else {
                return Ok((Some(step.action), Some(ended)));
            };
            self.store(driver, (branch, node), &name, &result, self.started(), tables)?;
            if branch == 0 {
                *last = Some(result);
            }
            let now = Reactor::now() / 1000;
            self.scheduler.get().core.get().complete(step.ticket, &directives, now).map_err(mistake)?;
            let Some(following) = self.following(driver, now)? else {
                return Ok((None, None));
            };
            let action = to_tuple(following);
            let plain = self.step_of(driver, action, false)?;
            let ready = plain.map(|step| self.ready_here(driver, step, tables)).transpose()?.flatten();
            match ready {
                Some(ready) => step = ready,
                None => return Ok((Some(action), None)),
            }
            steps += 1;
            if steps % STEPS_PER_LOOK == 0 {
                py.check_signals()?;
                self.scheduler.get().record();
            }
        }
    }

    /// Keeps what a step returned.
    fn store<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        (branch, node): (u64, u32),
        name: &Bound<'py, PyString>,
        result: &Bound<'py, PyAny>,
        started: f64,
        tables: &Tables<'py>,
    ) -> PyResult<()> {
        if branch != 0 {
            let effects = Effects::of_result(Value::of(result.clone()));
            self.branches(driver)?.ledger.get().apply(branch, node, effects);
            return Ok(());
        }
        tables.store(node, name, result)?;
        if let Some(times) = &tables.times {
            times.get().note(name, started, now());
        }
        Ok(())
    }

    /// The scheduler's next action that is more than the end of a member which is kept here.
    fn following(&self, driver: &Bound<'_, PyAny>, now: u64) -> PyResult<Option<Action>> {
        loop {
            let following = self.scheduler.get().core.get().next(now);
            match following {
                Some(Action::BranchEnded { branch, outcome, .. }) if self.branches(driver)?.ended(branch, outcome) => {}
                other => {
                    self.scheduler.get().show();
                    return Ok(other);
                }
            }
        }
    }

    /// What a body of the workflow's own branch asked for, if that is nothing but tasks to run; None: the driver's.
    pub(super) fn directives(
        &self,
        driver: &Bound<'_, PyAny>,
        asked: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Vec<Directive>>> {
        let slots = TaskSlots::of(self.plain.bind(driver.py()))?;
        self.simple.directives(self.scheduler.get(), self.branches(driver)?, slots, asked)
    }

    pub(super) fn step_of<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        action: ActionTuple,
        in_thread: bool,
    ) -> PyResult<Option<Step<'py>>> {
        let (tasks, plain) = (self.tasks.bind(driver.py()), self.plain.bind(driver.py()));
        let step = self.plans.step_of(driver, tasks, plain, action)?;
        Ok(step.filter(|step| step.plan.in_thread == in_thread))
    }

    pub(super) fn branches<'a, 'py: 'a>(&'a self, driver: &Bound<'py, PyAny>) -> PyResult<&'a Branches> {
        if self.branches.get().is_none() {
            let found: Py<Branches> = driver.call_method0(intern!(driver.py(), "branches"))?.extract()?;
            let _ = self.branches.set(found); // else another one has done so meanwhile
        }
        Ok(self.branches.get().expect("it has just been set").get())
    }

    /// A plain step that can run in this thread now; None if the driver must see to it.
    fn ready_here<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        step: Step<'py>,
        tables: &Tables<'py>,
    ) -> PyResult<Option<Step<'py>>> {
        if step.branch == 0 {
            let is_plain = self.journal.as_ref().is_none_or(|journal| journal.get().is_open(driver.py()));
            return Ok(is_plain.then_some(step));
        }
        let Some(step) = self.ready(driver, step, tables)? else {
            return Ok(None);
        };
        // What it prints is shown at once, so it must be its turn.
        let flows = driver.call_method1(intern!(driver.py(), "flows"), (step.branch,))?.is_truthy()?;
        Ok(flows.then_some(step))
    }

    /// A plain step with its arguments, of a branch that Python has no record of; None if the driver must see to it.
    fn ready<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        mut step: Step<'py>,
        tables: &Tables<'py>,
    ) -> PyResult<Option<Step<'py>>> {
        let mut may_look = true;
        if step.branch != 0 {
            let branches = self.branches(driver)?;
            let is_any_live = !branches.root.live.bind(driver.py()).is_empty();
            if is_any_live || branches.records.get().contains_key(&step.branch) {
                return Ok(None);
            }
            may_look = step.group.sees_root && !branches.ledger.get().has_done(step.branch);
        }
        match step.plan.fill(&bound_of(&step.task)?, tables, may_look)? {
            Filled::Unsure => Ok(None),
            filled => {
                step.arguments = Some(filled);
                Ok(Some(step))
            }
        }
    }

    /// Counts the start of a step, as somebody may ask for.
    pub(super) fn count(
        &self,
        py: Python<'_>,
        step: &Step<'_>,
        name: &Bound<'_, PyString>,
        tables: &Tables<'_>,
    ) -> PyResult<()> {
        if let Some(branches) = self.branches.get().filter(|_| step.branch != 0) {
            branches.get().ledger.get().begin(step.branch, step.node);
            let failed = branches.get().root.failed.bind(py);
            if !failed.is_empty() && failed.contains(step.node)? {
                failed.del_item(step.node)?;
            }
            return Ok(());
        }
        if let Some(limit) = &step.plan.limit {
            limit.call1(py, (name,))?;
        }
        tables.counts.get().counts().count(step.node, name)?;
        if !tables.retry_counts.is_empty() && tables.retry_counts.contains(name)? {
            tables.retry_counts.del_item(name)?;
        }
        Ok(())
    }
}
