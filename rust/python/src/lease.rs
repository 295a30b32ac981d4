//! What a plain step's worker is told, which steps go with it, and how it says what became of each.
//!
//! Owns the plans by definition and the layout of both messages (`graflow_fast._worker.lease` is the other side).
//! Must not know the pool, nor what an outcome entails.

use graflow_scheduler::Scheduler;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyInt, PyList, PyString};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::arguments::bound_of;
use crate::plain::PlainTask;
use crate::values::Values;

mod lookups;
mod message;
mod outcome;

use message::{FollowUp, Message};
pub use outcome::Outcome;

/// How many steps the first lease may have; later ones have up to twice as many as have run in the one before.
pub const FIRST_STEPS: usize = 16;
const MOST_STEPS: usize = 512;
/// Bytes that start with this name shared memory, which somebody has to hold.
const SHARED_MARK: u8 = 1;
/// A node that has run so often may be near the limit of executions, where the scheduler decides otherwise.
const MANY_EXECUTIONS: u32 = 5_000;

/// A parameter that the channel may fill.
#[derive(FromPyObject)]
struct Parameter {
    name: Py<PyString>,
    result_key: Py<PyString>,
    required: bool,
}

/// How steps of one definition are sent.
#[derive(FromPyObject)]
pub struct Plan {
    /// The key of the definition and those of all it names.
    keys: Vec<u64>,
    inject: bool,
    look_up: bool,
    parameters: Vec<Parameter>,
    max_cycles: Option<Py<PyInt>>,
    /// How often it may be retried must be noted for each step.
    retries: bool,
    /// How tracers call what runs it.
    handler: Py<PyString>,
    /// It may be sent together with others.
    leasable: bool,
    /// Plans are found by its address, so it must live as long as its plan.
    #[allow(dead_code)]
    definition: Py<PyAny>,
}

/// A step that is ready to be sent.
pub struct Sent {
    pub name: Py<PyString>,
    pub payload: Vec<u8>,
    pub definitions: Vec<u64>,
    /// How many steps it stands for when it is a lease, else 0.
    pub steps: usize,
}

/// A value of the channel, on its way.
enum Value {
    Absent,
    Packed(PyBackedBytes),
    /// Not to be sent this way.
    Unfit,
}

/// Plans the steps of one run.
pub struct Planner {
    pub tasks: Py<PyList>,
    pub names: Py<PyList>,
    pub task_class: Py<PyAny>,
    pub packed: Py<PyAny>,
    pub data: Py<Values>,
    pub expiring: Py<PyDict>,
    pub cycle_counts: Py<PyDict>,
    pub cycle_limits: Py<PyDict>,
    pub retry_counts: Py<PyDict>,
    pub retry_limits: Py<PyDict>,
    pub plans: HashMap<usize, Option<Plan>>,
    /// The plans whose keys may be others by now.
    pub unsure: HashSet<usize>,
    /// Whether steps may be sent together.
    pub leases: bool,
    pub most_steps: usize,
    /// The key of the view of the channel that the workflow's own branch has, once it is known.
    pub view: Option<u64>,
    /// Python's part: plans, packing, limits. None once the run has ended.
    pub helper: Option<Py<PyAny>>,
}

