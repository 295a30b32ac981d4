//! The store of runs: what a run writes down while it goes, on disk, so that the death of its process loses nothing.
//!
//! A store is one SQLite file. Each run in it has *streams* of *records* (bytes), which one writer appends to. A record
//! goes into the run's *tail* first, a mapped file that outlives the process without a system call, and a thread moves
//! what is there into the database as *chunks*. Who reads joins both.
//!
//! Owns files, locks and damage. Must not know Python, nor what a record means.
mod access;
mod check;
mod chunk;
mod database;
mod error;
mod forked;
mod gc;
mod lingering;
mod locks;
mod mover;
mod reader;
mod runs;
mod store;
pub mod tail;
mod takeover;
mod values;
mod writer;

pub use check::{Checked, Finding};
pub use chunk::Batch;
pub use error::{Error, Result};
pub use gc::{Collected, Limits};
pub use reader::Records;
pub use runs::{Begin, Run, RunId, State};
pub use store::{Options, Store};
pub use writer::Writer;

/// How many streams a run has; they are numbered from 0.
pub const STREAMS: u8 = 16;

/// The longest record, in bytes.
pub const MAXIMUM_RECORD: usize = 1 << 20;
