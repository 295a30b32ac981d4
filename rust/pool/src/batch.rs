//! How much work a worker should have in flight, from how long tasks of a function have taken.
//!
//! Owns the averages. Must not know workers, queues or clocks.
//!
//! A worker is filled up to [`HIGH`] and again when it falls below half of that. It reports every [`BEAT`], so it never
//! works off all it has before the coordinator has heard of it. A longer beat would wake the coordinator less often, and
//! let what depends on a task wait longer. A function nobody has measured counts as [`HIGH`] (one task fills the worker);
//! every measured task allows one more, so batches about double per round until the measured duration rules.
use crate::tickets::NumberMap;

/// How long reports wait in a worker that has more to do, in nanoseconds.
pub const BEAT: u64 = 2_000_000;
/// Work in flight, in nanoseconds, up to which a worker is filled.
pub const HIGH: u64 = 3 * BEAT;
/// The weight of the newest task in an average, once there are enough of them.
const WEIGHT: f64 = 0.1;
/// One sample counts at most this many times the average: a rare long task must not stop batching.
const OUTLIER: f64 = 16.0;

#[derive(Clone, Copy)]
struct Average {
    nanoseconds: f64,
    seen: u32,
}

/// Average durations by function key.
#[derive(Default)]
pub struct Durations {
    averages: NumberMap<Average>,
}

impl Durations {
    /// What a task of this function should be counted as, in nanoseconds.
    pub fn estimate(&self, key: u64) -> u64 {
        let Some(average) = self.averages.get(&key) else {
            return HIGH;
        };
        let trusted = HIGH / (u64::from(average.seen) + 1);
        (average.nanoseconds as u64).max(trusted).max(1)
    }

    /// How long tasks of this function have taken, in nanoseconds; `None` before one has ended.
    pub fn average(&self, key: u64) -> Option<u64> {
        self.averages.get(&key).map(|average| average.nanoseconds as u64)
    }

    /// Takes a measured duration into the average.
    pub fn record(&mut self, key: u64, nanoseconds: u64) {
        let average = self.averages.entry(key).or_insert(Average { nanoseconds: 0.0, seen: 0 });
        let mut sample = nanoseconds as f64;
        if average.seen > 0 {
            sample = sample.min((average.nanoseconds * OUTLIER).max(1e6));
        }
        average.seen = average.seen.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f64::from(average.seen));
        average.nanoseconds += (sample - average.nanoseconds) * weight;
    }

    /// Drops what is known about a function.
    pub fn forget(&mut self, key: u64) {
        self.averages.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(durations: &Durations) -> u64 {
        (HIGH / durations.estimate(1)).max(1)
    }

    #[test]
    fn the_first_batch_is_one_task_and_the_next_ones_double() {
        let mut durations = Durations::default();
        let mut sizes = Vec::new();
        for _ in 0..6 {
            let size = batch(&durations);
            sizes.push(size);
            for _ in 0..size {
                durations.record(1, 1_000);
            }
        }
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32]);
    }

    #[test]
    fn a_batch_holds_about_six_milliseconds() {
        let mut durations = Durations::default();
        for _ in 0..10_000 {
            durations.record(1, 10_000);
        }
        assert_eq!(batch(&durations), 600);
        for _ in 0..200 {
            durations.record(1, 15_000_000);
        }
        assert_eq!(batch(&durations), 1);
    }

    #[test]
    fn one_long_task_does_not_stop_batching() {
        let mut durations = Durations::default();
        for _ in 0..1_000 {
            durations.record(1, 100_000);
        }
        durations.record(1, 1_000_000_000);
        assert!(durations.estimate(1) < 300_000);
    }

    #[test]
    fn a_forgotten_function_starts_anew() {
        let mut durations = Durations::default();
        durations.record(1, 1);
        durations.forget(1);
        assert_eq!((durations.estimate(1), durations.average(1)), (HIGH, None));
    }

    #[test]
    fn an_average_is_known_from_the_first_task_on() {
        let mut durations = Durations::default();
        assert_eq!(durations.average(1), None);
        durations.record(1, 5_000);
        assert_eq!(durations.average(1), Some(5_000));
    }
}
