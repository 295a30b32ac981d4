//! Workers that somebody stopped (SIGSTOP) while nothing was running in them: what they were given runs elsewhere.
//!
//! Owns when to look and what follows. A worker that was stopped in the middle of a task is left alone: the task's
//! timeout covers it. One that holds only tasks it has not begun, or ended ones whose reports have not left it, is
//! replaced, since it may be the only one.
use std::os::fd::AsFd;

use super::Reactor;
use crate::os;
use crate::worker::{Standing, Worker};

/// Time between two looks, in nanoseconds. A worker must have run nothing at two of them.
const LOOK: u64 = 50_000_000;

impl Reactor {
    /// Ends the workers that are stopped and keep others waiting.
    pub(super) fn replace_stopped(&mut self, now: u64) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        for index in 0..self.workers.len() {
            if !self.workers[index].as_mut().is_some_and(|worker| is_awaited(worker) && os::is_stopped(worker.pid)) {
                continue;
            }
            self.release(index); // from here on it can begin nothing, even if it goes on this moment
            let Some(worker) = self.workers[index].as_ref().filter(|worker| worker.running().is_none()) else {
                continue;
            };
            if let Some(process) = &worker.process {
                os::kill(process.as_fd());
            }
            self.lose(index, "it was stopped (SIGSTOP) between two tasks".to_owned());
        }
    }
}

/// True if somebody waits for a worker that has been running nothing for two looks.
fn is_awaited(worker: &mut Worker) -> bool {
    let waits = worker.pid > 0 && (worker.in_flight() > 0 || worker.standing == Standing::Stopping);
    if !waits || worker.running().is_some() {
        worker.quiet_looks = 0;
        return false;
    }
    worker.quiet_looks = worker.quiet_looks.saturating_add(1);
    worker.quiet_looks >= 2
}
