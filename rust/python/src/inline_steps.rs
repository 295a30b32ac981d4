//! `_core.InlineSteps`: the short way for plain steps, bodies of the workflow's own branch run in the calling thread.
//!
//! Does exactly what the driver does for such a step, with nothing in between. What is not plain (an iteration, a repeated
//! attempt, a directive, an exception, another placement) goes back to the driver. Must not know pools or other branches.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use graflow_pool::Reactor;
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PyString, PyType};
use rustc_hash::FxHashMap as HashMap;

use crate::arguments::bound_of;
use crate::scheduler::{mistake, to_tuple, ActionTuple, PyScheduler};
use crate::step_counts::StepCounts;
use crate::step_times::StepTimes;
use crate::values::{Values, ValuesMethods};

const RUN: i64 = 0;
/// Steps between two looks for signals: a body that is Python code looks itself.
const STEPS_PER_LOOK: u32 = 256;

/// How to run the bodies of one definition.
struct Plan {
    function: Py<PyAny>,
    inject: bool,
    /// The name, `<name>.__result__`, and whether there is no default.
    parameters: Vec<(Py<PyString>, Py<PyString>, bool)>,
    /// Whether open parameters are looked up in the channel.
    looks_up: bool,
    /// What may be bound; None for anything.
    names: Option<Py<PyFrozenSet>>,
    /// `(task name)`: sets the definition's limits of loops and retries; None when it has none.
    limit: Option<Py<PyAny>>,
}

/// A definition, and how its bodies are run; None when the driver runs them.
type Known = (Py<PyAny>, Option<Arc<Plan>>);

/// Runs plain steps of one run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct InlineSteps {
    scheduler: Py<PyScheduler>,
    tasks: Py<PyList>,
    names: Py<PyList>,
    plain: Py<PyType>,
    /// What the driver answers and does.
    driver: Py<PyAny>,
    /// By the address of a definition, which is held so that no other one gets it.
    plans: Mutex<HashMap<usize, Known>>,
    /// The node whose body is running and since when, in seconds since the epoch, as bits.
    node: AtomicU32,
    started: AtomicU64,
}

/// What the steps of one streak read and write.
struct Tables<'py> {
    channel: Bound<'py, PyAny>,
    /// The channel's values and expiries, when setting a value is nothing more than to put it there.
    data: Option<(Bound<'py, Values>, Bound<'py, PyDict>)>,
    counts: Bound<'py, StepCounts>,
    retry_counts: Bound<'py, PyDict>,
    /// Where it is noted which tasks ran and when, if anybody wants to know.
    times: Option<Bound<'py, StepTimes>>,
    /// Stands for the context of a step that takes none.
    marker: Bound<'py, PyAny>,
}

/// How a step ended.
enum Ended<'py> {
    /// Well, and nothing was asked for.
    Returned(Bound<'py, PyAny>),
    /// With directives: (its context, the result).
    Asked(Bound<'py, PyAny>, Bound<'py, PyAny>),
    /// With an exception: (its context, the exception).
    Raised(Bound<'py, PyAny>, PyErr),
}

#[pymethods]
impl InlineSteps {
    #[new]
    fn new(
        scheduler: Py<PyScheduler>,
        tasks: Py<PyList>,
        names: Py<PyList>,
        plain: Py<PyType>,
        driver: Py<PyAny>,
    ) -> Self {
        let (node, started) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { scheduler, tasks, names, plain, driver, plans: Mutex::default(), node, started }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.driver)
    }

    /// The name of the task whose body is running.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.names.bind(py).get_item(self.node.load(Ordering::Relaxed) as usize)
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
        if self.plan_for(py, first)?.is_none() {
            return Ok(Some(action));
        }
        let tables = Tables::of(&driver.call_method0(intern!(py, "begin"))?)?;
        let mut last = None;
        let outcome = self.streak(py, first, &tables, &mut last);
        driver.call_method1(intern!(py, "end"), (last.is_some(), last))?;
        let (action, ended) = outcome?;
        let following = match ended {
            None => return action.map(|action| Ok(action.into_pyobject(py)?.into_any())).transpose(),
            Some(Ended::Returned(_)) => return Ok(None),
            Some(Ended::Asked(context, result)) => {
                driver.call_method1(intern!(py, "returned"), (action, context, result))?
            }
            Some(Ended::Raised(context, error)) => {
                driver.call_method1(intern!(py, "raised"), (action, context, error.into_value(py)))?
            }
        };
        Ok(Some(following))
    }
}

