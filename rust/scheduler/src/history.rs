//! What has happened to activations, for who asked for it: ready, started, ended; taken out in batches.
//! Owns: the entries that nobody has taken yet. Must not know: why anything happened, who listens.
use crate::ids::{BranchId, Micros, NodeId, Ticket};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// Well.
    Completed = 0,
    /// For good.
    Failed = 1,
    /// It failed, and is tried again.
    Retried = 2,
    /// It no longer mattered.
    Abandoned = 3,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A node may run: in its branch's queue, or, for a retry, waiting for its time.
    Ready {
        /// The node whose end made it so.
        by: Option<NodeId>,
    },
    /// An attempt was handed out.
    Started {
        /// Which attempt.
        ticket: Ticket,
        /// 0 for the first try.
        attempt: u32,
    },
    /// A group's branches were opened.
    Forked {
        /// Which attempt.
        ticket: Ticket,
        /// 0 for the first try.
        attempt: u32,
    },
    /// An attempt ended.
    Ended {
        /// Which attempt.
        ticket: Ticket,
        /// How.
        end: End,
    },
}

/// One thing that happened to one node in one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When the scheduler heard of it.
    pub at: Micros,
    /// Where.
    pub branch: BranchId,
    /// To which node.
    pub node: NodeId,
    /// What.
    pub what: What,
}

/// The entries since they were last taken; none as long as nobody has asked.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// When the current call came.
    now: Micros,
    entries: Option<Vec<Entry>>,
}

impl History {
    /// Keeps entries from now on.
    pub fn begin(&mut self) {
        self.entries.get_or_insert_with(Vec::new);
    }

    /// Whether entries are kept.
    #[inline]
    pub fn is_kept(&self) -> bool {
        self.entries.is_some()
    }

    /// The time of what follows.
    #[inline]
    pub fn set_now(&mut self, now: Micros) {
        self.now = now;
    }

    /// The time of what follows.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// Adds an entry, if entries are kept.
    #[inline]
    pub fn add(&mut self, branch: BranchId, node: NodeId, what: What) {
        self.add_at(self.now, branch, node, what);
    }

    /// The same of something that happened at another time.
    #[inline]
    pub fn add_at(&mut self, at: Micros, branch: BranchId, node: NodeId, what: What) {
        if let Some(entries) = &mut self.entries {
            entries.push(Entry { at, branch, node, what });
        }
    }

    /// Takes the entries since the last call out, and keeps the next ones in `room`, which is empty.
    pub fn take(&mut self, room: Vec<Entry>) -> Vec<Entry> {
        debug_assert!(room.is_empty(), "entries are taken once");
        self.entries.as_mut().map(|entries| std::mem::replace(entries, room)).unwrap_or_default()
    }
}
