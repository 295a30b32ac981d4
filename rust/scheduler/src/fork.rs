//! Groups: opening branches, ending them, joining.
//! Owns: a fork's books. Must not know: edges and joins of nodes, what a stop means beyond its own level.
use crate::action::{Action, Outcome};
use crate::activation::Activation;
use crate::branch::{Jump, Place};
use crate::dispatch::Turn;
use crate::history::What;
use crate::ids::{BranchId, Micros, NodeId, Ticket, NONE};
use crate::scheduler::Scheduler;
use crate::transition::{ActivationEvent, BranchEvent};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Who said terminate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    pub node: NodeId,
    pub branch: BranchId,
    pub ticket: Ticket,
}

/// Members that have not started, in member order: one cursor, or one list per lane when lanes differ.
#[derive(Debug)]
pub(crate) enum Unstarted {
    Uniform { lane: u32, next: u32 },
    PerLane(BTreeMap<u32, VecDeque<u32>>),
}

/// A group that runs.
#[derive(Debug)]
pub(crate) struct Fork {
    pub id: u64,
    pub ticket: Ticket,
    pub node: NodeId,
    pub parent: BranchId,
    pub first: BranchId,
    pub cause: NodeId,
    pub members: Arc<[NodeId]>,
    pub unstarted: Unstarted,
    /// Members below count; fewer than all once one has said terminate.
    pub limit: u32,
    pub stop: Option<Stop>,
    /// Members whose branches are open.
    pub open: BTreeSet<u32>,
    /// Steps of each ended branch.
    pub steps: Vec<u32>,
    /// Gotos that left their branch, by member.
    pub jumps: BTreeMap<u32, Vec<Jump>>,
    /// When it was opened.
    pub started: Micros,
}

impl Fork {
    pub fn branch(&self, index: u32) -> BranchId {
        self.first + u64::from(index)
    }

    /// The unstarted members that are next, one per lane.
    pub fn turns(&self) -> Vec<(u32, Turn)> {
        match &self.unstarted {
            Unstarted::Uniform { lane, next } if *next < self.limit => {
                vec![(*lane, Turn::unstarted(self.id, *next))]
            }
            Unstarted::Uniform { .. } => Vec::new(),
            Unstarted::PerLane(lists) => lists
                .iter()
                .filter_map(|(lane, list)| list.front().map(|index| (*lane, *index)))
                .filter(|(_, index)| *index < self.limit)
                .map(|(lane, index)| (lane, Turn::unstarted(self.id, index)))
                .collect(),
        }
    }

    /// Takes the next unstarted member of a lane out; says which one is next in that lane.
    pub fn start_next(&mut self, lane: u32) -> Option<u32> {
        let next = match &mut self.unstarted {
            Unstarted::Uniform { next, .. } => {
                *next += 1;
                Some(*next)
            }
            Unstarted::PerLane(lists) => {
                let list = lists.get_mut(&lane)?;
                list.pop_front();
                list.front().copied()
            }
        };
        next.filter(|index| *index < self.limit)
    }

    /// Whether every branch that counts has ended. (None is open that doesn't count.)
    pub fn is_done(&self) -> bool {
        self.open.is_empty() && !self.has_turns()
    }

    /// Whether a member that counts has not started.
    pub fn has_turns(&self) -> bool {
        match &self.unstarted {
            Unstarted::Uniform { next, .. } => *next < self.limit,
            Unstarted::PerLane(lists) => {
                lists.values().any(|list| list.front().is_some_and(|index| *index < self.limit))
            }
        }
    }
}

