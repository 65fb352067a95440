//! The account's pace: how many calls may start within a minute.
//!
//! Remembers the starts of the last minute, with a fair queue behind them. Who is
//! at the head and could not start before its deadline is told at once how long to
//! wait, instead of being let in late. Knows nothing of models.

use std::{collections::VecDeque, sync::PoisonError, time::Duration};

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
    per_minute: usize,
    /// When the last calls started, at most `per_minute` of them. The lock is the
    /// queue: tokio's is fair, and who waits for its turn holds it, so that those
    /// behind wait behind.
    starts: Mutex<VecDeque<Instant>>,
    /// Nobody starts before this: the upstream said so.
    held_until: std::sync::Mutex<Instant>,
}

/// A turn would come too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLate {
    /// How long the wait would be.
    pub(super) wait: Duration,
}

impl Pacer {
    /// Makes a pacer that has seen no call yet.
    pub(super) fn new(per_minute: u32) -> Self {
        let per_minute = usize::try_from(per_minute).unwrap_or(usize::MAX);
        let held_until = std::sync::Mutex::new(Instant::now());
        Self { per_minute, starts: Mutex::new(VecDeque::new()), held_until }
    }

    /// Waits for its turn, but not beyond `deadline`.
    ///
    /// A caller that is dropped while it waits has taken nothing.
    pub(super) async fn turn(&self, deadline: Instant) -> Result<(), TooLate> {
        let Ok(mut starts) = tokio::time::timeout_at(deadline, self.starts.lock()).await else {
            return Err(TooLate { wait: MINUTE });
        };
        loop {
            let now = Instant::now();
            let ready = self.ready(&starts, now);
            if ready <= now {
                break;
            }
            if ready > deadline {
                return Err(TooLate { wait: ready - now });
            }
            // A hold may have come meanwhile: look again.
            sleep_until(ready).await;
        }
        if self.per_minute > 0 {
            starts.truncate(self.per_minute.saturating_sub(1));
            starts.push_front(Instant::now());
        }
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

    /// Returns when the next call may start: a minute after the oldest of those
    /// that fill one.
    fn ready(&self, starts: &VecDeque<Instant>, now: Instant) -> Instant {
        let held = self.held_until().max(now);
        match starts.get(self.per_minute.wrapping_sub(1)) {
            Some(oldest) => held.max(*oldest + MINUTE),
            None => held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_starts_than_it_may() {
        let pacer = Pacer::new(20);
        let began = Instant::now();
        let mut starts = Vec::new();
        for _ in 0..50 {
            assert_eq!(pacer.turn(Instant::now() + 2 * MINUTE).await, Ok(()));
            starts.push(began.elapsed().as_secs());
        }
        let expected: Vec<u64> = (0..50).map(|number| number / 20 * 60).collect();
        assert_eq!(starts, expected);
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
