//! What goes out: which worker gets which task, and what is taken back from whom.
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Reactor;
use crate::worker::{Standing, Worker};

/// Work that is done before another worker would be awake, in nanoseconds: it goes to one.
pub(super) const TRIFLE: u64 = 50_000;
/// What was taken for a trifle is none after this time, in nanoseconds: what waits there goes to idle workers.
const NO_TRIFLE: u64 = 1_000_000;
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
            let trifle = (TRIFLE / self.durations.estimate(self.latest_function)) as usize;
            let share = self.queued.div_ceil(open).max(trifle);
            // Idle workers first, the one that reported last at the head: a chain stays where it is.
            self.hand_out_to(share, now, |worker, _| worker.is_idle());
            self.hand_out_to(share, now, Worker::is_hungry);
        }
        self.next_move = u64::MAX;
        if self.queued == self.lanes.waiting {
            self.rebalance(now);
        }
    }

    /// Takes in how long the caller was away: workers need enough work in flight for that time, too.
    pub(super) fn note_absence(&mut self, now: u64) {
        let away = now.saturating_sub(self.left_at).min(MAX_WINDOW);
        // Grows at once, shrinks slowly.
        let window = (away * 2).max(self.window - self.window / 16);
        self.window = window.clamp(self.least_window, MAX_WINDOW.max(self.least_window));
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
        let mut given = self.fill_from_lanes(index, share, now);
        while given < share {
            let Some(ticket) = self.queue.front().copied() else {
                break;
            };
            let lane = match self.entries.get(&ticket) {
                Some(entry) if entry.worker.is_none() && !entry.held => entry.limits.lane,
                _ => {
                    self.queue.pop_front(); // cancelled
                    continue;
                }
            };
            match lane {
                Some(lane) if !self.admits(lane, index) => self.hold(ticket, lane),
                _ if !self.give(ticket, index, now) => break,
                _ => given += 1,
            }
            self.queue.pop_front();
        }
    }

    /// Gives a task that is queued to a worker; false if it has no room for it.
    pub(super) fn give(&mut self, ticket: u64, index: usize, now: u64) -> bool {
        let (Some(worker), Some(entry)) = (self.workers[index].as_mut(), self.entries.get_mut(&ticket)) else {
            return false;
        };
        let cost = self.durations.estimate(entry.function());
        if !worker.has_room(cost, entry.payload.bytes().len(), self.window) {
            return false;
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
        (entry.worker, entry.held) = (Some(index), false);
        self.queued -= 1;
        true
    }

    /// With nothing queued, moves half of what waits behind the busiest worker to each idle one.
    fn rebalance(&mut self, now: u64) {
        for idle in 0..self.workers.len() {
            if !self.workers[idle].as_ref().is_some_and(Worker::is_idle) {
                continue;
            }
            let waiting = |index: &usize| self.waiting_behind(*index);
            let Some(busiest) = (0..self.workers.len()).max_by_key(waiting) else {
                return;
            };
            let count = waiting(&busiest).div_ceil(2);
            if let Some(worker) = self.workers[busiest].as_ref().filter(|worker| count > 0 && worker.load() <= TRIFLE) {
                let due = worker.given_at() + NO_TRIFLE;
                if now < due {
                    self.next_move = due;
                    return;
                }
            }
            if count == 0 || self.move_away(busiest, count) == 0 {
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

#[cfg(test)]
mod tests {
    use super::super::tests::{add, claim, finish, step, submit_in};
    use super::*;
    use crate::worker_end::WorkerEnd;

    /// Two workers that have run so many small tasks that ten more of them are a trifle.
    fn measured() -> (Reactor, [WorkerEnd; 2]) {
        let mut reactor = Reactor::new().unwrap();
        let mut ends = [add(&mut reactor), add(&mut reactor)];
        submit_in(&mut reactor, 100..4_100, |_| None);
        while reactor.backlog() > 0 {
            step(&mut reactor);
            for end in &mut ends {
                while let Some(ticket) = claim(end) {
                    finish(end, ticket);
                }
                end.flush().unwrap();
            }
        }
        (reactor, ends)
    }

    fn is_at(reactor: &Reactor) -> Vec<usize> {
        reactor.workers.iter().flatten().map(Worker::in_flight).collect()
    }

    #[test]
    fn a_trifle_goes_to_one_worker() {
        let (mut reactor, _ends) = measured();
        submit_in(&mut reactor, 1..=8, |_| None);
        step(&mut reactor);
        assert!([vec![8, 0], vec![0, 8]].contains(&is_at(&reactor)), "{:?}", is_at(&reactor));
    }

    #[test]
    fn what_waits_behind_a_trifle_that_turns_out_to_be_long_goes_to_an_idle_worker() {
        let (mut reactor, mut ends) = measured();
        submit_in(&mut reactor, 1..=8, |_| None);
        step(&mut reactor);
        let busy = usize::from(is_at(&reactor)[0] == 0);
        assert_eq!(claim(&mut ends[busy]), Some(1));
        let end = crate::os::now() + 10_000_000_000;
        while claim(&mut ends[1 - busy]).is_none() {
            assert!(crate::os::now() < end, "nothing came within ten seconds");
            reactor.step(Some(end)).unwrap(); // it wakes by itself
        }
        assert_eq!(reactor.running_on(1), Some(busy));
    }
}
