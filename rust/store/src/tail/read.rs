//! Reading a tail: the valid prefix of what was appended.
//!
//! Owns the rules by which bytes are believed. Must not know where they come from.
use super::{chained, half_checksum, space, told, Next, HALF_HEADER, RECORD_HEADER};
use crate::STREAMS;

/// Records that are behind each other, up to the first that isn't valid.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    bytes: &'a [u8],
    position: usize,
    chain: u32,
    damaged: bool,
}

impl<'a> Walk<'a> {
    /// Begins in front of a record, with the chained checksum up to there.
    pub fn new(bytes: &'a [u8], position: usize, chain: u32) -> Walk<'a> {
        Walk { bytes, position, chain, damaged: false }
    }

    /// Where the next record is, or would be.
    pub fn position(&self) -> usize {
        self.position
    }

    /// The chained checksum up to here.
    pub fn checksum(&self) -> u32 {
        self.chain
    }

    /// Whether the walk ended at something that is neither a record nor the end.
    pub fn damaged(&self) -> bool {
        self.damaged
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes.get(at..at + 4)?.try_into().ok()?))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let word = self.word(self.position)?;
        if word == 0 {
            return None;
        }
        self.damaged = true;
        let (stream, length) = told(word)?;
        let begin = self.position + RECORD_HEADER;
        let bytes = self.bytes.get(begin..begin + length)?;
        let checksum = chained(self.chain, word, bytes);
        if stream >= STREAMS || self.word(self.position + 4) != Some(checksum) {
            return None;
        }
        self.damaged = false;
        self.position += space(length);
        self.chain = checksum;
        Some((stream, bytes))
    }
}

/// A half of a tail.
#[derive(Clone, Debug)]
pub struct Half {
    generation: u64,
    next: Next,
    checksum: u32,
    bytes: Vec<u8>,
}

impl Half {
    /// The generation in a half's first bytes, 0 if nothing is in it.
    pub fn generation(bytes: &[u8]) -> u64 {
        bytes.get(..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
    }

    /// From its bytes; nothing if nothing is in it, or its header is damaged.
    pub fn read(bytes: Vec<u8>, run: u64, epoch: u64) -> Option<Half> {
        let generation = Half::generation(&bytes);
        let table = bytes.get(16..16 + usize::from(STREAMS) * 8)?;
        let checksum = half_checksum(run, epoch, generation, table);
        if generation == 0 || bytes.len() < HALF_HEADER || bytes[8..12] != checksum.to_le_bytes() {
            return None;
        }
        let mut next = [0; STREAMS as usize];
        for (number, bytes) in next.iter_mut().zip(table.chunks_exact(8)) {
            *number = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        Some(Half { generation, next, checksum, bytes })
    }

    fn walk(&self) -> Walk<'_> {
        Walk::new(&self.bytes, HALF_HEADER, self.checksum)
    }
}

/// Records that are neither in the database nor in the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The stream.
    pub stream: u8,
    /// The first that is missing.
    pub first: u64,
    /// The first that is there again.
    pub after: u64,
}

/// What was in a tail at one moment.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    halves: Vec<Half>,
}

impl Tail {
    /// Of its halves, in any order.
    pub fn new(halves: impl IntoIterator<Item = Half>) -> Tail {
        let mut halves: Vec<Half> = halves.into_iter().collect();
        halves.sort_by_key(|half| half.generation);
        Tail { halves }
    }

    /// Calls for each record that is not committed yet, in order: with its stream, number and bytes.
    ///
    /// `committed` has the number of each stream's next record in the database, and is counted on.
    ///
    /// A half whose beginning doesn't join what came before ends the log: something before it is damaged. If that is the
    /// first half of all, the database is what lacks something, which is an error.
    pub fn join(&self, committed: &mut Next, mut found: impl FnMut(u8, u64, &[u8])) -> Result<(), Gap> {
        for (order, half) in self.halves.iter().enumerate() {
            let gap = (0..STREAMS).find(|stream| half.next[usize::from(*stream)] > committed[usize::from(*stream)]);
            if let Some(stream) = gap {
                let at = usize::from(stream);
                let gap = Gap { stream, first: committed[at], after: half.next[at] };
                return if order == 0 { Err(gap) } else { Ok(()) };
            }
            let mut numbers = half.next;
            for (stream, bytes) in half.walk() {
                let (number, next) = (&mut numbers[usize::from(stream)], &mut committed[usize::from(stream)]);
                if *number == *next {
                    found(stream, *number, bytes);
                    *next += 1;
                }
                *number += 1;
            }
        }
        Ok(())
    }

    /// Whether a half ends at something that is neither a record nor the end.
    pub fn damaged(&self) -> bool {
        self.halves.iter().any(|half| {
            let mut walk = half.walk();
            walk.by_ref().for_each(drop);
            walk.damaged()
        })
    }
}
