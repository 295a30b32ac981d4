//! What a plain step's worker is told, which steps go with it, and how it says what became of each.
//!
//! Owns the plans by definition and the layout of both messages (`graflow_fast._worker.lease` is the other side).
//! Must not know the pool, nor what an outcome entails.

use graflow_scheduler::Scheduler;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::pickle::{self, Writer};
use crate::plain::{PlainTask, ScalarPickle, NONE_PICKLE};
use crate::steps::result_key;

/// How many steps the first lease may have; later ones have up to twice as many as have run in the one before.
pub const FIRST_STEPS: usize = 16;
const MOST_STEPS: usize = 512;
/// Values of so many bytes are not sent in advance.
const LARGE: usize = 1 << 16;
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
    pub data: Py<PyDict>,
    pub expiring: Py<PyDict>,
    pub cycle_counts: Py<PyDict>,
    pub cycle_limits: Py<PyDict>,
    pub retry_counts: Py<PyDict>,
    pub retry_limits: Py<PyDict>,
    pub plans: HashMap<usize, Option<Plan>>,
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
        let bound = self.bound_of(py, &task)?;
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
        let mut values = Vec::new();
        if plan.look_up {
            for parameter in &open {
                for key in [&parameter.result_key, &parameter.name] {
                    match self.value(py, key.bind(py), true)? {
                        Value::Unfit => return Ok(None),
                        value => values.push((key.clone_ref(py), value)),
                    }
                }
            }
        }
        let mut previous = None;
        if cause >= 0 && open.iter().any(|parameter| parameter.required) {
            let before = self.tasks.bind(py).get_item(cause as usize)?;
            if !before.getattr(intern!(py, "is_group"))?.is_truthy()? {
                let source = self.names.bind(py).get_item(cause as usize)?;
                match self.value(py, &result_key(source.cast::<PyString>()?)?, true)? {
                    Value::Unfit => return Ok(None),
                    Value::Absent => {}
                    Value::Packed(bytes) => previous = Some(bytes),
                }
            }
        }
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
        let mut out = Writer::new(64 + 48 * follow_ups.len());
        out.open_tuple();
        out.text(name.to_str()?);
        out.number(pickle::signed(definitions[0])?);
        out.number(pickle::signed(view)?);
        out.optional(bound_bytes.as_deref());
        let needed =
            inject || is_lease || group_count > 0 || !values.is_empty() || previous.is_some() || iteration.is_some();
        if !needed {
            out.none();
        } else {
            out.open_dict();
            if iteration.is_some() {
                out.text("base");
                out.text(base.to_str()?);
            }
            if let Some(call) = &call {
                out.text("call");
                out.bytes(call);
            }
            if count > 1 {
                out.text("cycles");
                out.number(count);
            }
            if group_count > 0 {
                out.text("group_count");
                out.number(group_count);
            }
            out.text("values");
            out.open_dict();
            for (key, value) in &values {
                out.text(key.bind(py).to_str()?);
                match value {
                    Value::Packed(bytes) => out.bytes(bytes),
                    Value::Absent | Value::Unfit => out.none(),
                }
            }
            out.close_dict();
            if let Some(previous) = &previous {
                out.text("previous");
                out.bytes(previous);
            }
            if is_lease {
                out.text("lease");
                out.open_list();
                for step in &follow_ups {
                    out.open_tuple();
                    out.text(step.name.bind(py).to_str()?);
                    out.number(pickle::signed(step.key)?);
                    out.optional(step.bound.as_deref());
                    out.number(step.count);
                    out.close_tuple();
                }
                out.close_list();
            }
            out.close_dict();
        }
        out.close_tuple();
        let steps = if is_lease { follow_ups.len() + 1 } else { 0 };
        Ok(Some(Sent { name: name.unbind(), payload: out.finish(), definitions, steps }))
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
            let bound = self.bound_of(py, &task)?;
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

    /// Whether a task has limits that its run's controllers were told of, not its definition: the general way sends them.
    fn is_limited_by_hand(
        &self,
        py: Python<'_>,
        identity: usize,
        base: &Bound<'_, PyString>,
        name: &Bound<'_, PyString>,
    ) -> PyResult<bool> {
        let Some(Some(plan)) = self.plans.get(&identity) else {
            return Ok(false);
        };
        let (cycles, retries) = (self.cycle_limits.bind(py), self.retry_limits.bind(py));
        if plan.max_cycles.is_none() && !cycles.is_empty() && cycles.contains(base)? {
            return Ok(true);
        }
        Ok(!plan.retries && !retries.is_empty() && (retries.contains(base)? || retries.contains(name)?))
    }

    /// The address of a task's definition, if it has a plan; plans are made when first asked for.
    fn identity(&mut self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        if !task.get_type().is(&self.task_class) {
            return Ok(None);
        }
        let definition = task.getattr(intern!(py, "_definition"))?;
        let identity = definition.as_ptr() as usize;
        if let Some(plan) = self.plans.get(&identity) {
            return Ok(plan.is_some().then_some(identity));
        }
        let Some(helper) = &self.helper else {
            return Ok(None);
        };
        let plan: Option<Plan> = helper.call_method1(py, intern!(py, "plan"), (task,))?.extract(py)?;
        let is_plain = plan.is_some();
        self.plans.insert(identity, plan);
        Ok(is_plain.then_some(identity))
    }

    fn bound_of<'py>(&self, py: Python<'py>, task: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        Ok(task.getattr(intern!(py, "_bound_kwargs"))?.extract()?)
    }

    /// Bound arguments as bytes (none when there are none); None when they can't be sent this way.
    #[allow(clippy::type_complexity)]
    fn pack(&self, py: Python<'_>, bound: &Bound<'_, PyDict>, ahead: bool) -> PyResult<Option<Option<Vec<u8>>>> {
        if bound.is_empty() {
            return Ok(Some(None));
        }
        if let Some(scalars) = ScalarPickle::default().of_dictionary(bound)? {
            return Ok(Some(Some(scalars.to_vec())));
        }
        let Some(helper) = &self.helper else {
            return Ok(None);
        };
        let packed = helper.call_method1(py, intern!(py, "pack"), (bound, ahead))?;
        let packed: Option<PyBackedBytes> = packed.extract(py)?;
        Ok(packed.map(|bytes| Some(bytes.to_vec())))
    }

    /// What the channel has under a key; `any`: a value that is not bytes yet is packed, else only small bytes are fit.
    fn value(&self, py: Python<'_>, key: &Bound<'_, PyString>, any: bool) -> PyResult<Value> {
        let Some(found) = self.data.bind(py).get_item(key)? else {
            return Ok(Value::Absent);
        };
        if let Some(bytes) = self.packed_bytes(&found)? {
            let fits = bytes.first() != Some(&SHARED_MARK) && (any || bytes.len() < LARGE);
            return Ok(if fits { Value::Packed(bytes) } else { Value::Unfit });
        }
        let Some(helper) = self.helper.as_ref().filter(|_| any && !found.get_type().is(&self.packed)) else {
            return Ok(Value::Unfit);
        };
        let packed: Option<PyBackedBytes> =
            helper.call_method1(py, intern!(py, "pack"), (found, false))?.extract(py)?;
        Ok(packed.map_or(Value::Unfit, Value::Packed))
    }

    fn packed_bytes(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<PyBackedBytes>> {
        if !value.get_type().is(&self.packed) {
            return Ok(None);
        }
        let bytes: PyBackedBytes = value.getattr(intern!(value.py(), "data"))?.extract()?;
        Ok((bytes.first() != Some(&SHARED_MARK)).then_some(bytes))
    }
}

