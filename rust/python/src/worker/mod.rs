//! The worker's side: running bodies, from what it was told to the report.
pub(crate) mod context;
pub(crate) mod journal;
pub(crate) mod known;
pub(crate) mod link;
pub(crate) mod notes;
pub(crate) mod output;
pub(crate) mod packing;
pub(crate) mod runner;
pub(crate) mod sight;
