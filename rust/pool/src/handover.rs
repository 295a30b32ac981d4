//! The quick way for small frames: a place in the shared block, in each direction, where one is left for somebody who
//! is looking there, so that neither side needs the system.
//!
//! Owns the layout of both places and who may touch them when. Must not know frames: what is taken here goes through the
//! same inbox, with the same checks, as what comes by the socket.
//!
//! A place is *away* until its receiver opens it and *looks*. Only then may the sender fill it, with one swap at the end,
//! so nothing is ever left for somebody who has turned to the socket meanwhile: then the swap fails, and the socket it is.
//! With the bytes goes the number of bytes that were sent by the socket before, which have to be taken first.
use std::sync::atomic::Ordering;

use crate::claims::ClaimTable;
use crate::os;

/// Bytes that a place has room for.
pub const ROOM: usize = 4096;
/// Words of a place: state, length and bytes sent before on cache lines of their own, then the bytes.
pub const PLACE_WORDS: usize = 16 + ROOM / 8;
const LENGTH: usize = 8;
const BEFORE: usize = 9;
const BYTES: usize = 16;

const AWAY: u64 = 0;
const LOOKING: u64 = 1;
const FULL: u64 = 2;

/// Looks at the clock once in so many looks at the place.
const LOOKS: u32 = 16;

/// Which of the two places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The coordinator fills it.
    ToWorker,
    /// The worker fills it.
    FromWorker,
}

/// What was taken from a place; the bytes are in the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// How many bytes the sender had sent by the socket before.
    pub before: u64,
}

impl ClaimTable {
    /// Receiver: from now on the sender may use the place.
    pub fn open(&self, place: Place) {
        self.place(place, 0).store(LOOKING, Ordering::Release);
    }

    /// Receiver: looks until something is there or the time (of [`os::now`]) has come; true if something is.
    pub fn look_until(&self, place: Place, until: u64) -> bool {
        let state = self.place(place, 0);
        loop {
            for _ in 0..LOOKS {
                if state.load(Ordering::Acquire) == FULL {
                    return true;
                }
                std::hint::spin_loop();
            }
            if os::now() >= until {
                return false;
            }
        }
    }

    /// Receiver: turns away, and takes what is there, at the end of `buffer`.
    pub fn shut(&self, place: Place, buffer: &mut Vec<u8>) -> Option<Taken> {
        let state = self.place(place, 0);
        if state.compare_exchange(LOOKING, AWAY, Ordering::AcqRel, Ordering::Acquire) != Err(FULL) {
            state.store(AWAY, Ordering::Release);
            return None;
        }
        // The other process may scribble: whatever is there is no more than bytes to be checked.
        let length = (self.place(place, LENGTH).load(Ordering::Relaxed) as usize).min(ROOM);
        let before = self.place(place, BEFORE).load(Ordering::Relaxed);
        buffer.reserve(length + 8);
        let start = buffer.len();
        for index in 0..length.div_ceil(8) {
            buffer.extend_from_slice(&self.place(place, BYTES + index).load(Ordering::Relaxed).to_le_bytes());
        }
        buffer.truncate(start + length);
        state.store(AWAY, Ordering::Release);
        Some(Taken { before })
    }

