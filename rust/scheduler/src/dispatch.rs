//! Whose turn it is: notices first, then the newest fork, started branches before unstarted ones, lower index first,
//! branch 0 last. Owns: the order of starting. Must not know: what a completion entails.
use crate::action::{Action, Outcome, StopReason};
use crate::activation::Activation;
use crate::branch::Branch;
use crate::history::What;
use crate::ids::{BranchId, Micros, NONE, ROOT};
use crate::lanes::{Lanes, ROOT_LANE};
use crate::scheduler::Scheduler;
use crate::story::Reason;
use crate::transition::{ActivationEvent, ActivationState, BranchEvent, BranchState};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A member's branch that could start something; sorts first what goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Turn {
    pub fork: Reverse<u64>,
    pub unstarted: bool,
    pub index: u32,
}

impl Turn {
    pub fn started(fork: u64, index: u32) -> Self {
        Self { fork: Reverse(fork), unstarted: false, index }
    }

    pub fn unstarted(fork: u64, index: u32) -> Self {
        Self { fork: Reverse(fork), unstarted: true, index }
    }
}

/// Everyone who waits for a turn, by the lane of what they would start.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    lanes: BTreeMap<u32, Turns>,
}

/// Those of one lane.
#[derive(Debug, Default)]
struct Turns {
    started: BTreeSet<(Reverse<u64>, u32)>,
    /// The next member of each fork that has one left.
    unstarted: BTreeMap<Reverse<u64>, u32>,
}

impl Turns {
    #[inline]
    fn first(&self) -> Option<Turn> {
        let started = self.started.first().map(|(fork, index)| Turn::started(fork.0, *index));
        let unstarted = self.unstarted.first_key_value().map(|(fork, index)| Turn::unstarted(fork.0, *index));
        match (started, unstarted) {
            (Some(started), Some(unstarted)) => Some(started.min(unstarted)),
            (started, unstarted) => started.or(unstarted),
        }
    }
}

impl Ready {
    pub fn insert(&mut self, lane: u32, turn: Turn) {
        let turns = self.lanes.entry(lane).or_default();
        if turn.unstarted {
            turns.unstarted.insert(turn.fork, turn.index);
        } else {
            turns.started.insert((turn.fork, turn.index));
        }
    }

    pub fn remove(&mut self, lane: u32, turn: Turn) {
        if let Some(turns) = self.lanes.get_mut(&lane) {
            if !turn.unstarted {
                turns.started.remove(&(turn.fork, turn.index));
            } else if turns.unstarted.get(&turn.fork) == Some(&turn.index) {
                turns.unstarted.remove(&turn.fork);
            }
        }
    }

    /// A fork's next member in this lane has its turn; now another one is next, if there is one.
    fn advance(&mut self, lane: u32, fork: Reverse<u64>, next: Option<u32>) {
        if let Some(turns) = self.lanes.get_mut(&lane) {
            match (next, turns.unstarted.get_mut(&fork)) {
                (Some(next), Some(index)) => *index = next,
                (None, Some(_)) => drop(turns.unstarted.remove(&fork)),
                (_, None) => {}
            }
        }
    }

    /// Whose turn it is, among lanes with room.
    #[inline]
    pub fn first(&self, lanes: &Lanes) -> Option<(u32, Turn)> {
        let open = self.lanes.iter().filter(|(lane, _)| !lanes.is_full(**lane));
        open.filter_map(|(lane, turns)| turns.first().map(|turn| (*lane, turn))).min_by_key(|(_, turn)| *turn)
    }

    /// Everyone, for checks.
    pub fn all(&self) -> impl Iterator<Item = (u32, Turn)> + '_ {
        self.lanes.iter().flat_map(|(lane, turns)| {
            let started = turns.started.iter().map(|(fork, index)| Turn::started(fork.0, *index));
            let unstarted = turns.unstarted.iter().map(|(fork, index)| Turn::unstarted(fork.0, *index));
            started.chain(unstarted).map(|turn| (*lane, turn))
        })
    }
}

