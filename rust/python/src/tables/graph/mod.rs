//! The graph that a user defines: names, tasks and edges, a few bytes each.
//!
//! Must not know the scheduler, nor what a task is but that it has a name.
pub(crate) mod lists;
pub(crate) mod table;
pub(crate) mod vertices;
