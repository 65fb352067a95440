//! The account's pace: how many calls may start within a minute.
//!
//! A token bucket with a fair queue. Who cannot start before its deadline is
//! told at once how long to wait, instead of being let in late. Knows nothing
//! of models.

use std::{sync::PoisonError, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// What OpenRouter counts by.
const MINUTE: Duration = Duration::from_mins(1);

/// No minute's limit holds longer, whatever the upstream's clock says.
const LONGEST_HOLD: Duration = Duration::from_secs(65);

/// Starts calls at the pace that the account allows.
pub(super) struct Pacer {
    /// Calls a minute; 0 does not pace.
    per_minute: u32,
    /// The lock is the queue: tokio's is fair, and who waits for its turn holds
    /// it, so that those behind wait behind.
    bucket: Mutex<Bucket>,
    /// Nobody starts before this: the upstream said so.
    held_until: std::sync::Mutex<Instant>,
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// A turn would come too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLate {
    /// How long the wait would be.
    pub(super) wait: Duration,
}

impl Pacer {
    /// Makes a full bucket of `per_minute` calls.
    pub(super) fn new(per_minute: u32) -> Self {
        let now = Instant::now();
        let bucket = Bucket { tokens: f64::from(per_minute), filled: now };
        Self { per_minute, bucket: Mutex::new(bucket), held_until: std::sync::Mutex::new(now) }
    }

    /// Waits for its turn, but not beyond `deadline`.
    ///
    /// A caller that is dropped while it waits has taken nothing.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<(), TooLate> {
        let Ok(mut bucket) = tokio::time::timeout_at(deadline, self.bucket.lock()).await else {
            return Err(TooLate { wait: MINUTE });
        };
        let now = Instant::now();
        let ready = bucket.ready(self.per_minute, now).max(self.held_until());
        if ready > deadline {
            return Err(TooLate { wait: ready - now });
        }
        if ready > now {
            sleep_until(ready).await;
            bucket.fill(self.per_minute, Instant::now());
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    /// Lets nobody start for a while, because the upstream asked for it.
    pub(super) fn hold(&self, wait: Duration) {
        let until = Instant::now() + wait.min(LONGEST_HOLD);
        let mut held_until = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held_until = until.max(*held_until);
    }

    fn held_until(&self) -> Instant {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn fill(&mut self, per_minute: u32, now: Instant) {
        let rate = f64::from(per_minute) / MINUTE.as_secs_f64();
        let grown = self.tokens + rate * now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = grown.min(f64::from(per_minute));
        self.filled = now;
    }

    /// Returns when the next call may start.
    fn ready(&mut self, per_minute: u32, now: Instant) -> Instant {
        if per_minute == 0 {
            return now;
        }
        self.fill(per_minute, now);
        if self.tokens >= 1.0 {
            return now;
        }
        let rate = f64::from(per_minute) / MINUTE.as_secs_f64();
        now + Duration::from_secs_f64((1.0 - self.tokens) / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_bucket_lets_a_burst_start_and_then_paces() {
        let pacer = Pacer::new(20);
        let began = Instant::now();
        for _ in 0..20 {
            assert_eq!(pacer.turn(soon()).await, Ok(()));
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(pacer.turn(soon()).await, Ok(()));
        assert_eq!(began.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_be_late_is_told_at_once() {
        let pacer = Pacer::new(1);
        assert_eq!(pacer.turn(soon()).await, Ok(()));
        let began = Instant::now();
        let late = pacer.turn(soon()).await;
        assert_eq!(late.map_err(|late| late.wait.as_secs()), Err(60));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn zero_does_not_pace_but_a_hold_holds() {
        let pacer = Pacer::new(0);
        for _ in 0..1000 {
            assert_eq!(pacer.turn(soon()).await, Ok(()));
        }
        pacer.hold(Duration::from_secs(4));
        let began = Instant::now();
        assert_eq!(pacer.turn(soon()).await, Ok(()));
        assert_eq!(began.elapsed().as_secs(), 4);
    }
}
