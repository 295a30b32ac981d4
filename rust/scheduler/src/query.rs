//! Questions about a run that change nothing: progress, checkpoints, explanations, size.
//! Owns: reading. Must not know: how any of it came about.
use crate::activation::Activation;
use crate::branch::Branch;
use crate::error::CallError;
use crate::event::Work;
use crate::graph::Graph;
use crate::ids::{BranchId, EdgeId, Micros, NodeId, Ticket, NONE};
use crate::marks::Marks;
use crate::scheduler::Scheduler;
use crate::story::{Reason, Standing};
use crate::transition::EdgeState;

impl Scheduler {
    /// When `next` might have something new although no event came.
    pub fn deadline(&self) -> Option<Micros> {
        if self.ended {
            return None;
        }
        let retry = self.timers.first().map(|(deadline, _)| *deadline);
        let cancel = self.cancel.as_ref().map(|cancel| cancel.deadline);
        retry.into_iter().chain(cancel).min()
    }

    /// Attempts that the driver owes a report on: running tasks and joins to answer.
    pub fn in_flight(&self) -> usize {
        self.tickets.owed()
    }

    /// Whether a report on this ticket would count: it has not ended, and was not given up.
    pub fn knows(&self, ticket: Ticket) -> bool {
        self.tickets.get(ticket).is_some()
    }

    /// Whether `Finished` has been handed out.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Completed attempts in branch 0 and in all joined branches.
    pub fn steps(&self) -> u64 {
        self.root.steps
    }

    /// How often a node completed in branch 0; an iterating task counts when it stops iterating.
    pub fn executions(&self, node: NodeId) -> Result<u32, CallError> {
        self.graph.require(node)?;
        Ok(self.root.marks.peek(node).executions())
    }

    /// Branch 0's queue, then its delayed retries, in order.
    pub fn pending_work(&self) -> Vec<Work> {
        self.pending_from(0)
    }

    /// The same without the first so many, at no cost for those.
    pub fn pending_from(&self, first: usize) -> Vec<Work> {
        let work =
            |activation: &Activation| Work { node: activation.node, tag: activation.tag, cause: activation.cause() };
        let queued = self.root.queue.len();
        let mut all: Vec<Work> = self.root.queue.in_order_from(first).iter().map(work).collect();
        all.extend(self.root.delayed.in_order().skip(first.saturating_sub(queued)).map(work));
        all
    }

    /// How many there are.
    pub fn pending_count(&self) -> usize {
        self.root.queue.len() + self.root.delayed.len()
    }

    /// Branch 0's marks: edge and 1 for pending, 2 for fired, 3 for both. Edges are numbered as they were first added.
    pub fn edge_marks(&self) -> Vec<(EdgeId, u8)> {
        self.root.marks.edges().into_iter().map(|(edge, state)| (edge, state as u8)).collect()
    }

    /// Whether a branch can get to a node by edges, from its member or from what its tasks enqueued; branch 0 to any.
    pub fn reaches(&self, branch: BranchId, node: NodeId) -> Result<bool, CallError> {
        self.graph.require(node)?;
        Ok(self.branches.get(branch).is_none_or(|open| open.can_reach(&self.graph, node)))
    }

    /// A node's successors, in edge order.
    pub fn successors(&self, node: NodeId) -> Result<Vec<NodeId>, CallError> {
        self.graph.require(node)?;
        Ok(self.graph.successors(node))
    }

    /// All edges as (source, target), in the order in which they were added.
    pub fn edges(&self) -> Vec<(NodeId, NodeId)> {
        self.graph.all_edges()
    }

    /// The edges from the one with that number on.
    pub fn edges_from(&self, first: EdgeId) -> Vec<(NodeId, NodeId)> {
        self.graph.edges_from(first)
    }

    /// The nodes that were passed over since none of their predecessors completed normally.
    pub fn skipped(&self) -> Vec<NodeId> {
        let is_skipped =
            |node: &NodeId| matches!(self.story.reason(*node).0, Reason::SkippedByGoto | Reason::SkippedNoPredecessor);
        (0..self.graph.node_count()).filter(is_skipped).collect()
    }

    /// A node's predecessors, in edge order.
    pub fn predecessors(&self, node: NodeId) -> Result<Vec<NodeId>, CallError> {
        self.graph.require(node)?;
        Ok(self.graph.predecessors(node))
    }

    /// Why a node ran, waits, was skipped or never came up, and which nodes that is due to.
    pub fn explain(&self, node: NodeId) -> Result<(Reason, Vec<NodeId>), CallError> {
        self.graph.require(node)?;
        let (reason, who) = self.story.reason(node);
        for branch in std::iter::once(&self.root).chain(self.branches.in_order()) {
            let mark = branch.marks.peek(node);
            if mark.active == 0 && mark.pending > 0 {
                return Ok((Reason::WaitsFor, Self::pending_sources(&self.graph, &branch.marks, node)));
            }
        }
        let related = match reason {
            Reason::Join | Reason::SkippedNoPredecessor if who.is_none() => self.graph.predecessors(node),
            Reason::NeverReached => Vec::new(),
            Reason::Root
            | Reason::Successor
            | Reason::Join
            | Reason::NextTask
            | Reason::Goto
            | Reason::Iteration
            | Reason::Retry
            | Reason::Member
            | Reason::Resumed
            | Reason::WaitsFor
            | Reason::SkippedByGoto
            | Reason::SkippedNoPredecessor
            | Reason::Abandoned => who.into_iter().collect(),
        };
        Ok((reason, related))
    }

    /// Whether a node is under way now, in any branch.
    pub fn standing(&self, node: NodeId) -> Result<Standing, CallError> {
        self.graph.require(node)?;
        if self.tickets.in_order().iter().any(|attempt| attempt.activation.node == node) {
            return Ok(Standing::Running);
        }
        let waits_in = |branch: &Branch| {
            if branch.delayed.in_order().any(|activation| activation.node == node) {
                return Some(Standing::Delayed);
            }
            branch.queue.in_order().iter().any(|activation| activation.node == node).then_some(Standing::Queued)
        };
        let mut branches = std::iter::once(&self.root).chain(self.branches.in_order());
        Ok(branches.find_map(waits_in).unwrap_or_default())
    }

    fn pending_sources(graph: &Graph, marks: &Marks, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut next = graph.first_in(node);
        while next != NONE {
            let edge = graph.edge(next);
            match marks.peek_edge(next) {
                EdgeState::Pending | EdgeState::PendingFired => found.push(edge.source),
                EdgeState::Idle | EdgeState::Fired => {}
            }
            next = edge.next_in;
        }
        found.reverse();
        found
    }

    /// What the graph, the marks and the books take.
    pub fn memory_bytes(&self) -> usize {
        self.graph.memory_bytes()
            + self.story.memory_bytes()
            + self.tickets.memory_bytes()
            + self.root.marks.memory_bytes()
            + self.root.queue.memory_bytes()
            + self.branches.memory_bytes()
            + self.forks.values().map(|fork| fork.steps.capacity() * 4).sum::<usize>()
    }
}
