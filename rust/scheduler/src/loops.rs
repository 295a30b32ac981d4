//! Strongly connected components that hold at least one edge: the loops.
//! Owns: finding and storing them. Must not know: what a loop means for a run.
use crate::graph::Graph;
use crate::ids::{EdgeId, NodeId, NONE};

/// The loops' members, one list after the other.
#[derive(Debug, Default)]
pub(crate) struct Loops {
    ends: Vec<u32>,
    members: Vec<NodeId>,
}

impl Loops {
    pub fn count(&self) -> u32 {
        self.ends.len() as u32
    }

    pub fn add(&mut self, members: &[NodeId]) -> u32 {
        self.members.extend_from_slice(members);
        self.ends.push(self.members.len() as u32);
        self.count() - 1
    }

    pub fn members(&self, component: u32) -> &[NodeId] {
        let component = component as usize;
        let start = if component == 0 { 0 } else { self.ends[component - 1] };
        &self.members[start as usize..self.ends[component] as usize]
    }

    pub fn memory_bytes(&self) -> usize {
        (self.ends.capacity() + self.members.capacity()) * size_of::<u32>()
    }
}

const UNSEEN: u32 = 0;
const DONE: u32 = u32::MAX;

/// Tarjan's algorithm without recursion over the nodes from `from` on; edges to older nodes are ignored.
/// Each loop's nodes come in ascending order.
pub(crate) fn find_loops(graph: &Graph, from: NodeId) -> Vec<Vec<NodeId>> {
    let count = (graph.node_count() - from) as usize;
    let at = |node: NodeId| (node - from) as usize;
    let mut order = vec![UNSEEN; count];
    let mut low = vec![0_u32; count];
    let mut open: Vec<NodeId> = Vec::new();
    let mut frames: Vec<(NodeId, EdgeId)> = Vec::new();
    let mut counter = 0;
    let mut found = Vec::new();
    for start in from..graph.node_count() {
        if order[at(start)] != UNSEEN || graph.first_out(start) == NONE {
            continue;
        }
        counter += 1;
        (order[at(start)], low[at(start)]) = (counter, counter);
        open.push(start);
        frames.push((start, graph.first_out(start)));
        while let Some((node, next)) = frames.last_mut() {
            let node = *node;
            if *next != NONE {
                let edge = graph.edge(*next);
                *next = edge.next_out;
                let target = edge.target;
                if target < from {
                    continue;
                }
                if order[at(target)] == UNSEEN {
                    counter += 1;
                    (order[at(target)], low[at(target)]) = (counter, counter);
                    open.push(target);
                    frames.push((target, graph.first_out(target)));
                } else if order[at(target)] != DONE {
                    low[at(node)] = low[at(node)].min(order[at(target)]);
                }
                continue;
            }
            frames.pop();
            if let Some((parent, _)) = frames.last() {
                low[at(*parent)] = low[at(*parent)].min(low[at(node)]);
            }
            if low[at(node)] == order[at(node)] {
                let first = open.iter().rposition(|other| *other == node).unwrap_or(0);
                let mut members = open.split_off(first);
                for member in &members {
                    order[at(*member)] = DONE;
                }
                if members.len() > 1 || graph.find_edge(node, node).is_some() {
                    members.sort_unstable();
                    found.push(members);
                }
            }
        }
    }
    found
}