impl Scheduler {
    /// Opens a group's branches; its activation is `Forked` already.
    pub(crate) fn open_fork(&mut self, parent: BranchId, activation: Activation) -> Action {
        self.forked += 1;
        let id = self.forked;
        let node = activation.node;
        let ticket = self.tickets.issue(parent, id, activation);
        let members = self.graph.members(node).map_or_else(|| Arc::from([]), Arc::clone);
        let count = members.len() as u32;
        let first = self.next_branch;
        self.next_branch += u64::from(count);
        let lane = members.first().map_or(0, |member| self.graph.lane(*member));
        let unstarted = if members.iter().all(|member| self.graph.lane(*member) == lane) {
            Unstarted::Uniform { lane, next: 0 }
        } else {
            let mut lists: BTreeMap<u32, VecDeque<u32>> = BTreeMap::new();
            for (index, member) in (0..).zip(members.iter()) {
                lists.entry(self.graph.lane(*member)).or_default().push_back(index);
            }
            Unstarted::PerLane(lists)
        };
        let fork = Fork {
            id,
            ticket,
            node,
            parent,
            first,
            cause: activation.cause,
            unstarted,
            limit: count,
            stop: None,
            open: BTreeSet::new(),
            steps: vec![0; members.len()],
            jumps: BTreeMap::new(),
            started: self.story.history.now(),
            members,
        };
        for (lane, turn) in fork.turns() {
            self.ready.insert(lane, turn);
        }
        self.forks.insert(id, fork);
        self.story.tell("fork", parent, node, ticket);
        self.story.history.add(parent, node, What::Forked { ticket, attempt: activation.attempt });
        self.join_if_done(id);
        Action::Fork { ticket, node, branch: parent, members: count, first, cause: activation.cause() }
    }

    /// Opens the branch of one member, its first activation queued.
    pub(crate) fn open_branch(&mut self, fork: u64, index: u32) -> BranchId {
        let Some(fork) = self.forks.get_mut(&fork) else { panic!("no fork {fork}") };
        let member = fork.members[index as usize];
        let branch = fork.branch(index);
        fork.open.insert(index);
        let opened = self.branches.open(branch, Place { fork: fork.id, index }, member);
        let activation = Activation::new(member, crate::story::Reason::Member, fork.cause, 0);
        let group = fork.node;
        // It was ready when its group was; nobody looked at it until it was its turn.
        let now = self.story.history.now();
        self.story.history.set_now(fork.started);
        self.story.ending = group;
        opened.activate(&self.graph, &mut self.story, activation);
        self.story.ending = NONE;
        self.story.history.set_now(now);
        self.story.note(member, crate::story::Reason::Member, group);
        branch
    }

    /// Ends a member's branch whose outcome counts.
    pub(crate) fn end_branch(&mut self, id: BranchId, outcome: Outcome) {
        let Some(mut branch) = self.branches.close(id) else { panic!("no branch {id}") };
        branch.step(BranchEvent::End);
        let Some(place) = branch.place else { panic!("branch {id} has no place") };
        let Some(fork) = self.forks.get_mut(&place.fork) else { panic!("no fork {}", place.fork) };
        fork.open.remove(&place.index);
        // A failed branch leaves nothing behind, so its steps don't count either.
        if outcome != Outcome::Failed {
            fork.steps[place.index as usize] = u32::try_from(branch.steps).unwrap_or(u32::MAX);
        }
        if outcome == Outcome::Ok && !branch.jumps.is_empty() {
            fork.jumps.insert(place.index, std::mem::take(&mut branch.jumps));
        }
        self.branches.keep(branch);
        let node = fork.members[place.index as usize];
        let ticket = fork.ticket;
        self.story.tell("branch ended", id, node, ticket);
        self.notices.push_back(Action::BranchEnded { ticket, node, branch: id, index: place.index, outcome });
        self.join_if_done(place.fork);
    }

    /// Sends the join out when nothing that counts is left, unless a cancel waits at this fork.
    pub(crate) fn join_if_done(&mut self, id: u64) {
        let Some(fork) = self.forks.get(&id) else { panic!("no fork {id}") };
        if self.cancel_waits_at(id) {
            self.cancel_if_alone();
            return;
        }
        if !fork.is_done() {
            return;
        }
        let (ticket, node, branch, members, first) = (fork.ticket, fork.node, fork.parent, fork.limit, fork.first);
        let stopped = fork.stop.is_some();
        let steps: u64 = fork.steps[..members as usize].iter().map(|steps| u64::from(*steps)).sum();
        self.branch_mut(branch).steps += steps;
        let Some(attempt) = self.tickets.get_mut(ticket) else { panic!("fork {id} has lost its ticket") };
        attempt.activation.step(ActivationEvent::BranchesEnded);
        self.tickets.owe_join();
        self.story.tell("join", branch, node, ticket);
        self.notices.push_back(Action::Join { ticket, node, branch, members, first, stopped });
    }
}
