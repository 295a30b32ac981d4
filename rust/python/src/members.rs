//! `_core.MemberFeed`: the short way for plain members of groups, between scheduler and pool without Python in between.
//!
//! A member is plain when its report says nothing but its result: no writes, directives or output. Feeding builds its
//! payload here; its report completes it here; its result waits here for the join. All others go to the driver.
//! Owns that bookkeeping and nothing else: it decides neither order (scheduler) nor placement (driver).

use graflow_pool::{Event, Payload, Reactor, Woken};
use graflow_scheduler::{Action, Micros};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString};
use rustc_hash::{FxHashMap as HashMap, FxHashSet};

use crate::plain::{PlainTask, NONE_PICKLE};
use crate::pool::{convert, nanoseconds, refused, Pool};
use crate::scheduler::{micros, to_tuple, ActionTuple, PyScheduler};

/// How members of one definition are sent.
struct Plan {
    /// The definition's key, the keys of all it names, and a place for the view's.
    definitions: Vec<u64>,
    /// How many of these are the definition's.
    keys: usize,
    /// Parameters without default: they must be bound when a value of the task before could fill them.
    required: Vec<Py<PyString>>,
}

/// An open fork whose members may be plain.
struct OpenFork {
    first: u64,
    members: Vec<u32>,
    view: u64,
    results: Vec<(u32, Option<Box<[u8]>>)>,
    ended: Vec<u32>,
}

impl OpenFork {
    fn index(&self, branch: u64) -> Option<u32> {
        let index = branch.checked_sub(self.first)?;
        (index < self.members.len() as u64).then_some(index as u32)
    }
}

struct Tracked {
    node: u32,
    branch: u64,
}

/// Plain members of the groups of one run.
#[pyclass(module = "graflow_fast._core")]
pub struct MemberFeed {
    scheduler: Py<PyScheduler>,
    pool: Py<Pool>,
    tasks: Py<PyList>,
    names: Py<PyList>,
    /// None once the run has ended.
    plan_of: Option<Py<PyAny>>,
    pack_bound: Py<PyAny>,
    plans: HashMap<usize, Option<Plan>>,
    forks: Vec<OpenFork>,
    tracked: HashMap<u64, Tracked>,
    /// Results of members that completed and whose branch has not ended yet.
    completed: HashMap<u64, Option<Box<[u8]>>>,
    /// Branches that the driver has taken over: what they do next must see what they have written.
    taken_over: FxHashSet<u64>,
}

#[pymethods]
impl MemberFeed {
    #[new]
    fn new(
        scheduler: Py<PyScheduler>,
        pool: Py<Pool>,
        tasks: Py<PyList>,
        names: Py<PyList>,
        plan_of: Py<PyAny>,
        pack_bound: Py<PyAny>,
    ) -> Self {
        Self {
            scheduler,
            pool,
            tasks,
            names,
            plan_of: Some(plan_of),
            pack_bound,
            plans: HashMap::default(),
            forks: Vec::new(),
            tracked: HashMap::default(),
            completed: HashMap::default(),
            taken_over: FxHashSet::default(),
        }
    }

