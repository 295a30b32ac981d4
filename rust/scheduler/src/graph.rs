//! Nodes and edges, append-only, and which of them form loops.
//! Owns: structure. Must not know: what runs, branches, marks.
use crate::error::CallError;
use crate::ids::{EdgeId, NodeId, NONE};
use crate::loops::{find_loops, Loops};
use std::sync::Arc;

#[derive(Clone, Copy, Debug)]
struct Node {
    first_out: EdgeId,
    last_out: EdgeId,
    first_in: EdgeId,
    in_degree: u32,
}

const PLAIN: Node = Node { first_out: NONE, last_out: NONE, first_in: NONE, in_degree: 0 };

/// What few nodes have, by node: it reaches as far as the last one that has it.
#[derive(Debug)]
struct Rare<T> {
    values: Vec<T>,
    missing: T,
}

impl<T: Copy + PartialEq> Rare<T> {
    fn new(missing: T) -> Self {
        Self { values: Vec::new(), missing }
    }

    #[inline]
    fn get(&self, node: NodeId) -> T {
        self.values.get(node as usize).copied().unwrap_or(self.missing)
    }

    fn set(&mut self, node: NodeId, value: T) {
        let index = node as usize;
        if index >= self.values.len() {
            if value == self.missing {
                return;
            }
            self.values.resize(index + 1, self.missing);
        }
        self.values[index] = value;
    }

    fn memory_bytes(&self) -> usize {
        self.values.capacity() * size_of::<T>()
    }
}

/// One edge, and the next ones in its source's and its target's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub source: NodeId,
    pub target: NodeId,
    pub next_out: EdgeId,
    pub next_in: EdgeId,
}

/// What the latest additions mean for marks that exist already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Loops are as they were, but for new nodes: look only at edges from `edge` on whose source is older than `node`.
    Appended { edge: EdgeId, node: NodeId },
    /// An addition may have closed a loop through older nodes: all loops were found anew.
    Rebuilt,
}

/// The graph. Node and edge ids are positions.
#[derive(Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    /// The loop a node is part of, the place of a group's members in `groups`, and options.
    components: Rare<u32>,
    group_places: Rare<u32>,
    priorities: Rare<i32>,
    lanes: Rare<u32>,
    edges: Vec<Edge>,
    groups: Vec<Arc<[NodeId]>>,
    loops: Loops,
    /// Nodes and edges below these were there when loops were last looked for.
    known_nodes: u32,
    known_edges: u32,
    /// Edges that go back to an older or the same node: without one there are no loops.
    backward: u32,
    /// Unexamined edges: between known nodes (to one with successors), from known to new ones, and the reverse.
    old_to_old: bool,
    old_to_new: bool,
    new_to_old: bool,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            components: Rare::new(NONE),
            group_places: Rare::new(NONE),
            priorities: Rare::new(0),
            lanes: Rare::new(0),
            edges: Vec::new(),
            groups: Vec::new(),
            loops: Loops::default(),
            known_nodes: 0,
            known_edges: 0,
            backward: 0,
            old_to_old: false,
            old_to_new: false,
            new_to_old: false,
        }
    }
}

impl Graph {
    pub fn node_count(&self) -> u32 {
        self.nodes.len() as u32
    }

    pub fn edge_count(&self) -> u32 {
        self.edges.len() as u32
    }

    pub fn loop_count(&self) -> u32 {
        self.loops.count()
    }

    pub fn add_nodes(&mut self, count: u32) -> Result<NodeId, CallError> {
        let first = self.node_count();
        if u64::from(first) + u64::from(count) >= u64::from(NONE) {
            return Err(CallError::Full);
        }
        self.nodes.resize(self.nodes.len() + count as usize, PLAIN);
        Ok(first)
    }

    pub fn add_node(&mut self, group: bool, priority: i32, lane: u32) -> Result<NodeId, CallError> {
        let id = self.add_nodes(1)?;
        self.priorities.set(id, priority);
        self.lanes.set(id, lane);
        if group {
            self.group_places.set(id, self.groups.len() as u32);
            self.groups.push(Arc::from([]));
        }
        Ok(id)
    }

    pub fn set_options(&mut self, node: NodeId, priority: i32, lane: u32) -> Result<(), CallError> {
        self.require(node)?;
        self.priorities.set(node, priority);
        self.lanes.set(node, lane);
        Ok(())
    }

    pub fn require(&self, node: NodeId) -> Result<(), CallError> {
        if node < self.node_count() {
            Ok(())
        } else {
            Err(CallError::UnknownNode(node))
        }
    }

    /// Adds an edge; one that is there already stays the only one.
    pub fn add_edge(&mut self, source: NodeId, target: NodeId) -> Result<(), CallError> {
        self.require(source)?;
        self.require(target)?;
        if self.find_edge(source, target).is_some() {
            return Ok(());
        }
        let id = self.edge_count();
        if id + 1 == NONE {
            return Err(CallError::Full);
        }
        self.note_for_loops(source, target);
        let to = &mut self.nodes[target as usize];
        let next_in = std::mem::replace(&mut to.first_in, id);
        to.in_degree += 1;
        self.edges.push(Edge { source, target, next_out: NONE, next_in });
        let from = &mut self.nodes[source as usize];
        let last = std::mem::replace(&mut from.last_out, id);
        if last == NONE {
            from.first_out = id;
        } else {
            self.edges[last as usize].next_out = id;
        }
        Ok(())
    }

