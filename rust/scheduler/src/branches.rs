//! The open branches of members, by id; closed ones are kept for reuse, so that a member costs no allocation.
//! Owns: storage. Must not know: what branches do.
use crate::branch::{Branch, Place};
use crate::ids::{BranchId, NodeId};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Spreads running numbers; the same in every process.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }
}

const SPARE: usize = 1024;

/// All open branches but branch 0. Found by id in constant time; whoever walks over all gets them in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    open: HashMap<BranchId, Box<Branch>, BuildHasherDefault<IdHasher>>,
    #[allow(clippy::vec_box, reason = "they move between here and `open` without being copied")]
    spare: Vec<Box<Branch>>,
}

impl Branches {
    /// Opens a member's branch.
    pub fn open(&mut self, id: BranchId, place: Place, member: NodeId) -> &mut Branch {
        let branch = match self.spare.pop() {
            Some(mut branch) => {
                branch.reuse(id, place, member);
                branch
            }
            None => Box::new(Branch::member(id, place, member)),
        };
        self.open.entry(id).or_insert(branch)
    }

    /// Takes a branch out; give it back with `keep`.
    pub fn close(&mut self, id: BranchId) -> Option<Box<Branch>> {
        self.open.remove(&id)
    }

    /// Keeps a closed branch for reuse.
    pub fn keep(&mut self, branch: Box<Branch>) {
        if self.spare.len() < SPARE {
            self.spare.push(branch);
        }
    }

    #[inline]
    pub fn get(&self, id: BranchId) -> Option<&Branch> {
        self.open.get(&id).map(|branch| &**branch)
    }

    #[inline]
    pub fn get_mut(&mut self, id: BranchId) -> Option<&mut Branch> {
        self.open.get_mut(&id).map(|branch| &mut **branch)
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// The ids of all open branches, ascending.
    pub fn ids(&self) -> Vec<BranchId> {
        let mut ids: Vec<BranchId> = self.open.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// All open branches, by ascending id.
    pub fn in_order(&self) -> impl Iterator<Item = &Branch> {
        self.ids().into_iter().filter_map(|id| self.get(id))
    }

    pub fn memory_bytes(&self) -> usize {
        let each = |branch: &Branch| size_of::<Branch>() + branch.marks.memory_bytes() + branch.queue.memory_bytes();
        let all = self.open.values().chain(&self.spare);
        all.map(|branch| each(branch)).sum::<usize>() + self.open.capacity() * 24
    }
}
