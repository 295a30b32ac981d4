//! Maps keyed by numbers that are already well spread or consecutive: a multiplication instead of SipHash.
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Hashes one integer by a multiplication.
#[derive(Default)]
pub struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = spread ^ (spread >> 32);
    }
}

/// A map from tickets or keys.
pub type NumberMap<V> = HashMap<u64, V, BuildHasherDefault<NumberHasher>>;
/// A set of keys.
pub type NumberSet = HashSet<u64, BuildHasherDefault<NumberHasher>>;