impl Planner {
    /// For the collector: every object but the texts and numbers of the plans.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.task_class)?;
        visit.call(&self.packed)?;
        visit.call(&self.data)?;
        visit.call(&self.expiring)?;
        visit.call(&self.cycle_counts)?;
        visit.call(&self.cycle_limits)?;
        visit.call(&self.retry_counts)?;
        visit.call(&self.retry_limits)?;
        visit.call(&self.helper)
    }

    /// Counts a step and packs it, with the steps that surely follow it; None when it is not plain.
    pub fn plan(
        &mut self,
        py: Python<'_>,
        scheduler: &Scheduler,
        node: u32,
        cause: i64,
        iteration: Option<&(Py<PyString>, Option<Py<PyAny>>)>,
    ) -> PyResult<Option<Sent>> {
        let task = self.tasks.bind(py).get_item(node as usize)?;
        let Some(identity) = self.identity(py, &task)? else {
            return Ok(None);
        };
        if !self.expiring.bind(py).is_empty() {
            return Ok(None);
        }
        let base: Bound<'_, PyString> = self.names.bind(py).get_item(node as usize)?.extract()?;
        let name = iteration.map_or(&base, |(name, _)| name.bind(py)).clone();
        if self.is_limited_by_hand(py, identity, &base, &name)? {
            return Ok(None);
        }
        let call = match iteration {
            Some((_, Some(data))) => match self.packed_bytes(data.bind(py))? {
                Some(bytes) => Some(bytes),
                None => return Ok(None),
            },
            _ => None,
        };
        let bound = bound_of(&task)?;
        let Some(bound_bytes) = self.pack(py, &bound, false)? else {
            return Ok(None);
        };
        let plan = &self.plans[&identity];
        let Some(plan) = plan.as_ref() else {
            return Ok(None);
        };
        let mut open = Vec::new();
        for parameter in &plan.parameters {
            if !bound.contains(&parameter.name)? {
                open.push(parameter);
            }
        }
        let Some(mut values) = self.looked_up(py, if plan.look_up { &open } else { &[] })? else {
            return Ok(None);
        };
        let previous = match self.previous(py, cause, &open)? {
            Value::Unfit => return Ok(None),
            Value::Absent => None,
            Value::Packed(bytes) => Some(bytes),
        };
        let (inject, leasable, is_bound) = (plan.inject, plan.leasable, open.is_empty());
        let mut definitions = plan.keys.clone();
        let mut follow_ups = Vec::new();
        let mut is_lease = false;
        if self.leases && leasable && scheduler.pending_work().is_empty() {
            follow_ups = self.follow_ups(py, scheduler, node, identity, &mut definitions, &mut values)?;
            is_lease = inject || !follow_ups.is_empty();
        }
        let Some(helper) = &self.helper else {
            return Ok(None);
        };
        let view = match self.view {
            Some(view) => view,
            None => *self.view.insert(helper.call_method0(py, intern!(py, "view"))?.extract(py)?),
        };
        let run = helper.bind(py).getattr(intern!(py, "run"))?;
        let group_count: i64 = run.getattr(intern!(py, "group_count"))?.extract()?;
        let count = self.start(py, node, &name.clone().unbind())?;
        definitions.push(view);

        if !inject && !is_lease && group_count == 0 && iteration.is_none() && is_bound {
            let bound = bound_bytes.as_deref().unwrap_or_default();
            let payload = PlainTask { key: definitions[0], view, name: name.to_str()?, bound }.write();
            return Ok(Some(Sent { name: name.unbind(), payload, definitions, steps: 0 }));
        }
        let message = Message {
            name: name.to_str()?,
            key: definitions[0],
            view,
            bound: bound_bytes.as_deref(),
            base: iteration.is_some().then(|| base.to_str()).transpose()?,
            call: call.as_deref(),
            count,
            group_count,
            values: &values,
            previous: previous.as_deref(),
            inject,
            follow_ups: is_lease.then_some(&follow_ups),
        };
        let payload = message.write(py)?;
        let steps = if is_lease { follow_ups.len() + 1 } else { 0 };
        Ok(Some(Sent { name: name.unbind(), payload, definitions, steps }))
    }

    /// Makes sure of each plan's keys before it is used again: what the functions captured may have changed.
    pub fn renew(&mut self) {
        self.unsure.extend(self.plans.iter().filter_map(|(identity, plan)| plan.as_ref().map(|_| *identity)));
    }

    /// Notes how many steps of a lease have run.
    pub fn ran(&mut self, steps: usize) {
        self.most_steps = (2 * steps).clamp(FIRST_STEPS, MOST_STEPS);
    }

    /// Counts one more execution of a node, under its own name or that of an iteration; gives the count.
    pub fn start(&self, py: Python<'_>, node: u32, name: &Py<PyString>) -> PyResult<i64> {
        let task = self.tasks.bind(py).get_item(node as usize)?;
        let base = self.names.bind(py).get_item(node as usize)?;
        let definition = task.getattr(intern!(py, "_definition"))?;
        if let Some(Some(plan)) = self.plans.get(&(definition.as_ptr() as usize)) {
            if let Some(limit) = &plan.max_cycles {
                self.cycle_limits.bind(py).set_item(&base, limit)?;
            }
            if let Some(helper) = self.helper.as_ref().filter(|_| plan.retries) {
                helper.call_method1(py, intern!(py, "limit_retries"), (definition, name, &base))?;
            }
        }
        let counts = self.cycle_counts.bind(py);
        let count = counts.get_item(&base)?.map_or(Ok(0), |count| count.extract::<i64>())? + 1;
        counts.set_item(base, count)?;
        let retries = self.retry_counts.bind(py);
        if !retries.is_empty() && retries.contains(name)? {
            retries.del_item(name)?;
        }
        Ok(count)
    }

    /// How tracers call what runs a node.
    pub fn handler_of(&self, py: Python<'_>, node: u32) -> PyResult<Py<PyString>> {
        let task = self.tasks.bind(py).get_item(node as usize)?;
        let definition = task.getattr(intern!(py, "_definition"))?;
        match self.plans.get(&(definition.as_ptr() as usize)) {
            Some(Some(plan)) => Ok(plan.handler.clone_ref(py)),
            _ => Ok(task.getattr(intern!(py, "handler_type"))?.extract()?),
        }
    }

    /// The steps that surely follow a node, and what they look up.
    fn follow_ups(
        &mut self,
        py: Python<'_>,
        scheduler: &Scheduler,
        first: u32,
        identity: usize,
        definitions: &mut Vec<u64>,
        values: &mut Vec<(Py<PyString>, Value)>,
    ) -> PyResult<Vec<FollowUp>> {
        let mut found = Vec::new();
        let mut seen = HashSet::default();
        seen.insert(first);
        let mut known = HashSet::default();
        known.insert(identity);
        let mut node = first;
        while found.len() < self.most_steps {
            let Some(following) = scheduler.only_successor(node) else {
                break;
            };
            // In a loop each round has a count of its own.
            if !seen.insert(following) || scheduler.executions(following).is_ok_and(|count| count > MANY_EXECUTIONS) {
                break;
            }
            node = following;
            let task = self.tasks.bind(py).get_item(node as usize)?;
            let Some(identity) = self.identity(py, &task)? else {
                break;
            };
            let name: Bound<'_, PyString> = self.names.bind(py).get_item(node as usize)?.extract()?;
            if self.is_limited_by_hand(py, identity, &name, &name)? {
                break;
            }
            let bound = bound_of(&task)?;
            let Some(bound_bytes) = self.pack(py, &bound, true)? else {
                break; // sent when its turn comes, if it comes
            };
            let Some(plan) = self.plans[&identity].as_ref().filter(|plan| plan.leasable) else {
                break;
            };
            if known.insert(identity) {
                definitions.extend(&plan.keys);
                for parameter in plan.parameters.iter().filter(|_| plan.look_up) {
                    for key in [&parameter.result_key, &parameter.name] {
                        match self.value(py, key.bind(py), false)? {
                            Value::Unfit => {} // the worker asks for it
                            value => values.push((key.clone_ref(py), value)),
                        }
                    }
                }
            }
            let count = self.cycle_counts.bind(py).get_item(&name)?;
            let count = count.map_or(Ok(0), |count| count.extract::<i64>())? + 1;
            found.push(FollowUp { name: name.unbind(), key: plan.keys[0], bound: bound_bytes, count });
        }
        Ok(found)
    }
}
