//! A copy of a claim table on another machine: what changes in the worker's own is told, and done to the copy.
//!
//! Owns which words are told. A copy is never ahead: what it says has happened, and what it does not say may have.
use std::sync::atomic::Ordering;

use super::{
    ClaimTable, BODY_SINCE, DONE, FIRST_SLOT, LINK_BROKEN, MEMORY, QUEUED, RUNNING, RUNNING_SINCE, SAID, SLOTS, STARTED,
};

/// An index and a word.
const RECORD: usize = 10;
/// The words beside the slots that are told.
const TOLD: [usize; 5] = [RUNNING_SINCE, BODY_SINCE, LINK_BROKEN, RUNNING, MEMORY];

/// What was told of one table.
pub struct Told {
    words: [u64; FIRST_SLOT],
    /// The running task's slot and word.
    started: Option<(usize, u64)>,
}

impl Default for Told {
    fn default() -> Told {
        Told { words: [0; FIRST_SLOT], started: None }
    }
}

impl ClaimTable {
    /// The worker's side: what has changed since the last look, nothing if that is nothing. `shift` is added to times.
    pub fn changes(&self, told: &mut Told, shift: i64) -> Vec<u8> {
        let mut out = Vec::new();
        for index in TOLD.into_iter().chain(SAID..FIRST_SLOT) {
            let word = self.word(index).load(Ordering::Acquire);
            if told.words[index] != word {
                told.words[index] = word;
                let is_time = matches!(index, RUNNING_SINCE | BODY_SINCE) && word > 0;
                append(&mut out, index, if is_time { word.saturating_add_signed(shift) } else { word });
            }
        }
        if let Some((index, word)) = told.started {
            let now = self.word(index).load(Ordering::Acquire);
            if now != word {
                told.started = None;
                if now == word ^ STARTED ^ DONE {
                    append(&mut out, index, now);
                }
            }
        }
        if let (None, Some(ticket)) = (told.started, self.running()) {
            let word = ticket << 2 | STARTED;
            let is_its = |index: &usize| self.word(*index).load(Ordering::Acquire) == word;
            if let Some(index) = (FIRST_SLOT..FIRST_SLOT + SLOTS).find(is_its) {
                told.started = Some((index, word));
                append(&mut out, index, word);
            }
        }
        out
    }

    /// The worker's side: notes how much memory it has, to be told with what has changed.
    pub fn note_memory(&self, bytes: u64) {
        self.word(MEMORY).store(bytes, Ordering::Relaxed);
    }

    /// The copy's side: how much memory the worker had when that was told last.
    pub fn memory(&self) -> u64 {
        self.word(MEMORY).load(Ordering::Relaxed)
    }

    /// The worker's side, when it has ended: what all slots say that were begun.
    pub fn last_changes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, LINK_BROKEN, self.word(LINK_BROKEN).load(Ordering::Acquire));
        for index in FIRST_SLOT..FIRST_SLOT + SLOTS {
            let word = self.word(index).load(Ordering::Acquire);
            if word & 3 > QUEUED {
                append(&mut out, index, word);
            }
        }
        out
    }

    /// The copy's side: does what was told. A slot that is another task's by now is left alone.
    pub fn take_changes(&self, changes: &[u8]) {
        for record in changes.chunks_exact(RECORD) {
            let (Ok(index), Ok(word)) = (record[..2].try_into(), record[2..].try_into()) else {
                continue;
            };
            let (index, word) = (usize::from(u16::from_le_bytes(index)), u64::from_le_bytes(word));
            if TOLD.contains(&index) || (SAID..FIRST_SLOT).contains(&index) {
                self.word(index).store(word, Ordering::Release);
            } else if (FIRST_SLOT..FIRST_SLOT + SLOTS).contains(&index) && word & 3 > QUEUED {
                for before in [word & !3 | QUEUED, word & !3 | STARTED] {
                    let _ = self.word(index).compare_exchange(before, word, Ordering::AcqRel, Ordering::Acquire);
                }
            }
        }
    }
}

fn append(out: &mut Vec<u8>, index: usize, word: u64) {
    out.extend_from_slice(&(index as u16).to_le_bytes());
    out.extend_from_slice(&word.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Claim;
    use crate::os;

    fn table() -> ClaimTable {
        ClaimTable::map(os::memory_file().unwrap()).unwrap()
    }

    #[test]
    fn the_copy_says_what_runs_and_since_when_by_its_own_clock() {
        let (own, copy, mut told) = (table(), table(), Told::default());
        for table in [&own, &copy] {
            table.offer(3, 7);
            table.offer(4, 8);
        }
        assert!(own.start(3, 7, 1000));
        own.begin_body(1001);
        copy.take_changes(&own.changes(&mut told, 50));
        assert_eq!((copy.look(3, 7), copy.look(4, 8)), (Claim::Started, Claim::Queued));
        assert_eq!((copy.running(), copy.running_since(), copy.body_since()), (Some(7), 1050, Some(1051)));
        assert!(own.changes(&mut told, 50).is_empty());
        own.finish(3, 7);
        assert!(own.start(4, 8, 2000));
        copy.take_changes(&own.changes(&mut told, 50));
        assert_eq!((copy.look(3, 7), copy.look(4, 8)), (Claim::Done, Claim::Started));
        own.finish(4, 8);
        copy.take_changes(&own.last_changes());
        assert_eq!(copy.look(4, 8), Claim::Done);
    }

    #[test]
    fn what_a_copy_has_given_to_another_task_is_left_alone() {
        let (own, copy, mut told) = (table(), table(), Told::default());
        own.offer(3, 7);
        assert!(own.start(3, 7, 1));
        copy.offer(3, 9);
        copy.take_changes(&own.changes(&mut told, 0));
        own.finish(3, 7);
        copy.take_changes(&own.last_changes());
        assert_eq!(copy.look(3, 9), Claim::Queued);
    }

    #[test]
    fn what_a_body_says_of_itself_is_told() {
        let (own, copy, mut told) = (table(), table(), Told::default());
        own.offer(0, 7);
        assert!(own.start(0, 7, 1));
        own.say(1.0, 2.0, "half");
        own.note_memory(1 << 40);
        copy.take_changes(&own.changes(&mut told, 0));
        assert_eq!(copy.said(7), Some((1.0, 2.0, "half".to_owned())));
        assert_eq!(copy.memory(), 1 << 40);
    }

    #[test]
    fn any_bytes_may_come() {
        let copy = table();
        copy.offer(0, 1);
        let mut seed = 7_u64;
        for _ in 0..1000 {
            let bytes: Vec<u8> = (0..37)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (seed >> 33) as u8
                })
                .collect();
            copy.take_changes(&bytes);
        }
        assert_eq!(copy.live_epoch(), 0);
    }
}
