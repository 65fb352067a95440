//! How long calls took, counted in buckets that double: a few bytes, no lock.
//!
//! Good for "within": the answer is the upper end of a bucket, so at most twice
//! the truth. Knows nothing of what was called.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Up to 2^25 µs, half a minute; what takes longer counts as that.
const BUCKETS: usize = 26;

/// Calls by how long they took: in bucket `n` those within 2^n µs.
#[derive(Debug, Default)]
pub(super) struct Latency([AtomicU64; BUCKETS]);

impl Latency {
    /// Counts a call.
    pub(super) fn add(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(1 << (BUCKETS - 1));
        if let Some(bucket) = self.0.get(micros.next_power_of_two().trailing_zeros() as usize) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the time within which at least so great a share of the calls came,
    /// 0 to 1; none without calls.
    pub(super) fn within(&self, share: f64) -> Option<Duration> {
        let counts: Vec<u64> = self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share"
        )]
        let wanted = (all as f64 * share).ceil() as u64;
        let mut seen = 0;
        let place = counts.iter().position(|count| {
            seen += count;
            seen >= wanted.max(1)
        })?;
        Some(Duration::from_micros(1 << place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_came_within_the_end_of_a_bucket() {
        let latency = Latency::default();
        assert_eq!(latency.within(0.99), None);
        (0..98).for_each(|_| latency.add(Duration::from_micros(3)));
        latency.add(Duration::from_millis(20));
        latency.add(Duration::from_hours(1));
        let within = |share| latency.within(share).map(|within| within.as_micros());
        assert_eq!([0.0, 0.5, 0.98, 0.99, 1.0].map(within), [Some(4), Some(4), Some(4), Some(32_768), Some(1 << 25)]);
    }

    #[test]
    fn what_takes_no_time_is_in_the_first_bucket() {
        let latency = Latency::default();
        latency.add(Duration::ZERO);
        assert_eq!(latency.within(1.0), Some(Duration::from_micros(1)));
    }
}
