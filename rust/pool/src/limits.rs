//! What a task must keep within.

/// The limits of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Nanoseconds from the call of its body; none by default.
    pub timeout: Option<u64>,
    /// Bytes that its worker may have resident while it runs; none by default.
    pub memory: Option<u64>,
}
