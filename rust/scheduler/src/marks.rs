//! What one branch remembers about nodes, edges and loops: dense for branch 0, sparse for all others.
//! Owns: storage, and the one place that changes an edge's marks. Must not know: when marks change.
use crate::ids::{EdgeId, NodeId, NONE};
use crate::transition::{edge_after, EdgeEvent, EdgeState};
use std::collections::BTreeMap;

/// A node in one branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodeMark {
    /// In-edges from outside its loop that are pending.
    pub pending: u32,
    /// In-edges that are fired.
    pub fired: u32,
    /// Activations that are queued, delayed or under way.
    pub active: u32,
    /// Twice the executions, and 1 when it is live: there may be millions of these.
    executions_and_live: u32,
    /// Number of the fire that made `fired` 1.
    stamp: u32,
}

impl NodeMark {
    /// Completions; an iterating task counts when it stops iterating.
    pub fn executions(&self) -> u32 {
        self.executions_and_live >> 1
    }

    pub fn set_executions(&mut self, count: u32) {
        self.executions_and_live = count << 1 | self.executions_and_live & 1;
    }

    pub fn count_execution(&mut self) {
        self.executions_and_live += 2;
    }

    /// Whether its out-edges are pending; unused inside loops.
    pub fn live(&self) -> bool {
        self.executions_and_live & 1 == 1
    }

    /// Says whether it was.
    pub fn set_live(&mut self, live: bool) -> bool {
        let before = self.live();
        self.executions_and_live = self.executions_and_live & !1 | u32::from(live);
        before
    }
}

/// A loop in one branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoopMark {
    /// Members' activations plus pending edges into it.
    pub busy: u32,
    /// Whether its leaving edges are pending.
    pub live: bool,
}

#[derive(Debug)]
enum Store {
    Dense {
        nodes: Vec<NodeMark>,
        edges: Vec<EdgeState>,
        loops: Vec<LoopMark>,
    },
    /// A branch that knows one node only, as a leaf member's does.
    Single {
        node: NodeId,
        mark: NodeMark,
    },
    Sparse {
        nodes: BTreeMap<NodeId, NodeMark>,
        edges: BTreeMap<EdgeId, EdgeState>,
        loops: BTreeMap<u32, LoopMark>,
    },
}

/// All marks of one branch.
#[derive(Debug)]
pub(crate) struct Marks {
    store: Store,
    /// Nodes in the order of their first fire, with that fire's number; entries may be out of date.
    fires: Vec<(NodeId, u32)>,
    next_stamp: u32,
    /// Nodes with `fired > 0`.
    waiting: usize,
}

impl Marks {
    pub fn dense() -> Self {
        Self::with(Store::Dense { nodes: Vec::new(), edges: Vec::new(), loops: Vec::new() })
    }

    pub fn sparse() -> Self {
        Self::with(Store::Single { node: NONE, mark: NodeMark::default() })
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.fires.clear();
        (self.next_stamp, self.waiting) = (0, 0);
        match &mut self.store {
            Store::Dense { nodes, edges, loops } => {
                nodes.clear();
                edges.clear();
                loops.clear();
            }
            Store::Single { .. } | Store::Sparse { .. } => {
                self.store = Store::Single { node: NONE, mark: NodeMark::default() };
            }
        }
    }

    /// Makes room for more than one node.
    #[cold]
    fn spread(&mut self) {
        match &self.store {
            Store::Single { node, mark } => {
                let nodes = if *node == NONE { BTreeMap::new() } else { BTreeMap::from([(*node, *mark)]) };
                self.store = Store::Sparse { nodes, edges: BTreeMap::new(), loops: BTreeMap::new() };
            }
            Store::Dense { .. } | Store::Sparse { .. } => {}
        }
    }

    fn with(store: Store) -> Self {
        Self { store, fires: Vec::new(), next_stamp: 0, waiting: 0 }
    }

    /// Makes room for a graph that has grown.
    pub fn grow(&mut self, node_count: u32, edge_count: u32, loop_count: u32) {
        if let Store::Dense { nodes, edges, loops } = &mut self.store {
            nodes.resize(node_count as usize, NodeMark::default());
            edges.resize(edge_count as usize, EdgeState::Idle);
            loops.resize(loop_count as usize, LoopMark::default());
        }
    }

    #[inline]
    pub fn node(&self, node: NodeId) -> NodeMark {
        match &self.store {
            Store::Dense { nodes, .. } => nodes[node as usize],
            Store::Single { node: only, mark } if *only == node => *mark,
            Store::Single { .. } => NodeMark::default(),
            Store::Sparse { nodes, .. } => nodes.get(&node).copied().unwrap_or_default(),
        }
    }

    /// Like `node`, also for one that was added after the latest event.
    pub fn peek(&self, node: NodeId) -> NodeMark {
        match &self.store {
            Store::Dense { nodes, .. } => nodes.get(node as usize).copied().unwrap_or_default(),
            Store::Single { .. } | Store::Sparse { .. } => self.node(node),
        }
    }

    /// Like `edge`, also for one that was added after the latest event.
    pub fn peek_edge(&self, edge: EdgeId) -> EdgeState {
        match &self.store {
            Store::Dense { edges, .. } => edges.get(edge as usize).copied().unwrap_or_default(),
            Store::Single { .. } | Store::Sparse { .. } => self.edge(edge),
        }
    }

    #[inline]
    pub fn node_mut(&mut self, node: NodeId) -> &mut NodeMark {
        match &mut self.store {
            Store::Dense { .. } | Store::Sparse { .. } => {}
            Store::Single { node: only, .. } => {
                if *only == NONE {
                    *only = node;
                } else if *only != node {
                    self.spread();
                }
            }
        }
        match &mut self.store {
            Store::Dense { nodes, .. } => &mut nodes[node as usize],
            Store::Single { mark, .. } => mark,
            Store::Sparse { nodes, .. } => nodes.entry(node).or_default(),
        }
    }