    /// Lets go of the run, which has this object in turn: the collector may be off.
    fn end(&mut self) {
        self.plan_of = None;
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.plan_of)?;
        visit.call(&self.pack_bound)
    }

    fn __clear__(&mut self) {
        self.plan_of = None;
    }

    /// Lets the members of a fork be fed. Definitions are asked for anew, since what they captured may have changed.
    fn open(&mut self, first: u64, members: Vec<u32>, view: u64) {
        self.plans.clear();
        self.forks.push(OpenFork { first, members, view, results: Vec::new(), ended: Vec::new() });
    }

    /// Feeds plain members until the pool has enough; the first action that is the driver's, or None.
    fn feed(&mut self, py: Python<'_>, now: f64) -> PyResult<Option<ActionTuple>> {
        let now = micros(now);
        let scheduler = self.scheduler.clone_ref(py);
        let pool = self.pool.clone_ref(py);
        let mut room = pool.get().lock()?.room();
        loop {
            if room == 0 {
                room = pool.get().lock()?.room();
                if room == 0 {
                    return Ok(None);
                }
            }
            let action = scheduler.borrow_mut(py).core.next(now);
            match action {
                Some(Action::Run { ticket, node, branch, attempt: 0, tag: 0, cause })
                    if self.submit(py, ticket, node, branch, cause.is_some())? =>
                {
                    room -= 1
                }
                Some(Action::BranchEnded { branch, .. }) if self.branch_ended(branch) => {}
                Some(action) => {
                    match action {
                        Action::Run { branch, .. } if branch != 0 => {
                            self.taken_over.insert(branch);
                        }
                        Action::BranchEnded { branch, .. } => {
                            self.taken_over.remove(&branch);
                        }
                        _ => {}
                    }
                    return Ok(Some(to_tuple(action)));
                }
                None => return Ok(None),
            }
        }
    }

    /// Waits for the pool's news, completes plain members, and returns what is left for the driver.
    #[pyo3(signature = (timeout, max_events = 4096))]
    fn collect<'py>(
        &mut self,
        py: Python<'py>,
        timeout: Option<f64>,
        max_events: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        let pool = self.pool.clone_ref(py);
        let mut guard = pool.get().lock()?;
        let reactor = &mut *guard;
        let deadline = timeout.map(|timeout| Reactor::now().saturating_add(nanoseconds(timeout)));
        while py.detach(|| reactor.step(deadline)).map_err(refused)? == Woken::Tick {
            py.check_signals()?;
        }
        let now: Micros = Reactor::now() / 1000;
        let scheduler = self.scheduler.clone_ref(py);
        let mut scheduler = scheduler.borrow_mut(py);
        for event in reactor.take_events(max_events) {
            if let Event::Report { ticket, flags: 0, bytes, result, effects, .. } = &event {
                if effects.is_empty() {
                    if let Some(tracked) = self.tracked.remove(ticket) {
                        let result = &bytes[result.clone()];
                        let kept = (result != NONE_PICKLE).then(|| result.into());
                        self.completed.insert(tracked.branch, kept);
                        // An abandoned attempt was released before, so the ticket is known.
                        let _ = scheduler.core.complete(*ticket, &[], now);
                        continue;
                    }
                }
            }
            out.append(convert(py, event)?)?;
        }
        Ok(out)
    }

    /// Hands a fed member to the driver, by its ticket: (node, branch), or None when it is not (any more) fed here.
    fn release(&mut self, ticket: u64) -> Option<(u32, u64)> {
        let tracked = self.tracked.remove(&ticket)?;
        self.taken_over.insert(tracked.branch);
        Some((tracked.node, tracked.branch))
    }

    /// The tickets of all members that are in the pool.
    fn tickets(&self) -> Vec<u64> {
        let mut tickets: Vec<u64> = self.tracked.keys().copied().collect();
        tickets.sort_unstable();
        tickets
    }

    /// The indices of members of a fork that ended here since the last call.
    fn take_ended(&mut self, first: u64) -> Vec<u32> {
        self.fork(first).map(|fork| std::mem::take(&mut fork.ended)).unwrap_or_default()
    }

    /// Closes a fork, if only members up to `count` ended here, and stores what they left: in `data` the result of each,
    /// under `<name>.__result__` (bytes go through `pack`), in `counts` that each ran once. False: nothing was done.
    #[allow(clippy::too_many_arguments)] // a call from Python, by position
    fn store<'py>(
        &mut self,
        py: Python<'py>,
        first: u64,
        count: u32,
        data: &Bound<'py, PyDict>,
        counts: &Bound<'py, PyDict>,
        pack: &Bound<'py, PyAny>,
    ) -> PyResult<bool> {
        let Some(position) = self.forks.iter().position(|fork| fork.first == first) else {
            return Ok(true);
        };
        if self.forks[position].results.iter().any(|(index, _)| *index >= count) {
            return Ok(false);
        }
        let OpenFork { mut results, members, .. } = self.forks.swap_remove(position);
        results.sort_unstable_by_key(|(index, _)| *index);
        let one = PyInt::new(py, 1);
        let names = self.names.bind(py);
        let mut key = String::new();
        for (index, result) in results {
            let name = names.get_item(members[index as usize] as usize)?;
            key.clear();
            key.push_str(name.cast::<PyString>()?.to_str()?);
            key.push_str(".__result__");
            match result {
                None => data.set_item(&key, py.None())?,
                Some(bytes) => data.set_item(&key, pack.call1((PyBytes::new(py, &bytes),))?)?,
            }
            counts.set_item(name, &one)?;
        }
        Ok(true)
    }

    /// Closes a fork: (indices, results as bytes or None for None) of its plain members, in member order.
    fn close<'py>(&mut self, py: Python<'py>, first: u64) -> (Vec<u32>, Vec<Option<Bound<'py, PyBytes>>>) {
        let Some(position) = self.forks.iter().position(|fork| fork.first == first) else {
            return (Vec::new(), Vec::new());
        };
        let mut results = self.forks.swap_remove(position).results;
        results.sort_unstable_by_key(|(index, _)| *index);
        results.into_iter().map(|(index, result)| (index, result.map(|bytes| PyBytes::new(py, &bytes)))).unzip()
    }
}

