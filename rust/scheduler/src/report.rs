//! `Event::Completed` and `Event::Failed`: what the report of an attempt entails, and in which order.
//! Owns: directives, then successors; retries. Must not know: how a run starts, what is dispatched next.
use crate::action::{Outcome, StopReason};
use crate::activation::Activation;
use crate::branch::{Branch, Jump};
use crate::error::CallError;
use crate::event::Directive;
use crate::fork::Stop;
use crate::graph::Graph;
use crate::history::{End, What};
use crate::ids::{BranchId, Micros, Ticket, ROOT};
use crate::join::Settlement;
use crate::scheduler::Scheduler;
use crate::story::{Reason, Story};
use crate::tickets::Attempt;
use crate::transition::{ActivationEvent, ActivationState, BranchEvent};
use std::collections::BTreeMap;

impl Scheduler {
    /// `Event::Completed`.
    pub fn complete(&mut self, ticket: Ticket, directives: &[Directive], now: Micros) -> Result<bool, CallError> {
        let (mut terminates, mut cancels) = (false, false);
        for directive in directives {
            match directive {
                Directive::Enqueue { node, .. } | Directive::Goto { node, .. } => self.graph.require(*node)?,
                Directive::Iterate { .. } => {}
                Directive::Terminate => terminates = true,
                Directive::Cancel => cancels = true,
            }
        }
        self.story.history.set_now(now);
        self.sync();
        let event = if cancels { ActivationEvent::Fail } else { ActivationEvent::Complete };
        let Some(attempt) = self.report(ticket, event) else {
            return Ok(false);
        };
        let (node, id) = (attempt.activation.node, attempt.branch);
        self.story.tell("complete", id, node, ticket);
        let end = if cancels { End::Failed } else { End::Completed };
        self.story.history.add(id, node, What::Ended { ticket, end });
        self.story.ending = node;
        let fork = if attempt.fork == 0 { None } else { self.forks.remove(&attempt.fork) };
        let own = Stop { node, branch: id, ticket };
        if cancels {
            self.cancel(id, own, now);
            return Ok(true);
        }
        let stop = fork.as_ref().and_then(|fork| fork.stop).or(terminates.then_some(own));
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        branch.steps += 1;
        if let Some(stop) = stop {
            branch.count_inactive(&self.graph, node);
            branch.marks.node_mut(node).count_execution();
            self.terminate(id, stop);
            return Ok(true);
        }
        let jumps = fork.map_or_else(BTreeMap::new, |fork| fork.jumps);
        let iterates = carry_out(branch, &self.graph, &mut self.story, &attempt, directives, jumps.into_values());
        branch.count_inactive(&self.graph, node);
        match iterates {
            Next::Iteration => {}
            Next::Settle(settlement) => {
                branch.marks.node_mut(node).count_execution();
                branch.settle(&self.graph, &mut self.story, node, settlement, directives);
            }
        }
        self.after(id);
        Ok(true)
    }

    /// `Event::Failed`.
    pub fn fail(&mut self, ticket: Ticket, retry_delay: Option<Micros>, now: Micros) -> bool {
        self.story.history.set_now(now);
        self.sync();
        let event = match retry_delay {
            None => ActivationEvent::Fail,
            Some(0) => ActivationEvent::RetryNow,
            Some(_) => ActivationEvent::RetryLater,
        };
        let Some(attempt) = self.report(ticket, event) else {
            return false;
        };
        let (mut activation, id) = (attempt.activation, attempt.branch);
        self.story.tell("fail", id, activation.node, ticket);
        let end = if retry_delay.is_none() { End::Failed } else { End::Retried };
        self.story.history.add(id, activation.node, What::Ended { ticket, end });
        self.forks.remove(&attempt.fork);
        let Some(delay) = retry_delay else {
            if id == ROOT {
                self.finish(StopReason::Failed, Some(activation.node), ROOT, ticket);
            } else {
                self.end_branch(id, Outcome::Failed);
            }
            return true;
        };
        activation.attempt += 1;
        activation.reason = Reason::Retry;
        self.story.note(activation.node, Reason::Retry, activation.node);
        let again = What::Ready { by: Some(activation.node) };
        self.story.history.add_at(now.saturating_add(delay), id, activation.node, again);
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        if delay == 0 {
            branch.enqueue(&self.graph, activation);
        } else {
            let by_deadline = branch.is_ranked();
            branch.delayed.push(activation, delay, now, by_deadline);
        }
        self.after(id);
        true
    }

