//! Vocabulary one of three: what can come in. Must not know how any of it is handled.
use crate::action::StopReason;
use crate::ids::{EdgeId, Micros, NodeId, Ticket};

/// What a task asked for while it ran; takes effect when it completes, in call order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Run `node` as well, without waiting for its predecessors.
    Enqueue {
        /// What to run.
        node: NodeId,
        /// Handed out with the attempt.
        tag: i64,
    },
    /// Run `node` instead of the normal successors.
    Goto {
        /// Where to.
        node: NodeId,
        /// Handed out with the attempt.
        tag: i64,
    },
    /// Run the same task again; its successors wait until it stops iterating.
    Iterate {
        /// Handed out with the attempt.
        tag: i64,
    },
    /// This task completes, nothing further starts.
    Terminate,
    /// This task does not complete, everything stops.
    Cancel,
}

impl Directive {
    /// What it lets run beside the normal successors.
    pub(crate) fn enqueued(&self) -> Option<NodeId> {
        match *self {
            Directive::Enqueue { node, .. } => Some(node),
            Directive::Goto { .. } | Directive::Iterate { .. } | Directive::Terminate | Directive::Cancel => None,
        }
    }
}

/// Queued work as a checkpoint keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// What shall run.
    pub node: NodeId,
    /// The tag of the directive that asked for it, or 0.
    pub tag: i64,
    /// The task whose completion started it.
    pub cause: Option<NodeId>,
}

/// Everything that can happen to a scheduler. `now` comes beside it.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run begins at these nodes.
    Start {
        /// In the order in which they shall start.
        roots: &'a [NodeId],
    },
    /// The run goes on from a checkpoint.
    Resume {
        /// Branch 0's queue, in order.
        queue: &'a [Work],
        /// Edges and their marks as [`crate::Scheduler::edge_marks`] gave them; only "fired" matters, the rest follows.
        marks: &'a [(EdgeId, u8)],
        /// How often each node had completed.
        executions: &'a [(NodeId, u32)],
    },
    /// An attempt's body returned, or a joined group's policy was content.
    Completed {
        /// Which attempt.
        ticket: Ticket,
        /// What it asked for.
        directives: &'a [Directive],
    },
    /// An attempt's body raised, its worker died, or a joined group's policy was not content.
    Failed {
        /// Which attempt.
        ticket: Ticket,
        /// When to try again; `None`: never, the branch fails.
        retry_delay: Option<Micros>,
    },
    /// Somebody outside of the run ends it: before anything else starts, what is under way is given up.
    Stopped {
        /// Terminated or cancelled.
        reason: StopReason,
    },
}
