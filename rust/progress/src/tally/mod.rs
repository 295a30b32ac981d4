//! Counts of one run, from what the scheduler says has happened and what the pool reports.
//!
//! Owns what is under way, by function too. Must not know who looks, nor names of tasks but those that were asked for.
//! Who adds to it has it for a moment; who looks makes figures of it (`view`), which are a copy.
mod view;

use std::collections::BTreeSet;

use graflow_scheduler::{End, Entry, Micros, NodeId, Ticket, What};
use rustc_hash::FxHashMap as HashMap;

/// Stands for a group where a function's number is asked for: it has no body of its own.
pub const GROUP: u16 = u16::MAX;

#[derive(Clone, Copy, Debug)]
struct Open {
    node: NodeId,
    at: Micros,
    is_group: bool,
    /// It was handed to the pool, whose workers say when it runs.
    in_pool: bool,
    body: Option<Micros>,
}

#[derive(Clone, Debug, Default)]
struct Function {
    name: String,
    total: u64,
    ended: u64,
    spent: Micros,
}

#[derive(Clone, Copy, Debug, Default)]
struct Items {
    done: u64,
    total: Option<u64>,
    spent: Micros,
}

/// Counts of one run.
#[derive(Debug, Default)]
pub struct Tally {
    began: Micros,
    open: HashMap<Ticket, Open>,
    /// Chunks of maps that workers have, by their tickets: the map's node.
    chunks: HashMap<Ticket, NodeId>,
    seen: Vec<u64>,
    /// How often a node was started that had been before, by a loop or another round.
    repeats: u64,
    ends: [u64; 4],
    skipped: u64,
    busy: Micros,
    nodes: u32,
    grown_at: Micros,
    /// Of each node the number of its function.
    function_of: Vec<u16>,
    functions: Vec<Function>,
    groups: u64,
    items: HashMap<NodeId, Items>,
    names: HashMap<NodeId, String>,
    wanted: BTreeSet<NodeId>,
    said: HashMap<NodeId, String>,
}

impl Tally {
    /// That of a run which begins at `began`.
    pub fn new(began: Micros) -> Self {
        Self { began, ..Self::default() }
    }

    /// Takes in what has happened.
    pub fn take_in(&mut self, entries: &[Entry]) {
        for entry in entries {
            match entry.what {
                What::Ready { .. } => {}
                What::Started { ticket, attempt } => {
                    let again = !self.see(entry.node);
                    self.repeats += u64::from(again && attempt == 0);
                    self.begin(ticket, entry, false);
                }
                What::Forked { ticket, .. } => self.begin(ticket, entry, true),
                What::Ended { ticket, end } => self.ended(ticket, end, entry.at),
            }
        }
    }

    fn begin(&mut self, ticket: Ticket, entry: &Entry, is_group: bool) {
        self.open.insert(ticket, Open { node: entry.node, at: entry.at, is_group, in_pool: false, body: None });
    }

    fn see(&mut self, node: NodeId) -> bool {
        let (word, bit) = (node as usize / 64, 1_u64 << (node % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        is_new
    }

    fn ended(&mut self, ticket: Ticket, end: End, at: Micros) {
        let Some(open) = self.open.remove(&ticket) else { return };
        if open.is_group {
            return;
        }
        self.ends[end as usize] += 1;
        let took = open.body.unwrap_or_else(|| at.saturating_sub(open.at));
        if self.items.contains_key(&open.node) {
            return; // a map: its time is that of its items
        }
        self.busy += took;
        let number = self.function_of.get(open.node as usize).copied().unwrap_or(GROUP);
        if let (Some(function), End::Completed | End::Failed) = (self.functions.get_mut(number as usize), end) {
            function.ended += 1;
            function.spent += took;
        }
    }

    /// An attempt was handed to the pool.
    pub fn sent(&mut self, ticket: Ticket) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.in_pool = true;
        }
    }

    /// The body of an attempt has run between these times, on a worker.
    pub fn ran(&mut self, ticket: Ticket, start: Micros, end: Micros) {
        if let Some(open) = self.open.get_mut(&ticket) {
            open.body = Some(end.saturating_sub(start));
        }
    }

    /// So many nodes there are in the graph, groups included.
    pub fn set_nodes(&mut self, nodes: u32, now: Micros) {
        if nodes != self.nodes {
            self.grown_at = if self.nodes == 0 { 0 } else { now };
            self.nodes = nodes;
        }
    }

    /// Of the next nodes, the numbers of their functions; `names`: those of functions that are new.
    pub fn add_functions(&mut self, numbers: &[u16], names: Vec<String>) {
        self.functions.extend(names.into_iter().map(|name| Function { name, ..Function::default() }));
        for number in numbers {
            match self.functions.get_mut(*number as usize) {
                Some(function) => function.total += 1,
                None => self.groups += 1,
            }
        }
        self.function_of.extend_from_slice(numbers);
    }

    /// So many nodes were passed over.
    pub fn set_skipped(&mut self, skipped: u64) {
        self.skipped = skipped;
    }

    /// Items of a map have ended, so many microseconds of bodies; `total`: how many there will be, where that is known.
    pub fn add_items(&mut self, node: NodeId, ended: u64, total: Option<u64>, spent: Micros) {
        let items = self.items.entry(node).or_default();
        items.done += ended;
        items.total = total;
        items.spent += spent;
        self.busy += spent;
    }

    /// A worker is given items of a map under that ticket.
    pub fn begin_chunk(&mut self, ticket: Ticket, node: NodeId) {
        self.chunks.insert(ticket, node);
    }

    /// ... and has ended them.
    pub fn end_chunk(&mut self, ticket: Ticket) {
        self.chunks.remove(&ticket);
    }

    /// The nodes whose names somebody would like to see.
    pub fn take_wanted(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.wanted).into_iter().collect()
    }

    /// A node is called so.
    pub fn name(&mut self, node: NodeId, name: String) {
        self.names.insert(node, name);
    }

    /// A body in this process says how far it is.
    pub fn say(&mut self, node: NodeId, text: String) {
        self.said.insert(node, text);
    }

    /// How many have completed, failed for good, failed to be tried again, been abandoned.
    pub fn ends(&self) -> [u64; 4] {
        self.ends
    }
}
