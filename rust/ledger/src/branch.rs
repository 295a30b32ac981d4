//! One member's branch: what its tasks have done since the fork, and what the next one sees of that.
use crate::effects::{Effects, Entry, Key, Operation, Write};
use crate::Node;

/// What a task leaves its result under: its name and this.
pub(crate) const RESULT: &str = ".__result__";

/// Says which node has a name.
pub trait Names {
    /// Whether the node is called that.
    fn is_named(&self, node: Node, name: &str) -> bool;
}

/// What a branch itself has under a key.
#[derive(Debug, PartialEq)]
pub enum Found<'a, V> {
    /// This value.
    Value(&'a V),
    /// Nothing, whatever is below.
    Absent,
    /// It has not touched the key: what is below counts.
    Below,
    /// A list that was extended, or a value with a limit: whoever holds the channel must say.
    Unclear,
}

/// How often tasks have started: mostly one task, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Counts {
    first: (Node, u32),
    others: Vec<(Node, u32)>,
}

impl Counts {
    /// Of a branch in which one task has started.
    pub fn of(node: Node) -> Self {
        Self { first: (node, 1), others: Vec::new() }
    }

    /// Counts one more start of a task; returns how many there are now.
    pub fn start(&mut self, node: Node) -> u32 {
        let entry = if self.first.0 == node {
            &mut self.first
        } else {
            let position = self.others.iter().rposition(|(known, _)| *known == node).unwrap_or_else(|| {
                self.others.push((node, 0));
                self.others.len() - 1
            });
            &mut self.others[position]
        };
        entry.1 += 1;
        entry.1
    }

    /// How often a task has started.
    pub fn of_task(&self, node: Node) -> u32 {
        self.iter().find(|(known, _)| *known == node).map_or(0, |(_, count)| count)
    }

    /// Each task that has started, and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Node, u32)> + '_ {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// Whether nothing but this task has started, and only once.
    pub fn is_once(&self, node: Node) -> bool {
        self.first == (node, 1) && self.others.is_empty()
    }
}

/// What the tasks of a branch have done, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchLog<V> {
    /// The lines.
    pub entries: Vec<Entry<V>>,
    /// How often tasks have started.
    pub counts: Counts,
}

impl<V: Clone> BranchLog<V> {
    /// Of a branch in which one task has started.
    pub fn of(node: Node) -> Self {
        Self { entries: Vec::new(), counts: Counts::of(node) }
    }

    /// Adds what an attempt of a task did.
    pub fn apply(&mut self, node: Node, effects: Effects<V>) {
        self.entries.extend(effects.writes.into_iter().map(Entry::Write));
        self.entries.extend(effects.added.into_iter().map(Entry::Added));
        if let Some(iteration) = effects.iteration {
            let key = Key::Text(format!("{iteration}{RESULT}").into());
            let value = Some(effects.result.clone());
            self.entries.push(Entry::Write(Write { operation: Operation::Set, key, value, expires: None }));
        }
        self.entries.push(Entry::Result(node, effects.result));
    }

