//! One FIFO run: its queue, its marks, what it has in flight, what it carries to its join.
//! Owns: a branch's own state. Must not know: other branches, forks, tickets' meaning.
use crate::activation::Activation;
use crate::graph::Graph;
use crate::ids::{BranchId, Micros, NodeId, Ticket, NONE, ROOT};
use crate::marks::Marks;
use crate::queue::{Delayed, Queue};
use crate::story::{Reason, Story};
use crate::transition::{branch_after, BranchEvent, BranchState};
use std::collections::BTreeSet;

/// Which member of which fork a branch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub fork: u64,
    pub index: u32,
}

/// A goto that leaves its branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jump {
    pub node: NodeId,
    pub tag: i64,
    /// Who said it.
    pub cause: NodeId,
}

/// A branch.
#[derive(Debug)]
pub(crate) struct Branch {
    pub id: BranchId,
    /// `None` for branch 0.
    pub place: Option<Place>,
    /// The member it runs.
    pub member: NodeId,
    /// What its tasks enqueued: with the member, where "what it can reach itself" begins.
    pub seeds: Vec<NodeId>,
    pub marks: Marks,
    pub queue: Queue,
    pub delayed: Delayed,
    /// Attempts in flight (at most one, but for branch 0 where everything ready runs).
    pub running: u32,
    /// The attempt in flight when there is at most one.
    pub current: Ticket,
    /// Completed attempts, those of joined branches included.
    pub steps: u64,
    pub jumps: Vec<Jump>,
    /// The deadline it is entered for in the scheduler's timers.
    pub armed: Option<Micros>,
    state: BranchState,
}

impl Branch {
    pub fn root(ranked: bool) -> Self {
        Self::with(ROOT, None, Marks::dense(), Queue::new(ranked))
    }

    pub fn member(id: BranchId, place: Place, member: NodeId) -> Self {
        let mut branch = Self::with(id, Some(place), Marks::sparse(), Queue::new(false));
        branch.member = member;
        branch
    }

    /// Makes a closed branch a new one; what it allocated stays.
    pub fn reuse(&mut self, id: BranchId, place: Place, member: NodeId) {
        self.id = id;
        self.place = Some(place);
        self.member = member;
        self.seeds.clear();
        self.marks.clear();
        match &mut self.queue {
            Queue::Fifo(queue) => queue.clear(),
            queue @ Queue::Ranked { .. } => *queue = Queue::new(false),
        }
        self.delayed.clear();
        self.running = 0;
        self.current = 0;
        self.steps = 0;
        self.jumps.clear();
        self.armed = None;
        self.state = BranchState::Ready;
    }

    fn with(id: BranchId, place: Option<Place>, marks: Marks, queue: Queue) -> Self {
        Self {
            id,
            place,
            member: NONE,
            seeds: Vec::new(),
            marks,
            queue,
            delayed: Delayed::default(),
            running: 0,
            current: 0,
            steps: 0,
            jumps: Vec::new(),
            armed: None,
            state: BranchState::Ready,
        }
    }

    /// Whether it runs everything ready at once.
    pub fn is_ranked(&self) -> bool {
        match self.queue {
            Queue::Fifo(_) => false,
            Queue::Ranked { .. } => true,
        }
    }

    pub fn state(&self) -> BranchState {
        self.state
    }

    /// The one place that changes a branch's state.
    #[inline]
    pub fn step(&mut self, event: BranchEvent) {
        match branch_after(self.state, event) {
            Some(state) => self.state = state,
            None => panic!("branch {} is {:?}: {event:?} can't happen to it", self.id, self.state),
        }
    }

    /// Puts an activation that is counted already at the back of the queue.
    #[inline]
    pub fn enqueue(&mut self, graph: &Graph, activation: Activation) {
        let node = activation.node;
        match &mut self.queue {
            Queue::Fifo(queue) => queue.push_back(activation),
            ranked @ Queue::Ranked { .. } => ranked.push(activation, graph.priority(node), graph.lane(node)),
        }
    }

    /// Decides that `node` shall run.
    #[inline]
    pub fn activate(&mut self, graph: &Graph, story: &mut Story, activation: Activation) {
        let node = activation.node;
        self.count_active(graph, node);
        let continues = activation.reason == Reason::Iteration || activation.reason == Reason::Resumed;
        if !continues && self.marks.node(node).fired > 0 {
            self.consume_fires(graph, node);
        }
        story.note(node, activation.reason, activation.cause);
        story.ready(self.id, node, activation.cause);
        self.enqueue(graph, activation);
    }

    /// Takes back what `activate` counted, when the activation is over.
    #[inline]
    pub fn count_inactive(&mut self, graph: &Graph, node: NodeId) {
        self.marks.node_mut(node).active -= 1;
        let component = graph.component(node);
        if component != NONE {
            self.marks.loop_mut(component).busy -= 1;
        }
    }

    /// Whether the branch can get to `target` itself: by edges from its member or from what it enqueued.
    pub fn can_reach(&self, graph: &Graph, target: NodeId) -> bool {
        let mut open = self.seeds.clone();
        open.push(self.member);
        let mut seen: BTreeSet<NodeId> = open.iter().copied().collect();
        while let Some(node) = open.pop() {
            if node == target {
                return true;
            }
            open.extend(graph.successors(node).into_iter().filter(|next| seen.insert(*next)));
        }
        false
    }

    /// Whether nothing is queued, running or delayed.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.running == 0 && self.queue.is_empty() && self.delayed.is_empty()
    }
}