    fn note_for_loops(&mut self, source: NodeId, target: NodeId) {
        if target <= source {
            self.backward += 1;
        }
        match (source < self.known_nodes, target < self.known_nodes) {
            (true, true) => self.old_to_old |= source == target || self.nodes[target as usize].first_out != NONE,
            (true, false) => self.old_to_new = true,
            (false, true) => self.new_to_old = true,
            (false, false) => {}
        }
    }

    /// Searches the source's and the target's list in step, so that the shorter one bounds the cost.
    pub fn find_edge(&self, source: NodeId, target: NodeId) -> Option<EdgeId> {
        let mut out = self.nodes[source as usize].first_out;
        let mut back = self.nodes[target as usize].first_in;
        while out != NONE && back != NONE {
            if self.edges[out as usize].target == target {
                return Some(out);
            }
            if self.edges[back as usize].source == source {
                return Some(back);
            }
            out = self.edges[out as usize].next_out;
            back = self.edges[back as usize].next_in;
        }
        None
    }

    pub fn set_members(&mut self, group: NodeId, members: &[NodeId]) -> Result<(), CallError> {
        self.require(group)?;
        for member in members {
            self.require(*member)?;
        }
        let slot = self.group_places.get(group);
        if slot == NONE {
            return Err(CallError::NotAGroup(group));
        }
        self.groups[slot as usize] = Arc::from(members);
        Ok(())
    }

    /// The members, when the node is a group.
    pub fn members(&self, node: NodeId) -> Option<&Arc<[NodeId]>> {
        match self.group_places.get(node) {
            NONE => None,
            slot => Some(&self.groups[slot as usize]),
        }
    }

    pub fn is_group(&self, node: NodeId) -> bool {
        self.group_places.get(node) != NONE
    }

    pub fn first_out(&self, node: NodeId) -> EdgeId {
        self.nodes[node as usize].first_out
    }

    pub fn first_in(&self, node: NodeId) -> EdgeId {
        self.nodes[node as usize].first_in
    }

    pub fn in_degree(&self, node: NodeId) -> u32 {
        self.nodes[node as usize].in_degree
    }

    pub fn edge(&self, edge: EdgeId) -> Edge {
        self.edges[edge as usize]
    }

    /// The loop a node is part of, or `NONE`.
    pub fn component(&self, node: NodeId) -> u32 {
        self.components.get(node)
    }

    /// The nodes of a loop.
    pub fn loop_members(&self, component: u32) -> &[NodeId] {
        self.loops.members(component)
    }

    /// Whether an edge stays inside one loop.
    pub fn is_internal(&self, edge: Edge) -> bool {
        let component = self.component(edge.source);
        component != NONE && component == self.component(edge.target)
    }

    pub fn priority(&self, node: NodeId) -> i32 {
        self.priorities.get(node)
    }

    /// The lane whose limit applies; groups have none, their members may.
    pub fn lane(&self, node: NodeId) -> u32 {
        if self.is_group(node) {
            0
        } else {
            self.lanes.get(node)
        }
    }

    /// All edges as (source, target), in the order of their numbers.
    pub fn all_edges(&self) -> Vec<(NodeId, NodeId)> {
        self.edges_from(0)
    }

    /// The edges from the one with that number on.
    pub fn edges_from(&self, first: EdgeId) -> Vec<(NodeId, NodeId)> {
        let edges = self.edges.get(first as usize..).unwrap_or_default();
        edges.iter().map(|edge| (edge.source, edge.target)).collect()
    }

    pub fn successors(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut next = self.first_out(node);
        while next != NONE {
            let edge = self.edge(next);
            found.push(edge.target);
            next = edge.next_out;
        }
        found
    }

    pub fn predecessors(&self, node: NodeId) -> Vec<NodeId> {
        let mut found = Vec::new();
        let mut next = self.first_in(node);
        while next != NONE {
            let edge = self.edge(next);
            found.push(edge.source);
            next = edge.next_in;
        }
        found.reverse();
        found
    }

    /// Whether `analyse` has something to look at.
    pub fn changed(&self) -> bool {
        self.known_nodes != self.node_count() || self.known_edges != self.edge_count()
    }

    /// Finds the loops that the latest additions made.
    pub fn analyse(&mut self) -> Change {
        let appended = Change::Appended { edge: self.known_edges, node: self.known_nodes };
        let anew = self.backward > 0 && (self.old_to_old || (self.old_to_new && self.new_to_old));
        let from = if anew { 0 } else { self.known_nodes };
        if anew {
            self.loops = Loops::default();
            self.components = Rare::new(NONE);
        }
        if self.backward > 0 && self.known_edges != self.edge_count() {
            for members in find_loops(self, from) {
                let component = self.loops.add(&members);
                for member in members {
                    self.components.set(member, component);
                }
            }
        }
        self.known_nodes = self.node_count();
        self.known_edges = self.edge_count();
        self.old_to_old = false;
        self.old_to_new = false;
        self.new_to_old = false;
        if anew {
            Change::Rebuilt
        } else {
            appended
        }
    }

    pub fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.edges.capacity() * size_of::<Edge>()
            + self.groups.iter().map(|group| group.len() * size_of::<NodeId>()).sum::<usize>()
            + self.groups.capacity() * size_of::<Arc<[NodeId]>>()
            + self.loops.memory_bytes()
            + self.components.memory_bytes()
            + self.group_places.memory_bytes()
            + self.priorities.memory_bytes()
            + self.lanes.memory_bytes()
    }
}