impl Scheduler {
    /// The next thing the driver has to do, or `None`: nothing now.
    #[must_use]
    pub fn next(&mut self, now: Micros) -> Option<Action> {
        self.story.history.set_now(now);
        self.story.ending = NONE;
        if self.stopped.is_some() && self.started {
            self.finish_stopped();
        }
        loop {
            while let Some(action) = self.notices.pop_front() {
                if self.still_holds(&action) {
                    return Some(action);
                }
            }
            if self.ended || !self.started {
                return None;
            }
            self.sync();
            if self.cancel.as_ref().is_some_and(|cancel| cancel.deadline <= now) {
                self.finish_cancelled();
                continue;
            }
            self.wake(now);
            if !self.tickets.has_room() {
                return None;
            }
            let started = match self.ready.first(&self.lanes) {
                Some((lane, turn)) => self.take_turn(lane, turn, now),
                None => self.start_in_root(now),
            };
            if started.is_some() {
                return started;
            }
            if self.notices.is_empty() {
                return None;
            }
        }
    }

    /// A fork may have been given up after its notice was queued.
    fn still_holds(&mut self, action: &Action) -> bool {
        match action {
            Action::BranchEnded { ticket, .. } | Action::Join { ticket, .. } => self.tickets.get(*ticket).is_some(),
            Action::Finished { .. } => {
                self.finished = true;
                true
            }
            Action::Run { .. } | Action::Fork { .. } | Action::Abandon { .. } | Action::Overrun { .. } => true,
        }
    }

    /// Lets retries whose deadline has passed into their queues.
    fn wake(&mut self, now: Micros) {
        while let Some((deadline, id)) = self.timers.first().copied() {
            if deadline > now {
                return;
            }
            self.disarm(id);
            self.let_in(id);
            if id != ROOT {
                self.enter_ready(id);
            } else if self.root.is_ranked() {
                self.arm(ROOT);
            }
        }
    }

