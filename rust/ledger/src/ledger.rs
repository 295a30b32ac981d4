//! The branches under way: begun, added to, ended, and handed over in member order at the join.
use rustc_hash::FxHashMap as HashMap;

use crate::branch::{BranchLog, Counts, Found, Names};
use crate::effects::Effects;
use crate::{BranchId, Node};

/// What a branch has done by its end: mostly nothing but its member's result.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended<V> {
    /// The member ran once and left this.
    Member(V),
    /// All there is.
    Log(Box<BranchLog<V>>),
}

enum Doing<V> {
    /// Tasks have started, none has ended.
    Started(Counts),
    Done(Ended<V>),
}

/// A group that is running.
pub struct Fork<V> {
    /// Its first branch.
    pub first: BranchId,
    /// Its members, in order.
    pub members: Vec<Node>,
    /// The branch that it runs in.
    pub parent: BranchId,
    done: Vec<(u32, Ended<V>)>,
    ended: Vec<u32>,
}

impl<V> Fork<V> {
    /// The index of a branch among this fork's.
    pub fn index(&self, branch: BranchId) -> Option<u32> {
        let index = branch.checked_sub(self.first)?;
        (index < self.members.len() as u64).then_some(index as u32)
    }
}

/// What the branches of a run's groups have done. The workflow's own branch writes to the channel itself.
pub struct Ledger<V> {
    forks: Vec<Fork<V>>,
    branches: HashMap<BranchId, Doing<V>>,
}

impl<V> Default for Ledger<V> {
    fn default() -> Self {
        Self { forks: Vec::new(), branches: HashMap::default() }
    }
}

impl<V: Clone> Ledger<V> {
    /// A group has started.
    pub fn open(&mut self, first: BranchId, members: Vec<Node>, parent: BranchId) {
        self.forks.push(Fork { first, members, parent, done: Vec::new(), ended: Vec::new() });
    }

    /// The fork of a branch, and the branch's index in it. Branches are mostly the youngest fork's.
    pub fn fork_of(&self, branch: BranchId) -> Option<(&Fork<V>, u32)> {
        self.forks.iter().rev().find_map(|fork| fork.index(branch).map(|index| (fork, index)))
    }

    /// A task starts in a branch, not as a repeated attempt; returns how often it has started there.
    pub fn begin(&mut self, branch: BranchId, node: Node) -> u32 {
        match self.branches.get_mut(&branch) {
            None => {
                self.branches.insert(branch, Doing::Started(Counts::of(node)));
                1
            }
            Some(Doing::Started(counts)) => counts.start(node),
            Some(Doing::Done(_)) => match self.log(branch) {
                Some(log) => log.counts.start(node),
                None => 1,
            },
        }
    }

    /// How often a task has started in a branch.
    pub fn count(&self, branch: BranchId, node: Node) -> u32 {
        match self.branches.get(&branch) {
            None => 0,
            Some(Doing::Started(counts)) => counts.of_task(node),
            Some(Doing::Done(Ended::Log(log))) => log.counts.of_task(node),
            Some(Doing::Done(Ended::Member(_))) => {
                let is_member = self.fork_of(branch).is_some_and(|(fork, index)| fork.members[index as usize] == node);
                u32::from(is_member)
            }
        }
    }

    /// Applies what an attempt did, in one step.
    pub fn apply(&mut self, branch: BranchId, node: Node, effects: Effects<V>) {
        let is_only_result = effects.writes.is_empty() && effects.added.is_empty() && effects.iteration.is_none();
        if is_only_result {
            let is_member = self.fork_of(branch).is_some_and(|(fork, index)| fork.members[index as usize] == node);
            if let Some(Doing::Started(counts)) = self.branches.get(&branch) {
                if is_member && counts.is_once(node) {
                    self.branches.insert(branch, Doing::Done(Ended::Member(effects.result)));
                    return;
                }
            }
        }
        if let Some(log) = self.log(branch) {
            log.apply(node, effects);
            return;
        }
        let mut log = BranchLog::of(node); // it was never begun: somebody else counts
        log.apply(node, effects);
        self.branches.insert(branch, Doing::Done(Ended::Log(Box::new(log))));
    }

