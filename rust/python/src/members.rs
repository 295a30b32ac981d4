//! `_core.MemberFeed`: the short way for plain members of groups, between scheduler and pool without Python in between.
//!
//! A member is plain when its report says nothing but its result, what it wrote, and plain tasks to run next. Feeding
//! builds its payload here; its report is applied here; what it left waits here for the join. All others go to the driver.
//! Owns that bookkeeping and nothing else: it decides neither order (scheduler) nor placement (driver).

use graflow_pool::{Event, Payload, Reactor, Woken};
use graflow_scheduler::{Action, Directive, Micros, Outcome};
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyType};
use rustc_hash::{FxHashMap as HashMap, FxHashSet};

use crate::arguments::bound_of;
use crate::effects::{read, PLAIN_EFFECTS};
use crate::fed_branches::{to_python, Done, Entry, OpenFork, Packed, PythonLog, Replay};
use crate::next_tasks::{NextTasks, Tables};
use crate::node_ids::NodeIds;
use crate::plain::{PlainTask, ScalarPickle, NONE_PICKLE};
use crate::pool::{convert, nanoseconds, refused, Pool};
use crate::scheduler::{micros, to_tuple, ActionTuple, PyScheduler};
use crate::values::Values;

/// How members of one definition are sent.
struct Plan {
    /// The definition's key, the keys of all it names, and a place for the view's.
    definitions: Vec<u64>,
    /// How many of these are the definition's.
    keys: usize,
    /// Parameters without default: they must be bound when a value of the task before could fill them.
    required: Vec<Py<PyString>>,
    /// What its bodies look up in the channel; None when they see all of it.
    looks_up: Option<Vec<Py<PyString>>>,
}

struct Tracked {
    node: u32,
    branch: u64,
    cause: i64,
}

/// Plain members of the groups of one run.
#[pyclass(module = "graflow_fast._core")]
pub struct MemberFeed {
    scheduler: Py<PyScheduler>,
    pool: Py<Pool>,
    tasks: Py<PyList>,
    names: Py<PyList>,
    /// What the driver answers and takes over; None once the run has ended.
    driver: Option<Driver>,
    /// By the address of a definition, which is held so that no other one gets it.
    plans: HashMap<usize, (Py<PyAny>, Option<Plan>)>,
    forks: Vec<OpenFork>,
    tracked: HashMap<u64, Tracked>,
    /// What branches have done whose end has not come yet.
    doing: HashMap<u64, Done>,
    /// Branches that the driver has taken over: what they do next must see what they have written.
    taken_over: FxHashSet<u64>,
    scalar: ScalarPickle,
    /// Where tasks go that members enqueue; None when the driver does it.
    next: Option<NextTasks>,
}

