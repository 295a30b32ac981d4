//! The claim table: one shared word per task in flight, by which a worker and the coordinator agree who has a task.
//!
//! Owns the layout of the shared block and every atomic operation on it. Must not know frames or queues.
//!
//! A word is `ticket << 2 | state`. Only two transitions race, and both start from `QUEUED` by compare-and-swap: the
//! worker's to `STARTED`, the coordinator's to free. As the ticket is part of the word, a slot may be used again at
//! once: a worker that comes late to an old record finds another word there and skips it.
//!
//! The block is shared with a process that may crash or scribble; every read is treated as untrusted.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::handover::{Place, PLACE_WORDS};
use crate::os;

mod mirror;

pub use mirror::Told;

/// Tasks in flight on one worker at most.
pub const SLOTS: usize = 1024;
const FIRST_SLOT: usize = 64;
/// The two places of [`crate::handover`] follow the slots.
const FIRST_PLACE: usize = FIRST_SLOT + SLOTS;
const WORDS: usize = FIRST_PLACE + 2 * PLACE_WORDS;
/// Size of the shared block.
pub const CLAIM_BYTES: usize = WORDS * 8;
/// Tickets are below this, as two bits of the word are the state.
pub const MAX_TICKET: u64 = 1 << 62;

// What one side writes while the other reads is on a cache line of its own.
const LIVE_EPOCH: usize = 0;
const RUNNING_SINCE: usize = 8;
const BODY_SINCE: usize = 9;
const LINK_BROKEN: usize = 10;
/// The ticket of the running task plus one, 0 between two.
const RUNNING: usize = 11;
/// In a copy: the memory of the worker's process and its children, in bytes.
const MEMORY: usize = 12;
const PATIENCE: usize = 16;
// What a body says of itself: a number that is odd while it is written, its ticket plus one, how much is done and in all
// (floating-point numbers), and a text of so many bytes.
const SAID: usize = 24;
const SAID_TEXT: usize = SAID + 5;
/// The longest text, in bytes.
const MOST_SAID: usize = (NAMED - SAID_TEXT) * 8;
// The running task's name, for who looks (`_commands/stacks.py`): its ticket plus one, so many bytes, and a text.
const NAMED: usize = 48;
const NAME: usize = NAMED + 2;
const MOST_NAMED: usize = (FIRST_SLOT - NAME) * 8;

const FREE: u64 = 0;
const QUEUED: u64 = 1;
const STARTED: u64 = 2;
const DONE: u64 = 3;

/// What the table says about one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Not begun.
    Queued,
    /// Begun and not ended.
    Started,
    /// Ended.
    Done,
    /// The word is not about this task (or was overwritten).
    Other,
}

/// One side's view of a worker's claim table.
pub struct ClaimTable {
    base: NonNull<AtomicU64>,
}

// SAFETY: the mapping belongs to the process, not to a thread, and all access goes through atomics.
unsafe impl Send for ClaimTable {}
// SAFETY: as above; there is no non-atomic access.
unsafe impl Sync for ClaimTable {}

