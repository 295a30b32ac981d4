//! The tail of a run: what was appended and isn't in the database yet, in a mapped file.
//!
//! Owns the layout of that file. Must not know the database, threads, nor what a record means.
//!
//! ```text
//! page 0           whose it is (`header`)
//! two halves, each
//!   0    8         generation; 0: nothing in here. Stored last of all in the half's header
//!   8    4         checksum of the header, where the records' chain begins
//!   16   128       the number that the next record of each stream has
//!   256            records, each at a multiple of 8:
//!     0    4       bit 31: there is one; bits 24 – 30: stream; bits 0 – 23: length. Stored last of all in a record
//!     4    4       checksum of this header and the bytes, chained with that of the record before
//!     8            bytes
//! ```
//!
//! Halves are used in turn. Before a record's first word is stored, the word behind the record is set to zero: whatever
//! the half held before, what can be read is always a prefix of what was appended, wherever the process dies.
mod append;
mod header;
mod map;
mod read;

pub use append::{Appender, Memory};
pub use header::{Header, PAGE};
pub use map::Map;
pub use read::{Gap, Half, Tail, Walk};

use crate::STREAMS;

/// The number of the next record of each stream.
pub type Next = [u64; STREAMS as usize];

/// How many bytes of a half are its header.
pub const HALF_HEADER: usize = 256;

/// How many bytes of a record are its header.
pub const RECORD_HEADER: usize = 8;

const PRESENT: u32 = 1 << 31;

/// The first word of a record.
fn word(stream: u8, length: usize) -> u32 {
    PRESENT | u32::from(stream) << 24 | length as u32
}

/// Stream and length that a first word tells, if there is a record.
fn told(word: u32) -> Option<(u8, usize)> {
    (word & PRESENT != 0).then_some(((word >> 24 & 0x7F) as u8, (word & 0xFF_FFFF) as usize))
}

/// How many bytes a record of this length takes.
pub fn space(length: usize) -> usize {
    (RECORD_HEADER + length).next_multiple_of(8)
}

/// The checksum of a record.
fn chained(chain: u32, word: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(chain);
    hasher.update(&word.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// The checksum of a half's header.
fn half_checksum(run: u64, epoch: u64, generation: u64, next: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for number in [run, epoch, generation] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(next);
    hasher.finalize()
}
