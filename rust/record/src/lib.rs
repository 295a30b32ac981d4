//! The record of a run: one row for each attempt that has ended, told from the scheduler's history and the times of bodies.
//! Must not know Python, files, or who reads the rows.
#![forbid(unsafe_code)]

mod columns;
mod recorder;

pub use columns::{read, Row, Rows, NO_NODE};
pub use recorder::{Recorder, CALLER, NOWHERE};
