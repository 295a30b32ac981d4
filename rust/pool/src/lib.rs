//! The process pool of `graflow_fast`: who runs what, and how it gets there.
//!
//! ```text
//! caller ──submit──> Reactor ──Tasks, Define──> [socket pair] ──> WorkerEnd ──next──> body
//!        <──events──         <──Reports, Request──             <──       <──report──
//!                        both sides: ClaimTable (shared memory, one word per task in flight)
//! ```
//!
//! It knows tickets, bytes and processes; it does not know tasks, scopes, graphs or Python.
mod batch;
mod claims;
mod end_error;
mod far_worker;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handover;
mod inbox;
mod journal;
mod limits;
mod memory;
mod os;
mod outbox;
mod output;
mod payload;
mod reactor;
mod reports;
mod roster;
mod tickets;
mod worker;
mod worker_end;

pub use claims::{ClaimTable, CLAIM_BYTES};
pub use end_error::EndError;
pub use far_worker::FarWorker;
pub use frame::{FrameError, MAX_BODY};
pub use inbox::Frame;
pub use journal::Journal;
pub use limits::{Lane, Limits};
pub use os::{die_with_parent, own, Wait};
pub use output::{gather, OutputFiles, OutputWatch, DESCRIPTORS, LOST};
pub use payload::{Payload, Shared};
pub use reactor::{Cancelled, Event, LongBody, PoolError, Reactor, Woken};
pub use roster::{said_words, Roster, RunningBody};
pub use worker_end::{Blocked, Task, WorkerEnd};
