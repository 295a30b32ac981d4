//! How many workers there should be, and how much work keeps them busy.
//!
//! Owns when more workers are asked for. Must not start any: whoever is told does, or goes on with those that there are.
use super::{Event, Reactor};
use crate::claims::SLOTS;
use crate::worker::{Standing, Worker};

impl Reactor {
    /// Says how many workers there may be: more are asked for when there is work for them (`Event::Wanted`).
    pub fn set_capacity(&mut self, workers: usize) {
        self.capacity = workers;
    }

    /// How many more tasks would keep the workers busy, those included that are still to be started.
    pub fn room(&self) -> usize {
        let count = |is_wanted: fn(&Worker) -> bool| self.workers.iter().flatten().filter(|w| is_wanted(w)).count();
        let alive = count(|worker| worker.standing != Standing::Stopping);
        let to_come = self.capacity.saturating_sub(alive);
        let open = count(|worker| worker.standing == Standing::Open) + to_come;
        let each = (self.window / self.durations.estimate(self.latest_function)).clamp(2, SLOTS as u64) as usize;
        (open * (2 * each + 2)).saturating_sub(self.queued)
    }

    /// How many tasks of a function keep one worker busy while the caller is away.
    pub fn ahead(&self, function: u64) -> usize {
        (self.window / self.durations.estimate(function)).clamp(1, SLOTS as u64) as usize
    }

    /// Asks for more workers, as long as there are fewer than tasks. Once each: those that can't be had are missed.
    pub(super) fn ask_for_workers(&mut self) {
        let workers = self.capacity.min(self.entries.len());
        if workers <= self.asked {
            return;
        }
        self.asked = workers;
        let alive = self.workers.iter().flatten().filter(|worker| worker.standing != Standing::Stopping).count();
        if workers > alive {
            self.events.push_back(Event::Wanted { workers });
        }
    }
}