impl InlineSteps {
    /// Runs steps; the action that none was made of, with how it ended if its body has run.
    fn streak<'py>(
        &self,
        py: Python<'py>,
        first: ActionTuple,
        tables: &Tables<'py>,
        last: &mut Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Option<ActionTuple>, Option<Ended<'py>>)> {
        let names = self.names.bind(py);
        let mut steps = 0_u32;
        let mut action = first;
        loop {
            let Some((task, plan)) = self.plan_for(py, action)? else {
                return Ok((Some(action), None));
            };
            let (_, ticket, node, _, _, _, cause) = action;
            let name = names.get_item(node as usize)?.cast_into::<PyString>()?;
            self.node.store(node as u32, Ordering::Relaxed);
            let result = match self.step(py, &plan, &task, &name, cause, tables)? {
                Ended::Returned(result) => result,
                ended => return Ok((Some(action), Some(ended))),
            };
            tables.store(node as u32, &name, &result)?;
            if let Some(times) = &tables.times {
                times.borrow_mut().note(&name, self.started(), now());
            }
            *last = Some(result);
            let now = Reactor::now() / 1000;
            let following = {
                let core = &mut self.scheduler.bind(py).borrow_mut().core;
                core.complete(ticket as u64, &[], now).map_err(mistake)?;
                core.next(now)
            };
            match following {
                Some(following) => action = to_tuple(following),
                None => return Ok((None, None)),
            }
            steps += 1;
            if steps % STEPS_PER_LOOK == 0 {
                py.check_signals()?;
            }
        }
    }

    /// Runs one body.
    fn step<'py>(
        &self,
        py: Python<'py>,
        plan: &Plan,
        task: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
        cause: i64,
        tables: &Tables<'py>,
    ) -> PyResult<Ended<'py>> {
        if let Some(limit) = &plan.limit {
            limit.call1(py, (name,))?;
        }
        tables.counts.borrow_mut().count(self.node.load(Ordering::Relaxed), name)?;
        if !tables.retry_counts.is_empty() && tables.retry_counts.contains(name)? {
            tables.retry_counts.del_item(name)?;
        }
        self.started.store(now().to_bits(), Ordering::Relaxed);
        let driver = self.driver.bind(py);
        let context = if plan.inject { Some(driver.call_method0(intern!(py, "new_context"))?) } else { None };
        let called = self.call(py, plan, task, name, cause, (tables, context.as_ref()));
        match called {
            Ok(result) => {
                // What takes no context may have asked for something through the run's.
                let made = tables.marker.getattr(intern!(py, "_made"))?;
                if made.is_none() {
                    return Ok(Ended::Returned(result));
                }
                if made.getattr(intern!(py, "directives"))?.is_none() {
                    driver.call_method0(intern!(py, "renew"))?;
                    return Ok(Ended::Returned(result));
                }
                Ok(Ended::Asked(driver.call_method0(intern!(py, "context"))?, result))
            }
            Err(error) if error.is_instance_of::<PyException>(py) => {
                Ok(Ended::Raised(driver.call_method0(intern!(py, "context"))?, error))
            }
            Err(error) => Err(error),
        }
    }

    fn call<'py>(
        &self,
        py: Python<'py>,
        plan: &Plan,
        task: &Bound<'py, PyAny>,
        name: &Bound<'py, PyString>,
        cause: i64,
        (tables, context): (&Tables<'py>, Option<&Bound<'py, PyAny>>),
    ) -> PyResult<Bound<'py, PyAny>> {
        let bound = bound_of(task)?;
        let arguments = if plan.parameters.is_empty() && bound.is_empty() {
            None
        } else {
            match plan.fill(&bound, tables)? {
                Filled::Nothing => None,
                Filled::With(arguments) => Some(arguments),
                Filled::Unsure => {
                    let fill = intern!(py, "fill_arguments");
                    let arguments = self.driver.bind(py).call_method1(fill, (task, name, cause))?;
                    Some(arguments.cast_into::<PyDict>()?)
                }
            }
        };
        let function = plan.function.bind(py);
        match context {
            Some(context) => function.call((context,), arguments.as_ref()),
            None => function.call((), arguments.as_ref()),
        }
    }

    /// The task and the plan of an action that is a plain step.
    fn plan_for<'py>(&self, py: Python<'py>, action: ActionTuple) -> PyResult<Option<(Bound<'py, PyAny>, Arc<Plan>)>> {
        let (kind, _, node, branch, attempt, tag, _) = action;
        if kind != RUN || branch != 0 || attempt != 0 || tag != 0 {
            return Ok(None);
        }
        let task = self.tasks.bind(py).get_item(node as usize)?;
        if !task.get_type().is(self.plain.bind(py)) {
            return Ok(None);
        }
        let definition = task.getattr(intern!(py, "_definition"))?;
        let address = definition.as_ptr() as usize;
        let plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let known = plans.get(&address).map(|(_, plan)| plan.clone());
        drop(plans);
        let plan = match known {
            Some(known) => known,
            None => self.make_plan(py, &task, definition)?,
        };
        Ok(plan.map(|plan| (task, plan)))
    }

    fn make_plan<'py>(
        &self,
        py: Python<'py>,
        task: &Bound<'py, PyAny>,
        definition: Bound<'py, PyAny>,
    ) -> PyResult<Option<Arc<Plan>>> {
        type Parameters = Vec<(Py<PyString>, Py<PyString>, bool)>;
        type Answer = Option<(Py<PyAny>, bool, Parameters, bool, Option<Py<PyFrozenSet>>, Option<Py<PyAny>>)>;
        let answer: Answer = self.driver.bind(py).call_method1(intern!(py, "plan_of"), (task,))?.extract()?;
        let plan = answer.map(|(function, inject, parameters, looks_up, names, limit)| {
            Arc::new(Plan { function, inject, parameters, looks_up, names, limit })
        });
        let (address, held) = (definition.as_ptr() as usize, definition.unbind());
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(address, (held, plan.clone()));
        Ok(plan)
    }
}

