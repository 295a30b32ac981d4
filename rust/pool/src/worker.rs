//! What the coordinator knows about one worker: its link, its claims, and what it has in flight.
//!
//! Owns the books of one worker. Must not know the queue or other workers.
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use crate::claims::{Claim, ClaimTable, SLOTS};
use crate::frame::{self, Kind};
use crate::inbox::Inbox;
use crate::limits::{Lane, Limits};
use crate::outbox::Outbox;
use crate::payload::Payload;
use crate::reactor::watch::Watch;
use crate::tickets::NumberSet;

/// Bytes of payload in flight on one worker, beyond its first two tasks.
const MAX_BYTES: usize = 4 << 20;
/// A worker from which this many tasks were taken back since it reported last gets none to wait: it is busy with a
/// long one, and each copy it was sent in vain lies in its socket until it comes to read it.
const MAX_STALE: usize = 8;
/// A task is long when it takes this many times what was expected ...
const LONG_FACTOR: u64 = 4;
/// ... and at least this, in nanoseconds.
const LONG: u64 = 5_000_000;

/// A task that was given to a worker and not yet reported.
#[derive(Clone, Copy, Debug)]
pub struct Flight {
    pub ticket: u64,
    slot: u32,
    cost: u64,
    bytes: usize,
    /// Its lane, if it is in one.
    pub lane: Option<Lane>,
    /// A worker elsewhere was asked to give it back.
    recalled: bool,
}

/// A task that is running; times are nanoseconds of the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    pub ticket: u64,
    /// When the worker took it up.
    pub since: u64,
    /// When its body was called; `None` while it is being prepared.
    pub body_since: Option<u64>,
}

/// How a lane's tasks are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// As others are.
    No,
    /// All of them or none.
    Yes,
    /// Not at all.
    Stays,
}

/// Whether a worker gets tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Open,
    /// Not while this ticket is running there: its worker is about to be killed.
    Doomed(u64),
    /// It was told to stop.
    Stopping,
}

/// One worker, as the coordinator sees it.
pub struct Worker {
    pub link: OwnedFd,
    pub process: Option<OwnedFd>,
    pub pid: i32,
    pub claims: Arc<ClaimTable>,
    pub inbox: Inbox,
    pub outbox: Outbox,
    pub standing: Standing,
    pub known: NumberSet,
    /// What the latest task named, while the worker knows all of it.
    pub latest_definitions: Option<Arc<[u64]>>,
    /// What tasks in flight must keep within.
    pub watch: Watch,
    /// The poller is asked about writing, too.
    pub wants_write: bool,
    /// How often in a row it was seen with tasks in flight and none running.
    pub quiet_looks: u8,
    /// It is elsewhere, and its claims are a copy of its own: tasks are taken back from it by asking.
    pub is_elsewhere: bool,
    flights: VecDeque<Flight>,
    /// How many of these are in each lane.
    lanes: Vec<(u32, usize)>,
    free: Vec<u32>,
    load: u64,
    bytes: usize,
    last_end: u64,
    /// When it was given a task last.
    given_at: u64,
    stale: usize,
}

impl Worker {
    /// A worker with nothing in flight.
    pub fn new(link: OwnedFd, claims: Arc<ClaimTable>, pid: i32, process: Option<OwnedFd>) -> Worker {
        Worker {
            link,
            process,
            pid,
            claims,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            standing: Standing::Open,
            known: NumberSet::default(),
            latest_definitions: None,
            watch: Watch::default(),
            wants_write: false,
            quiet_looks: 0,
            is_elsewhere: false,
            flights: VecDeque::new(),
            lanes: Vec::new(),
            free: (0..SLOTS as u32).rev().collect(),
            load: 0,
            bytes: 0,
            last_end: 0,
            given_at: 0,
            stale: 0,
        }
    }

    /// How many tasks are in flight.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// What it has in flight, in nanoseconds, as far as tasks can be estimated.
    pub fn load(&self) -> u64 {
        self.load
    }

    /// When it was given a task last.
    pub fn given_at(&self) -> u64 {
        self.given_at
    }

    /// True if it may get tasks and has nothing to do.
    pub fn is_idle(&self) -> bool {
        self.standing == Standing::Open && self.flights.is_empty()
    }

