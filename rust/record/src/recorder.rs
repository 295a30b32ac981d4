//! From what the scheduler says has happened, and when bodies ran, to rows.
//! Owns attempts that are under way. Must not know what becomes of the rows.
use std::collections::VecDeque;

use graflow_scheduler::{BranchId, End, Entry, Micros, NodeId, Ticket, What};
use rustc_hash::FxHashMap as HashMap;

use crate::columns::{Row, Rows, NO_NODE};

/// Stands for the calling thread where a worker's number is asked for.
pub const CALLER: i32 = -1;
/// Stands for no place: nothing was run.
pub const NOWHERE: i32 = -2;

/// The outcome of an attempt that was still under way when the record ended.
const UNDER_WAY: u8 = 5;

/// So many rows make a chunk: less than a mebibyte, whatever is in them.
const LONGEST_CHUNK: usize = 1 << 14;

/// Since when something is ready, and whose end made it so.
type Ready = (Micros, NodeId);

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    node: NodeId,
    branch: BranchId,
    number: u32,
    /// Where it is, if nobody says where its body ran.
    place: i32,
    ready: Ready,
    started: Micros,
}

/// Where and when a body ran.
#[derive(Clone, Copy, Debug)]
struct Body {
    worker: i32,
    start: Micros,
    end: Micros,
}

/// Makes the rows of one run.
#[derive(Debug)]
pub struct Recorder {
    began: Micros,
    ready: HashMap<(BranchId, NodeId), Ready>,
    /// What became ready once more before it had started.
    again: HashMap<(BranchId, NodeId), VecDeque<Ready>>,
    attempts: HashMap<Ticket, Attempt>,
    bodies: HashMap<Ticket, Body>,
    rows: Rows,
    chunks: Vec<Vec<u8>>,
    /// How many rows were made.
    made: u64,
    /// How many have ended, by outcome.
    counts: [u64; 4],
}

impl Recorder {
    /// That of a run which begins at `began`.
    pub fn new(began: Micros) -> Self {
        Self {
            began,
            ready: HashMap::default(),
            again: HashMap::default(),
            attempts: HashMap::default(),
            bodies: HashMap::default(),
            rows: Rows::default(),
            chunks: Vec::new(),
            made: 0,
            counts: [0; 4],
        }
    }

    /// A body has run: to be said before the scheduler's entry of its end is taken in. The first to say so counts.
    pub fn ran(&mut self, ticket: Ticket, worker: i32, start: Micros, end: Micros) {
        self.bodies.entry(ticket).or_insert(Body { worker, start, end });
    }

    /// Takes in what has happened.
    pub fn take_in(&mut self, entries: &[Entry]) {
        for entry in entries {
            let key = (entry.branch, entry.node);
            match entry.what {
                What::Ready { by } => self.ready(key, (entry.at, by.unwrap_or(NO_NODE))),
                What::Started { ticket, attempt } => self.started(ticket, attempt, CALLER, entry),
                What::Forked { ticket, attempt } => self.started(ticket, attempt, NOWHERE, entry),
                What::Ended { ticket, end } => self.ended(ticket, end, entry.at),
            }
        }
    }

    /// Items of a map have run together, here or (if it was said that they `ran`) elsewhere.
    pub fn chunk(&mut self, ticket: Ticket, (node, branch): (NodeId, BranchId), end: End, start: Micros, now: Micros) {
        let body = self.bodies.remove(&ticket).unwrap_or(Body { worker: CALLER, start, end: now });
        let ready = (body.start, NO_NODE);
        let attempt = Attempt { node, branch, number: 0, place: CALLER, ready, started: body.start };
        self.push(&attempt, end as u8, Some(body), now);
    }

    fn started(&mut self, ticket: Ticket, number: u32, place: i32, entry: &Entry) {
        let ready = self.take_ready((entry.branch, entry.node)).unwrap_or((entry.at, NO_NODE));
        let attempt = Attempt { node: entry.node, branch: entry.branch, number, place, ready, started: entry.at };
        self.attempts.insert(ticket, attempt);
    }

    fn ready(&mut self, key: (BranchId, NodeId), ready: Ready) {
        if let Some(first) = self.ready.insert(key, ready) {
            self.ready.insert(key, first);
            self.again.entry(key).or_default().push_back(ready);
        }
    }

    fn take_ready(&mut self, key: (BranchId, NodeId)) -> Option<Ready> {
        let first = self.ready.remove(&key)?;
        if !self.again.is_empty() {
            if let Some(others) = self.again.get_mut(&key) {
                if let Some(next) = others.pop_front() {
                    self.ready.insert(key, next);
                }
                if others.is_empty() {
                    self.again.remove(&key);
                }
            }
        }
        Some(first)
    }

