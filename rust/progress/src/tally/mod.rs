//! Counts of one run, from what the scheduler says has happened and what the pool reports.
//!
//! Owns what is under way, by function too, and how long is left by it. Must not know who looks, nor names of tasks
//! but those that were asked for. Who adds to it has it for a moment; who looks makes figures of it, which are a copy.
use std::collections::BTreeSet;

use graflow_pool::RunningBody;
use graflow_scheduler::{End, Entry, Micros, NodeId, Ticket, What};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::figures::{Busy, Figures, FunctionFigures};

/// Stands for a group where a function's number is asked for: it has no body of its own.
pub const GROUP: u16 = u16::MAX;

/// Nothing is said of the time that is left before so many seconds and tasks.
const EARLY: (f64, u64) = (2.0, 5);
/// For so many seconds after a task was added, the graph is said to grow.
const GROWING: Micros = 2_000_000;

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

    /// The run as it is now; `workers`: how many there may be, `bodies`: what they run.
    pub fn figures(&mut self, name: &str, workers: u64, bodies: &[RunningBody], now: Micros) -> Figures {
        let elapsed = now.saturating_sub(self.began) as f64 / 1e6;
        let running = self.running(bodies, now);
        let items_done: u64 = self.items.values().map(|items| items.done).sum();
        let done = self.ends[End::Completed as usize] + self.ends[End::Failed as usize] + items_done;
        let total = self.total().map(|total| total.max(done + running.len() as u64));
        let active: f64 = running.iter().map(|busy| busy.seconds).sum();
        let work = self.busy as f64 / 1e6 + active;
        let grows = now.saturating_sub(self.grown_at) < GROWING && self.grown_at > 0;
        let is_early = elapsed < EARLY.0 || done < EARLY.1;
        let left =
            if grows || is_early || total.is_none() { None } else { self.left(&running, work / elapsed, workers) };
        Figures {
            name: name.to_owned(),
            done,
            total,
            grows,
            failed: self.ends[End::Failed as usize],
            retried: self.ends[End::Retried as usize],
            elapsed,
            left,
            workers,
            busy: (workers > 0 && elapsed > 0.0).then(|| (work / (elapsed * workers as f64)).min(1.0)),
            functions: self.shown_functions(&running),
            running,
        }
    }

    /// How many tasks and items there will be, as far as is known; `None` before all nodes have been looked at.
    fn total(&self) -> Option<u64> {
        if (self.function_of.len() as u64) < u64::from(self.nodes) {
            return None;
        }
        let items: Option<u64> = self.items.values().map(|items| items.total).sum();
        let tasks = u64::from(self.nodes).saturating_sub(self.groups) + self.repeats;
        Some(tasks.saturating_sub(self.skipped) + items?)
    }

    /// What is left by each function's mean time, shared among as many as were busy at once so far.
    fn left(&self, running: &[Busy], at_once: f64, workers: u64) -> Option<f64> {
        let (ended, spent) = self
            .functions
            .iter()
            .fold((0, 0), |(ended, spent), function| (ended + function.ended, spent + function.spent));
        let (item_count, item_time) =
            self.items.values().fold((0, 0), |(count, time), items| (count + items.done, time + items.spent));
        if ended + item_count == 0 {
            return None;
        }
        let usual = (spent + item_time) as f64 / (ended + item_count) as f64 / 1e6;
        let mut work = 0.0;
        for function in &self.functions {
            let mean = mean(function).unwrap_or(usual);
            work += function.total.saturating_sub(function.ended) as f64 * mean;
        }
        for items in self.items.values() {
            let mean = if items.done > 0 { items.spent as f64 / items.done as f64 / 1e6 } else { usual };
            work += items.total?.saturating_sub(items.done) as f64 * mean;
        }
        let longest = running.iter().map(|busy| busy.others.unwrap_or(usual) - busy.seconds).fold(0.0, f64::max);
        work -= running.iter().map(|busy| busy.seconds.min(busy.others.unwrap_or(usual))).sum::<f64>();
        let at_once = at_once.clamp(0.05, workers.max(1) as f64);
        Some((work.max(0.0) / at_once).max(longest))
    }

    /// The bodies that are running, the longest first.
    fn running(&mut self, bodies: &[RunningBody], now: Micros) -> Vec<Busy> {
        let mut running = Vec::new();
        let mut nodes = HashSet::default();
        for body in bodies {
            let node = self.open.get(&body.ticket).map(|open| open.node);
            let Some(node) = node.or_else(|| self.chunks.get(&body.ticket).copied()) else { continue };
            nodes.insert(node);
            let seconds = now.saturating_sub(body.since / 1000) as f64 / 1e6;
            running.push(self.busy(node, Some((body.worker, body.pid)), seconds, body.said.clone()));
        }
        let here: Vec<(NodeId, Micros)> = self
            .open
            .values()
            .filter(|open| !open.is_group && !open.in_pool && !self.items.contains_key(&open.node))
            .map(|open| (open.node, open.at))
            .collect();
        for (node, at) in here {
            nodes.insert(node);
            let seconds = now.saturating_sub(at) as f64 / 1e6;
            let said = self.said.get(&node).cloned().unwrap_or_default();
            running.push(self.busy(node, None, seconds, said));
        }
        self.said.retain(|node, _| nodes.contains(node));
        running.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        if let Some(node) = running.first().and_then(|busy| busy.node) {
            if running[0].task.is_empty() {
                self.wanted.insert(node);
            }
        }
        running
    }

    fn busy(&self, node: NodeId, worker: Option<(usize, i32)>, seconds: f64, said: String) -> Busy {
        let function = self.function_of.get(node as usize).and_then(|number| self.functions.get(*number as usize));
        let task = self.names.get(&node).cloned().unwrap_or_default();
        Busy { node: Some(node), task, worker, seconds, others: function.and_then(mean), said }
    }

    /// The functions of which something is under way or left, the busiest first.
    fn shown_functions(&self, running: &[Busy]) -> Vec<FunctionFigures> {
        let mut counts = vec![0_u64; self.functions.len()];
        for node in running.iter().filter_map(|busy| busy.node) {
            if let Some(count) = self.function_of.get(node as usize).and_then(|number| counts.get_mut(*number as usize))
            {
                *count += 1;
            }
        }
        let mut items = vec![(0, Some(0), 0); self.functions.len()];
        for (node, each) in &self.items {
            if let Some(at) = self.function_of.get(*node as usize).map(|number| *number as usize) {
                if let Some((done, total, spent)) = items.get_mut(at) {
                    *done += each.done;
                    *spent += each.spent;
                    *total = total.zip(each.total).map(|(all, more)| all + more);
                }
            }
        }
        let mut shown: Vec<FunctionFigures> = Vec::new();
        for ((function, running), (done, total, spent)) in self.functions.iter().zip(counts).zip(items) {
            let is_map = done > 0 || total != Some(0);
            let (done, total, mean) = if is_map {
                (done, total.unwrap_or(done), (done > 0).then(|| spent as f64 / done as f64 / 1e6))
            } else {
                (function.ended, function.total.max(function.ended), mean(function))
            };
            if running > 0 || (done > 0 && done < total) {
                shown.push(FunctionFigures { name: function.name.clone(), done, total, running, mean });
            }
        }
        shown.sort_by_key(|function| (std::cmp::Reverse(function.running), std::cmp::Reverse(function.total)));
        shown
    }
}

