//! Appending to a tail: which stores, in which order.
//!
//! Owns the order of stores that makes every prefix of them readable. Must not know where they go, and who frees halves.
use super::{chained, half_checksum, space, word, Next, HALF_HEADER, PAGE, RECORD_HEADER};
use crate::STREAMS;

/// Where a tail's bytes are. What is published is seen after all that was stored before it.
pub trait Memory {
    /// Stores bytes.
    fn store(&self, offset: usize, bytes: &[u8]);
    /// Stores a word that tells readers of what was stored before.
    fn publish_word(&self, offset: usize, value: u32);
    /// Stores a number that tells readers of what was stored before.
    fn publish_number(&self, offset: usize, value: u64);
}

/// The one who appends.
#[derive(Debug)]
pub struct Appender<M> {
    memory: M,
    run: u64,
    epoch: u64,
    half: usize,
    generation: u64,
    position: usize,
    end: usize,
    chain: u32,
    next: Next,
}

impl<M: Memory> Appender<M> {
    /// Begins with half 0 of an empty tail, with halves of `half` bytes.
    pub fn new(memory: M, run: u64, epoch: u64, half: usize, next: Next) -> Appender<M> {
        let mut made = Appender { memory, run, epoch, half, generation: 0, position: 0, end: 0, chain: 0, next };
        made.turn();
        made
    }

    /// Which half is open.
    pub fn open(&self) -> usize {
        // Generations are counted from 1.
        (self.generation as usize + 1) % 2
    }

    /// Where the memory is.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The number that the next record of a stream will have.
    pub fn next(&self, stream: u8) -> u64 {
        self.next[usize::from(stream)]
    }

    /// Opens the other half, which must be free; the open one is not touched any more.
    pub fn turn(&mut self) {
        self.generation += 1;
        let base = PAGE + self.open() * self.half;
        let mut next = [0; STREAMS as usize * 8];
        for (bytes, number) in next.chunks_exact_mut(8).zip(self.next) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        let checksum = half_checksum(self.run, self.epoch, self.generation, &next);
        self.memory.publish_number(base, 0);
        self.memory.store(base + 8, &checksum.to_le_bytes());
        self.memory.store(base + 16, &next);
        self.memory.publish_word(base + HALF_HEADER, 0);
        self.memory.publish_number(base, self.generation);
        self.chain = checksum;
        self.position = base + HALF_HEADER;
        self.end = base + self.half;
    }

    /// The longest record that fits into an empty half.
    pub fn longest(&self) -> usize {
        self.half.saturating_sub(HALF_HEADER + 2 * RECORD_HEADER)
    }

    /// Whether a record of this length fits into the open half.
    #[inline]
    pub fn fits(&self, length: usize) -> bool {
        // The word behind it needs room as well.
        self.position + space(length) + RECORD_HEADER <= self.end
    }

    /// Appends a record that fits, and gives the number that it has in its stream.
    #[inline]
    pub fn append(&mut self, stream: u8, bytes: &[u8]) -> u64 {
        debug_assert!(self.fits(bytes.len()) && stream < STREAMS);
        let word = word(stream, bytes.len());
        let checksum = chained(self.chain, word, bytes);
        let after = self.position + space(bytes.len());
        self.memory.publish_word(after, 0);
        self.memory.store(self.position + RECORD_HEADER, bytes);
        self.memory.store(self.position + 4, &checksum.to_le_bytes());
        self.memory.publish_word(self.position, word);
        self.position = after;
        self.chain = checksum;
        let number = &mut self.next[usize::from(stream)];
        *number += 1;
        *number - 1
    }
}