    fn ended(&mut self, ticket: Ticket, end: End, at: Micros) {
        if let Some(attempt) = self.attempts.remove(&ticket) {
            let body = self.bodies.remove(&ticket);
            self.counts[end as usize] += 1;
            self.push(&attempt, end as u8, body, at);
        }
    }

    fn push(&mut self, attempt: &Attempt, outcome: u8, body: Option<Body>, at: Micros) {
        let since = |time: Micros| time.saturating_sub(self.began);
        let body = body.unwrap_or(Body { worker: attempt.place, start: attempt.started, end: at });
        self.rows.push(&Row {
            node: attempt.node,
            branch: attempt.branch,
            attempt: attempt.number,
            outcome,
            worker: body.worker,
            released_by: attempt.ready.1,
            ready: since(attempt.ready.0),
            start: since(body.start),
            end: since(body.end),
        });
        self.made += 1;
        if self.rows.len() >= LONGEST_CHUNK {
            self.chunks.push(self.rows.take());
        }
    }

    /// How many attempts have completed, failed for good, failed to be tried again, been abandoned.
    pub fn counts(&self) -> [u64; 4] {
        self.counts
    }

    /// How many rows were made so far, taken or not.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// How many attempts are under way.
    pub fn under_way(&self) -> usize {
        self.attempts.len()
    }