    /// True if it may get tasks and should, before it runs dry; `window` is the work it should have in flight.
    pub fn is_hungry(&self, window: u64) -> bool {
        self.standing == Standing::Open
            && (self.load < window / 2 || self.flights.len() < 2)
            && (self.stale < MAX_STALE || self.flights.is_empty())
    }

    /// True if one more task of this cost fits. One task waits behind the running one whatever it costs: it can be
    /// taken back, and without it the worker would idle for a round trip.
    pub fn has_room(&self, cost: u64, bytes: usize, window: u64) -> bool {
        !self.free.is_empty()
            && (self.flights.len() < 2 || (self.load + cost <= window && self.bytes + bytes <= MAX_BYTES))
    }

    /// True if tasks wait behind one that takes much longer than was expected.
    pub fn is_stuck(&self, now: u64) -> bool {
        if self.flights.len() < 2 || now.saturating_sub(self.last_end) < LONG {
            return false;
        }
        let Some(Running { ticket, since, .. }) = self.running() else {
            return false;
        };
        let expected = self.position(ticket).map_or(0, |index| self.flights[index].cost);
        now.saturating_sub(since) > LONG.max(expected * LONG_FACTOR)
    }

    /// Sends it a blob, whose size was checked.
    pub fn tell(&mut self, key: u64, blob: &Payload) {
        self.known.insert(key);
        let _ = self.outbox.numbered(Kind::Define, key, Some(blob));
    }

    /// Puts a task in flight. The caller has asked [`Worker::has_room`].
    pub fn give(&mut self, ticket: u64, payload: &Payload, cost: u64, limits: Limits, now: u64) {
        let Some(slot) = self.free.pop() else {
            return;
        };
        let bytes = payload.bytes().len();
        self.claims.offer(slot, ticket);
        self.outbox.task(ticket, slot, payload);
        self.flights.push_back(Flight { ticket, slot, cost, bytes, lane: limits.lane, recalled: false });
        if let Some(Lane { number, .. }) = limits.lane {
            match self.lanes.iter_mut().find(|(known, _)| *known == number) {
                Some((_, count)) => *count += 1,
                None => self.lanes.push((number, 1)),
            }
        }
        self.given_at = now;
        self.load += cost;
        self.bytes += bytes;
        self.watch.gave(limits, now);
    }

    /// Strikes a reported task off; how long it kept the worker busy, or `None` if it is not in flight here.
    pub fn reported(&mut self, ticket: u64, started: u64, ended: u64) -> Option<u64> {
        let index = self.position(ticket)?;
        self.strike(index);
        self.stale = 0;
        if self.standing == Standing::Doomed(ticket) {
            self.standing = Standing::Open;
        }
        // Back to back, what lies between two tasks is part of what a task costs.
        let gap = started.saturating_sub(self.last_end);
        let from = if gap < 100_000 { started - gap } else { started };
        self.last_end = ended;
        Some(ended.saturating_sub(from))
    }

    /// Takes one task back; true if it has not been started and never will be here.
    pub fn take_back(&mut self, ticket: u64) -> bool {
        let Some(index) = self.position(ticket) else {
            return false;
        };
        if self.is_elsewhere {
            self.recall(&[index]);
            return false;
        }
        if !self.claims.take_back(self.flights[index].slot, ticket) {
            return false;
        }
        self.strike(index);
        self.stale += 1;
        true
    }

    /// True if a task of this lane is in flight here.
    pub fn is_in_lane(&self, number: u32) -> bool {
        self.lanes.iter().any(|(known, _)| *known == number)
    }

    /// True if a task of any lane is.
    pub fn is_in_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// True if it is this lane's turn here: its task is the first, or one has begun, as far as the table tells.
    pub fn has_come_to(&self, lane: u32) -> bool {
        let is_its = |flight: &Flight| flight.lane.is_some_and(|known| known.number == lane);
        let has_begun = |flight: &Flight| self.claims.look(flight.slot, flight.ticket) != Claim::Queued;
        self.flights.front().is_some_and(is_its)
            || self.flights.iter().any(|flight| is_its(flight) && has_begun(flight))
    }

    /// What is in flight behind the first task.
    pub fn behind_the_first(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().skip(1)
    }