/// The arguments of a body.
enum Filled<'py> {
    Nothing,
    With(Bound<'py, PyDict>),
    /// The driver finds out, or says what is missing.
    Unsure,
}

impl Plan {
    fn fill<'py>(&self, bound: &Bound<'py, PyDict>, tables: &Tables<'py>) -> PyResult<Filled<'py>> {
        let py = bound.py();
        let Some((data, expiries)) = &tables.data else {
            return Ok(Filled::Unsure);
        };
        if !expiries.is_empty() {
            return Ok(Filled::Unsure);
        }
        if let Some(names) = &self.names {
            for name in bound.keys() {
                if !names.bind(py).contains(name)? {
                    return Ok(Filled::Unsure);
                }
            }
        }
        let mut arguments = (!bound.is_empty()).then(|| bound.clone());
        for (name, result_key, required) in &self.parameters {
            let name = name.bind(py);
            if !bound.is_empty() && bound.contains(name)? {
                continue;
            }
            let key = match self.looks_up {
                true if data.holds(result_key.bind(py))? => Some(result_key.bind(py)),
                true if data.holds(name)? => Some(name),
                _ => None,
            };
            match key {
                Some(key) => {
                    let value = tables.channel.call_method1(intern!(py, "get"), (key,))?;
                    arguments.get_or_insert_with(|| PyDict::new(py)).set_item(name, value)?;
                }
                None if *required => return Ok(Filled::Unsure),
                None => {}
            }
        }
        Ok(arguments.map_or(Filled::Nothing, Filled::With))
    }
}

impl<'py> Tables<'py> {
    fn of(streak: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = streak.py();
        let get = |name: &Bound<'py, PyString>| streak.getattr(name);
        let data = get(intern!(py, "data"))?;
        let times = get(intern!(py, "times"))?;
        Ok(Self {
            channel: get(intern!(py, "channel"))?,
            data: if data.is_none() {
                None
            } else {
                Some((data.cast_into()?, get(intern!(py, "expiries"))?.cast_into()?))
            },
            counts: get(intern!(py, "counts"))?.cast_into()?,
            retry_counts: get(intern!(py, "retry_counts"))?.cast_into()?,
            times: if times.is_none() { None } else { Some(times.cast_into()?) },
            marker: get(intern!(py, "marker"))?,
        })
    }

    /// Keeps a result, and notes that its task has completed.
    fn store(&self, node: u32, name: &Bound<'py, PyString>, result: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = name.py();
        match &self.data {
            Some((data, expiries)) if expiries.is_empty() => data.store_result(name, result.clone())?,
            _ => {
                let key = name.add(intern!(py, ".__result__"))?;
                self.channel.call_method1(intern!(py, "set"), (key, result))?;
            }
        }
        self.counts.borrow_mut().complete(node, name)
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