    /// The rows since the last call, in chunks that `read` understands.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        let mut chunks = std::mem::take(&mut self.chunks);
        if !self.rows.is_empty() {
            chunks.push(self.rows.take());
        }
        chunks
    }

    /// The run is over: what is under way gets rows that say so.
    pub fn finish(&mut self, now: Micros) {
        let mut open: Vec<(Ticket, Attempt)> = self.attempts.drain().collect();
        open.sort_unstable_by_key(|(ticket, _)| *ticket);
        for (_, attempt) in open {
            self.push(&attempt, UNDER_WAY, None, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use graflow_scheduler::{Action, Config, Directive, Event, Scheduler};

    use super::{Recorder, CALLER, NOWHERE};
    use crate::columns::{read, Row, NO_NODE};

    /// A run whose bodies take ten microseconds each, one after the other, on worker 0.
    fn rows(mut scheduler: Scheduler, fails: impl Fn(u32, u32) -> Option<Option<u64>>) -> Vec<Row> {
        scheduler.keep_history();
        let mut recorder = Recorder::new(1000);
        let mut now = 1000;
        scheduler.handle(Event::Start { roots: &[0] }, now).unwrap();
        while !scheduler.finished() {
            match scheduler.next(now) {
                Some(Action::Run { ticket, node, attempt, .. }) => {
                    recorder.ran(ticket, 0, now, now + 10);
                    now += 10;
                    match fails(node, attempt) {
                        None => drop(scheduler.complete(ticket, &[], now).unwrap()),
                        Some(delay) => drop(scheduler.fail(ticket, delay, now)),
                    }
                }
                Some(Action::Join { ticket, .. }) => drop(scheduler.complete(ticket, &[], now).unwrap()),
                Some(_) => {}
                None => now = scheduler.deadline().expect("something to wait for"),
            }
        }
        recorder.take_in(&scheduler.take_history());
        all_of(&mut recorder)
    }

    fn all_of(recorder: &mut Recorder) -> Vec<Row> {
        recorder.take().iter().flat_map(|chunk| read(chunk).unwrap()).collect()
    }

    fn graph(count: u32, edges: &[(u32, u32)]) -> Scheduler {
        let mut scheduler = Scheduler::new(Config::default());
        scheduler.add_nodes(count).unwrap();
        edges.iter().for_each(|(source, target)| scheduler.add_edge(*source, *target).unwrap());
        scheduler
    }

    fn released(rows: &[Row]) -> Vec<(u32, u32)> {
        rows.iter().map(|row| (row.node, row.released_by)).collect()
    }

    #[test]
    fn who_released_a_task_is_who_ended_last_before_it() {
        let rows = rows(graph(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]), |_, _| None);
        assert_eq!(released(&rows), [(0, NO_NODE), (1, 0), (2, 0), (3, 2)]);
        let times: Vec<_> = rows.iter().map(|row| (row.ready, row.start, row.end)).collect();
        assert_eq!(times, [(0, 0, 10), (10, 10, 20), (10, 20, 30), (30, 30, 40)]);
    }

    #[test]
    fn a_retry_is_ready_when_its_delay_is_over() {
        let rows = rows(graph(1, &[]), |_, attempt| (attempt == 0).then_some(Some(500)));
        assert_eq!(rows.iter().map(|row| (row.attempt, row.outcome)).collect::<Vec<_>>(), [(0, 2), (1, 0)]);
        assert_eq!((rows[1].ready, rows[1].released_by), (510, 0));
    }

    #[test]
    fn members_are_released_by_their_group_and_what_follows_by_the_group_too() {
        let mut scheduler = Scheduler::new(Config::default());
        let group = scheduler.add_node(true, 0, 0).unwrap();
        scheduler.add_nodes(3).unwrap();
        scheduler.set_members(group, &[1, 2]).unwrap();
        scheduler.add_edge(group, 3).unwrap();
        let rows = rows(scheduler, |_, _| None);
        assert_eq!(released(&rows), [(1, 0), (2, 0), (0, NO_NODE), (3, 0)]);
        assert_eq!((rows[1].ready, rows[1].start), (0, 10));
        assert_eq!(rows[2].worker, NOWHERE);
    }

    #[test]
    fn what_fails_for_good_and_what_it_leaves_are_told() {
        let rows = rows(graph(2, &[(0, 1)]), |node, _| (node == 0).then_some(None));
        assert_eq!(rows.iter().map(|row| (row.node, row.outcome)).collect::<Vec<_>>(), [(0, 1)]);
    }

    #[test]
    fn each_of_many_activations_has_its_own_time() {
        let mut scheduler = graph(2, &[]);
        scheduler.keep_history();
        let mut recorder = Recorder::new(0);
        scheduler.handle(Event::Start { roots: &[0] }, 0).unwrap();
        let Some(Action::Run { ticket, .. }) = scheduler.next(0) else { panic!("nothing runs") };
        let ask = Directive::Enqueue { node: 1, tag: 0 };
        scheduler.complete(ticket, &[ask, ask], 5).unwrap();
        for at in [10, 20] {
            let Some(Action::Run { ticket, .. }) = scheduler.next(at) else { panic!("nothing runs") };
            scheduler.complete(ticket, &[], at + 1).unwrap();
        }
        recorder.take_in(&scheduler.take_history());
        let rows = all_of(&mut recorder);
        let times: Vec<_> = rows[1..].iter().map(|row| (row.ready, row.released_by, row.start, row.end)).collect();
        assert_eq!(times, [(5, 0, 10, 11), (5, 0, 20, 21)]);
        assert_eq!((recorder.counts(), recorder.under_way()), ([3, 0, 0, 0], 0));
    }

    #[test]
    fn many_rows_come_in_chunks_of_a_bounded_size() {
        let mut scheduler = graph(1, &[]);
        scheduler.keep_history();
        let mut recorder = Recorder::new(0);
        scheduler.handle(Event::Start { roots: &[0] }, 0).unwrap();
        for round in 0..40_000_u64 {
            let Some(Action::Run { ticket, .. }) = scheduler.next(round << 40) else { panic!("nothing runs") };
            recorder.ran(ticket, 7, u64::MAX, 0);
            scheduler.complete(ticket, &[Directive::Iterate { tag: 1 }], round << 40).unwrap();
        }
        recorder.take_in(&scheduler.take_history());
        let chunks = recorder.take();
        assert!(chunks.iter().all(|chunk| chunk.len() < 1 << 20));
        assert_eq!(recorder.made(), 40_000);
        assert_eq!(chunks.iter().map(|chunk| read(chunk).unwrap().len()).sum::<usize>(), 40_000);
    }

    #[test]
    fn chunks_of_a_map_are_rows_of_their_node() {
        let mut recorder = Recorder::new(0);
        recorder.ran(77, 3, 10, 20);
        recorder.chunk(77, (4, 0), graflow_scheduler::End::Completed, 0, 50);
        recorder.chunk(78, (4, 0), graflow_scheduler::End::Retried, 30, 50);
        let rows = all_of(&mut recorder);
        let times: Vec<_> = rows.iter().map(|row| (row.node, row.worker, row.outcome, row.start, row.end)).collect();
        assert_eq!(times, [(4, 3, 0, 10, 20), (4, CALLER, 2, 30, 50)]);
    }

    #[test]
    fn what_is_under_way_at_the_end_is_told() {
        let mut scheduler = graph(1, &[]);
        scheduler.keep_history();
        let mut recorder = Recorder::new(0);
        scheduler.handle(Event::Start { roots: &[0] }, 0).unwrap();
        assert!(scheduler.next(3).is_some());
        recorder.take_in(&scheduler.take_history());
        recorder.finish(9);
        let rows = all_of(&mut recorder);
        assert_eq!(rows.iter().map(|row| (row.outcome, row.start, row.end)).collect::<Vec<_>>(), [(5, 3, 9)]);
    }
}
