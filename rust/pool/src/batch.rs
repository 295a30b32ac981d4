//! How much work a worker should have in flight, from how long tasks of a function have taken.
//!
//! Owns the averages. Must not know workers, queues or clocks.
//!
//! A worker is filled up to [`HIGH`] and again when it falls below half of that. It reports every [`BEAT`], so it never
//! works off all it has before the coordinator has heard of it. A longer beat would wake the coordinator less often, and
//! let what depends on a task wait longer. A function nobody has measured counts as [`HIGH`] (one task fills the worker);
//! every measured task allows one more, so batches about double per round until the measured duration rules. Where each
//! task has a function of its own none is ever measured before, so what first tasks of others took is taken for it.
use crate::tickets::NumberMap;

/// How long reports wait in a worker that has more to do, in nanoseconds.
pub const BEAT: u64 = 2_000_000;
/// Work in flight, in nanoseconds, up to which a worker is filled.
pub const HIGH: u64 = 3 * BEAT;
/// The weight of the newest task in an average, once there are enough of them.
const WEIGHT: f64 = 0.1;
/// One sample counts at most this many times the average: a rare long task must not stop batching.
const OUTLIER: f64 = 16.0;
/// A function that nobody has measured counts as so many of those that were: it may be another one.
const CAUTION: u64 = 4;

#[derive(Clone, Copy, Default)]
struct Average {
    nanoseconds: f64,
    seen: u32,
}

impl Average {
    fn estimate(&self) -> u64 {
        let trusted = HIGH / (u64::from(self.seen) + 1);
        (self.nanoseconds as u64).max(trusted).max(1)
    }

    fn record(&mut self, nanoseconds: u64) {
        let mut sample = nanoseconds as f64;
        if self.seen > 0 {
            sample = sample.min((self.nanoseconds * OUTLIER).max(1e6));
        }
        self.seen = self.seen.saturating_add(1);
        let weight = WEIGHT.max(1.0 / f64::from(self.seen));
        self.nanoseconds += (sample - self.nanoseconds) * weight;
    }
}

/// Average durations by function key.
#[derive(Default)]
pub struct Durations {
    averages: NumberMap<Average>,
    /// Of the first task of each function.
    firsts: Average,
}

impl Durations {
    /// What a task of this function should be counted as, in nanoseconds.
    pub fn estimate(&self, key: u64) -> u64 {
        match self.averages.get(&key) {
            Some(average) => average.estimate(),
            None => (self.firsts.estimate() * CAUTION).min(HIGH),
        }
    }

    /// How long tasks of this function have taken, in nanoseconds; `None` before one has ended.
    pub fn average(&self, key: u64) -> Option<u64> {
        self.averages.get(&key).map(|average| average.nanoseconds as u64)
    }

    /// Takes a measured duration into the average.
    pub fn record(&mut self, key: u64, nanoseconds: u64) {
        let average = self.averages.entry(key).or_default();
        if average.seen == 0 {
            self.firsts.record(nanoseconds);
        }
        average.record(nanoseconds);
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
    fn functions_that_nobody_has_measured_count_as_those_did_that_were() {
        let mut durations = Durations::default();
        assert_eq!(durations.estimate(0), HIGH);
        for key in 0..1_000 {
            durations.record(key, 10_000);
        }
        assert_eq!(durations.estimate(1_000), 40_000);
        for key in 1_000..1_100 {
            durations.record(key, 15_000_000);
        }
        assert_eq!(durations.estimate(1_100), HIGH);
    }

    #[test]
    fn what_one_function_takes_the_second_time_says_nothing_of_others() {
        let mut durations = Durations::default();
        for _ in 0..1_000 {
            durations.record(1, 10_000);
        }
        assert_eq!(durations.estimate(2), HIGH);
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
