//! Stops: terminate, cancel with its grace, failures for good, limits; and giving up what they make pointless.
//! Owns: how far a stop reaches. Must not know: edges, queues' order.
use crate::action::{Action, Outcome, StopReason};
use crate::branch::Place;
use crate::fork::Stop;
use crate::history::{End, What};
use crate::ids::{BranchId, Micros, NodeId, Ticket, ROOT};
use crate::scheduler::Scheduler;
use crate::story::Reason;
use crate::tickets::Attempt;
use crate::transition::{ActivationEvent, BranchEvent};

/// A cancel said inside a group, while members before it finish.
#[derive(Clone, Debug)]
pub(crate) struct Cancel {
    pub by: Stop,
    pub deadline: Micros,
    /// Where it was said, innermost fork first.
    path: Vec<Place>,
}

impl Scheduler {
    /// A task in `branch` completed and said terminate, or a stopped group was joined there.
    pub(crate) fn terminate(&mut self, branch: BranchId, by: Stop) {
        let Some(place) = self.branch(branch).place else {
            self.finish(StopReason::Terminated, Some(by.node), by.branch, by.ticket);
            return;
        };
        self.stop_fork(place, by);
        if let Some(cancel) = self.cancel.take() {
            match cancel.path.iter().position(|step| step.fork == place.fork) {
                // In order this one came before the cancel, which then never happened. What the cancel has given
                // up further out stays given up: the termination goes there anyway.
                Some(level) => {
                    for outer in &cancel.path[level + 1..] {
                        self.stop_fork(*outer, by);
                    }
                }
                None => self.cancel = Some(cancel),
            }
        }
        self.end_branch(branch, Outcome::Stopped);
    }

    /// Nothing behind this place counts any more.
    fn stop_fork(&mut self, place: Place, by: Stop) {
        self.give_up_behind(place);
        let Some(fork) = self.forks.get_mut(&place.fork) else { panic!("no fork {}", place.fork) };
        fork.limit = place.index + 1;
        fork.stop = Some(by);
    }

    /// A task in `branch` said cancel.
    pub(crate) fn cancel(&mut self, branch: BranchId, by: Stop, now: Micros) {
        let mut path = Vec::new();
        let mut at = branch;
        while let Some(place) = self.branch(at).place {
            path.push(place);
            at = self.forks.get(&place.fork).map_or(ROOT, |fork| fork.parent);
        }
        let Some(outermost) = path.last().copied() else {
            self.finish(StopReason::Cancelled, Some(by.node), by.branch, by.ticket);
            return;
        };
        for place in &path {
            self.give_up_behind(*place);
            if let Some(fork) = self.forks.get_mut(&place.fork) {
                fork.limit = place.index + 1;
            }
        }
        let kept = self.forks.get(&outermost.fork).map_or(0, |fork| fork.ticket);
        self.give_up_root(kept);
        let place = path[0];
        self.branches.close(branch);
        if let Some(fork) = self.forks.get_mut(&place.fork) {
            fork.open.remove(&place.index);
            fork.limit = place.index;
        }
        let deadline = match &self.cancel {
            Some(earlier) => earlier.deadline,
            None => now.saturating_add(self.config.cancel_grace),
        };
        self.cancel = Some(Cancel { by, deadline, path });
        self.cancel_if_alone();
    }

