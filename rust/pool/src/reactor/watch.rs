//! Tasks with limits: who is over their time, whose worker has too much memory, and when to look.
//!
//! Owns when that is looked at. With limits on every task it costs a comparison for each task that is given to a worker,
//! and one look for each worker about once in the length of a timeout: no task can be over its time earlier than that
//! long after it was given out. Memory is sampled, by worker. Must not know what is done about it.
use super::{Event, Reactor};
use crate::limits::Limits;
use crate::memory;
use crate::worker::Running;

/// The shortest time between two looks at the clock of one worker, in nanoseconds.
const SHORTEST_LOOK: u64 = 1_000_000;
/// Time between two samples of memory, in nanoseconds.
const SAMPLE: u64 = 50_000_000;

/// What tasks in flight on one worker must keep within.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// Tasks with a timeout.
    timed: usize,
    /// Not longer than the shortest of these timeouts.
    shortest: u64,
    /// None of these tasks can be over its time before this moment.
    due: u64,
    /// Tasks with a memory limit.
    sized: usize,
}

impl Default for Watch {
    fn default() -> Watch {
        Watch { timed: 0, shortest: u64::MAX, due: u64::MAX, sized: 0 }
    }
}

impl Watch {
    /// A task was put in flight.
    pub fn gave(&mut self, limits: Limits, now: u64) {
        if let Some(timeout) = limits.timeout {
            self.timed += 1;
            self.shortest = self.shortest.min(timeout);
            self.due = self.due.min(now.saturating_add(timeout));
        }
        self.sized += usize::from(limits.memory.is_some());
    }

    /// A task is in flight no longer.
    pub fn took(&mut self, limits: Limits) {
        if limits.timeout.is_some() {
            self.timed -= 1;
            if self.timed == 0 {
                (self.shortest, self.due) = (u64::MAX, u64::MAX);
            }
        }
        self.sized -= usize::from(limits.memory.is_some());
    }
}

impl Reactor {
    /// Tells of tasks that are over their limits; when to look again.
    pub(super) fn check_limits(&mut self, now: u64) -> Option<u64> {
        let mut next = u64::MAX;
        let is_sample = now >= self.next_sample;
        for index in 0..self.workers.len() {
            let Some(watch) = self.workers[index].as_ref().map(|worker| worker.watch) else {
                continue;
            };
            if watch.due <= now {
                self.look_at_clock(index, now);
            }
            if watch.sized > 0 && is_sample {
                self.next_sample = now + SAMPLE;
                self.sample_memory(index);
            }
            if let Some(worker) = &self.workers[index] {
                next = next.min(worker.watch.due);
                if worker.watch.sized > 0 {
                    next = next.min(self.next_sample.max(now));
                }
            }
        }
        (next < u64::MAX).then_some(next)
    }

    /// Finds out whether the running task is over its time, and when that is worth another look.
    fn look_at_clock(&mut self, index: usize, now: u64) {
        #[cfg(test)]
        {
            self.looks += 1;
        }
        let Some(worker) = self.workers[index].as_mut() else {
            return;
        };
        // Whatever has not begun yet has its whole time before it.
        let mut due = now.saturating_add(worker.watch.shortest.max(SHORTEST_LOOK));
        let running = worker.running().and_then(|Running { ticket, body_since, .. }| {
            let timeout = self.entries.get(&ticket)?.limits.timeout?;
            Some((ticket, body_since?, timeout))
        });
        let Some((ticket, since, timeout)) = running else {
            worker.watch.due = due;
            return;
        };
        let end = since.saturating_add(timeout);
        if now < end {
            due = due.min(end);
            worker.watch.due = due;
            return;
        }
        worker.watch.due = due;
        self.lift(index, ticket, |limits| limits.timeout = None);
        self.doom(index, ticket);
        self.events.push_back(Event::Overtime { ticket, worker: index, running: now.saturating_sub(since) });
    }

    /// Finds out whether the running task's worker has more memory than it may.
    fn sample_memory(&mut self, index: usize) {
        let Some(worker) = self.workers[index].as_ref().filter(|worker| worker.pid > 0 || worker.is_elsewhere) else {
            return;
        };
        let Some(Running { ticket, .. }) = worker.running() else {
            return;
        };
        let Some(limit) = self.entries.get(&ticket).and_then(|entry| entry.limits.memory) else {
            return;
        };
        let used = if worker.is_elsewhere { worker.claims.memory() } else { memory::of_family(worker.pid, limit) };
        if used <= limit || worker.running().is_none_or(|running| running.ticket != ticket) {
            return;
        }
        self.lift(index, ticket, |limits| limits.memory = None);
        self.doom(index, ticket);
        self.events.push_back(Event::Overmemory { ticket, worker: index, used });
    }

    /// Takes a limit off a task in flight: what is over it is said once.
    fn lift(&mut self, index: usize, ticket: u64, change: fn(&mut Limits)) {
        let (Some(entry), Some(worker)) = (self.entries.get_mut(&ticket), self.workers[index].as_mut()) else {
            return;
        };
        let mut rest = entry.limits;
        change(&mut rest);
        let lifted = Limits {
            timeout: entry.limits.timeout.filter(|_| rest.timeout.is_none()),
            memory: entry.limits.memory.filter(|_| rest.memory.is_none()),
            lane: None,
        };
        worker.watch.took(lifted);
        entry.limits = rest;
    }
}