    /// Takes back up to `count` tasks from the end, in the order they were given. Of tasks in lanes `of_lane` says whether
    /// they are taken at all, and then all of them are, however many.
    pub fn take_back_last(&mut self, count: usize, of_lane: impl Fn(Lane) -> Whole) -> Vec<u64> {
        let (mut taken, mut asked) = (Vec::new(), Vec::new());
        for index in (0..self.flights.len()).rev() {
            let Flight { ticket, slot, lane, .. } = self.flights[index];
            let wanted = lane.map_or(Whole::No, &of_lane);
            if wanted == Whole::Stays || (wanted == Whole::No && taken.len() + asked.len() >= count) {
                continue;
            }
            if self.is_elsewhere {
                asked.push(index);
                continue;
            }
            if !self.claims.take_back(slot, ticket) {
                break;
            }
            self.strike(index);
            taken.push(ticket);
        }
        self.recall(&asked);
        self.stale += taken.len();
        taken.reverse();
        taken
    }

    /// Asks a worker elsewhere to give back what it has not begun, each task once.
    fn recall(&mut self, indices: &[usize]) {
        let mut body = Vec::new();
        for index in indices {
            let flight = &mut self.flights[*index];
            if !flight.recalled && self.claims.look(flight.slot, flight.ticket) == Claim::Queued {
                flight.recalled = true;
                body.extend_from_slice(&frame::recall(flight.ticket, flight.slot));
            }
        }
        if !body.is_empty() {
            let _ = self.outbox.plain(Kind::Recall, &body); // 12 KiB at most
        }
    }

    /// Strikes off a task that a worker elsewhere gave back; false if it is not in flight there.
    pub fn returned(&mut self, ticket: u64) -> bool {
        let Some(index) = self.position(ticket) else {
            return false;
        };
        self.strike(index);
        if self.standing == Standing::Doomed(ticket) {
            self.standing = Standing::Open;
        }
        true
    }

    /// What the claim table says about a task in flight here.
    pub fn claim(&self, ticket: u64) -> Claim {
        self.position(ticket).map_or(Claim::Other, |index| self.claims.look(self.flights[index].slot, ticket))
    }

    /// The task that is running now, as far as the table tells.
    pub fn running(&self) -> Option<Running> {
        let is_started = |flight: &&Flight| self.claims.look(flight.slot, flight.ticket) == Claim::Started;
        let flight = self.flights.iter().find(is_started)?;
        let (since, body_since) = (self.claims.running_since(), self.claims.body_since());
        // Still the same one? Otherwise the times may be of the next.
        is_started(&flight).then_some(Running { ticket: flight.ticket, since, body_since })
    }

    /// Takes everything that is left: what never ran, what ended without being reported, and what was running.
    pub fn abandon(&mut self) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
        let (mut again, mut ended, mut running) = (Vec::new(), Vec::new(), Vec::new());
        for flight in self.flights.drain(..) {
            if self.claims.take_back(flight.slot, flight.ticket) {
                again.push(flight.ticket);
            } else if self.claims.look(flight.slot, flight.ticket) == Claim::Done {
                ended.push(flight.ticket);
            } else {
                running.push(flight.ticket);
            }
        }
        (again, ended, running)
    }

    /// Sends what the socket takes; true if something is left.
    pub fn flush(&mut self) -> io::Result<bool> {
        if self.outbox.is_empty() {
            return Ok(false);
        }
        self.outbox.flush(self.link.as_fd()).map(|all| !all)
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        // Reports come in order, so this is almost always the first.
        self.flights.iter().position(|flight| flight.ticket == ticket)
    }

    fn leave(&mut self, lane: u32) {
        if let Some(place) = self.lanes.iter().position(|(number, _)| *number == lane) {
            self.lanes[place].1 -= 1;
            if self.lanes[place].1 == 0 {
                self.lanes.swap_remove(place);
            }
        }
    }

    fn strike(&mut self, index: usize) {
        if let Some(flight) = self.flights.remove(index) {
            self.free.push(flight.slot);
            if let Some(lane) = flight.lane {
                self.leave(lane.number);
            }
            self.load = self.load.saturating_sub(flight.cost);
            self.bytes -= flight.bytes;
        }
    }
}
