//! What goes out: which worker gets which task, and what is taken back from whom.
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Reactor;
use crate::batch::HIGH;
use crate::worker::{Standing, Worker};

/// The most work in flight per worker, in nanoseconds, however long the caller stays away.
const MAX_WINDOW: u64 = 40_000_000;

impl Reactor {
    pub(super) fn hand_out(&mut self, now: u64) {
        if self.queued > 0 {
            self.free_the_stuck(now);
            let open = self.workers.iter().flatten().filter(|worker| worker.standing == Standing::Open).count();
            if open == 0 {
                return;
            }
            let share = self.queued.div_ceil(open);
            // Idle workers first, the one that reported last at the head: a chain stays where it is.
            self.hand_out_to(share, now, |worker, _| worker.is_idle());
            self.hand_out_to(share, now, Worker::is_hungry);
        }
        if self.queued == 0 {
            self.rebalance(now);
        }
    }

    /// Takes in how long the caller was away: workers need enough work in flight for that time, too.
    pub(super) fn note_absence(&mut self, now: u64) {
        let away = now.saturating_sub(self.left_at).min(MAX_WINDOW);
        // Grows at once, shrinks slowly.
        let window = (away * 2).max(self.window - self.window / 16);
        self.window = window.clamp(HIGH, MAX_WINDOW);
    }

    /// Takes back what waits behind a task that turned out to be long, while others have hands free.
    fn free_the_stuck(&mut self, now: u64) {
        for index in 0..self.workers.len() {
            if self.workers[index].as_ref().is_some_and(|worker| worker.is_stuck(now)) {
                self.release(index);
            }
        }
    }

    fn hand_out_to(&mut self, share: usize, now: u64, wants: fn(&Worker, u64) -> bool) {
        let count = self.workers.len();
        for step in 0..count {
            if self.queued == 0 {
                return;
            }
            let index = (self.latest_worker + step) % count;
            if self.workers[index].as_ref().is_some_and(|worker| wants(worker, self.window)) {
                self.fill(index, share, now);
            }
        }
    }

    /// Gives a worker tasks from the front of the queue while they fit, at most `share`.
    fn fill(&mut self, index: usize, share: usize, now: u64) {
        let Some(worker) = self.workers[index].as_mut() else {
            return;
        };
        let mut given = 0;
        while given < share {
            let Some(ticket) = self.queue.front().copied() else {
                break;
            };
            let entry = match self.entries.get_mut(&ticket) {
                Some(entry) if entry.worker.is_none() => entry,
                _ => {
                    self.queue.pop_front(); // cancelled
                    continue;
                }
            };
            let cost = self.durations.estimate(entry.function());
            if !worker.has_room(cost, entry.payload.bytes().len(), self.window) {
                break;
            }
            let is_latest = worker.latest_definitions.as_ref().is_some_and(|l| Arc::ptr_eq(l, &entry.definitions));
            for key in if is_latest { &[][..] } else { &entry.definitions[..] } {
                if !worker.known.contains(key) {
                    if let Some(blob) = self.definitions.get(key) {
                        worker.tell(*key, blob);
                    }
                }
            }
            if !is_latest {
                worker.latest_definitions = Some(Arc::clone(&entry.definitions));
            }
            worker.give(ticket, &entry.payload, cost, entry.limits, now);
            entry.worker = Some(index);
            self.queue.pop_front();
            self.queued -= 1;
            given += 1;
        }
    }

    /// With nothing queued, moves half of what waits behind the busiest worker to each idle one.
    fn rebalance(&mut self, now: u64) {
        for idle in 0..self.workers.len() {
            if !self.workers[idle].as_ref().is_some_and(Worker::is_idle) {
                continue;
            }
            let waiting = |index: &usize| self.workers[*index].as_ref().map_or(0, |w| w.in_flight().saturating_sub(1));
            let Some(busiest) = (0..self.workers.len()).max_by_key(waiting) else {
                return;
            };
            let count = waiting(&busiest).div_ceil(2);
            if count == 0 || self.reclaim(busiest, count) == 0 {
                return;
            }
            self.fill(idle, usize::MAX, now);
        }
    }

    pub(super) fn flush(&mut self) {
        for index in 0..self.workers.len() {
            let Some(worker) = self.workers[index].as_mut() else {
                continue;
            };
            match worker.flush() {
                Ok(left) if left != worker.wants_write => {
                    worker.wants_write = left;
                    // It can fail only for a descriptor that is not in the set.
                    let _ = self.poller.modify(worker.link.as_fd(), index as u64 * 2, left);
                }
                Ok(_) => {}
                // Nobody reads there any more, but what was written before must be taken in.
                Err(_) => self.read(index, usize::MAX, true),
            }
        }
    }
}
