//! Workers that are elsewhere: behind their link is a station, which passes on frames and a copy of their claims.
//!
//! Owns what is different for them. Nothing can be taken back from them by a swap, so it is asked for (`Recall`), and comes
//! back as `Returned` or with a report. Must not know how bytes travel to a station.
use std::os::fd::RawFd;

use super::{PoolError, Reactor};
use crate::claims::Claim;
use crate::frame;
use crate::memory;

impl Reactor {
    /// Takes over the near end of the link to a worker elsewhere, and the copy of its claims.
    pub fn add_worker_elsewhere(&mut self, link: RawFd, claims: RawFd) -> Result<usize, PoolError> {
        let index = self.add_worker(link, claims, 0, None)?;
        if let Some(worker) = self.workers[index].as_mut() {
            worker.is_elsewhere = true;
        }
        Ok(index)
    }

    /// Has each worker get so much work in flight, in nanoseconds, at least: more for those that are far away.
    pub fn set_least_window(&mut self, nanoseconds: u64) {
        self.least_window = nanoseconds.max(crate::batch::HIGH);
        self.window = self.window.max(self.least_window);
    }

    /// True as long as it is not known whether a task begins that a worker elsewhere was asked to give back.
    pub fn is_in_doubt(&self, ticket: u64) -> bool {
        let worker = self.entries.get(&ticket).and_then(|entry| self.workers[entry.worker?].as_ref());
        worker.is_some_and(|worker| worker.is_elsewhere && worker.claim(ticket) == Claim::Queued)
    }

    /// Bytes that a worker's process has resident, without shared buffers if it is more than `enough`; 0 if it is gone.
    pub fn memory_of(&self, worker: usize, enough: u64) -> u64 {
        match self.workers.get(worker).and_then(Option::as_ref) {
            Some(worker) if worker.is_elsewhere => worker.claims.memory(),
            Some(worker) if worker.pid > 0 => memory::of_process(worker.pid, enough),
            _ => 0,
        }
    }

    /// Takes in what a worker gave back: it never began there.
    pub(super) fn take_returned(&mut self, index: usize, body: &[u8]) {
        let mut again = Vec::new();
        for ticket in frame::read_tickets(body) {
            let Some(worker) = self.workers[index].as_mut().filter(|worker| worker.is_elsewhere) else {
                return;
            };
            if !worker.returned(ticket) {
                continue;
            }
            if let Some(entry) = self.entries.get(&ticket) {
                worker.watch.took(entry.limits);
                if entry.cancelled {
                    self.entries.remove(&ticket);
                } else {
                    again.push(ticket);
                }
            }
        }
        self.requeue(again);
    }
}
