//! What a task must keep within.

/// Tasks of a lane are in flight at no more than so many workers, so no more of them run at once: a worker runs one at a
/// time, and what waits in it is begun there or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Which lane.
    pub number: u32,
    /// At how many workers.
    pub workers: u32,
}

/// The limits of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Nanoseconds from the call of its body; none by default.
    pub timeout: Option<u64>,
    /// Bytes that its worker may have resident while it runs; none by default.
    pub memory: Option<u64>,
    /// The lane that it is in; none by default.
    pub lane: Option<Lane>,
}
