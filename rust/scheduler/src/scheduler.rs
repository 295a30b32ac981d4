//! The state machine's front: configuration, building the graph, events in.
//! Owns: the state of a run, and what growing the graph entails for it. Must not know: Python, clocks, values, names.
use crate::action::{Action, StopReason};
use crate::branch::Branch;
use crate::branches::Branches;
use crate::control::Cancel;
use crate::dispatch::Ready;
use crate::error::CallError;
use crate::event::Event;
use crate::fork::Fork;
use crate::graph::{Change, Graph};
use crate::history::Entry;
use crate::ids::{BranchId, Micros, NodeId, ResourceId, NONE, ROOT};
use crate::lanes::{Lanes, ROOT_LANE};
use crate::marks::NodeMark;
use crate::story::{Reason, Story};
use crate::tickets::{TicketBlocks, Tickets};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    /// Why somebody outside wants the run to end; it does so with the next action.
    pub(crate) stopped: Option<StopReason>,
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
            stopped: None,
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

    /// Lets no ticket be one of another scheduler's that takes from the same blocks: workers that outlive a run may
    /// still hold a task of it that was taken back, or what one said, and would take it for the one whose ticket came
    /// again.
    pub fn take_ticket_blocks_from(&mut self, blocks: TicketBlocks) {
        self.tickets.take_blocks_from(blocks);
    }

    /// At most `limit` attempts of nodes in this lane at once, in all branches together. Lane 0 has no limit.
    pub fn set_lane_limit(&mut self, lane: u32, limit: u32) {
        self.lanes.set_limit(lane, limit);
    }

    /// The lane of a node and its limit, if there is one and attempts in that lane take nothing else.
    pub fn lane_limit(&self, node: NodeId) -> Result<Option<(u32, u32)>, CallError> {
        self.graph.require(node)?;
        let lane = self.graph.lane(node);
        Ok(if lane == 0 { None } else { self.lanes.limit(lane).map(|limit| (lane, limit)) })
    }

    /// Lets so many attempts of a lane be under way although its limit is lower: whoever runs their bodies sees to it that
    /// no more of them run at once. See [`Scheduler::keep_limits`].
    pub fn send_ahead(&mut self, lane: u32, count: u32) {
        self.lanes.set_ahead(lane, count);
    }

    /// Ends what [`Scheduler::send_ahead`] began. What is under way counts, so nothing starts in a lane before fewer than
    /// its limit are.
    pub fn keep_limits(&mut self) {
        self.lanes.keep_limits();
    }

    /// There is so much of a resource, for all branches together. Without a total it has no end.
    pub fn set_resource(&mut self, resource: ResourceId, total: u64) {
        self.lanes.set_total(resource, total);
    }

    /// An attempt of a node in this lane takes so much of these resources from its start to its end, and waits until all
    /// of that is free: the attempts in a lane that asks for more than there is never start. Said before the lane is used.
    pub fn set_lane_demand(&mut self, lane: u32, demand: &[(ResourceId, u64)]) {
        self.lanes.set_demand(lane, demand);
    }

    /// Keeps entries of what happens from now on, for [`Scheduler::take_history`].
    pub fn keep_history(&mut self) {
        self.story.history.begin();
    }

    /// What has happened since this was last called, in order; nothing as long as nobody has asked to keep it.
    pub fn take_history(&mut self) -> Vec<Entry> {
        self.exchange_history(Vec::new())
    }

    /// The same; the next entries are kept in `room`, an empty list that was grown before.
    pub fn exchange_history(&mut self, room: Vec<Entry>) -> Vec<Entry> {
        self.story.history.take(room)
    }

    /// How many nodes there are, groups included.
    pub fn node_count(&self) -> u32 {
        self.graph.node_count()
    }

    /// Takes an event in. `Ok(false)`: the ticket is unknown, a late report, and nothing was changed.
    pub fn handle(&mut self, event: Event<'_>, now: Micros) -> Result<bool, CallError> {
        self.story.history.set_now(now);
        match event {
            Event::Start { roots } => self.start_run(roots),
            Event::Resume { queue, marks, executions } => self.resume(queue, marks, executions),
            Event::Completed { ticket, directives } => self.complete(ticket, directives, now),
            Event::Failed { ticket, retry_delay } => Ok(self.fail(ticket, retry_delay, now)),
            Event::Stopped { reason } => Ok(self.stop(reason)),
        }
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

    pub(crate) fn release_lanes(&mut self, branch: BranchId, node: NodeId) {
        self.lanes.release(self.graph.lane(node));
        if self.is_concurrent_root(branch) && !self.graph.is_group(node) {
            self.lanes.release(ROOT_LANE);
        }
    }
}