impl ClaimTable {
    /// Maps the block behind `fd`, growing an empty file to its size; the descriptor is not needed afterwards.
    pub fn map(fd: OwnedFd) -> io::Result<ClaimTable> {
        let file = File::from(fd);
        let size = file.metadata()?.len();
        if size == 0 {
            file.set_len(CLAIM_BYTES as u64)?;
        } else if size < CLAIM_BYTES as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the claim block is too small"));
        }
        let base = os::map_shared(file.as_fd(), CLAIM_BYTES)?;
        Ok(ClaimTable { base: base.cast() })
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < WORDS);
        // SAFETY: the mapping is CLAIM_BYTES long, page aligned, lives as long as self, and the index was checked.
        unsafe { self.base.add(index).as_ref() }
    }

    fn slot(&self, slot: u32) -> Option<&AtomicU64> {
        ((slot as usize) < SLOTS).then(|| self.word(FIRST_SLOT + slot as usize))
    }

    /// A word of one of the two places.
    pub fn place(&self, place: Place, word: usize) -> &AtomicU64 {
        assert!(word < PLACE_WORDS);
        let first = match place {
            Place::ToWorker => FIRST_PLACE,
            Place::FromWorker => FIRST_PLACE + PLACE_WORDS,
        };
        self.word(first + word)
    }

    /// For how many nanoseconds the worker should look at its place before it sleeps.
    pub fn patience(&self) -> u64 {
        self.word(PATIENCE).load(Ordering::Relaxed)
    }

    /// Coordinator: says for how many nanoseconds the worker should look at its place before it sleeps.
    pub fn set_patience(&self, nanoseconds: u64) {
        self.word(PATIENCE).store(nanoseconds, Ordering::Relaxed);
    }

    /// Coordinator: offers a task in a free slot.
    pub fn offer(&self, slot: u32, ticket: u64) {
        if let Some(word) = self.slot(slot) {
            word.store(ticket << 2 | QUEUED, Ordering::Release);
        }
    }

    /// Coordinator: takes a task back; true if it had not been started and never will be.
    pub fn take_back(&self, slot: u32, ticket: u64) -> bool {
        self.swap(slot, ticket << 2 | QUEUED, FREE)
    }

    /// Worker: starts a task; false if it was taken back.
    pub fn start(&self, slot: u32, ticket: u64, now: u64) -> bool {
        // Written before the word so that whoever sees STARTED also sees times not older than this task.
        self.word(BODY_SINCE).store(0, Ordering::Relaxed);
        self.word(RUNNING_SINCE).store(now, Ordering::Relaxed);
        let is_ours = self.swap(slot, ticket << 2 | QUEUED, ticket << 2 | STARTED);
        if is_ours {
            self.word(RUNNING).store(ticket + 1, Ordering::Release);
        }
        is_ours
    }

    /// Worker: ends the task it started.
    pub fn finish(&self, slot: u32, ticket: u64) -> bool {
        self.word(RUNNING).store(0, Ordering::Relaxed);
        self.swap(slot, ticket << 2 | STARTED, ticket << 2 | DONE)
    }

    /// What the table says about a task.
    pub fn look(&self, slot: u32, ticket: u64) -> Claim {
        let Some(word) = self.slot(slot) else {
            return Claim::Other;
        };
        match word.load(Ordering::Acquire).wrapping_sub(ticket << 2) {
            QUEUED => Claim::Queued,
            STARTED => Claim::Started,
            DONE => Claim::Done,
            _ => Claim::Other,
        }
    }

    /// When the running task was started, in nanoseconds; meaningful after [`Claim::Started`].
    pub fn running_since(&self) -> u64 {
        self.word(RUNNING_SINCE).load(Ordering::Relaxed)
    }

    /// Worker: says that the running task has all it needs, and its body is called now.
    pub fn begin_body(&self, now: u64) {
        self.word(BODY_SINCE).store(now, Ordering::Relaxed);
    }

    /// When the running task's body was called, in nanoseconds; `None` while it is being prepared (its function is
    /// loaded with the modules it names). Meaningful after [`Claim::Started`].
    pub fn body_since(&self) -> Option<u64> {
        let since = self.word(BODY_SINCE).load(Ordering::Relaxed);
        (since > 0).then_some(since)
    }

    /// The ticket of the task that is running, for those who only look; it may have ended by now.
    pub fn running(&self) -> Option<u64> {
        self.word(RUNNING).load(Ordering::Acquire).checked_sub(1)
    }

    /// Worker: what the running body says of itself; `total`: not a number where it is not known.
    pub fn say(&self, done: f64, total: f64, text: &str) {
        let ticket = self.word(RUNNING).load(Ordering::Relaxed);
        let text = beginning(text, MOST_SAID);
        let version = self.word(SAID);
        // One of a body's threads at a time: an odd number is somebody's who is writing, and who comes late may be left out.
        let before = version.load(Ordering::Relaxed);
        if before % 2 == 1 || version.compare_exchange(before, before + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return;
        }
        self.word(SAID + 1).store(ticket, Ordering::Relaxed);
        self.word(SAID + 2).store(done.to_bits(), Ordering::Relaxed);
        self.word(SAID + 3).store(total.to_bits(), Ordering::Relaxed);
        self.word(SAID + 4).store(text.len() as u64, Ordering::Relaxed);
        self.write(SAID_TEXT, text);
        version.store(before + 2, Ordering::Release);
    }

    /// Worker: what the running task is called.
    pub fn name(&self, name: &str) {
        let name = beginning(name, MOST_NAMED);
        self.word(NAMED + 1).store(name.len() as u64, Ordering::Relaxed);
        self.write(NAME, name);
        self.word(NAMED).store(self.word(RUNNING).load(Ordering::Relaxed), Ordering::Release);
    }

    fn write(&self, first: usize, text: &[u8]) {
        for (place, part) in text.chunks(8).enumerate() {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            self.word(first + place).store(u64::from_ne_bytes(bytes), Ordering::Relaxed);
        }
    }

    /// What the body of a ticket has said of itself last: how much is done, how much in all, a text.
    pub fn said(&self, ticket: u64) -> Option<(f64, f64, String)> {
        let version = self.word(SAID).load(Ordering::Acquire);
        let number = |index: usize| f64::from_bits(self.word(index).load(Ordering::Relaxed));
        let (done, total) = (number(SAID + 2), number(SAID + 3));
        let length = (self.word(SAID + 4).load(Ordering::Relaxed) as usize).min(MOST_SAID);
        let mut text: Vec<u8> = (SAID_TEXT..SAID_TEXT + length.div_ceil(8))
            .flat_map(|index| self.word(index).load(Ordering::Relaxed).to_ne_bytes())
            .collect();
        text.truncate(length);
        let is_its = self.word(SAID + 1).load(Ordering::Relaxed) == ticket + 1;
        std::sync::atomic::fence(Ordering::Acquire);
        let is_whole = version % 2 == 0 && self.word(SAID).load(Ordering::Relaxed) == version;
        (is_its && is_whole).then(|| (done, total, String::from_utf8_lossy(&text).into_owned()))
    }

    /// True if the worker has ever begun a task.
    pub fn has_begun(&self) -> bool {
        self.running_since() > 0
    }

    /// Worker: says that it can't use its link any more. The table stays when all descriptors are closed.
    fn note_broken_link(&self) {
        self.word(LINK_BROKEN).store(1, Ordering::Release);
    }

    /// Worker: passes on how the link answered, noting that it can't be used any more.
    pub fn told<T>(&self, answer: io::Result<T>) -> io::Result<T> {
        if matches!(&answer, Err(error) if error.kind() != io::ErrorKind::Interrupted) {
            self.note_broken_link();
        }
        answer
    }

    /// True if the worker said that it can't use its link any more.
    pub fn is_link_broken(&self) -> bool {
        self.word(LINK_BROKEN).load(Ordering::Acquire) != 0
    }

    /// The epoch that the coordinator announced last.
    pub fn live_epoch(&self) -> u64 {
        self.word(LIVE_EPOCH).load(Ordering::Acquire)
    }

    /// Coordinator: announces an epoch.
    pub fn set_live_epoch(&self, epoch: u64) {
        self.word(LIVE_EPOCH).store(epoch, Ordering::Release);
    }

    fn swap(&self, slot: u32, from: u64, to: u64) -> bool {
        self.slot(slot).is_some_and(|word| word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok())
    }
}

