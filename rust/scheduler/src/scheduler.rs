//! The state machine's front: configuration, building the graph, events in.
//! Owns: what each event entails, in which order. Must not know: Python, clocks, values, names.
use crate::action::{Action, Outcome, StopReason};
use crate::activation::Activation;
use crate::branch::{Branch, Jump};
use crate::branches::Branches;
use crate::control::Cancel;
use crate::dispatch::Ready;
use crate::error::CallError;
use crate::event::{Directive, Event, Work};
use crate::fork::{Fork, Stop};
use crate::graph::{Change, Graph};
use crate::ids::{BranchId, EdgeId, Micros, NodeId, Ticket, NONE, ROOT};
use crate::join::Settlement;
use crate::lanes::{Lanes, ROOT_LANE};
use crate::marks::NodeMark;
use crate::story::{Reason, Story};
use crate::tickets::{Attempt, Tickets};
use crate::transition::{ActivationEvent, ActivationState, BranchEvent, EdgeState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Schedulers whose tickets differ, and how many tickets each has before it comes into the next one's.
const SERIALS: u64 = 512;
const SERIAL_SHIFT: u32 = 28;

/// What a run is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Whether branch 0 runs everything that is ready, not one attempt at a time.
    pub parallel: bool,
    /// At most so many steps in a branch.
    pub max_steps: Option<u64>,
    /// At most so many executions of one node in a branch.
    pub execution_limit: u32,
    /// How long members before one that cancels may go on.
    pub cancel_grace: Micros,
}

impl Default for Config {
    fn default() -> Self {
        Self { parallel: false, max_steps: None, execution_limit: 10_000, cancel_grace: 200_000 }
    }
}

/// One run of one graph.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) config: Config,
    pub(crate) graph: Graph,
    pub(crate) story: Story,
    pub(crate) root: Branch,
    /// Open branches of members.
    pub(crate) branches: Branches,
    pub(crate) next_branch: BranchId,
    /// Groups that run, by the order of starting.
    pub(crate) forks: BTreeMap<u64, Fork>,
    pub(crate) forked: u64,
    pub(crate) tickets: Tickets,
    pub(crate) lanes: Lanes,
    pub(crate) ready: Ready,
    /// Branches that wait for a deadline.
    pub(crate) timers: BTreeSet<(Micros, BranchId)>,
    pub(crate) notices: VecDeque<Action>,
    pub(crate) cancel: Option<Cancel>,
    /// A stop has given up attempts in branch 0, which will end without going on; its marks mean nothing any more.
    pub(crate) root_cut: bool,
    pub(crate) started: bool,
    /// The run is over; `Finished` may still be in the notices.
    pub(crate) ended: bool,
    pub(crate) finished: bool,
}

