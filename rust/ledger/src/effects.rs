//! What one attempt did, and what a branch keeps of it.
use crate::Node;

/// What a write does to a key of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Stores a value in place of what was there.
    Set,
    /// Adds an item at the end of a list.
    Append,
    /// Adds an item at the front of a list.
    Prepend,
    /// Removes the key.
    Delete,
    /// Removes all keys; has no key of its own.
    Clear,
}

/// A key of the channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Key<V> {
    /// A text.
    Text(Box<str>),
    /// Anything else that can be a key.
    Other(V),
}

/// One write to the channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Write<V> {
    /// What it does.
    pub operation: Operation,
    /// To which key.
    pub key: Key<V>,
    /// The value or item; None for `Delete` and `Clear`.
    pub value: Option<V>,
    /// When the key expires, in seconds since the epoch; None leaves its limit as it is.
    pub expires: Option<f64>,
}

/// What a body that returned did to its branch. (What it asked for is the scheduler's, what it said the output's.)
#[derive(Clone, Debug, PartialEq)]
pub struct Effects<V> {
    /// What it returned.
    pub result: V,
    /// The id of the iteration that it was; None for a task under its own name.
    pub iteration: Option<Box<str>>,
    /// Its writes, in order.
    pub writes: Vec<Write<V>>,
    /// The tasks that it added to its branch.
    pub added: Vec<Node>,
}

impl<V> Effects<V> {
    /// Those of a body that did nothing but return.
    pub fn of_result(result: V) -> Self {
        Self { result, iteration: None, writes: Vec::new(), added: Vec::new() }
    }
}

/// One line of a branch's log.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<V> {
    /// A body added a task.
    Added(Node),
    /// A task left this result, under its name.
    Result(Node, V),
    /// A body wrote to the channel.
    Write(Write<V>),
}
