//! Tables by name or number that may have millions of rows. Must not know scheduler, pool or wire.
pub(crate) mod arguments;
pub(crate) mod columns;
pub(crate) mod graph;
pub(crate) mod load;
pub(crate) mod node_ids;
pub(crate) mod slots;
pub(crate) mod step_counts;
pub(crate) mod step_times;
pub(crate) mod values;