impl Scheduler {
    /// An empty graph, not started.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            graph: Graph::default(),
            story: Story::default(),
            root: Branch::root(config.parallel),
            branches: Branches::default(),
            next_branch: 1,
            forks: BTreeMap::new(),
            forked: 0,
            tickets: Tickets::default(),
            lanes: Lanes::default(),
            ready: Ready::default(),
            timers: BTreeSet::new(),
            notices: VecDeque::new(),
            cancel: None,
            root_cut: false,
            started: false,
            ended: false,
            finished: false,
        }
    }

    /// Adds a task, or a group whose members [`Scheduler::set_members`] names. Allowed at any time.
    pub fn add_node(&mut self, group: bool, priority: i32, lane: u32) -> Result<NodeId, CallError> {
        self.graph.add_node(group, priority, lane)
    }

    /// Adds plain tasks; gives the first id.
    pub fn add_nodes(&mut self, count: u32) -> Result<NodeId, CallError> {
        self.graph.add_nodes(count)
    }

    /// Gives a node that has not run another priority and lane.
    pub fn set_options(&mut self, node: NodeId, priority: i32, lane: u32) -> Result<(), CallError> {
        self.graph.set_options(node, priority, lane)
    }

    /// Adds an edge; a duplicate is ignored. Allowed at any time.
    pub fn add_edge(&mut self, source: NodeId, target: NodeId) -> Result<(), CallError> {
        self.graph.add_edge(source, target)
    }

    /// Says what a group runs. A fork that is open keeps the members it started with.
    pub fn set_members(&mut self, group: NodeId, members: &[NodeId]) -> Result<(), CallError> {
        self.graph.set_members(group, members)
    }

    /// Makes a node without edges that ran in branch 0 as good as new, so that another task may take its place.
    /// `Ok(false)`: something still knows it, and nothing was changed.
    pub fn renew_node(&mut self, node: NodeId) -> Result<bool, CallError> {
        self.graph.require(node)?;
        self.sync();
        let mark = self.root.marks.node(node);
        let known = mark.active > 0 || mark.pending > 0 || mark.fired > 0;
        if known
            || self.graph.is_group(node)
            || self.graph.first_out(node) != NONE
            || self.graph.first_in(node) != NONE
            || self.graph.lane(node) != 0
        {
            return Ok(false);
        }
        *self.root.marks.node_mut(node) = NodeMark::default();
        self.story.note(node, Reason::NeverReached, NONE);
        Ok(true)
    }

    /// Lets no ticket be one of an earlier scheduler's that was given another `serial` (up to 512): workers that outlive
    /// a run may still hold a task of it that was taken back, and would run that one if its ticket came again.
    pub fn set_serial(&mut self, serial: u64) {
        self.tickets.start_at((serial % SERIALS) << SERIAL_SHIFT);
    }

    /// At most `limit` attempts of nodes in this lane at once, in all branches together. Lane 0 has no limit.
    pub fn set_lane_limit(&mut self, lane: u32, limit: u32) {
        self.lanes.set_limit(lane, limit);
    }

    /// Takes an event in. `Ok(false)`: the ticket is unknown, a late report, and nothing was changed.
    pub fn handle(&mut self, event: Event<'_>, now: Micros) -> Result<bool, CallError> {
        match event {
            Event::Start { roots } => self.start_run(roots),
            Event::Resume { queue, marks, executions } => self.resume(queue, marks, executions),
            Event::Completed { ticket, directives } => self.complete(ticket, directives, now),
            Event::Failed { ticket, retry_delay } => Ok(self.fail(ticket, retry_delay, now)),
        }
    }

    fn start_run(&mut self, roots: &[NodeId]) -> Result<bool, CallError> {
        for root in roots {
            self.graph.require(*root)?;
        }
        if self.started {
            return Err(CallError::AlreadyStarted);
        }
        self.sync();
        self.started = true;
        for root in roots {
            self.root.activate(&self.graph, &mut self.story, Activation::new(*root, Reason::Root, NONE, 0));
        }
        self.after(ROOT);
        Ok(true)
    }

    fn resume(
        &mut self,
        queue: &[Work],
        marks: &[(EdgeId, u8)],
        executions: &[(NodeId, u32)],
    ) -> Result<bool, CallError> {
        for node in queue.iter().map(|work| work.node).chain(executions.iter().map(|(node, _)| *node)) {
            self.graph.require(node)?;
        }
        for cause in queue.iter().filter_map(|work| work.cause) {
            self.graph.require(cause)?;
        }
        if let Some((edge, _)) = marks.iter().find(|(edge, _)| *edge >= self.graph.edge_count()) {
            return Err(CallError::UnknownEdge(*edge));
        }
        if self.started {
            return Err(CallError::AlreadyStarted);
        }
        self.sync();
        self.started = true;
        for (node, count) in executions {
            self.root.marks.node_mut(*node).set_executions(*count);
        }
        for (edge, mark) in marks {
            if mark & EdgeState::Fired as u8 != 0 {
                self.root.restore_fire(*edge, self.graph.edge(*edge).target);
            }
        }
        for work in queue {
            let activation = Activation::new(work.node, Reason::Resumed, work.cause.unwrap_or(NONE), work.tag);
            self.root.activate(&self.graph, &mut self.story, activation);
        }
        self.after(ROOT);
        Ok(true)
    }

    /// Takes in what was added to the graph since the last event.
    #[inline]
    pub(crate) fn sync(&mut self) {
        if self.graph.changed() {
            self.sync_changes();
        }
    }

    fn sync_changes(&mut self) {
        let change = self.graph.analyse();
        let graph = &self.graph;
        self.root.marks.grow(graph.node_count(), graph.edge_count(), graph.loop_count());
        self.story.grow(graph.node_count());
        if !self.started {
            return;
        }
        match change {
            Change::Rebuilt => {
                self.root.rebuild(graph, &mut self.story);
                for id in self.branches.ids() {
                    self.branches.get_mut(id).expect("an open branch").rebuild(graph, &mut self.story);
                }
                self.wake_for_joins();
            }
            Change::Appended { edge, node } => {
                for edge in (edge..graph.edge_count()).filter(|edge| graph.edge(*edge).source < node) {
                    self.root.edge_added(graph, edge);
                    for id in self.branches.ids() {
                        self.branches.get_mut(id).expect("an open branch").edge_added(graph, edge);
                    }
                }
            }
        }
    }

    pub(crate) fn branch(&self, id: BranchId) -> &Branch {
        if id == ROOT {
            &self.root
        } else {
            self.branches.get(id).expect("an open branch")
        }
    }

    #[inline]
    pub(crate) fn branch_mut(&mut self, id: BranchId) -> &mut Branch {
        if id == ROOT {
            &mut self.root
        } else {
            self.branches.get_mut(id).expect("an open branch")
        }
    }

    /// Takes an attempt that can be reported on out of the books; its branch has nothing in flight for it any more.
    #[inline]
    fn report(&mut self, ticket: Ticket, event: ActivationEvent) -> Option<Attempt> {
        match self.tickets.get(ticket)?.activation.state() {
            ActivationState::Running | ActivationState::Joining => {}
            ActivationState::Forked => return None,
            ActivationState::Queued
            | ActivationState::Delayed
            | ActivationState::Completed
            | ActivationState::Failed
            | ActivationState::Abandoned => {
                panic!("ticket {ticket} names an activation that does not run")
            }
        }
        let mut attempt = self.tickets.take(ticket)?;
        attempt.activation.step(event);
        self.release_lanes(attempt.branch, attempt.activation.node);
        self.branch_mut(attempt.branch).running -= 1;
        Some(attempt)
    }

    pub(crate) fn release_lanes(&mut self, branch: BranchId, node: NodeId) {
        self.lanes.release(self.graph.lane(node));
        if self.is_concurrent_root(branch) && !self.graph.is_group(node) {
            self.lanes.release(ROOT_LANE);
        }
    }

    /// `Event::Completed`.
    pub fn complete(&mut self, ticket: Ticket, directives: &[Directive], now: Micros) -> Result<bool, CallError> {
        let (mut terminates, mut cancels) = (false, false);
        for directive in directives {
            match directive {
                Directive::Enqueue { node, .. } | Directive::Goto { node, .. } => self.graph.require(*node)?,
                Directive::Iterate { .. } => {}
                Directive::Terminate => terminates = true,
                Directive::Cancel => cancels = true,
            }
        }
        self.sync();
        let event = if cancels { ActivationEvent::Fail } else { ActivationEvent::Complete };
        let Some(attempt) = self.report(ticket, event) else {
            return Ok(false);
        };
        let (node, id) = (attempt.activation.node, attempt.branch);
        self.story.tell("complete", id, node, ticket);
        let fork = if attempt.fork == 0 { None } else { self.forks.remove(&attempt.fork) };
        let own = Stop { node, branch: id, ticket };
        if cancels {
            self.cancel(id, own, now);
            return Ok(true);
        }
        let stop = fork.as_ref().and_then(|fork| fork.stop).or(terminates.then_some(own));
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        branch.steps += 1;
        if let Some(stop) = stop {
            branch.count_inactive(&self.graph, node);
            branch.marks.node_mut(node).count_execution();
            self.terminate(id, stop);
            return Ok(true);
        }
        let jumps = fork.map_or_else(BTreeMap::new, |fork| fork.jumps);
        let iterates = carry_out(branch, &self.graph, &mut self.story, &attempt, directives, jumps.into_values());
        branch.count_inactive(&self.graph, node);
        match iterates {
            Next::Iteration => {}
            Next::Settle(settlement) => {
                branch.marks.node_mut(node).count_execution();
                branch.settle(&self.graph, &mut self.story, node, settlement);
            }
        }
        self.after(id);
        Ok(true)
    }

    /// `Event::Failed`.
    pub fn fail(&mut self, ticket: Ticket, retry_delay: Option<Micros>, now: Micros) -> bool {
        self.sync();
        let event = match retry_delay {
            None => ActivationEvent::Fail,
            Some(0) => ActivationEvent::RetryNow,
            Some(_) => ActivationEvent::RetryLater,
        };
        let Some(attempt) = self.report(ticket, event) else {
            return false;
        };
        let (mut activation, id) = (attempt.activation, attempt.branch);
        self.story.tell("fail", id, activation.node, ticket);
        self.forks.remove(&attempt.fork);
        let Some(delay) = retry_delay else {
            if id == ROOT {
                self.finish(StopReason::Failed, Some(activation.node), ROOT, ticket);
            } else {
                self.end_branch(id, Outcome::Failed);
            }
            return true;
        };
        activation.attempt += 1;
        activation.reason = Reason::Retry;
        self.story.note(activation.node, Reason::Retry, activation.node);
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        if delay == 0 {
            branch.enqueue(&self.graph, activation);
        } else {
            let by_deadline = branch.is_ranked();
            branch.delayed.push(activation, delay, now, by_deadline);
        }
        self.after(id);
        true
    }

    /// Looks at what a branch has left after one of its attempts was reported.
    #[inline]
    fn after(&mut self, id: BranchId) {
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        if branch.is_idle() && !branch.quiet(&self.graph, &mut self.story) {
            if id == ROOT {
                self.finish(StopReason::Completed, None, ROOT, 0);
            } else {
                self.end_branch(id, Outcome::Ok);
            }
            return;
        }
        if id == ROOT {
            if self.root.delayed.is_empty() {
                return;
            }
            let idle = self.root.running == 0 && self.root.queue.is_empty();
            if self.root.is_ranked() || idle {
                self.arm(ROOT);
            }
        } else if branch.queue.is_empty() {
            branch.step(BranchEvent::OnlyDelayed);
            self.arm(id);
        } else {
            branch.step(BranchEvent::MoreWork);
            self.enter_ready(id);
        }
    }
}

