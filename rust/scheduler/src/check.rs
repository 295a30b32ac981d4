//! Invariants, each recomputed from first principles. Slow on purpose; run after every event in tests.
//! Owns: what must hold. Must not know: how it is kept up.
use crate::branch::Branch;
use crate::error::Broken;
use crate::graph::Graph;
use crate::ids::{NodeId, NONE, ROOT};
use crate::lanes::ROOT_LANE;
use crate::scheduler::Scheduler;
use crate::transition::{ActivationState, BranchState, EdgeState};
use std::collections::{BTreeMap, BTreeSet};

macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

impl Scheduler {
    /// Whether every invariant holds; if not, which one and what happened last.
    pub fn check(&self) -> Result<(), Broken> {
        self.check_all().map_err(|what| Broken { what, story: self.story.text() })
    }

    fn check_all(&self) -> Result<(), String> {
        if self.graph.changed() || !self.started || self.ended {
            return Ok(());
        }
        let mut in_flight: BTreeMap<u64, BTreeMap<NodeId, u32>> = BTreeMap::new();
        let mut lanes: BTreeMap<u32, u32> = BTreeMap::new();
        let mut owed = 0;
        for attempt in self.tickets.in_order() {
            let node = attempt.activation.node;
            *in_flight.entry(attempt.branch).or_default().entry(node).or_default() += 1;
            let state = attempt.activation.state();
            let forked = match state {
                ActivationState::Running | ActivationState::Joining => false,
                ActivationState::Forked => true,
                ActivationState::Queued
                | ActivationState::Delayed
                | ActivationState::Completed
                | ActivationState::Failed
                | ActivationState::Abandoned => return Err(format!("ticket {} is {state:?}", attempt.ticket)),
            };
            owed += usize::from(!forked);
            ensure!(
                (attempt.fork != 0) == self.graph.is_group(node),
                "ticket {} of node {node} has fork {}",
                attempt.ticket,
                attempt.fork
            );
            ensure!(
                attempt.fork == 0 || self.forks.contains_key(&attempt.fork),
                "fork {} of ticket {} is gone",
                attempt.fork,
                attempt.ticket
            );
            if self.graph.lane(node) != 0 {
                *lanes.entry(self.graph.lane(node)).or_default() += 1;
            }
            if self.is_concurrent_root(attempt.branch) && !self.graph.is_group(node) {
                *lanes.entry(ROOT_LANE).or_default() += 1;
            }
        }
        ensure!(owed == self.tickets.owed(), "{} reports owed, counted {owed}", self.tickets.owed());
        ensure!(lanes == self.lanes.in_use(), "lanes {lanes:?} but counted {:?}", self.lanes.in_use());
        ensure!(self.lanes.miscounted().is_empty(), "resources {:?} are miscounted", self.lanes.miscounted());
        let none = BTreeMap::new();
        let whole = std::iter::once(&self.root).filter(|_| !self.root_cut);
        for branch in whole.chain(self.branches.in_order()) {
            check_branch(&self.graph, branch, in_flight.get(&branch.id).unwrap_or(&none))?;
        }
        for id in in_flight.keys() {
            ensure!(*id == ROOT || self.branches.get(*id).is_some(), "branch {id} has attempts but is closed");
        }
        self.check_forks()?;
        self.check_turns()
    }

    fn check_forks(&self) -> Result<(), String> {
        let mut open = 0;
        for (id, fork) in &self.forks {
            open += fork.open.len();
            let Some(attempt) = self.tickets.get(fork.ticket) else {
                return Err(format!("fork {id} has no ticket"));
            };
            ensure!(attempt.fork == *id && attempt.branch == fork.parent, "fork {id} and its ticket disagree");
            ensure!(fork.limit as usize <= fork.members.len(), "fork {id} counts {} members", fork.limit);
            ensure!(
                fork.open.last().is_none_or(|last| *last < fork.limit),
                "fork {id} has open branches beyond {}",
                fork.limit
            );
            for index in &fork.open {
                let branch = self.branches.get(fork.branch(*index));
                let place = branch.and_then(|branch| branch.place);
                ensure!(
                    place.is_some_and(|place| place.fork == *id && place.index == *index),
                    "branch {index} of fork {id} is lost"
                );
            }
            let joining = attempt.activation.state() == ActivationState::Joining;
            let done = fork.is_done() && !self.cancel_waits_at(*id);
            ensure!(joining == done, "fork {id}: done is {done}, joining is {joining}");
        }
        ensure!(open == self.branches.len(), "{} branches, forks have {open} open", self.branches.len());
        Ok(())
    }

