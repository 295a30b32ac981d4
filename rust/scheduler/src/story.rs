//! Why things are so: each node's latest reason, and the latest events for when an invariant breaks.
//! Owns: the record. Must not know: how anything is decided.
use crate::history::{History, What};
use crate::ids::{BranchId, NodeId, NONE};
use std::fmt::Write;

/// Why a node was activated, or why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// Nothing has happened to it.
    #[default]
    NeverReached,
    /// The run started there.
    Root,
    /// Its predecessor completed.
    Successor,
    /// All its predecessors that could still run had completed.
    Join,
    /// A task asked for it with `next_task`.
    NextTask,
    /// A task jumped to it.
    Goto,
    /// It asked for another iteration.
    Iteration,
    /// It failed and is tried again.
    Retry,
    /// A group runs it.
    Member,
    /// A checkpoint had it in its queue.
    Resumed,
    /// A predecessor is awaited.
    WaitsFor,
    /// The predecessor that was left jumped elsewhere.
    SkippedByGoto,
    /// All its predecessors were skipped.
    SkippedNoPredecessor,
    /// It was under way or waiting when everything around it stopped.
    Abandoned,
}

impl Reason {
    /// The name that `explain` gives.
    pub fn code(self) -> &'static str {
        match self {
            Self::NeverReached => "never_reached",
            Self::Root => "root",
            Self::Successor => "successor",
            Self::Join => "join",
            Self::NextTask => "next_task",
            Self::Goto => "goto",
            Self::Iteration => "iteration",
            Self::Retry => "retry",
            Self::Member => "member",
            Self::Resumed => "resumed",
            Self::WaitsFor => "waits_for",
            Self::SkippedByGoto => "skipped_by_goto",
            Self::SkippedNoPredecessor => "skipped_no_predecessor",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Whether a node is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is not.
    #[default]
    Idle,
    /// It waits for its turn.
    Queued,
    /// It failed, and waits until it may be tried again.
    Delayed,
    /// An attempt of it is running, or (a group) its members are.
    Running,
}

impl Standing {
    /// The name that `standing` gives.
    pub fn code(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Delayed => "delayed",
            Self::Running => "running",
        }
    }
}

/// One line of the latest events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub what: &'static str,
    pub branch: u64,
    pub node: NodeId,
    pub ticket: u64,
}

const LINES: usize = 64;

/// The record.
#[derive(Debug)]
pub(crate) struct Story {
    /// By node; in two lists, since a pair would take three bytes more.
    reasons: Vec<Reason>,
    causes: Vec<NodeId>,
    lines: [Line; LINES],
    count: usize,
    /// What happens, for who listens.
    pub history: History,
    /// The node whose end is being carried out, or `NONE`.
    pub ending: NodeId,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            reasons: Vec::new(),
            causes: Vec::new(),
            lines: [Line { what: "", branch: 0, node: NONE, ticket: 0 }; LINES],
            count: 0,
            history: History::default(),
            ending: NONE,
        }
    }
}

impl Story {
    pub fn grow(&mut self, node_count: u32) {
        self.reasons.resize(node_count as usize, Reason::NeverReached);
        self.causes.resize(node_count as usize, NONE);
    }

    /// Says why `node` is as it is and who caused that.
    #[inline]
    pub fn note(&mut self, node: NodeId, reason: Reason, who: NodeId) {
        self.reasons[node as usize] = reason;
        self.causes[node as usize] = who;
    }

    /// A node may run in a branch; `cause`: who alone made it so, or `NONE`.
    #[inline]
    pub fn ready(&mut self, branch: BranchId, node: NodeId, cause: NodeId) {
        if self.history.is_kept() {
            let by = if self.ending == NONE { cause } else { self.ending };
            self.history.add(branch, node, What::Ready { by: (by != NONE).then_some(by) });
        }
    }

    /// The latest reason and who caused it.
    pub fn reason(&self, node: NodeId) -> (Reason, Option<NodeId>) {
        let reason = self.reasons.get(node as usize).copied().unwrap_or_default();
        let who = self.causes.get(node as usize).copied().unwrap_or(NONE);
        (reason, (who != NONE && reason != Reason::NeverReached).then_some(who))
    }

    /// Writes down an event.
    #[inline]
    pub fn tell(&mut self, what: &'static str, branch: u64, node: NodeId, ticket: u64) {
        self.lines[self.count % LINES] = Line { what, branch, node, ticket };
        self.count += 1;
    }

    /// The latest events, oldest first.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for number in self.count.saturating_sub(LINES)..self.count {
            let Line { what, branch, node, ticket } = self.lines[number % LINES];
            let _ = writeln!(text, "  {number}: {what} node {node} branch {branch} ticket {ticket}");
        }
        text
    }

    pub fn memory_bytes(&self) -> usize {
        self.reasons.capacity() + self.causes.capacity() * size_of::<NodeId>() + size_of::<Self>()
    }
}
