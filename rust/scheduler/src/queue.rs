//! A branch's waiting activations: first in first out, or by priority where everything ready may run; and retries
//! that wait for their deadline. Owns: order. Must not know: marks, forks, what an activation is for.
use crate::activation::Activation;
use crate::ids::Micros;
use crate::lanes::Lanes;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// Priority, highest first, and lane.
type Rank = (Reverse<i32>, u32);

/// What is ready in a branch.
#[derive(Debug)]
pub(crate) enum Queue {
    /// One at a time, in order.
    Fifo(VecDeque<Activation>),
    /// Higher priority first, then in order; one list per priority and lane.
    Ranked {
        /// By priority (highest first) and lane; each entry with its place in the order of arrival.
        lists: BTreeMap<Rank, VecDeque<(u64, Activation)>>,
        /// Arrivals so far.
        arrivals: u64,
    },
}

impl Queue {
    pub fn new(ranked: bool) -> Self {
        if ranked {
            Self::Ranked { lists: BTreeMap::new(), arrivals: 0 }
        } else {
            Self::Fifo(VecDeque::new())
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Self::Fifo(queue) => queue.is_empty(),
            Self::Ranked { lists, .. } => lists.is_empty(),
        }
    }

    #[inline]
    pub fn push(&mut self, activation: Activation, priority: i32, lane: u32) {
        match self {
            Self::Fifo(queue) => queue.push_back(activation),
            Self::Ranked { lists, arrivals } => {
                lists.entry((Reverse(priority), lane)).or_default().push_back((*arrivals, activation));
                *arrivals += 1;
            }
        }
    }

    /// The next one in order, whatever its lane. Only for first in first out.
    pub fn front(&self) -> Option<&Activation> {
        match self {
            Self::Fifo(queue) => queue.front(),
            Self::Ranked { .. } => None,
        }
    }

    /// Takes the next one whose lane has room.
    #[inline]
    pub fn pop(&mut self, lane_of: impl Fn(&Activation) -> u32, lanes: &Lanes) -> Option<Activation> {
        match self {
            Self::Fifo(queue) => {
                let lane = lane_of(queue.front()?);
                if lanes.is_full(lane) {
                    None
                } else {
                    queue.pop_front()
                }
            }
            Self::Ranked { lists, .. } => {
                let mut best: Option<(Rank, u64)> = None;
                for (key, list) in lists.iter() {
                    if best.is_some_and(|(found, _)| found.0 < key.0) {
                        break;
                    }
                    let Some((arrival, _)) = list.front() else {
                        continue;
                    };
                    if !lanes.is_full(key.1) && best.is_none_or(|(_, earliest)| *arrival < earliest) {
                        best = Some((*key, *arrival));
                    }
                }
                let (key, _) = best?;
                let list = lists.get_mut(&key)?;
                let (_, activation) = list.pop_front()?;
                if list.is_empty() {
                    lists.remove(&key);
                }
                Some(activation)
            }
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        match self {
            Self::Fifo(queue) => queue.len(),
            Self::Ranked { lists, .. } => lists.values().map(VecDeque::len).sum(),
        }
    }

    /// Everything, in order of arrival.
    pub fn in_order(&self) -> Vec<Activation> {
        self.in_order_from(0)
    }

    /// The same without the first so many.
    pub fn in_order_from(&self, first: usize) -> Vec<Activation> {
        match self {
            Self::Fifo(queue) => queue.iter().skip(first).copied().collect(),
            Self::Ranked { lists, .. } => {
                let mut all: Vec<(u64, Activation)> = lists.values().flatten().copied().collect();
                all.sort_by_key(|(arrival, _)| *arrival);
                all.into_iter().skip(first).map(|(_, activation)| activation).collect()
            }
        }
    }

    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Fifo(queue) => queue.capacity() * size_of::<Activation>(),
            Self::Ranked { lists, .. } => {
                lists.values().map(|list| list.capacity() * size_of::<(u64, Activation)>()).sum()
            }
        }
    }
}

/// Retries that wait. In a sequential branch they are ordered by a virtual time that only waiting moves on, so that
/// how long other tasks took can't change who comes first; each still waits for its real deadline.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    entries: BTreeMap<(Micros, u64), (Micros, Activation)>,
    virtual_now: Micros,
    arrivals: u64,
}

impl Delayed {
    /// As good as new.
    pub fn clear(&mut self) {
        self.entries.clear();
        (self.virtual_now, self.arrivals) = (0, 0);
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a retry; `by_deadline` orders by the real deadline.
    pub fn push(&mut self, activation: Activation, delay: Micros, now: Micros, by_deadline: bool) {
        let deadline = now.saturating_add(delay);
        let order = if by_deadline { deadline } else { self.virtual_now.saturating_add(delay) };
        self.entries.insert((order, self.arrivals), (deadline, activation));
        self.arrivals += 1;
    }

    /// When the next one may start.
    pub fn deadline(&self) -> Option<Micros> {
        self.entries.values().next().map(|(deadline, _)| *deadline)
    }

    /// Takes the next one.
    pub fn pop(&mut self) -> Option<Activation> {
        let ((order, _), (_, activation)) = self.entries.pop_first()?;
        self.virtual_now = self.virtual_now.max(order);
        Some(activation)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Everything, next one first.
    pub fn in_order(&self) -> impl Iterator<Item = &Activation> {
        self.entries.values().map(|(_, activation)| activation)
    }
}
