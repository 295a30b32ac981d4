//! Lanes: tasks of one are in flight at no more than so many workers.
//!
//! Owns the tasks that wait because of that. Where a lane's tasks are in flight the workers know, so nothing has to be undone
//! when one is lost. Must not know why there is a limit.
use std::collections::{BTreeMap, VecDeque};

use super::Reactor;
use crate::limits::Lane;
use crate::worker::{Whole, Worker};

/// Tasks that could not be given to the worker whose turn it was.
#[derive(Default)]
pub(super) struct Lanes {
    /// By lane, in order; may hold tickets that were cancelled.
    held: BTreeMap<u32, (Lane, VecDeque<u64>)>,
    /// How many of them there are.
    pub waiting: usize,
}

impl Lanes {
    /// So many of those that wait were cancelled.
    pub(super) fn cancelled(&mut self, count: usize) {
        self.waiting -= count;
        if self.waiting == 0 {
            self.held.clear();
        }
    }
}

impl Reactor {
    /// True if a task of the lane may be given to this worker now.
    pub(super) fn admits(&self, lane: Lane, index: usize) -> bool {
        let is_in = |worker: &Worker| worker.is_in_lane(lane.number);
        self.workers[index].as_ref().is_some_and(is_in) || self.workers_in(lane.number) < lane.workers as usize
    }

    fn workers_in(&self, lane: u32) -> usize {
        self.workers.iter().flatten().filter(|worker| worker.is_in_lane(lane)).count()
    }

    /// Lets a task at the front of the queue wait in its lane, behind those that do already.
    pub(super) fn hold(&mut self, ticket: u64, lane: Lane) {
        self.held(ticket, lane).push_back(ticket);
    }

    fn held(&mut self, ticket: u64, lane: Lane) -> &mut VecDeque<u64> {
        if let Some(entry) = self.entries.get_mut(&ticket) {
            entry.held = true;
        }
        self.lanes.waiting += 1;
        &mut self.lanes.held.entry(lane.number).or_insert_with(|| (lane, VecDeque::new())).1
    }

    /// Puts a task that was taken back before those that wait in its lane; false if none does.
    pub(super) fn held_again(&mut self, ticket: u64) -> bool {
        let lane = self.entries.get(&ticket).and_then(|entry| entry.limits.lane);
        match lane.filter(|lane| self.lanes.held.contains_key(&lane.number)) {
            Some(lane) => {
                self.held(ticket, lane).push_front(ticket);
                true
            }
            None => false,
        }
    }

    /// Gives a worker what waits in lanes that admit it, at most `share`; how many that were.
    pub(super) fn fill_from_lanes(&mut self, index: usize, share: usize, now: u64) -> usize {
        let mut given = 0;
        if self.lanes.held.is_empty() {
            return given;
        }
        let admitted = |(lane, _): &&(Lane, VecDeque<u64>)| self.admits(*lane, index);
        let lanes: Vec<Lane> = self.lanes.held.values().filter(admitted).map(|(lane, _)| *lane).collect();
        for lane in lanes {
            while given < share {
                let Some(ticket) = self.lanes.held.get(&lane.number).and_then(|(_, held)| held.front().copied()) else {
                    break;
                };
                let is_held = self.entries.get(&ticket).is_some_and(|entry| entry.held);
                if is_held && !self.give(ticket, index, now) {
                    return given; // it has no room for more
                }
                if let Some((_, held)) = self.lanes.held.get_mut(&lane.number) {
                    held.pop_front();
                }
                if is_held {
                    self.lanes.waiting -= 1;
                    given += 1;
                }
            }
            if self.lanes.held.get(&lane.number).is_some_and(|(_, held)| held.is_empty()) {
                self.lanes.held.remove(&lane.number);
            }
        }
        given
    }

    /// How many tasks wait behind the first one of a worker, those left out that no idle one may have.
    pub(super) fn waiting_behind(&self, index: usize) -> usize {
        match self.workers[index].as_ref() {
            None => 0,
            Some(worker) if !worker.is_in_lanes() => worker.in_flight().saturating_sub(1),
            Some(worker) => {
                let lanes = self.lanes_at(index);
                let stays = |lane: Lane| lanes.contains(&(lane, Whole::Stays));
                worker.behind_the_first().filter(|flight| !flight.lane.is_some_and(stays)).count()
            }
        }
    }

