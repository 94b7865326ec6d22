//! Durations, counted by size.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets, in nanoseconds: from what a queue costs at rest to what a user gives up on.
const BOUNDS: [u64; 16] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// A histogram that any number of threads may fill. Aligned, so that what one thread fills does not slow down what
/// another does.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Histogram {
    /// One more than there are bounds: the last has none.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Durations that were counted.
    pub count: u64,
    /// Of all of them, in seconds.
    pub sum: f64,
    /// Upper bounds in seconds, and how many durations were not above them; the unbounded one is `count`.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub(super) fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|&bound| bound < nanoseconds);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    pub(super) fn distribution(&self) -> Distribution {
        let mut count = 0;
        let mut buckets: Vec<(f64, u64)> = Vec::with_capacity(BOUNDS.len());
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            count += bucket.load(Relaxed);
            buckets.push((bound as f64 / 1e9, count));
        }
        count += self.buckets[BOUNDS.len()].load(Relaxed);
        Distribution { count, sum: self.nanoseconds.load(Relaxed) as f64 / 1e9, buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_its_bucket_and_in_all_above() {
        let histogram = Histogram::default();
        for micros in [100, 101, 20_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let Distribution { count, sum, buckets } = histogram.distribution();
        assert_eq!((count, sum), (3, 20.000201));
        assert_eq!(&buckets[..2], [(0.0001, 1), (0.00025, 2)]);
        assert_eq!(buckets.last(), Some(&(10.0, 2)));
    }
}
