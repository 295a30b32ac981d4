//! Lanes: at most so many attempts of certain nodes at once, and only while there is enough of what each of them takes.
//! Owns: limits, counted resources, and what is in use. Must not know: who waits, what a resource is.
use crate::ids::ResourceId;
use std::collections::BTreeMap;

/// The lane of all tasks (not groups) of the workflow's own branch, where everything ready may run.
pub(crate) const ROOT_LANE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Lane {
    limit: u32,
    /// So many may be under way although the limit is lower: somebody else sees to it that no more of them run at once.
    ahead: u32,
    used: u32,
    /// What each attempt takes while it runs; none twice.
    demand: Vec<(ResourceId, u64)>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { limit: u32::MAX, ahead: 0, used: 0, demand: Vec::new() }
    }
}

/// All lanes that matter, and what they share. Lane 0 has no limit and takes nothing.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: BTreeMap<u32, Lane>,
    /// What is not here has no end.
    resources: BTreeMap<ResourceId, Resource>,
}

#[derive(Clone, Copy, Debug)]
struct Resource {
    total: u64,
    free: u64,
}

impl Lanes {
    pub fn set_limit(&mut self, lane: u32, limit: u32) {
        self.lanes.entry(lane).or_default().limit = limit;
    }

    /// A lane's limit, if it has one and that is all there is to it.
    pub fn limit(&self, lane: u32) -> Option<u32> {
        let known = self.lanes.get(&lane).filter(|known| known.limit < u32::MAX && known.demand.is_empty());
        known.map(|known| known.limit)
    }

    pub fn set_ahead(&mut self, lane: u32, count: u32) {
        self.lanes.entry(lane).or_default().ahead = count;
    }

    /// From now on nothing is sent ahead.
    pub fn keep_limits(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.ahead = 0);
    }

    /// Nobody may be in the lane yet.
    pub fn set_demand(&mut self, lane: u32, demand: &[(ResourceId, u64)]) {
        let lane = self.lanes.entry(lane).or_default();
        debug_assert_eq!(lane.used, 0, "a lane's demand is said before it is used");
        lane.demand = demand.to_vec();
    }

    /// Nobody may have any of it yet.
    pub fn set_total(&mut self, resource: ResourceId, amount: u64) {
        self.resources.insert(resource, Resource { total: amount, free: amount });
    }

    #[inline]
    pub fn is_full(&self, lane: u32) -> bool {
        lane != 0
            && self
                .lanes
                .get(&lane)
                .is_some_and(|lane| lane.used >= lane.limit.max(lane.ahead) || !self.has(&lane.demand))
    }

    fn has(&self, demand: &[(ResourceId, u64)]) -> bool {
        demand
            .iter()
            .all(|(resource, amount)| self.resources.get(resource).is_none_or(|resource| resource.free >= *amount))
    }

    #[inline]
    pub fn acquire(&mut self, lane: u32) {
        if lane != 0 {
            let lane = self.lanes.entry(lane).or_default();
            lane.used += 1;
            for (resource, amount) in &lane.demand {
                if let Some(resource) = self.resources.get_mut(resource) {
                    resource.free -= amount;
                }
            }
        }
    }

    #[inline]
    pub fn release(&mut self, lane: u32) {
        if lane != 0 {
            if let Some(lane) = self.lanes.get_mut(&lane) {
                lane.used -= 1;
                for (resource, amount) in &lane.demand {
                    if let Some(resource) = self.resources.get_mut(resource) {
                        resource.free += amount;
                    }
                }
            }
        }
    }

    /// How many attempts are in each lane.
    pub fn in_use(&self) -> BTreeMap<u32, u32> {
        self.lanes.iter().filter(|(_, lane)| lane.used > 0).map(|(id, lane)| (*id, lane.used)).collect()
    }

    /// For checks: resources of which what is free and what the attempts in all lanes take is not what there is.
    pub fn miscounted(&self) -> Vec<ResourceId> {
        let mut taken: BTreeMap<ResourceId, u64> = BTreeMap::new();
        for lane in self.lanes.values() {
            for (resource, amount) in &lane.demand {
                *taken.entry(*resource).or_default() += amount * u64::from(lane.used);
            }
        }
        let right = |id, resource: &Resource| resource.free + taken.get(id).unwrap_or(&0) == resource.total;
        self.resources.iter().filter(|(id, resource)| !right(*id, resource)).map(|(id, _)| *id).collect()
    }
}