    /// The lanes of what waits behind the first task of a worker, and how these may be taken back.
    pub(super) fn lanes_at(&self, index: usize) -> Vec<(Lane, Whole)> {
        let mut lanes: Vec<(Lane, Whole)> = Vec::new();
        if let Some(worker) = self.workers[index].as_ref().filter(|worker| worker.is_in_lanes()) {
            for lane in worker.behind_the_first().filter_map(|flight| flight.lane) {
                if !lanes.iter().any(|(known, _)| *known == lane) {
                    lanes.push((lane, self.movable(lane, index)));
                }
            }
        }
        lanes
    }

    /// How a lane's tasks at one worker may be taken back for another one, which has none.
    fn movable(&self, lane: Lane, from: usize) -> Whole {
        if self.workers_in(lane.number) < lane.workers as usize {
            return Whole::No;
        }
        // All that there may be have some of it: it can only leave one of them for another.
        match self.workers[from].as_ref().is_some_and(|worker| worker.has_come_to(lane.number)) {
            true => Whole::Stays,
            false => Whole::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{add, claim, finish, step, submit_in};
    use super::*;

    #[test]
    fn tasks_of_a_lane_wait_in_as_many_workers_as_may_run_them() {
        let mut reactor = Reactor::new().unwrap();
        let (mut one, mut two) = (add(&mut reactor), add(&mut reactor));
        submit_in(&mut reactor, 1..=6, |ticket| (ticket <= 4).then_some(1));
        step(&mut reactor);
        assert_eq!((claim(&mut one), claim(&mut two)), (Some(1), Some(5)), "others don't wait for the lane");
        for ticket in 1..=3 {
            finish(&mut one, ticket);
            one.flush().unwrap();
            step(&mut reactor);
            assert_eq!(claim(&mut one), Some(ticket + 1), "in order, and where the lane is");
        }
        finish(&mut two, 5);
        assert_eq!(claim(&mut two), Some(6));
        finish(&mut two, 6);
        two.flush().unwrap();
        step(&mut reactor);
        assert_eq!(claim(&mut two), None, "an idle worker gets none of it");
        assert_eq!(reactor.backlog(), 1);
    }

    #[test]
    fn a_lane_of_which_nothing_has_begun_moves_to_an_idle_worker() {
        let mut reactor = Reactor::new().unwrap();
        let mut busy = add(&mut reactor);
        submit_in(&mut reactor, [1, 2], |ticket| (ticket == 2).then_some(1));
        step(&mut reactor);
        assert_eq!(claim(&mut busy), Some(1));
        let mut idle = add(&mut reactor);
        step(&mut reactor);
        assert_eq!(claim(&mut idle), Some(2));
    }

    #[test]
    fn what_waits_in_a_lane_goes_elsewhere_when_its_worker_is_lost() {
        let mut reactor = Reactor::new().unwrap();
        let (one, mut two) = (add(&mut reactor), add(&mut reactor));
        submit_in(&mut reactor, 1..=3, |_| Some(1));
        step(&mut reactor);
        assert_eq!(claim(&mut two), None);
        drop(one);
        step(&mut reactor);
        step(&mut reactor);
        assert_eq!(claim(&mut two), Some(1));
    }

    #[test]
    fn what_was_cancelled_while_it_waited_in_its_lane_is_gone() {
        let mut reactor = Reactor::new().unwrap();
        let (mut one, _two) = (add(&mut reactor), add(&mut reactor));
        submit_in(&mut reactor, 1..=4, |_| Some(1));
        step(&mut reactor);
        assert_eq!(claim(&mut one), Some(1));
        assert_eq!(reactor.lanes.waiting, reactor.queued);
        for ticket in 2..=4 {
            assert_eq!(reactor.cancel(ticket), crate::reactor::Cancelled::TakenBack);
        }
        assert_eq!((reactor.lanes.waiting, reactor.queued, reactor.backlog()), (0, 0, 1));
        finish(&mut one, 1);
        one.flush().unwrap();
        step(&mut reactor);
        assert_eq!((reactor.backlog(), reactor.lanes.held.len()), (0, 0), "nothing is left of the lane");
    }
}