    fn let_in(&mut self, id: BranchId) {
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("a timer's branch") };
        if let Some(mut activation) = branch.delayed.pop() {
            activation.step(ActivationEvent::Due);
            branch.enqueue(&self.graph, activation);
            if branch.id != ROOT {
                branch.step(BranchEvent::Wake);
            }
        }
    }

    /// A change of the graph may have let joins through in branches that only waited for a deadline.
    pub(crate) fn wake_for_joins(&mut self) {
        if !self.root.is_ranked() && !self.root.queue.is_empty() {
            self.disarm(ROOT);
        }
        let waits = |branch: &&Branch| branch.state() == BranchState::Waiting && !branch.queue.is_empty();
        let woken: Vec<BranchId> = self.branches.in_order().filter(waits).map(|branch| branch.id).collect();
        for id in woken {
            self.disarm(id);
            self.branch_mut(id).step(BranchEvent::Wake);
            self.enter_ready(id);
        }
    }

    /// Enters a branch in the timers for its next delayed retry.
    pub(crate) fn arm(&mut self, id: BranchId) {
        self.disarm(id);
        let deadline = self.branch(id).delayed.deadline();
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, id));
            self.branch_mut(id).armed = Some(deadline);
        }
    }

    pub(crate) fn disarm(&mut self, id: BranchId) {
        if let Some(deadline) = self.branch_mut(id).armed.take() {
            self.timers.remove(&(deadline, id));
        }
    }

    fn turn_of(&self, branch: &Branch) -> Option<(u32, Turn)> {
        let place = branch.place?;
        let front = branch.queue.front()?;
        Some((self.graph.lane(front.node), Turn::started(place.fork, place.index)))
    }

    /// A member's branch has something to start.
    pub(crate) fn enter_ready(&mut self, id: BranchId) {
        if let Some((lane, turn)) = self.turn_of(self.branch(id)) {
            self.ready.insert(lane, turn);
        }
    }

    /// A member's branch waits for nothing any more.
    pub(crate) fn leave_ready(&mut self, id: BranchId) {
        if self.branches.get(id).is_none() {
            return;
        }
        self.disarm(id);
        if let Some((lane, turn)) = self.turn_of(self.branch(id)) {
            self.ready.remove(lane, turn);
        }
    }

    fn take_turn(&mut self, lane: u32, turn: Turn, _now: Micros) -> Option<Action> {
        let Reverse(fork) = turn.fork;
        let id = if turn.unstarted {
            let next = self.forks.get_mut(&fork).and_then(|fork| fork.start_next(lane));
            self.ready.advance(lane, turn.fork, next);
            self.open_branch(fork, turn.index)
        } else {
            self.ready.remove(lane, turn);
            self.forks.get(&fork).map_or(ROOT, |fork| fork.branch(turn.index))
        };
        if self.config.max_steps.is_some_and(|limit| self.branch(id).steps >= limit) {
            self.end_branch(id, Outcome::Ok);
            return None;
        }
        let graph = &self.graph;
        let branch = self.branches.get_mut(id).expect("a turn's branch");
        let activation = branch.queue.pop(|activation| graph.lane(activation.node), &self.lanes)?;
        if self.overruns(id, &activation) {
            self.notices.push_back(Action::Overrun { node: activation.node, branch: id });
            self.end_branch(id, Outcome::Failed);
            return None;
        }
        Some(self.start(id, activation))
    }

    #[inline]
    fn start_in_root(&mut self, _now: Micros) -> Option<Action> {
        if self.cancel.is_some() || self.root.queue.is_empty() {
            return None;
        }
        let running = self.root.running;
        if running > 0 && !self.root.is_ranked() || self.lanes.is_full(ROOT_LANE) {
            return None;
        }
        if let Some(limit) = self.config.max_steps {
            if self.root.steps + u64::from(running) >= limit {
                if running == 0 {
                    self.finish(StopReason::MaxSteps, None, ROOT, 0);
                }
                return None;
            }
        }
        let graph = &self.graph;
        let activation = self.root.queue.pop(|activation| graph.lane(activation.node), &self.lanes)?;
        if self.overruns(ROOT, &activation) {
            self.notices.push_back(Action::Overrun { node: activation.node, branch: ROOT });
            self.finish(StopReason::Overrun, Some(activation.node), ROOT, 0);
            return None;
        }
        Some(self.start(ROOT, activation))
    }

    /// Whether attempts of this branch count in the lane of the workflow's own branch.
    #[inline]
    pub(crate) fn is_concurrent_root(&self, id: BranchId) -> bool {
        id == ROOT && self.config.parallel
    }

    #[inline]
    fn overruns(&self, id: BranchId, activation: &Activation) -> bool {
        activation.attempt == 0
            && activation.reason != Reason::Iteration
            && self.branch(id).marks.node(activation.node).executions() >= self.config.execution_limit
    }

    #[inline]
    fn start(&mut self, id: BranchId, mut activation: Activation) -> Action {
        let node = activation.node;
        if id != ROOT {
            self.branch_mut(id).step(BranchEvent::Start);
        }
        self.branch_mut(id).running += 1;
        if self.graph.is_group(node) {
            activation.step(ActivationEvent::Fork);
            let action = self.open_fork(id, activation);
            if let Action::Fork { ticket, .. } = action {
                self.branch_mut(id).current = ticket;
            }
            return action;
        }
        activation.step(ActivationEvent::Run);
        debug_assert_eq!(activation.state(), ActivationState::Running);
        self.lanes.acquire(self.graph.lane(node));
        if self.is_concurrent_root(id) {
            self.lanes.acquire(ROOT_LANE);
        }
        let ticket = self.tickets.issue(id, 0, activation);
        self.branch_mut(id).current = ticket;
        self.story.tell("run", id, node, ticket);
        let Activation { tag, attempt, .. } = activation;
        self.story.history.add(id, node, What::Started { ticket, attempt });
        Action::Run { ticket, node, branch: id, attempt, tag, cause: activation.cause() }
    }
}
