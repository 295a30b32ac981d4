//! One decision that a node shall run, from queue to end.
//! Owns: the one place that changes an activation's state. Must not know: queues, branches, marks.
use crate::ids::{NodeId, NONE};
use crate::story::Reason;
use crate::transition::{activation_after, ActivationEvent, ActivationState};

/// An activation; each try of it is an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Activation {
    pub tag: i64,
    pub node: NodeId,
    /// The single task whose completion started it, or `NONE`.
    pub cause: NodeId,
    /// 0 for the first try.
    pub attempt: u32,
    pub reason: Reason,
    state: ActivationState,
}

impl Activation {
    pub fn new(node: NodeId, reason: Reason, cause: NodeId, tag: i64) -> Self {
        Self { tag, node, cause, attempt: 0, reason, state: ActivationState::Queued }
    }

    pub fn state(&self) -> ActivationState {
        self.state
    }

    /// The cause as the vocabulary says it.
    pub fn cause(&self) -> Option<NodeId> {
        (self.cause != NONE).then_some(self.cause)
    }

    /// Moves on; an illegal move is a bug in this crate.
    #[inline]
    pub fn step(&mut self, event: ActivationEvent) {
        match activation_after(self.state, event) {
            Some(state) => self.state = state,
            None => panic!("node {} is {:?}: {event:?} can't happen to it", self.node, self.state),
        }
    }
}
