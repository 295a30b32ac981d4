//! Attempts that are under way, by ticket. A ticket is a running number and a slot, so finding one is an array access
//! and no ticket ever comes back. Owns: identity. Must not know: what a report entails.
use crate::activation::Activation;
use crate::ids::{BranchId, Ticket};
use crate::transition::ActivationState;

const SLOT_BITS: u32 = 24;
const SLOT_MASK: u64 = (1 << SLOT_BITS) - 1;
/// Numbers are taken in blocks of so many, as a power of two. With the slot they are below 2^61: see `MAP_TICKETS`.
const BLOCK_BITS: u32 = 12;
const BLOCKS: u64 = 1 << (61 - SLOT_BITS - BLOCK_BITS);

/// Says which block of numbers a scheduler takes next: each time another one.
pub type TicketBlocks = fn() -> u64;

/// An attempt under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub ticket: Ticket,
    pub branch: BranchId,
    /// The fork it opened, or 0.
    pub fork: u64,
    pub activation: Activation,
}

/// All attempts under way.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    /// Where numbers come from; without it they run on from one.
    blocks: Option<TicketBlocks>,
    slots: Vec<Option<Attempt>>,
    free: Vec<u32>,
    issued: u64,
    /// Attempts that the driver owes a report on: running tasks and joins.
    owed: usize,
}

impl Tickets {
    /// Numbers attempts by blocks from there.
    pub fn take_blocks_from(&mut self, blocks: TicketBlocks) {
        self.blocks = Some(blocks);
        self.begin_block();
    }

    #[cold]
    fn begin_block(&mut self) {
        if let Some(next) = self.blocks {
            self.issued = (next() % BLOCKS) << BLOCK_BITS;
        }
    }

    /// Whether another attempt can be named.
    #[inline]
    pub fn has_room(&self) -> bool {
        !self.free.is_empty() || (self.slots.len() as u64) < SLOT_MASK
    }

    /// Names an attempt that starts.
    #[inline]
    pub fn issue(&mut self, branch: BranchId, fork: u64, activation: Activation) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.issued += 1;
        if self.issued & ((1 << BLOCK_BITS) - 1) == 0 {
            self.begin_block();
        }
        let ticket = self.issued << SLOT_BITS | u64::from(slot);
        self.slots[slot as usize] = Some(Attempt { ticket, branch, fork, activation });
        if fork == 0 {
            self.owed += 1;
        }
        ticket
    }

    #[inline]
    pub fn get(&self, ticket: Ticket) -> Option<&Attempt> {
        let slot = self.slots.get((ticket & SLOT_MASK) as usize)?;
        slot.as_ref().filter(|attempt| attempt.ticket == ticket)
    }

    #[inline]
    pub fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Attempt> {
        let slot = self.slots.get_mut((ticket & SLOT_MASK) as usize)?;
        slot.as_mut().filter(|attempt| attempt.ticket == ticket)
    }

    /// A forked group has become one that the driver has to answer.
    pub fn owe_join(&mut self) {
        self.owed += 1;
    }

    /// Takes an attempt out; its ticket is unknown from now on.
    #[inline]
    pub fn take(&mut self, ticket: Ticket) -> Option<Attempt> {
        let index = (ticket & SLOT_MASK) as usize;
        let slot = self.slots.get_mut(index)?;
        if slot.as_ref()?.ticket != ticket {
            return None;
        }
        let attempt = slot.take()?;
        if attempt.activation.state() != ActivationState::Forked {
            self.owed -= 1;
        }
        self.free.push(index as u32);
        Some(attempt)
    }

    /// Attempts that the driver owes a report on.
    pub fn owed(&self) -> usize {
        self.owed
    }

    /// Everything under way, in the order of starting.
    pub fn in_order(&self) -> Vec<Attempt> {
        let mut all: Vec<Attempt> = self.slots.iter().flatten().copied().collect();
        all.sort_unstable_by_key(|attempt| attempt.ticket);
        all
    }

    pub fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Option<Attempt>>() + self.free.capacity() * size_of::<u32>()
    }
}