    /// The log of a branch in which something has started.
    fn log(&mut self, branch: BranchId) -> Option<&mut BranchLog<V>> {
        let member = self.fork_of(branch).map(|(fork, index)| fork.members[index as usize])?;
        let doing = self.branches.get_mut(&branch)?;
        if let Doing::Started(counts) = doing {
            let log = BranchLog { entries: Vec::new(), counts: counts.clone() };
            *doing = Doing::Done(Ended::Log(Box::new(log)));
        } else if let Doing::Done(Ended::Member(result)) = doing {
            let mut log = BranchLog::of(member);
            log.apply(member, Effects::of_result(result.clone()));
            *doing = Doing::Done(Ended::Log(Box::new(log)));
        }
        match doing {
            Doing::Done(Ended::Log(log)) => Some(log),
            _ => None,
        }
    }

    /// What a branch itself has under a key.
    pub fn look(&self, branch: BranchId, key: &str, names: &impl Names) -> Found<'_, V> {
        match self.branches.get(&branch) {
            None | Some(Doing::Started(_)) => Found::Below,
            Some(Doing::Done(Ended::Log(log))) => log.look(key, names),
            Some(Doing::Done(Ended::Member(result))) => {
                let member = self.fork_of(branch).map(|(fork, index)| fork.members[index as usize]);
                let task = key.strip_suffix(crate::branch::RESULT);
                match (member, task) {
                    (Some(member), Some(task)) if names.is_named(member, task) => Found::Value(result),
                    _ => Found::Below,
                }
            }
        }
    }

    /// Whether a branch is under way here.
    pub fn keeps(&self, branch: BranchId) -> bool {
        self.branches.contains_key(&branch)
    }

    /// Whether a task of this branch has left anything yet.
    pub fn has_done(&self, branch: BranchId) -> bool {
        matches!(self.branches.get(&branch), Some(Doing::Done(_)))
    }

    /// The tasks that were added in a branch.
    pub fn added(&self, branch: BranchId) -> Vec<Node> {
        match self.branches.get(&branch) {
            Some(Doing::Done(Ended::Log(log))) => log.added().collect(),
            _ => Vec::new(),
        }
    }

    /// Hands a branch over: from now on somebody else keeps what it does.
    pub fn take(&mut self, branch: BranchId) -> Option<BranchLog<V>> {
        self.log(branch)?;
        match self.branches.remove(&branch) {
            Some(Doing::Done(Ended::Log(log))) => Some(*log),
            _ => None,
        }
    }

    /// A branch has ended well; false if it is not kept here.
    pub fn end(&mut self, branch: BranchId) -> bool {
        let Some(doing) = self.branches.remove(&branch) else {
            return false;
        };
        let found = self.forks.iter_mut().rev().find_map(|fork| fork.index(branch).map(|index| (fork, index)));
        if let Some((fork, index)) = found {
            if let Doing::Done(done) = doing {
                fork.done.push((index, done));
            }
            fork.ended.push(index);
        }
        true
    }

    /// A branch has failed: nothing of it counts.
    pub fn drop_branch(&mut self, branch: BranchId) {
        self.branches.remove(&branch);
    }

    /// The members of a fork that have ended here since the last call.
    pub fn take_ended(&mut self, first: BranchId) -> Vec<u32> {
        let fork = self.forks.iter_mut().find(|fork| fork.first == first);
        fork.map(|fork| std::mem::take(&mut fork.ended)).unwrap_or_default()
    }

    /// What the branches of a fork that have ended here did, in member order; the fork stays open.
    pub fn done(&self, first: BranchId) -> (Vec<Node>, Vec<(u32, Ended<V>)>) {
        let Some(fork) = self.forks.iter().find(|fork| fork.first == first) else {
            return (Vec::new(), Vec::new());
        };
        let mut done = fork.done.clone();
        done.sort_unstable_by_key(|(index, _)| *index);
        (fork.members.clone(), done)
    }

    /// Closes a fork: its members, and what each branch that ended here did, in member order.
    pub fn close(&mut self, first: BranchId) -> (Vec<Node>, Vec<(u32, Ended<V>)>) {
        let Some(position) = self.forks.iter().position(|fork| fork.first == first) else {
            return (Vec::new(), Vec::new());
        };
        let mut fork = self.forks.remove(position);
        fork.done.sort_unstable_by_key(|(index, _)| *index);
        (fork.members, fork.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::{Entry, Key, Operation, Write};

    struct Numbers;
    impl Names for Numbers {
        fn is_named(&self, node: Node, name: &str) -> bool {
            name == format!("t{node}")
        }
    }

    fn ledger() -> Ledger<i32> {
        let mut ledger = Ledger::default();
        ledger.open(10, vec![3, 4, 5], 0);
        ledger
    }

    fn set(key: &str, value: i32) -> Effects<i32> {
        let write = Write { operation: Operation::Set, key: Key::Text(key.into()), value: Some(value), expires: None };
        Effects { writes: vec![write], ..Effects::of_result(0) }
    }

    #[test]
    fn members_are_handed_over_in_their_order_whatever_order_they_ended_in() {
        let mut ledger = ledger();
        for (branch, node) in [(12, 5), (10, 3), (11, 4)] {
            assert_eq!(ledger.begin(branch, node), 1);
            ledger.apply(branch, node, Effects::of_result(node as i32));
            assert!(ledger.end(branch));
            assert!(ledger.done(10).1.contains(&(branch as u32 - 10, Ended::Member(node as i32))));
        }
        assert_eq!(ledger.take_ended(10), [2, 0, 1]);
        let (members, done) = ledger.close(10);
        assert_eq!(members, [3, 4, 5]);
        assert_eq!(done, [(0, Ended::Member(3)), (1, Ended::Member(4)), (2, Ended::Member(5))]);
    }

    #[test]
    fn a_branch_that_goes_on_keeps_what_its_member_left() {
        let mut ledger = ledger();
        ledger.begin(10, 3);
        ledger.apply(10, 3, Effects::of_result(7));
        assert_eq!(ledger.look(10, "t3.__result__", &Numbers), Found::Value(&7));
        assert_eq!(ledger.begin(10, 9), 1);
        ledger.apply(10, 9, set("k", 8));
        assert_eq!(ledger.begin(10, 9), 2);
        assert_eq!((ledger.count(10, 9), ledger.count(10, 3), ledger.count(10, 8)), (2, 1, 0));
        assert_eq!(ledger.look(10, "k", &Numbers), Found::Value(&8));
        assert_eq!(ledger.look(10, "t3.__result__", &Numbers), Found::Value(&7));
        let log = ledger.take(10).expect("it has a log");
        assert_eq!(log.counts.iter().collect::<Vec<_>>(), [(3, 1), (9, 2)]);
        assert_eq!(log.entries[0], Entry::Result(3, 7));
        assert!(!ledger.end(10), "it was handed over");
    }

    #[test]
    fn siblings_do_not_see_each_other() {
        let mut ledger = ledger();
        ledger.begin(10, 3);
        ledger.apply(10, 3, set("k", 8));
        assert_eq!(ledger.look(11, "k", &Numbers), Found::Below);
    }

    #[test]
    fn a_branch_that_failed_leaves_nothing() {
        let mut ledger = ledger();
        ledger.begin(10, 3);
        ledger.apply(10, 3, set("k", 8));
        ledger.drop_branch(10);
        assert_eq!(ledger.close(10).1, []);
    }

    #[test]
    fn a_member_that_iterates_is_counted_and_keeps_all_results() {
        let mut ledger = ledger();
        ledger.begin(10, 3);
        ledger.apply(10, 3, Effects::of_result(1));
        assert_eq!(ledger.begin(10, 3), 2);
        ledger.apply(10, 3, Effects { iteration: Some("t3_cycle_1".into()), ..Effects::of_result(2) });
        assert_eq!(ledger.look(10, "t3.__result__", &Numbers), Found::Value(&2));
        ledger.end(10);
        let (_, done) = ledger.close(10);
        let Ended::Log(log) = &done[0].1 else { panic!("it did more than return") };
        assert_eq!(log.counts.iter().collect::<Vec<_>>(), [(3, 2)]);
    }

    #[test]
    fn nested_forks_are_told_apart() {
        let mut ledger = ledger();
        ledger.open(20, vec![8], 11);
        assert_eq!(ledger.fork_of(20).map(|(fork, index)| (fork.parent, index)), Some((11, 0)));
        assert_eq!(ledger.fork_of(12).map(|(fork, index)| (fork.parent, index)), Some((0, 2)));
        assert!(ledger.fork_of(13).is_none());
    }
}