    /// Whether a cancel waits for members of this fork.
    pub(crate) fn cancel_waits_at(&self, fork: u64) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.path.iter().any(|place| place.fork == fork))
    }

    /// Ends the run as cancelled when no earlier member is under way any more.
    pub(crate) fn cancel_if_alone(&mut self) {
        let Some(cancel) = &self.cancel else { return };
        let waits = cancel.path.iter().any(|place| {
            let fork = self.forks.get(&place.fork);
            fork.is_some_and(|fork| fork.open.range(..place.index).next().is_some() || fork.has_turns())
        });
        if !waits {
            self.finish_cancelled();
        }
    }

    /// Ends the run as cancelled.
    pub(crate) fn finish_cancelled(&mut self) {
        if let Some(Cancel { by, .. }) = self.cancel.take() {
            self.finish(StopReason::Cancelled, Some(by.node), by.branch, by.ticket);
        }
    }

    /// `Event::Stopped`. It waits for the next action, since whoever asks may be anywhere in carrying one out.
    pub fn stop(&mut self, reason: StopReason) -> bool {
        let counts = !self.ended && self.stopped.is_none();
        if counts {
            self.stopped = Some(reason);
        }
        counts
    }

    /// Ends the run because somebody outside wants it.
    pub(crate) fn finish_stopped(&mut self) {
        if let Some(reason) = self.stopped.take() {
            self.finish(reason, None, ROOT, 0);
        }
    }

    /// Ends the run: everything under way is given up, and `Finished` goes out.
    pub(crate) fn finish(&mut self, reason: StopReason, node: Option<NodeId>, branch: BranchId, ticket: Ticket) {
        if self.ended {
            return;
        }
        self.give_up_root(0);
        self.cancel = None;
        self.ended = true;
        self.story.tell("finished", branch, node.unwrap_or(crate::ids::NONE), ticket);
        self.notices.push_back(Action::Finished { reason, node, branch, ticket });
    }

    /// Gives up every attempt in branch 0 but `kept`.
    fn give_up_root(&mut self, kept: Ticket) {
        if self.root.running == 0 {
            return;
        }
        let in_root = |attempt: &Attempt| attempt.branch == ROOT && attempt.ticket != kept;
        let attempts: Vec<Ticket> =
            self.tickets.in_order().iter().filter(|attempt| in_root(attempt)).map(|attempt| attempt.ticket).collect();
        self.root_cut |= !attempts.is_empty();
        for ticket in attempts {
            self.root.running -= 1;
            self.give_up(ticket);
        }
    }

    /// Gives up open branches behind a place, and those behind it that have not started.
    fn give_up_behind(&mut self, place: Place) {
        let Some(fork) = self.forks.get_mut(&place.fork) else { panic!("no fork {}", place.fork) };
        let late: Vec<u32> = fork.open.range(place.index + 1..).copied().collect();
        for index in &late {
            fork.open.remove(index);
        }
        let first = fork.first;
        let behind: Vec<_> = fork.turns().into_iter().filter(|(_, turn)| turn.index > place.index).collect();
        for (lane, turn) in behind {
            self.ready.remove(lane, turn);
        }
        for index in late {
            self.give_up_branch(first + u64::from(index));
        }
    }

    fn give_up_unstarted(&mut self, fork: u64) {
        let turns = self.forks.get(&fork).map_or_else(Vec::new, |fork| fork.turns());
        for (lane, turn) in turns {
            self.ready.remove(lane, turn);
        }
    }

    fn give_up_branch(&mut self, id: BranchId) {
        if let Some(ticket) = self.close_branch(id) {
            self.give_up(ticket);
        }
    }

    /// Removes a branch without outcome; says what it has in flight.
    fn close_branch(&mut self, id: BranchId) -> Option<Ticket> {
        self.leave_ready(id);
        let mut branch = self.branches.close(id)?;
        branch.step(BranchEvent::Abandon);
        for activation in branch.queue.in_order().iter().chain(branch.delayed.in_order()) {
            self.story.note(activation.node, Reason::Abandoned, crate::ids::NONE);
        }
        (branch.running > 0).then_some(branch.current)
    }

    /// Gives up an attempt and, if it is a group, everything in it. Without recursion: nesting has no limit.
    fn give_up(&mut self, ticket: Ticket) {
        let mut open = vec![ticket];
        while let Some(ticket) = open.pop() {
            let Some(mut attempt) = self.tickets.take(ticket) else { panic!("ticket {ticket} is unknown") };
            attempt.activation.step(ActivationEvent::Abandon);
            let node = attempt.activation.node;
            self.release_lanes(attempt.branch, node);
            self.story.note(node, Reason::Abandoned, crate::ids::NONE);
            self.story.tell("abandon", attempt.branch, node, ticket);
            self.story.history.add(attempt.branch, node, What::Ended { ticket, end: End::Abandoned });
            self.notices.push_back(Action::Abandon {
                ticket,
                node,
                branch: attempt.branch,
                attempt: attempt.activation.attempt,
            });
            if attempt.fork != 0 {
                self.give_up_unstarted(attempt.fork);
                if let Some(fork) = self.forks.remove(&attempt.fork) {
                    for index in fork.open.iter().rev() {
                        open.extend(self.close_branch(fork.branch(*index)));
                    }
                }
            }
        }
    }
}