impl MemberFeed {
    fn fork(&mut self, first: u64) -> Option<&mut OpenFork> {
        self.forks.iter_mut().find(|fork| fork.first == first)
    }

    /// Sends an attempt to the pool if it is a plain member's first; says whether it was.
    fn submit(&mut self, py: Python<'_>, ticket: u64, node: u32, branch: u64, has_cause: bool) -> PyResult<bool> {
        if self.taken_over.contains(&branch) {
            return Ok(false);
        }
        let Some(view) = self
            .forks
            .iter()
            .rev()
            .find_map(|fork| fork.index(branch).map(|index| (fork, index)))
            .filter(|(fork, index)| fork.members[*index as usize] == node)
            .map(|(fork, _)| fork.view)
        else {
            return Ok(false);
        };
        if self.scheduler.borrow(py).core.has_successors(node) {
            return Ok(false);
        }
        let task = self.tasks.bind(py).get_item(node as usize)?;
        let Ok(definition) = task.getattr(intern!(py, "_definition")) else {
            return Ok(false);
        };
        let identity = definition.as_ptr() as usize;
        if !self.plans.contains_key(&identity) {
            let plan = self.make_plan(py, &task)?;
            self.plans.insert(identity, plan);
        }
        let Some(Some(plan)) = self.plans.get_mut(&identity) else {
            return Ok(false);
        };
        let bound = task.getattr(intern!(py, "_bound_kwargs"))?;
        let bound = bound.cast::<PyDict>()?;
        if has_cause {
            for name in &plan.required {
                if !bound.contains(name)? {
                    return Ok(false);
                }
            }
        }
        let packed: Option<PyBackedBytes> = if bound.is_empty() {
            None
        } else {
            match self.pack_bound.call1(py, (bound,)) {
                Ok(packed) => Some(packed.extract(py)?),
                // The driver packs it again, and says what is wrong with it.
                Err(_) => return Ok(false),
            }
        };
        let name = self.names.bind(py).get_item(node as usize)?;
        let name = name.cast::<PyString>()?.to_str()?;
        let payload = PlainTask { key: plan.definitions[0], view, name, bound: packed.as_deref().unwrap_or_default() };
        let payload = payload.write();
        plan.definitions[plan.keys] = view;
        self.pool
            .get()
            .lock()?
            .submit(ticket, Payload::from_vec(payload), &plan.definitions, None, false)
            .map_err(refused)?;
        self.tracked.insert(ticket, Tracked { node, branch });
        Ok(true)
    }

    fn make_plan(&self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<Option<Plan>> {
        let Some(plan_of) = &self.plan_of else {
            return Ok(None);
        };
        let answer: Option<(Vec<u64>, Vec<Py<PyString>>)> = plan_of.call1(py, (task,))?.extract(py)?;
        Ok(answer.map(|(mut definitions, required)| {
            let keys = definitions.len();
            definitions.push(0);
            Plan { definitions, keys, required }
        }))
    }

    /// Notes that a branch ended; false when it is the driver's.
    fn branch_ended(&mut self, branch: u64) -> bool {
        let Some(result) = self.completed.remove(&branch) else {
            return false;
        };
        let fork = self.forks.iter_mut().rev().find_map(|fork| fork.index(branch).map(|index| (fork, index)));
        if let Some((fork, index)) = fork {
            fork.results.push((index, result));
            fork.ended.push(index);
        }
        true
    }
}