    /// Sender: leaves bytes for the receiver if it is looking and they fit; `before` were sent by the socket so far.
    pub fn leave(&self, place: Place, bytes: &[u8], before: u64) -> bool {
        let state = self.place(place, 0);
        if bytes.len() > ROOM || state.load(Ordering::Acquire) != LOOKING {
            return false;
        }
        self.place(place, LENGTH).store(bytes.len() as u64, Ordering::Relaxed);
        self.place(place, BEFORE).store(before, Ordering::Relaxed);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.place(place, BYTES + index).store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
        state.compare_exchange(LOOKING, FULL, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Whether looking is worth its time: after several misses in a row it is tried ever more rarely.
#[derive(Debug, Default)]
pub struct Worth {
    misses: u32,
    skip: u32,
}

/// Misses in a row that are forgiven.
const FORGIVEN: u32 = 4;
/// At most so many turns are skipped between two tries, as a power of two.
const RAREST: u32 = 8;

impl Worth {
    /// Whether to look this time.
    pub fn try_it(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        true
    }

    /// Takes in whether looking has saved a wait.
    pub fn note(&mut self, hit: bool) {
        if hit {
            self.misses = 0;
        } else {
            self.misses += 1;
            if self.misses > FORGIVEN {
                self.skip = 1 << (self.misses - FORGIVEN).min(RAREST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ClaimTable {
        ClaimTable::map(os::memory_file().unwrap()).unwrap()
    }

    #[test]
    fn bytes_of_any_length_come_through() {
        let table = table();
        for length in [0, 1, 7, 8, 9, 100, ROOM] {
            let bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
            table.open(Place::ToWorker);
            assert!(table.leave(Place::ToWorker, &bytes, 5));
            let mut taken = vec![9];
            assert_eq!(table.shut(Place::ToWorker, &mut taken), Some(Taken { before: 5 }));
            assert_eq!(taken[1..], bytes);
        }
    }

    #[test]
    fn nothing_is_left_where_nobody_looks() {
        let table = table();
        assert!(!table.leave(Place::FromWorker, b"x", 0));
        table.open(Place::FromWorker);
        assert!(!table.leave(Place::ToWorker, b"x", 0));
        assert!(!table.leave(Place::FromWorker, &[0; ROOM + 1], 0));
        assert_eq!(table.shut(Place::FromWorker, &mut Vec::new()), None);
        assert!(!table.leave(Place::FromWorker, b"x", 0));
    }

    #[test]
    fn what_is_there_is_not_overwritten() {
        let table = table();
        table.open(Place::FromWorker);
        assert!(table.leave(Place::FromWorker, b"first", 0));
        assert!(!table.leave(Place::FromWorker, b"second", 0));
        let mut taken = Vec::new();
        assert!(table.shut(Place::FromWorker, &mut taken).is_some());
        assert_eq!(taken, b"first");
    }

    #[test]
    fn a_false_length_or_state_gives_no_more_than_bytes() {
        let table = table();
        table.open(Place::FromWorker);
        assert!(table.leave(Place::FromWorker, b"x", 0));
        table.place(Place::FromWorker, LENGTH).store(u64::MAX, Ordering::Relaxed);
        let mut taken = Vec::new();
        assert!(table.shut(Place::FromWorker, &mut taken).is_some());
        assert_eq!(taken.len(), ROOM);
        table.place(Place::FromWorker, 0).store(77, Ordering::Relaxed);
        assert_eq!(table.shut(Place::FromWorker, &mut taken), None);
        assert!(!table.leave(Place::FromWorker, b"x", 0));
    }

    #[test]
    fn every_message_arrives_once_by_one_of_the_two_ways() {
        let table = table();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..50_000_u64 {
                    if !table.leave(Place::ToWorker, &number.to_le_bytes(), number) {
                        sender.send(number).unwrap();
                    }
                }
                drop(sender);
            });
            let mut seen = Vec::new();
            let mut ended = false;
            while !ended {
                table.open(Place::ToWorker);
                table.look_until(Place::ToWorker, os::now() + 200);
                let mut bytes = Vec::new();
                if let Some(taken) = table.shut(Place::ToWorker, &mut bytes) {
                    let number = u64::from_le_bytes(bytes.try_into().unwrap());
                    assert_eq!(number, taken.before);
                    seen.push(number);
                }
                loop {
                    match receiver.try_recv() {
                        Ok(number) => seen.push(number),
                        Err(std::sync::mpsc::TryRecvError::Empty) => break,
                        Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                            ended = table.place(Place::ToWorker, 0).load(Ordering::Acquire) == AWAY;
                            break;
                        }
                    }
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..50_000).collect::<Vec<_>>());
        });
    }

    #[test]
    fn looking_in_vain_becomes_rare_and_one_hit_makes_up_for_it() {
        let mut worth = Worth::default();
        let mut tries = 0;
        for _ in 0..10_000 {
            if worth.try_it() {
                tries += 1;
                worth.note(false);
            }
        }
        assert!((20..60).contains(&tries), "{tries}");
        while !worth.try_it() {}
        worth.note(true);
        assert!(worth.try_it());
    }
}