struct Driver {
    /// `task -> (keys, required names, looked up names or None) | None`.
    plan_of: Py<PyAny>,
    /// `bound arguments -> bytes`; raises when they can't take the short way.
    pack_bound: Py<PyAny>,
    /// `(branch, log, names of tasks that ran, nodes that were added)`.
    adopt: Py<PyAny>,
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
        adopt: Py<PyAny>,
    ) -> Self {
        Self {
            scheduler,
            pool,
            tasks,
            names,
            driver: Some(Driver { plan_of, pack_bound, adopt }),
            plans: HashMap::default(),
            forks: Vec::new(),
            tracked: HashMap::default(),
            doing: HashMap::default(),
            taken_over: FxHashSet::default(),
            scalar: ScalarPickle::default(),
            next: None,
        }
    }

    /// From now on tasks that members enqueue are added here, when they are simple.
    fn add_next_tasks(
        &mut self,
        py: Python<'_>,
        plain: &Bound<'_, PyType>,
        graph: Py<PyDict>,
        ids: Py<NodeIds>,
        find: Py<PyAny>,
    ) -> PyResult<()> {
        self.next = Some(NextTasks::new(py, plain, graph, ids, find)?);
        Ok(())
    }

    /// Lets go of the run, which has this object in turn: the collector may be off.
    fn end(&mut self) {
        self.driver = None;
        self.next = None;
        self.plans.clear();
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        if let Some(driver) = &self.driver {
            visit.call(&driver.plan_of)?;
            visit.call(&driver.pack_bound)?;
            visit.call(&driver.adopt)?;
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.end();
    }

    /// Lets the members of a fork be fed. Definitions are asked for anew, since what they captured may have changed.
    ///
    /// `around` are the names that branches around the group have added.
    fn open(&mut self, first: u64, members: Vec<u32>, view: u64, around: Bound<'_, PyList>) -> PyResult<()> {
        self.plans.clear();
        let around = PySet::new(around.py(), around)?.unbind();
        self.forks.push(OpenFork { first, members, view, around, done: Vec::new(), ended: Vec::new() });
        Ok(())
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
                    if self.submit(py, ticket, node, branch, cause)? =>
                {
                    room -= 1
                }
                Some(Action::BranchEnded { branch, outcome: Outcome::Ok, .. }) if self.branch_ended(branch) => {}
                Some(action) => {
                    match action {
                        Action::Run { branch, .. } if branch != 0 => self.take_over(py, branch)?,
                        Action::BranchEnded { branch, .. } => {
                            self.take_over(py, branch)?;
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
            if let Event::Report { ticket, flags, bytes, result, effects, .. } = &event {
                let (result, effects) = (&bytes[result.clone()], &bytes[effects.clone()]);
                if self.apply(py, &mut scheduler, *ticket, (*flags, result, effects), now)? {
                    continue;
                }
            }
            out.append(convert(py, event)?)?;
        }
        Ok(out)
    }

    /// Hands a fed member to the driver, by its ticket: (node, branch, cause or -1), or None when it is not (any more)
    /// fed here.
    fn release(&mut self, py: Python<'_>, ticket: u64) -> PyResult<Option<(u32, u64, i64)>> {
        let Some(tracked) = self.tracked.remove(&ticket) else {
            return Ok(None);
        };
        self.take_over(py, tracked.branch)?;
        Ok(Some((tracked.node, tracked.branch, tracked.cause)))
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

    /// Closes a fork and replays what its first `count` members did on a channel that is nothing but the dictionary
    /// `data`; `counts` is told what ran. `replay_other(index)` is called in turn for members that the driver ran.
    #[allow(clippy::too_many_arguments)] // a call from Python, by position
    fn store<'py>(
        &mut self,
        py: Python<'py>,
        first: u64,
        count: u32,
        data: &Bound<'py, Values>,
        counts: &Bound<'py, PyDict>,
        pack: &Bound<'py, PyAny>,
        channel: &Bound<'py, PyAny>,
        others: Vec<u32>,
        replay_other: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let position = self.forks.iter().position(|fork| fork.first == first);
        let fork = position.map(|position| self.forks.swap_remove(position));
        let (members, done) = fork.map(OpenFork::into_done).unwrap_or_default();
        let graph = self.next.as_ref().map(|next| next.graph(self.tasks.bind(py)));
        let replay = Replay { names: self.names.bind(py), data, counts, pack, graph, channel };
        let mut others = others.into_iter().peekable();
        for (index, done) in done.into_iter().take_while(|(index, _)| *index < count) {
            while let Some(other) = others.next_if(|other| *other < index) {
                replay_other.call1((other,))?;
            }
            replay.replay(done, members[index as usize])?;
        }
        others.try_for_each(|other| replay_other.call1((other,)).map(drop))
    }

    /// Closes a fork: of each plain member, in member order, (index, (log, names of tasks that ran, nodes added)).
    fn close<'py>(&mut self, py: Python<'py>, first: u64) -> PyResult<Vec<(u32, PythonLog<'py>)>> {
        let Some(position) = self.forks.iter().position(|fork| fork.first == first) else {
            return Ok(Vec::new());
        };
        let (members, done) = self.forks.swap_remove(position).into_done();
        let names = self.names.bind(py);
        let log = |(index, done): (u32, Done)| {
            to_python(py, &done.into_log(members[index as usize]), names).map(|log| (index, log))
        };
        done.into_iter().map(log).collect()
    }
}

impl MemberFeed {
    fn fork(&mut self, first: u64) -> Option<&mut OpenFork> {
        self.forks.iter_mut().find(|fork| fork.first == first)
    }

    /// The fork of a branch, and the branch's index in it.
    fn fork_of(&self, branch: u64) -> Option<(&OpenFork, usize)> {
        self.forks.iter().rev().find_map(|fork| fork.index(branch).map(|index| (fork, index as usize)))
    }

    /// Sends a first attempt to the pool if it is plain; says whether it was.
    fn submit(&mut self, py: Python<'_>, ticket: u64, node: u32, branch: u64, cause: Option<u32>) -> PyResult<bool> {
        if self.taken_over.contains(&branch) || self.scheduler.borrow(py).core.has_successors(node) {
            return Ok(false);
        }
        let Some((fork, index)) = self.fork_of(branch) else {
            return Ok(false);
        };
        let view = fork.view;
        let is_later = self.doing.contains_key(&branch);
        if !is_later && fork.members[index] != node {
            return Ok(false);
        }
        let task = self.tasks.bind(py).get_item(node as usize)?;
        let Ok(definition) = task.getattr(intern!(py, "_definition")) else {
            return Ok(false);
        };
        let identity = definition.as_ptr() as usize;
        if !self.plans.contains_key(&identity) {
            let plan = self.make_plan(py, &task)?;
            self.plans.insert(identity, (definition.clone().unbind(), plan));
        }
        let Some((_, Some(plan))) = self.plans.get_mut(&identity) else {
            return Ok(false);
        };
        let bound = bound_of(&task)?;
        let bound = &bound;
        let names = self.names.bind(py);
        if is_later && !plan.sees_nothing_of(&self.doing[&branch], bound, names)? {
            return Ok(false);
        }
        if cause.is_some() {
            for name in &plan.required {
                if !bound.contains(name)? {
                    return Ok(false);
                }
            }
        }
        let general: PyBackedBytes;
        let bound: &[u8] = if bound.is_empty() {
            &[]
        } else if let Some(packed) = self.scalar.of_dictionary(bound)? {
            packed
        } else {
            let Some(driver) = &self.driver else {
                return Ok(false);
            };
            let packed = match driver.pack_bound.call1(py, (bound,)) {
                Ok(packed) => packed,
                // The driver packs it again, and says what is wrong with it. Ctrl-C is no fault of the argument's.
                Err(error) if error.is_instance_of::<PyException>(py) => return Ok(false),
                Err(error) => return Err(error),
            };
            general = packed.extract(py)?;
            &general
        };
        let name = names.get_item(node as usize)?;
        let name = name.cast::<PyString>()?.to_str()?;
        let payload = PlainTask { key: plan.definitions[0], view, name, bound }.write();
        plan.definitions[plan.keys] = view;
        self.pool
            .get()
            .lock()?
            .submit(ticket, Payload::from_vec(payload), &plan.definitions, None, false)
            .map_err(refused)?;
        self.tracked.insert(ticket, Tracked { node, branch, cause: cause.map_or(-1, i64::from) });
        Ok(true)
    }

    fn make_plan(&self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<Option<Plan>> {
        let Some(driver) = &self.driver else {
            return Ok(None);
        };
        type Answer = Option<(Vec<u64>, Vec<Py<PyString>>, Option<Vec<Py<PyString>>>)>;
        let answer: Answer = driver.plan_of.call1(py, (task,))?.extract(py)?;
        Ok(answer.map(|(mut definitions, required, looks_up)| {
            let keys = definitions.len();
            definitions.push(0);
            Plan { definitions, keys, required, looks_up }
        }))
    }

    /// Applies a report if it is a plain member's; false leaves everything to the driver.
    fn apply(
        &mut self,
        py: Python<'_>,
        scheduler: &mut PyScheduler,
        ticket: u64,
        report: (u32, &[u8], &[u8]),
        now: Micros,
    ) -> PyResult<bool> {
        let (flags, result, effects) = report;
        let value = || -> Packed { (result != NONE_PICKLE).then(|| result.into()) };
        if flags == 0 && effects.is_empty() {
            let Some(Tracked { node, branch, .. }) = self.tracked.remove(&ticket) else {
                return Ok(false);
            };
            match self.doing.get_mut(&branch) {
                None => drop(self.doing.insert(branch, Done::Member(value()))),
                Some(done) => self.forks.iter().rev().find_map(|fork| fork.index(branch).map(|i| (fork, i))).map_or(
                    (),
                    |(fork, index)| {
                        let log = done.log(fork.members[index as usize]);
                        log.push(Entry::Result { node, value: value() });
                    },
                ),
            }
            // An abandoned attempt was released before, so the ticket is known.
            let _ = scheduler.core.complete(ticket, &[], now);
            return Ok(true);
        }
        if flags != PLAIN_EFFECTS {
            return Ok(false);
        }
        let (Some(next), Some(Tracked { node, branch, .. })) = (&mut self.next, self.tracked.get(&ticket)) else {
            return Ok(false);
        };
        let Some((writes, wanted)) = read(effects) else {
            return Ok(false);
        };
        let (node, branch) = (*node, *branch);
        let tables = Tables { names: self.names.bind(py), tasks: self.tasks.bind(py) };
        let Some((fork, index)) = self.forks.iter().rev().find_map(|fork| fork.index(branch).map(|i| (fork, i))) else {
            return Ok(false);
        };
        let Some(made) = next.make(py, &wanted, fork.around.bind(py), self.doing.get(&branch), tables.names)? else {
            return Ok(false);
        };
        let member = fork.members[index as usize];
        let nodes = NextTasks::add(scheduler, &tables, made)?;
        self.tracked.remove(&ticket);
        let done = self.doing.entry(branch).or_insert_with(|| Done::Log(Vec::new()));
        let log = done.log(member);
        log.extend(writes.iter().map(Entry::from_write));
        log.extend(nodes.iter().map(|node| Entry::Added { node: *node }));
        log.push(Entry::Result { node, value: value() });
        let directives: Vec<_> = nodes.into_iter().map(|node| Directive::Enqueue { node, tag: 0 }).collect();
        let _ = scheduler.core.complete(ticket, &directives, now);
        Ok(true)
    }

    /// From now on the driver runs this branch; what was done in it so far is told.
    fn take_over(&mut self, py: Python<'_>, branch: u64) -> PyResult<()> {
        self.taken_over.insert(branch);
        let Some(done) = self.doing.remove(&branch) else {
            return Ok(());
        };
        let Some((fork, index)) = self.fork_of(branch) else {
            return Ok(());
        };
        let (log, ran, added) = to_python(py, &done.into_log(fork.members[index]), self.names.bind(py))?;
        if let Some(driver) = &self.driver {
            driver.adopt.call1(py, (branch, log, ran, added))?;
        }
        Ok(())
    }

    /// Notes that a branch ended; false when it is the driver's.
    fn branch_ended(&mut self, branch: u64) -> bool {
        let Some(done) = self.doing.remove(&branch) else {
            return false;
        };
        let fork = self.forks.iter_mut().rev().find_map(|fork| fork.index(branch).map(|index| (fork, index)));
        if let Some((fork, index)) = fork {
            fork.done.push((index, done));
            fork.ended.push(index);
        }
        true
    }
}

impl Plan {
    /// True if a body sees nothing of what its branch has done: all that it could look up there is bound or not written.
    fn sees_nothing_of(&self, done: &Done, bound: &Bound<'_, PyDict>, names: &Bound<'_, PyList>) -> PyResult<bool> {
        let Some(looks_up) = &self.looks_up else {
            return Ok(false);
        };
        let py = bound.py();
        for name in looks_up {
            if !bound.contains(name)? && done.may_hold(name.bind(py).to_str()?, names)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
