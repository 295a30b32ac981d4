//! Lanes: at most so many attempts of certain nodes at once.
//! Owns: limits and what is in use. Must not know: who waits.
use std::collections::BTreeMap;

/// The lane of all tasks (not groups) of the workflow's own branch, where everything ready may run.
pub(crate) const ROOT_LANE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Lane {
    limit: u32,
    used: u32,
}

/// All lanes that matter. Lane 0 has no limit.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<u32, Lane>,
}

impl Lanes {
    pub fn set_limit(&mut self, lane: u32, limit: u32) {
        self.lanes.entry(lane).or_insert(Lane { limit, used: 0 }).limit = limit;
    }

    #[inline]
    pub fn is_full(&self, lane: u32) -> bool {
        lane != 0 && self.lanes.get(&lane).is_some_and(|lane| lane.used >= lane.limit)
    }

    #[inline]
    pub fn acquire(&mut self, lane: u32) {
        if lane != 0 {
            self.lanes.entry(lane).or_insert(Lane { limit: u32::MAX, used: 0 }).used += 1;
        }
    }

    #[inline]
    pub fn release(&mut self, lane: u32) {
        if lane != 0 {
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.used -= 1;
            }
        }
    }

    /// How many attempts are in each lane.
    pub fn in_use(&self) -> BTreeMap<u32, u32> {
        self.lanes.iter().filter(|(_, lane)| lane.used > 0).map(|(id, lane)| (*id, lane.used)).collect()
    }
}
