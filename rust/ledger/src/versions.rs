//! The channel as it was when somebody began to look at it, while others commit to it.
//!
//! A version is a place in the row of changes; of each change the value before it is kept for as long as somebody looks at
//! the channel as it was then.
use std::collections::{BTreeMap, VecDeque};

/// What was under keys before they were changed. `None`: nothing.
pub struct Versions<K, V> {
    /// The version of the oldest change that is kept.
    oldest: u64,
    changes: VecDeque<(K, Option<V>)>,
    /// How many look at each version.
    held: BTreeMap<u64, u32>,
}

impl<K, V> Default for Versions<K, V> {
    fn default() -> Self {
        Self { oldest: 0, changes: VecDeque::new(), held: BTreeMap::new() }
    }
}

impl<K: PartialEq, V> Versions<K, V> {
    /// Somebody begins to look at the channel as it is now; what they hold until [`Versions::release`].
    pub fn hold(&mut self) -> u64 {
        let version = self.oldest + self.changes.len() as u64;
        *self.held.entry(version).or_insert(0) += 1;
        version
    }

    /// One more looks at a version that is held.
    pub fn hold_again(&mut self, version: u64) {
        *self.held.entry(version).or_insert(0) += 1;
    }

    /// They look no longer.
    pub fn release(&mut self, version: u64) {
        if let Some(count) = self.held.get_mut(&version) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&version);
                self.forget();
            }
        }
    }

    fn forget(&mut self) {
        let end = self.oldest + self.changes.len() as u64;
        let needed = self.held.keys().next().copied().unwrap_or(end);
        self.changes.drain(..(needed - self.oldest) as usize);
        self.oldest = needed;
    }

    /// Whether the value before a change is of use to anybody.
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// A key is about to be changed, which has this value now.
    pub fn change(&mut self, key: K, before: Option<V>) {
        if self.is_held() {
            self.changes.push_back((key, before));
        }
    }

    /// What was under a key at a version, if it has changed since: None if what is there now was there then.
    pub fn before<Q>(&self, version: u64, key: &Q) -> Option<Option<&V>>
    where
        K: PartialEq<Q>,
    {
        let from = version.saturating_sub(self.oldest) as usize;
        let changed = self.changes.iter().skip(from).find(|(changed, _)| changed == key);
        changed.map(|(_, before)| before.as_ref())
    }

    /// The keys that have changed since a version, each once, with what was there then.
    pub fn since(&self, version: u64) -> Vec<(&K, Option<&V>)> {
        let mut found: Vec<(&K, Option<&V>)> = Vec::new();
        for (key, before) in self.changes.iter().skip(version.saturating_sub(self.oldest) as usize) {
            if !found.iter().any(|(known, _)| *known == key) {
                found.push((key, before.as_ref()));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_began_before_a_change_sees_what_was_there() {
        let mut versions: Versions<&str, i32> = Versions::default();
        let first = versions.hold();
        versions.change("k", Some(1));
        let second = versions.hold();
        versions.change("k", Some(2));
        versions.change("new", None);
        assert_eq!(versions.before(first, &"k"), Some(Some(&1)));
        assert_eq!(versions.before(second, &"k"), Some(Some(&2)));
        assert_eq!(versions.before(second, &"new"), Some(None));
        assert_eq!(versions.before(second, &"other"), None);
        assert_eq!(versions.since(first), [(&"k", Some(&1)), (&"new", None)]);
    }

    #[test]
    fn what_nobody_can_ask_for_is_not_kept() {
        let mut versions: Versions<&str, i32> = Versions::default();
        versions.change("k", Some(0));
        let first = versions.hold();
        versions.hold_again(first);
        versions.change("k", Some(1));
        let second = versions.hold();
        versions.change("k", Some(2));
        versions.release(first);
        assert_eq!(versions.before(first, &"k"), Some(Some(&1)), "one of two still looks");
        versions.release(first);
        assert_eq!(versions.changes.len(), 1);
        assert_eq!(versions.before(second, &"k"), Some(Some(&2)));
        versions.release(second);
        assert_eq!((versions.changes.len(), versions.oldest), (0, 2));
        assert_eq!(versions.hold(), 2);
    }
}
