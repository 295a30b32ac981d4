//! One task alone in the pool, or a few small ones at one worker: nothing else could be done meanwhile, so the caller looks for
//! the report for a moment before it sleeps, and the worker looks for the next task. A sleep and a wake-up cost more than the rest of the way.
//!
//! Owns when that is done. Must not be done where it could take the processor away from a task: with anything else in
//! the pool, or with one processor.
use std::io;
use std::os::fd::AsFd;

use super::handout::TRIFLE;
use super::Reactor;
use crate::handover::{Place, Worth};
use crate::inbox::Filled;
use crate::worker::Standing;

/// How long each side looks, in nanoseconds.
const PATIENCE: u64 = TRIFLE;
/// A few small tasks are looked for as well, if one worker has all of them: at most so many.
const MOST: usize = 64;

/// What is known of looking so far.
pub struct Lone {
    /// There is more than one processor to run on.
    allowed: bool,
    here: Worth,
    there: Worth,
    /// The worker that was told to look.
    told: Option<usize>,
}

impl Lone {
    pub fn new() -> Lone {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Lone { allowed: processors > 1, here: Worth::default(), there: Worth::default(), told: None }
    }
}

#[cfg(test)]
impl Lone {
    /// As if there were processors enough.
    pub fn allow(&mut self) {
        self.allowed = true;
    }
}

impl Reactor {
    /// The worker of the task that is alone in the pool, or of all, if they are few and small, with nothing else to do for
    /// either of them.
    fn lone_worker(&self) -> Option<usize> {
        let count = self.entries.len();
        if !self.lone.allowed || count > MOST || self.queued > 0 {
            return None;
        }
        let index = self.entries.values().next()?.worker?;
        let worker = self.workers[index].as_ref()?;
        let quiet = worker.inbox.is_empty() && worker.in_flight() == count && worker.standing == Standing::Open;
        if worker.is_elsewhere {
            return None; // what it would leave here comes by the socket
        }
        let is_little = count == 1 || worker.load() <= TRIFLE;
        (quiet && is_little).then_some(index)
    }

    /// Hands a lone task over if its worker is looking for it, and then looks for the report, until `until` at most.
    ///
    /// A worker that sleeps gets it by the socket, and nobody looks: it may need this very processor to wake up on.
    pub(super) fn look_for_lone(&mut self, now: u64, until: u64) {
        if self.entries.is_empty() || !self.events.is_empty() {
            return; // between two tasks the worker goes on looking
        }
        let lone = self.lone_worker();
        if self.lone.told != lone {
            self.tell_to_look(lone);
        }
        let Some(worker) = lone.and_then(|index| self.workers[index].as_mut()) else {
            return;
        };
        let mut left = false;
        if worker.claims.patience() > 0 && !worker.outbox.is_empty() {
            worker.claims.open(Place::FromWorker);
            left = worker.outbox.leave(&worker.claims);
            self.lone.there.note(left);
        }
        let patience = if self.lone.there.try_it() { PATIENCE } else { 0 };
        if worker.claims.patience() != patience {
            worker.claims.set_patience(patience);
        }
        if left && self.lone.here.try_it() {
            let hit = worker.claims.look_until(Place::FromWorker, until.min(now + PATIENCE));
            self.lone.here.note(hit);
        }
        if let Err(why) = self.take_left(lone) {
            self.lose(lone.unwrap_or_default(), why);
        }
    }

    /// Takes what a worker left; why its link is broken, if it is.
    fn take_left(&mut self, index: Option<usize>) -> Result<(), String> {
        let Some((index, worker)) = index.and_then(|index| Some((index, self.workers[index].as_mut()?))) else {
            return Ok(());
        };
        match worker.inbox.take_from(&worker.claims, Place::FromWorker, worker.link.as_fd()) {
            Ok(Filled::Some) => self.take_frames(index).map_err(|error| format!("it sent {error}")),
            Ok(Filled::Empty | Filled::Ended) => Ok(()), // the poller tells of its end, too
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(format!("it sent {error}")),
            Err(error) => Err(format!("its link failed: {error}")),
        }
    }

    /// Lets this worker look for its next task, and no other.
    fn tell_to_look(&mut self, index: Option<usize>) {
        let patient = self.lone.told.take().and_then(|before| self.workers[before].as_ref());
        if let Some(worker) = patient {
            worker.claims.set_patience(0);
        }
        self.lone.told = index;
    }
}