    pub fn in_loop(&self, component: u32) -> LoopMark {
        match &self.store {
            Store::Dense { loops, .. } => loops[component as usize],
            Store::Single { .. } => LoopMark::default(),
            Store::Sparse { loops, .. } => loops.get(&component).copied().unwrap_or_default(),
        }
    }

    pub fn loop_mut(&mut self, component: u32) -> &mut LoopMark {
        self.spread();
        match &mut self.store {
            Store::Dense { loops, .. } => &mut loops[component as usize],
            Store::Sparse { loops, .. } => loops.entry(component).or_default(),
            Store::Single { .. } => unreachable!("spread just now"),
        }
    }

    #[inline]
    pub fn edge(&self, edge: EdgeId) -> EdgeState {
        match &self.store {
            Store::Dense { edges, .. } => edges[edge as usize],
            Store::Single { .. } => EdgeState::Idle,
            Store::Sparse { edges, .. } => edges.get(&edge).copied().unwrap_or_default(),
        }
    }

    /// The one place that changes an edge's marks; says what they were.
    #[inline]
    pub fn step_edge(&mut self, edge: EdgeId, event: EdgeEvent) -> EdgeState {
        let before = self.edge(edge);
        let Some(after) = edge_after(before, event) else {
            panic!("edge {edge} is {before:?}: {event:?} can't happen to it");
        };
        match &mut self.store {
            Store::Single { .. } => {
                self.spread();
                return self.step_edge(edge, event);
            }
            Store::Dense { edges, .. } => edges[edge as usize] = after,
            Store::Sparse { edges, .. } => {
                if after == EdgeState::Idle {
                    edges.remove(&edge);
                } else {
                    edges.insert(edge, after);
                }
            }
        }
        before
    }

    /// Counts a newly fired edge of `node`.
    pub fn count_fire(&mut self, node: NodeId) {
        let stamp = self.next_stamp;
        let mark = self.node_mut(node);
        mark.fired += 1;
        if mark.fired > 1 {
            return;
        }
        mark.stamp = stamp;
        self.next_stamp = self.next_stamp.wrapping_add(1);
        self.waiting += 1;
        self.fires.push((node, stamp));
        if self.fires.len() > 2 * self.waiting + 64 {
            self.fires = self.in_fire_order();
        }
    }

    /// Forgets that edges of `node` fired; the caller clears their marks.
    pub fn forget_fires(&mut self, node: NodeId) {
        let mark = self.node_mut(node);
        if mark.fired > 0 {
            mark.fired = 0;
            self.waiting -= 1;
        }
    }

    /// Nodes with fired in-edges.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Nodes with fired in-edges and the number of their first fire, in that order.
    pub fn in_fire_order(&self) -> Vec<(NodeId, u32)> {
        let current = |(node, stamp): &(NodeId, u32)| {
            let mark = self.node(*node);
            mark.fired > 0 && mark.stamp == *stamp
        };
        self.fires.iter().filter(|entry| current(entry)).copied().collect()
    }

    /// Forgets what is pending and live; activations, fires and executions stay.
    pub fn forget_pending(&mut self, loop_count: u32) {
        let calm = |mark: &mut NodeMark| {
            mark.pending = 0;
            mark.set_live(false);
        };
        let settle = |state: &mut EdgeState| {
            *state = edge_after(*state, EdgeEvent::Settle).unwrap_or(*state);
        };
        match &mut self.store {
            Store::Dense { nodes, edges, loops } => {
                nodes.iter_mut().for_each(calm);
                edges.iter_mut().for_each(settle);
                loops.clear();
                loops.resize(loop_count as usize, LoopMark::default());
            }
            Store::Single { mark, .. } => calm(mark),
            Store::Sparse { nodes, edges, loops } => {
                nodes.values_mut().for_each(calm);
                edges.values_mut().for_each(settle);
                edges.retain(|_, state| *state != EdgeState::Idle);
                loops.clear();
            }
        }
    }

    /// Every node that has marks, in ascending order.
    pub fn nodes(&self) -> Vec<(NodeId, NodeMark)> {
        match &self.store {
            Store::Dense { nodes, .. } => (0..).zip(nodes.iter().copied()).collect(),
            Store::Single { node, mark } => std::iter::once((*node, *mark)).filter(|(node, _)| *node != NONE).collect(),
            Store::Sparse { nodes, .. } => nodes.iter().map(|(node, mark)| (*node, *mark)).collect(),
        }
    }

    /// Every edge with a mark, in ascending order.
    pub fn edges(&self) -> Vec<(EdgeId, EdgeState)> {
        let marked = |(_, state): &(EdgeId, EdgeState)| *state != EdgeState::Idle;
        match &self.store {
            Store::Dense { edges, .. } => (0..).zip(edges.iter().copied()).filter(marked).collect(),
            Store::Single { .. } => Vec::new(),
            Store::Sparse { edges, .. } => edges.iter().map(|(edge, state)| (*edge, *state)).collect(),
        }
    }

    pub fn memory_bytes(&self) -> usize {
        let own = match &self.store {
            Store::Dense { nodes, edges, loops } => {
                nodes.capacity() * size_of::<NodeMark>() + edges.capacity() + loops.capacity() * size_of::<LoopMark>()
            }
            Store::Single { .. } => 0,
            Store::Sparse { nodes, edges, loops } => {
                nodes.len() * (size_of::<NodeMark>() + 8) + edges.len() * 8 + loops.len() * 16
            }
        };
        own + self.fires.capacity() * size_of::<(NodeId, u32)>()
    }
}
