//! The numbers that name things. Owns: the types of identities. Must not know: what any of them stands for outside.

/// A task or a group, dense from 0.
pub type NodeId = u32;
/// An edge, in the order of first addition, dense from 0.
pub type EdgeId = u32;
/// A branch; 0 is the workflow's own. Unique in a run.
pub type BranchId = u64;
/// A running attempt; unique in a run, never reused, never 0.
pub type Ticket = u64;
/// A time or a duration in microseconds.
pub type Micros = u64;
/// What attempts share and take some of, counted; its name and unit are the driver's.
pub type ResourceId = u32;

/// "No node", "no edge", "no loop", "no group".
pub const NONE: u32 = u32::MAX;
/// The workflow's own branch.
pub const ROOT: BranchId = 0;