    /// Takes an attempt that can be reported on out of the books; its branch has nothing in flight for it any more.
    #[inline]
    fn report(&mut self, ticket: Ticket, event: ActivationEvent) -> Option<Attempt> {
        match self.tickets.get(ticket)?.activation.state() {
            ActivationState::Running | ActivationState::Joining => {}
            ActivationState::Forked => return None,
            ActivationState::Queued
            | ActivationState::Delayed
            | ActivationState::Completed
            | ActivationState::Failed
            | ActivationState::Abandoned => {
                panic!("ticket {ticket} names an activation that does not run")
            }
        }
        let mut attempt = self.tickets.take(ticket)?;
        attempt.activation.step(event);
        self.release_lanes(attempt.branch, attempt.activation.node);
        self.branch_mut(attempt.branch).running -= 1;
        Some(attempt)
    }

    /// Looks at what a branch has left after one of its attempts was reported.
    #[inline]
    pub(crate) fn after(&mut self, id: BranchId) {
        let branch = if id == ROOT { &mut self.root } else { self.branches.get_mut(id).expect("an open branch") };
        if branch.is_idle() && !branch.quiet(&self.graph, &mut self.story) {
            if id == ROOT {
                self.finish(StopReason::Completed, None, ROOT, 0);
            } else {
                self.end_branch(id, Outcome::Ok);
            }
            return;
        }
        if id == ROOT {
            if self.root.delayed.is_empty() {
                return;
            }
            let idle = self.root.running == 0 && self.root.queue.is_empty();
            if self.root.is_ranked() || idle {
                self.arm(ROOT);
            }
        } else if branch.queue.is_empty() {
            branch.step(BranchEvent::OnlyDelayed);
            self.arm(id);
        } else {
            branch.step(BranchEvent::MoreWork);
            self.enter_ready(id);
        }
    }
}

/// What follows a completion.
enum Next {
    Iteration,
    Settle(Settlement),
}

/// Carries out what a completed task (or the branches of a joined group) asked for.
#[inline]
fn carry_out(
    branch: &mut Branch,
    graph: &Graph,
    story: &mut Story,
    attempt: &Attempt,
    directives: &[Directive],
    carried: impl Iterator<Item = Vec<Jump>>,
) -> Next {
    let Activation { node, cause, .. } = attempt.activation;
    let (mut jumps, mut iterates) = (false, false);
    for directive in directives {
        match *directive {
            Directive::Enqueue { node: target, tag } => {
                if branch.place.is_some() {
                    branch.seeds.push(target);
                }
                branch.activate(graph, story, Activation::new(target, Reason::NextTask, node, tag));
            }
            Directive::Goto { node: target, tag } => {
                jumps = true;
                jump(branch, graph, story, Jump { node: target, tag, cause: node });
            }
            Directive::Iterate { tag } => {
                iterates = true;
                branch.activate(graph, story, Activation::new(node, Reason::Iteration, cause, tag));
            }
            Directive::Terminate | Directive::Cancel => {}
        }
    }
    for carried in carried.flatten() {
        jumps = true;
        jump(branch, graph, story, carried);
    }
    if iterates {
        Next::Iteration
    } else if jumps {
        Next::Settle(Settlement::Jump)
    } else {
        Next::Settle(Settlement::Fire)
    }
}

/// Goes there, if that is inside the branch; else the branch carries it to its join.
fn jump(branch: &mut Branch, graph: &Graph, story: &mut Story, jump: Jump) {
    if branch.place.is_some() && !branch.can_reach(graph, jump.node) {
        branch.jumps.push(jump);
    } else {
        branch.activate(graph, story, Activation::new(jump.node, Reason::Goto, jump.cause, jump.tag));
    }
}
