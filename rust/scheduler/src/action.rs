//! Vocabulary two of three: what goes out. Must not know how it is decided or carried out.
use crate::ids::{BranchId, NodeId, Ticket};

/// Why a run is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopReason {
    /// Nothing left to do.
    Completed = 0,
    /// A task said terminate.
    Terminated = 1,
    /// A task said cancel.
    Cancelled = 2,
    /// An attempt failed for good in branch 0.
    Failed = 3,
    /// The step limit was reached with work left.
    MaxSteps = 4,
    /// One node ran more often than allowed.
    Overrun = 5,
}

/// How a member's branch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// Nothing left to do in it.
    Ok = 0,
    /// An attempt failed for good.
    Failed = 1,
    /// One of its tasks said terminate; counts as ok.
    Stopped = 2,
}

/// The next thing the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run a task's body.
    Run {
        /// Names this attempt in the report.
        ticket: Ticket,
        /// The task.
        node: NodeId,
        /// Where it runs.
        branch: BranchId,
        /// 0 for the first try of this activation.
        attempt: u32,
        /// From the directive that asked for it, or 0.
        tag: i64,
        /// The single task whose completion started it.
        cause: Option<NodeId>,
    },
    /// A group started: open one scope per member; child `i` is branch `first + i`.
    Fork {
        /// Names the group's activation until after its join.
        ticket: Ticket,
        /// The group.
        node: NodeId,
        /// The branch that runs the group.
        branch: BranchId,
        /// How many members it has.
        members: u32,
        /// Branch of member 0.
        first: BranchId,
        /// The single task whose completion started the group.
        cause: Option<NodeId>,
    },
    /// A member's branch ended.
    BranchEnded {
        /// The group's.
        ticket: Ticket,
        /// The member.
        node: NodeId,
        /// The member's branch.
        branch: BranchId,
        /// Which member.
        index: u32,
        /// How.
        outcome: Outcome,
    },
    /// All branches that count have ended: replay them, ask the policy, answer with completed or failed.
    Join {
        /// The group's.
        ticket: Ticket,
        /// The group.
        node: NodeId,
        /// The branch that runs the group.
        branch: BranchId,
        /// Members below this index count.
        members: u32,
        /// Branch of member 0.
        first: BranchId,
        /// Whether a member said terminate.
        stopped: bool,
    },
    /// A running attempt (or a forked group) no longer matters; a report about it will be dropped.
    Abandon {
        /// Which attempt.
        ticket: Ticket,
        /// Its node.
        node: NodeId,
        /// Where it ran.
        branch: BranchId,
        /// Which try it was.
        attempt: u32,
    },
    /// The run is over.
    Finished {
        /// Why.
        reason: StopReason,
        /// Who is responsible, when it is one node.
        node: Option<NodeId>,
        /// Where that node ran.
        branch: BranchId,
        /// Its attempt, for failed, terminated and cancelled; else 0.
        ticket: Ticket,
    },
    /// A node ran too often in a branch, which counts as failed.
    Overrun {
        /// The node.
        node: NodeId,
        /// The branch.
        branch: BranchId,
    },
}
