//! Vocabulary three of three: what can go wrong. A task that fails is no error but an event.
use std::fmt;

/// The caller's mistake; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No such node.
    UnknownNode(u32),
    /// No such edge.
    UnknownEdge(u32),
    /// Members were given to a node that was not added as a group.
    NotAGroup(u32),
    /// `Start` or `Resume` came twice.
    AlreadyStarted,
    /// More nodes or edges than a 32-bit number can name.
    Full,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownNode(node) => write!(f, "there is no node {node}"),
            Self::UnknownEdge(edge) => write!(f, "there is no edge {edge}"),
            Self::NotAGroup(node) => write!(f, "node {node} is not a group"),
            Self::AlreadyStarted => write!(f, "this scheduler has been started already"),
            Self::Full => write!(f, "a graph holds at most {} nodes and as many edges", u32::MAX - 1),
        }
    }
}

impl std::error::Error for CallError {}

/// A broken invariant: a bug in this crate, told with the latest events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What does not hold.
    pub what: String,
    /// The latest events, oldest first.
    pub story: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduler invariant broken: {}\nlatest events:\n{}", self.what, self.story)
    }
}

impl std::error::Error for Broken {}