    /// What the branch has under a key.
    pub fn look(&self, key: &str, names: &impl Names) -> Found<'_, V> {
        let task = key.strip_suffix(RESULT);
        for entry in self.entries.iter().rev() {
            match entry {
                Entry::Added(_) => {}
                Entry::Result(node, value) => {
                    if task.is_some_and(|task| names.is_named(*node, task)) {
                        return Found::Value(value);
                    }
                }
                Entry::Write(Write { operation: Operation::Clear, .. }) => return Found::Absent,
                Entry::Write(write) => {
                    if matches!(&write.key, Key::Text(text) if **text == *key) {
                        return match (write.operation, &write.value) {
                            (Operation::Set, Some(value)) if !self.is_limited(key) => Found::Value(value),
                            (Operation::Delete, _) => Found::Absent,
                            _ => Found::Unclear,
                        };
                    }
                }
            }
        }
        Found::Below
    }

    /// Whether a write gave a key a limit, which one without a limit would have left as it is.
    fn is_limited(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| {
            let Entry::Write(write) = entry else {
                return false;
            };
            write.expires.is_some() && matches!(&write.key, Key::Text(text) if **text == *key)
        })
    }

    /// The tasks that were added in this branch.
    pub fn added(&self) -> impl Iterator<Item = Node> + '_ {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Added(node) => Some(*node),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Numbers;
    impl Names for Numbers {
        fn is_named(&self, node: Node, name: &str) -> bool {
            name == format!("t{node}")
        }
    }

    fn write(operation: Operation, key: &str, value: Option<i32>) -> Write<i32> {
        Write { operation, key: Key::Text(key.into()), value, expires: None }
    }

    fn effects(result: i32, writes: Vec<Write<i32>>) -> Effects<i32> {
        Effects { writes, ..Effects::of_result(result) }
    }

    #[test]
    fn the_last_write_to_a_key_counts() {
        let mut log = BranchLog::of(1);
        log.apply(1, effects(10, vec![write(Operation::Set, "k", Some(5)), write(Operation::Set, "k", Some(6))]));
        assert_eq!(log.look("k", &Numbers), Found::Value(&6));
        assert_eq!(log.look("t1.__result__", &Numbers), Found::Value(&10));
        assert_eq!(log.look("t2.__result__", &Numbers), Found::Below);
        log.apply(2, effects(0, vec![write(Operation::Delete, "k", None), write(Operation::Append, "l", Some(1))]));
        assert_eq!(log.look("k", &Numbers), Found::Absent);
        assert_eq!(log.look("l", &Numbers), Found::Unclear);
    }

    #[test]
    fn a_value_with_a_limit_is_not_for_others_to_judge() {
        let mut log = BranchLog::of(1);
        let limited = Write { expires: Some(1.0), ..write(Operation::Set, "k", Some(5)) };
        log.apply(1, effects(0, vec![limited]));
        assert_eq!(log.look("k", &Numbers), Found::Unclear);
        log.apply(2, effects(0, vec![write(Operation::Set, "k", Some(6))])); // which leaves the limit as it is
        assert_eq!(log.look("k", &Numbers), Found::Unclear);
    }

    #[test]
    fn clearing_hides_all_that_was_before_and_nothing_after() {
        let mut log = BranchLog::of(1);
        let writes = vec![write(Operation::Set, "a", Some(1)), write(Operation::Clear, "", None)];
        log.apply(1, effects(7, writes));
        assert_eq!(log.look("a", &Numbers), Found::Absent);
        assert_eq!(log.look("never", &Numbers), Found::Absent);
        assert_eq!(log.look("t1.__result__", &Numbers), Found::Value(&7));
    }

    #[test]
    fn a_key_that_looks_like_a_result_is_one() {
        let mut log = BranchLog::of(1);
        log.apply(1, effects(7, vec![]));
        log.apply(2, effects(0, vec![write(Operation::Set, "t1.__result__", Some(8))]));
        assert_eq!(log.look("t1.__result__", &Numbers), Found::Value(&8));
    }

    #[test]
    fn an_iteration_leaves_its_result_under_both_names() {
        let mut log = BranchLog::of(1);
        log.apply(1, Effects { iteration: Some("t1_cycle_1".into()), ..Effects::of_result(3) });
        assert_eq!(log.look("t1_cycle_1.__result__", &Numbers), Found::Value(&3));
        assert_eq!(log.look("t1.__result__", &Numbers), Found::Value(&3));
    }

    #[test]
    fn starts_are_counted_by_task() {
        let mut counts = Counts::of(4);
        assert!(counts.is_once(4));
        assert_eq!((counts.start(5), counts.start(4), counts.start(5)), (1, 2, 2));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(4, 2), (5, 2)]);
        assert!(!counts.is_once(4));
    }
}