struct FollowUp {
    name: Py<PyString>,
    key: u64,
    bound: Option<Vec<u8>>,
    count: i64,
}

/// What became of one step of a lease.
pub struct Outcome<'py> {
    pub name: Bound<'py, PyString>,
    /// The result, None for None.
    pub result: Option<Bound<'py, PyBytes>>,
    parts: Bound<'py, PyAny>,
    pub started: f64,
    pub ended: f64,
    /// It says nothing but a result, and perhaps asks for one iteration.
    pub is_plain: bool,
}

impl<'py> Outcome<'py> {
    /// Reads (name, flags, result, parts, started, ended).
    pub fn read(outcome: &Bound<'py, PyAny>) -> PyResult<Outcome<'py>> {
        let outcome = outcome.cast::<PyTuple>()?;
        let (name, flags, result, parts, started, ended) = outcome.extract()?;
        let result: Bound<'py, PyBytes> = result;
        let parts: Bound<'py, PyAny> = parts;
        let flags: u32 = flags;
        let is_none = result.as_bytes() == NONE_PICKLE;
        let is_plain = flags & 1 == 0 && result.as_bytes().first() != Some(&SHARED_MARK) && says_little(&parts)?;
        Ok(Outcome { name, result: (!is_none).then_some(result), parts, started, ended, is_plain })
    }

    /// The iteration that a plain step asks for: (id, data as bytes).
    #[allow(clippy::type_complexity)]
    pub fn iteration(&self) -> PyResult<Option<(Bound<'py, PyString>, Option<Bound<'py, PyAny>>)>> {
        if !self.is_plain || self.parts.is_none() {
            return Ok(None);
        }
        let directives = self.parts.get_item(1)?;
        let (_, name, data): (Bound<'py, PyAny>, Bound<'py, PyString>, Option<Bound<'py, PyAny>>) =
            directives.get_item(0)?.extract()?;
        Ok(Some((name, data)))
    }
}

/// Whether a record's parts (log, directives, output, error) are none, or nothing but one iteration.
fn says_little(parts: &Bound<'_, PyAny>) -> PyResult<bool> {
    if parts.is_none() {
        return Ok(true);
    }
    let parts = parts.cast::<PyTuple>()?;
    let directives = parts.get_item(1)?;
    if !parts.get_item(0)?.is_none() || !parts.get_item(2)?.is_none() || directives.is_none() {
        return Ok(false);
    }
    let directives = directives.cast::<PyList>()?;
    if directives.len() != 1 {
        return Ok(false);
    }
    let directive = directives.get_item(0)?;
    Ok(directive.get_item(0)?.cast::<PyString>()?.to_str()? == "iterate")
}