fn mean(function: &Function) -> Option<f64> {
    (function.ended > 0).then(|| function.spent as f64 / function.ended as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use graflow_scheduler::{Action, Config, Event, Scheduler};

    /// A sequential run of `count` tasks one after the other, a second each, of which `ended` have ended.
    fn halfway(count: u32, ended: u32) -> Tally {
        let mut scheduler = Scheduler::new(Config::default());
        scheduler.keep_history();
        scheduler.add_nodes(count).unwrap();
        (1..count).for_each(|node| scheduler.add_edge(node - 1, node).unwrap());
        let mut tally = Tally::new(0);
        tally.set_nodes(count, 0);
        tally.add_functions(&vec![0; count as usize], vec!["measure".into()]);
        scheduler.handle(Event::Start { roots: &[0] }, 0).unwrap();
        for round in 0..u64::from(ended) {
            let Some(Action::Run { ticket, .. }) = scheduler.next(round * 1_000_000) else { panic!("nothing runs") };
            scheduler.complete(ticket, &[], (round + 1) * 1_000_000).unwrap();
        }
        let _ = scheduler.next(u64::from(ended) * 1_000_000);
        tally.take_in(&scheduler.take_history());
        tally
    }

    #[test]
    fn a_run_halfway_has_half_of_its_time_left() {
        let figures = halfway(20, 10).figures("w", 0, &[], 10_000_000);
        assert_eq!((figures.done, figures.total, figures.running.len()), (10, Some(20), 1));
        assert!((figures.left.unwrap() - 10.0).abs() < 0.1, "{figures:?}");
        let function = &figures.functions[0];
        assert_eq!((function.done, function.total, function.running, function.mean), (10, 20, 1, Some(1.0)));
    }

    #[test]
    fn nothing_is_said_of_time_left_where_there_is_nothing_to_go_by() {
        assert_eq!(halfway(20, 1).figures("w", 0, &[], 1_500_000).left, None);
        let mut unknown = halfway(20, 10);
        unknown.set_nodes(30, 9_900_000);
        assert_eq!(unknown.figures("w", 0, &[], 10_000_000).total, None);
        unknown.add_functions(&[0; 10], Vec::new());
        let figures = unknown.figures("w", 0, &[], 10_000_000);
        assert_eq!((figures.total, figures.grows, figures.left), (Some(30), true, None));
    }

    #[test]
    fn what_waits_in_the_pool_is_not_said_to_run() {
        let mut tally = halfway(5, 2);
        let ticket = *tally.open.keys().next().unwrap();
        tally.sent(ticket);
        assert_eq!(tally.figures("w", 2, &[], 3_000_000).running.len(), 0);
        let body = RunningBody { worker: 1, pid: 77, ticket, since: 2_500_000_000, said: "3/10".into() };
        let figures = tally.figures("w", 2, &[body], 3_000_000);
        assert_eq!(figures.running[0].worker, Some((1, 77)));
        assert!((figures.running[0].seconds - 0.5).abs() < 1e-9);
        assert_eq!(tally.take_wanted(), [2]);
    }

    #[test]
    fn items_of_maps_count_and_so_does_what_was_passed_over() {
        let mut tally = Tally::new(0);
        tally.set_nodes(3, 0);
        tally.add_functions(&[0, 1, GROUP], vec!["map".into(), "after".into()]);
        tally.add_items(0, 0, Some(100), 0);
        tally.add_items(0, 25, Some(100), 5_000_000);
        let figures = tally.figures("w", 2, &[], 4_000_000);
        assert_eq!((figures.done, figures.total), (25, Some(102)));
        assert_eq!((figures.functions[0].done, figures.functions[0].total), (25, 100));
        assert!(figures.left.unwrap() > 10.0);
        tally.set_skipped(1);
        assert_eq!(tally.figures("w", 2, &[], 4_000_000).total, Some(101));
    }
}
