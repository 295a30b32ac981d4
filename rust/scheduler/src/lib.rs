//! The pure scheduler of `graflow_fast`: [`Event`]s and the time in, [`Action`]s out. No I/O, clock or randomness;
//! the same events give the same actions. The rules are in `docs/design.md`, the states in `docs/state-machine.md`.
#![forbid(unsafe_code)]

mod action;
mod activation;
mod branch;
mod branches;
mod check;
mod control;
mod dispatch;
mod error;
mod event;
mod fork;
mod graph;
mod history;
mod ids;
mod join;
mod lanes;
mod loops;
mod marks;
mod query;
mod queue;
mod report;
mod scheduler;
mod start;
mod story;
mod tickets;
pub mod transition;

pub use action::{Action, Outcome, StopReason};
pub use error::{Broken, CallError};
pub use event::{Directive, Event, Work};
pub use history::{End, Entry, What};
pub use ids::{BranchId, EdgeId, Micros, NodeId, ResourceId, Ticket, ROOT};
pub use scheduler::{Config, Scheduler};
pub use story::{Reason, Standing};
pub use tickets::TicketBlocks;