    fn check_turns(&self) -> Result<(), String> {
        let mut expected = BTreeSet::new();
        for branch in self.branches.in_order() {
            let Some(place) = branch.place else {
                return Err(format!("branch {} has no place", branch.id));
            };
            if let (0, Some(front)) = (branch.running, branch.queue.front()) {
                let turn = crate::dispatch::Turn::started(place.fork, place.index);
                expected.insert((self.graph.lane(front.node), turn));
            }
        }
        for fork in self.forks.values() {
            expected.extend(fork.turns());
        }
        let actual: BTreeSet<_> = self.ready.all().collect();
        ensure!(actual == expected, "turns are {actual:?}, should be {expected:?}");
        let mut timers = BTreeSet::new();
        for branch in std::iter::once(&self.root).chain(self.branches.in_order()) {
            let idle = branch.running == 0 && branch.queue.is_empty();
            let due = branch.delayed.deadline().filter(|_| idle || branch.is_ranked());
            timers.extend(due.map(|deadline| (deadline, branch.id)));
        }
        ensure!(timers == self.timers, "timers are {:?}, should be {timers:?}", self.timers);
        Ok(())
    }
}

fn check_branch(graph: &Graph, branch: &Branch, in_flight: &BTreeMap<NodeId, u32>) -> Result<(), String> {
    let id = branch.id;
    let running: u32 = in_flight.values().sum();
    ensure!(running == branch.running, "branch {id} runs {}, counted {running}", branch.running);
    ensure!(branch.is_ranked() || running <= 1, "branch {id} is sequential and runs {running}");
    if branch.place.is_some() {
        let expected = if running > 0 {
            BranchState::Busy
        } else if branch.queue.is_empty() {
            BranchState::Waiting
        } else {
            BranchState::Ready
        };
        ensure!(branch.state() == expected, "branch {id} is {:?}, should be {expected:?}", branch.state());
    }
    let mut active = in_flight.clone();
    for activation in branch.queue.in_order() {
        ensure!(activation.state() == ActivationState::Queued, "a queued activation is {:?}", activation.state());
        *active.entry(activation.node).or_default() += 1;
    }
    for activation in branch.delayed.in_order() {
        ensure!(activation.state() == ActivationState::Delayed, "a delayed activation is {:?}", activation.state());
        *active.entry(activation.node).or_default() += 1;
    }
    check_marks(graph, branch, &active)
}

/// Live is what can be reached from an activation; pending are the edges that leave something live and no loop.
fn check_marks(graph: &Graph, branch: &Branch, active: &BTreeMap<NodeId, u32>) -> Result<(), String> {
    let id = branch.id;
    let mut live: BTreeSet<NodeId> = BTreeSet::new();
    let mut open: Vec<NodeId> = active.keys().copied().collect();
    while let Some(node) = open.pop() {
        if live.insert(node) {
            open.extend(graph.successors(node));
            let component = graph.component(node);
            if component != NONE {
                open.extend(graph.loop_members(component));
            }
        }
    }
    let (mut pending, mut fired) = (BTreeMap::<NodeId, u32>::new(), BTreeMap::<NodeId, u32>::new());
    for id in 0..graph.edge_count() {
        let edge = graph.edge(id);
        let state = branch.marks.edge(id);
        let expected = live.contains(&edge.source) && !graph.is_internal(edge);
        let actual = state == EdgeState::Pending || state == EdgeState::PendingFired;
        ensure!(
            actual == expected,
            "branch {}: edge {} to {} pending is {actual}, should be {expected}",
            branch.id,
            edge.source,
            edge.target
        );
        *pending.entry(edge.target).or_default() += u32::from(actual);
        *fired.entry(edge.target).or_default() +=
            u32::from(state == EdgeState::Fired || state == EdgeState::PendingFired);
    }
    let count = |counts: &BTreeMap<NodeId, u32>, node: NodeId| counts.get(&node).copied().unwrap_or(0);
    let mut waiting = 0;
    for (node, mark) in branch.marks.nodes() {
        ensure!(mark.active == count(active, node), "branch {id}: node {node} counts {} activations", mark.active);
        ensure!(mark.pending == count(&pending, node), "branch {id}: node {node} counts {} pending", mark.pending);
        ensure!(mark.fired == count(&fired, node), "branch {id}: node {node} counts {} fired", mark.fired);
        ensure!(
            graph.component(node) != NONE || mark.live() == live.contains(&node),
            "branch {id}: node {node} live is {}",
            mark.live()
        );
        ensure!(mark.fired == 0 || mark.pending > 0 || mark.active > 0, "branch {id}: node {node} should have joined");
        waiting += usize::from(mark.fired > 0);
    }
    ensure!(waiting == branch.marks.waiting(), "branch {id}: {} nodes wait, counted {waiting}", branch.marks.waiting());
    for component in 0..graph.loop_count() {
        let members = graph.loop_members(component);
        let busy: u32 = members.iter().map(|node| count(active, *node) + count(&pending, *node)).sum();
        let mark = branch.marks.in_loop(component);
        ensure!(mark.busy == busy, "branch {id}: loop {component} is busy {}, counted {busy}", mark.busy);
        ensure!(mark.live == (busy > 0), "branch {id}: loop {component} live is {}", mark.live);
    }
    Ok(())
}
