//! Who the workers of a pool are and what they run, for whoever only looks, from any thread.
//!
//! Owns this list, which the reactor keeps. What is read is a moment old, and decides nothing. Must not know tasks.
use std::sync::{Arc, Mutex, PoisonError};

use crate::claims::ClaimTable;

struct Seat {
    worker: usize,
    pid: i32,
    claims: Arc<ClaimTable>,
}

/// The workers of a pool.
#[derive(Default)]
pub struct Roster {
    seats: Mutex<Vec<Seat>>,
}

/// A body that a worker is running.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningBody {
    /// The worker's number.
    pub worker: usize,
    /// Its process, 0 as long as that is not known.
    pub pid: i32,
    /// The task's ticket.
    pub ticket: u64,
    /// Since when, in nanoseconds of the pool's clock.
    pub since: u64,
    /// What it says of itself: `3/10 epoch 3`, or nothing.
    pub said: String,
}

impl Roster {
    fn seats(&self) -> std::sync::MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, worker: usize, pid: i32, claims: Arc<ClaimTable>) {
        self.seats().push(Seat { worker, pid, claims });
    }

    pub(crate) fn set_pid(&self, worker: usize, pid: i32) {
        if let Some(seat) = self.seats().iter_mut().find(|seat| seat.worker == worker) {
            seat.pid = pid;
        }
    }

    pub(crate) fn remove(&self, worker: usize) {
        self.seats().retain(|seat| seat.worker != worker);
    }

    /// The numbers and processes of all workers.
    pub fn workers(&self) -> Vec<(usize, i32)> {
        self.seats().iter().map(|seat| (seat.worker, seat.pid)).collect()
    }

    /// What is running.
    pub fn running(&self) -> Vec<RunningBody> {
        let body = |seat: &Seat| {
            let ticket = seat.claims.running()?;
            let said = seat.claims.said(ticket).map(|(done, total, text)| said_words(done, total, &text));
            let since = seat.claims.running_since();
            let said = said.unwrap_or_default();
            Some(RunningBody { worker: seat.worker, pid: seat.pid, ticket, since, said })
        };
        self.seats().iter().filter_map(body).collect()
    }
}

/// What a body says of itself in words; `total`: not a number where it is not known.
pub fn said_words(done: f64, total: f64, text: &str) -> String {
    let amount = if total.is_nan() { format!("{done}") } else { format!("{done}/{total}") };
    if text.is_empty() {
        amount
    } else {
        format!("{amount} {text}")
    }
}
