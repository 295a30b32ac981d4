//! What the bodies of one run have done, and what later ones see of it.
//!
//! - [`Ledger`]: the effects of attempts, kept branch by branch until their group joins.
//! - [`Versions`]: the channel as it was when somebody began to look, while others commit to it.
//! - [`fill`]: the rule by which parameters get their values.
//!
//! Generic over the value: the tests use integers, the bindings use bytes and Python objects. Must not know Python, I/O or
//! clocks, nor which task runs next (the scheduler's) or where (the places').
#![forbid(unsafe_code)]
mod arguments;
mod branch;
mod effects;
mod ledger;
mod versions;

pub use arguments::{fill, Filled, Look, Parameter};
pub use branch::{BranchLog, Counts, Found, Names};
pub use effects::{Effects, Entry, Key, Operation, Write};
pub use ledger::{Ended, Fork, Ledger};
pub use versions::Versions;

/// A task, as the scheduler numbers it.
pub type Node = u32;
/// A branch, as the scheduler numbers it; 0 is the workflow's own.
pub type BranchId = u64;