/// What follows a completion.
enum Next {
    Iteration,
    Settle(Settlement),
}

/// Carries out what a completed task (or the branches of a joined group) asked for.
#[inline]
fn carry_out(
    branch: &mut Branch,
    graph: &Graph,
    story: &mut Story,
    attempt: &Attempt,
    directives: &[Directive],
    carried: impl Iterator<Item = Vec<Jump>>,
) -> Next {
    let Activation { node, cause, .. } = attempt.activation;
    let (mut jumps, mut iterates) = (false, false);
    for directive in directives {
        match *directive {
            Directive::Enqueue { node: target, tag } => {
                if branch.place.is_some() {
                    branch.seeds.push(target);
                }
                branch.activate(graph, story, Activation::new(target, Reason::NextTask, node, tag));
            }
            Directive::Goto { node: target, tag } => {
                jumps = true;
                jump(branch, graph, story, Jump { node: target, tag, cause: node });
            }
            Directive::Iterate { tag } => {
                iterates = true;
                branch.activate(graph, story, Activation::new(node, Reason::Iteration, cause, tag));
            }
            Directive::Terminate | Directive::Cancel => {}
        }
    }
    for carried in carried.flatten() {
        jumps = true;
        jump(branch, graph, story, carried);
    }
    if iterates {
        Next::Iteration
    } else if jumps {
        Next::Settle(Settlement::Jump)
    } else {
        Next::Settle(Settlement::Fire)
    }
}

/// Goes there, if that is inside the branch; else the branch carries it to its join.
fn jump(branch: &mut Branch, graph: &Graph, story: &mut Story, jump: Jump) {
    if branch.place.is_some() && !branch.can_reach(graph, jump.node) {
        branch.jumps.push(jump);
    } else {
        branch.activate(graph, story, Activation::new(jump.node, Reason::Goto, jump.cause, jump.tag));
    }
}
