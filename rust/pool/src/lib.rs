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
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handover;
mod inbox;
mod os;
mod outbox;
mod output;
mod payload;
mod reactor;
mod reports;
mod tickets;
mod worker;
mod worker_end;

pub use claims::{ClaimTable, CLAIM_BYTES};
pub use frame::{FrameError, MAX_BODY};
pub use inbox::Frame;
pub use os::die_with_parent;
pub use output::DESCRIPTORS;
pub use payload::{Payload, Shared};
pub use reactor::{Cancelled, Event, PoolError, Reactor, Woken};
pub use worker_end::{Blocked, EndError, Task, WorkerEnd};