impl Drop for ClaimTable {
    fn drop(&mut self) {
        os::unmap(self.base.cast(), CLAIM_BYTES);
    }
}

/// At most so many bytes of a text, whole letters.
fn beginning(text: &str, most: usize) -> &[u8] {
    let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end));
    &text.as_bytes()[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn table() -> ClaimTable {
        ClaimTable::map(os::memory_file().unwrap()).unwrap()
    }

    #[test]
    fn a_task_goes_from_queued_to_done() {
        let table = table();
        table.offer(5, 42);
        assert_eq!(table.look(5, 42), Claim::Queued);
        assert!(table.start(5, 42, 777));
        assert_eq!((table.look(5, 42), table.running_since()), (Claim::Started, 777));
        assert!(!table.take_back(5, 42));
        assert!(table.finish(5, 42));
        assert_eq!((table.look(5, 42), table.look(5, 43)), (Claim::Done, Claim::Other));
    }

    #[test]
    fn what_was_taken_back_cannot_start_even_if_the_slot_is_used_again() {
        let table = table();
        table.offer(0, 1);
        assert!(table.take_back(0, 1));
        table.offer(0, 2);
        assert!(!table.start(0, 1, 0));
        assert!(table.start(0, 2, 0));
    }

    #[test]
    fn a_body_begins_anew_with_each_task() {
        let table = table();
        assert!(!table.has_begun());
        table.offer(0, 1);
        assert!(table.start(0, 1, 100));
        assert_eq!((table.has_begun(), table.body_since()), (true, None));
        table.begin_body(150);
        assert_eq!(table.body_since(), Some(150));
        table.offer(1, 2);
        assert!(table.start(1, 2, 200));
        assert_eq!((table.body_since(), table.running_since()), (None, 200));
    }

    #[test]
    fn the_name_of_the_running_task_can_be_read_from_outside() {
        let table = table();
        table.offer(0, 7);
        assert!(table.start(0, 7, 100));
        table.name(&"日".repeat(100));
        assert_eq!([NAMED, NAMED + 1].map(|index| table.word(index).load(Ordering::Relaxed)), [8, 111]);
    }

    #[test]
    fn what_a_body_says_is_its_own_and_ends_with_it() {
        let table = table();
        table.offer(0, 7);
        assert_eq!(table.running(), None);
        assert!(table.start(0, 7, 100));
        assert_eq!((table.running(), table.said(7)), (Some(7), None));
        table.say(3.0, 10.0, "epoch 3");
        assert_eq!(table.said(7), Some((3.0, 10.0, "epoch 3".to_owned())));
        table.say(4.0, 10.0, &"日".repeat(1000));
        let (_, _, text) = table.said(7).unwrap();
        assert!(text.len() <= MOST_SAID && text.chars().all(|letter| letter == '日'));
        table.finish(0, 7);
        table.offer(0, 8);
        assert!(table.start(0, 8, 200));
        assert_eq!((table.running(), table.said(8)), (Some(8), None));
    }

    #[test]
    fn slots_outside_are_refused() {
        let table = table();
        table.offer(SLOTS as u32, 1);
        assert!(!table.start(SLOTS as u32, 1, 0));
        assert_eq!(table.look(u32::MAX, 1), Claim::Other);
    }

    #[test]
    fn two_mappings_see_the_same_words() {
        let fd = os::memory_file().unwrap();
        let one = ClaimTable::map(fd.try_clone().unwrap()).unwrap();
        let other = ClaimTable::map(fd).unwrap();
        one.offer(1023, 9);
        one.set_live_epoch(3);
        assert_eq!((other.look(1023, 9), other.live_epoch()), (Claim::Queued, 3));
    }

    #[test]
    fn each_task_has_exactly_one_owner() {
        let table = table();
        let owners = AtomicUsize::new(0);
        for ticket in 0..20_000_u64 {
            table.offer((ticket % 7) as u32, ticket);
        }
        for round in 0..2_000_u64 {
            let slot = (round % 7) as u32;
            table.offer(slot, round);
            std::thread::scope(|scope| {
                scope.spawn(|| owners.fetch_add(usize::from(table.start(slot, round, 0)), Ordering::Relaxed));
                scope.spawn(|| owners.fetch_add(usize::from(table.take_back(slot, round)), Ordering::Relaxed));
            });
        }
        assert_eq!(owners.load(Ordering::Relaxed), 2_000);
    }
}
