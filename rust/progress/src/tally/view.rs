//! Figures of a run, made of its counts: what is running, what there will be, how long is left.
//!
//! Owns how the time that is left is told. Changes nothing but which names somebody would like to see.
use graflow_pool::RunningBody;
use graflow_scheduler::{End, Micros, NodeId};
use rustc_hash::FxHashSet as HashSet;

use super::{Function, Tally};
use crate::figures::{Busy, Figures, FunctionFigures};

/// Nothing is said of the time that is left before so many seconds and tasks.
const EARLY: (f64, u64) = (2.0, 5);
/// For so many seconds after a task was added, the graph is said to grow.
const GROWING: Micros = 2_000_000;

impl Tally {
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
    use super::super::GROUP;
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
