//! The reactor's vocabulary: what it says, what it refuses, and why it wakes up.
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use crate::frame::FrameError;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A task ended. The ranges are of `bytes`; times are nanoseconds of the monotonic clock.
    Report {
        /// The task.
        ticket: u64,
        /// The worker's index.
        worker: usize,
        /// As the worker gave them.
        flags: u32,
        /// When its body began.
        started: u64,
        /// When its body ended.
        ended: u64,
        /// The frame that the ranges refer to.
        bytes: Arc<Vec<u8>>,
        /// Where the result is.
        result: Range<usize>,
        /// Where the effects are.
        effects: Range<usize>,
    },
    /// The running task asks and waits for a reply.
    Request {
        /// The task.
        ticket: u64,
        /// The worker's index.
        worker: usize,
        /// The frame that the ranges refer to.
        bytes: Arc<Vec<u8>>,
        /// Where the question starts.
        body: usize,
    },
    /// A worker is gone, and with it the task it was running.
    Lost {
        /// The task that was running there, which is gone with it.
        running: Option<u64>,
        /// The worker's index.
        worker: usize,
        /// It had begun a task, this one or one before.
        has_begun: bool,
        /// How that was noticed.
        why: String,
    },
    /// The running task is over its time.
    Overtime {
        /// The task.
        ticket: u64,
        /// The worker's index.
        worker: usize,
        /// Nanoseconds since its body was called.
        running: u64,
    },
    /// The running task's worker has more memory than the task may use.
    Overmemory {
        /// The task.
        ticket: u64,
        /// The worker's index.
        worker: usize,
        /// Bytes that it and its children have resident, without shared buffers.
        used: u64,
    },
    /// There is work for more workers than there are.
    Wanted {
        /// How many there should be in all.
        workers: usize,
    },
}

/// Why a call was refused.
#[derive(Debug)]
pub enum PoolError {
    /// A payload or blob that no frame can carry.
    TooLarge(FrameError),
    /// The ticket is in the pool already, or out of range.
    BadTicket(u64),
    /// A task names a key that was not defined.
    Undefined(u64),
    /// No such worker.
    NoWorker(usize),
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for PoolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::TooLarge(error) => write!(out, "{error}"),
            PoolError::BadTicket(ticket) => {
                write!(out, "ticket {ticket} is in use or out of range")
            }
            PoolError::Undefined(key) => write!(out, "key {key} is not defined"),
            PoolError::NoWorker(worker) => write!(out, "there is no worker {worker}"),
            PoolError::Io(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for PoolError {}

impl From<io::Error> for PoolError {
    fn from(error: io::Error) -> PoolError {
        PoolError::Io(error)
    }
}

/// What became of a cancelled ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Not in the pool, or ended with its report on the way.
    Unknown,
    /// Taken back; it never ran.
    TakenBack,
    /// Running now.
    Running,
}

/// Why `step` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There are events.
    Events,
    /// Somebody wrote to the wake descriptor.
    Nudged,
    /// A signal, or a moment passed: look after signals and come again.
    Tick,
    /// The deadline passed.
    TimedOut,
}
