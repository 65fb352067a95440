//! The account's free requests of the day, counted down between two looks.
//!
//! OpenRouter tells the count when asked, and what it tells may be a minute old;
//! every call counts, failed ones too. Values and arithmetic: the time is an
//! argument, in milliseconds since 1970. Who asks, and what follows when nothing
//! is left, is `failover::budget`'s business.

/// OpenRouter counts anew at midnight UTC.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// What OpenRouter says of the account's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyRequests {
    /// Free requests that a day has: the account's tier.
    pub limit: u32,
    /// Those that are left.
    pub remaining: u32,
}

/// What is known of the day at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Free requests that a day has.
    pub limit: u32,
    /// Those that are left, calls since the last look taken off.
    pub remaining: u32,
    /// When OpenRouter was asked last, in milliseconds since 1970.
    pub as_of_ms: u64,
    /// When the count begins anew, in milliseconds since 1970.
    pub resets_ms: u64,
}

/// Counts the free requests of the day; knows nothing until it is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    known: Option<Left>,
    /// Calls since OpenRouter was asked last.
    since: u32,
}

impl Quota {
    /// Takes in what OpenRouter says at `now`.
    ///
    /// It may not have seen the calls since the last look yet, so our own count
    /// stands as far as those explain the difference.
    pub fn told(&mut self, said: DailyRequests, now: u64) {
        let least = said.remaining.saturating_sub(self.since);
        let (remaining, resets_ms) = match self.left(now) {
            Some(own) => (own.remaining.clamp(least, said.remaining), own.resets_ms),
            None => (said.remaining, next_midnight(now)),
        };
        self.known = Some(Left { limit: said.limit, remaining, as_of_ms: now, resets_ms });
        self.since = 0;
    }

    /// Notes that OpenRouter refused a call because nothing is left until `resets_ms`.
    pub fn exhausted(&mut self, resets_ms: u64) {
        if let Some(known) = &mut self.known {
            known.remaining = 0;
            known.resets_ms = resets_ms;
        }
    }

    /// Counts a call that is about to be made.
    pub fn count(&mut self, now: u64) {
        self.since = self.since.saturating_add(1);
        self.known = self.left(now).map(|left| Left { remaining: left.remaining.saturating_sub(1), ..left });
    }

    /// Takes back a call that never reached OpenRouter.
    pub fn uncount(&mut self) {
        self.since = self.since.saturating_sub(1);
        if let Some(known) = &mut self.known {
            known.remaining = known.remaining.saturating_add(1).min(known.limit);
        }
    }

    /// Returns what is left now; `None` if that was never told.
    pub fn left(&self, now: u64) -> Option<Left> {
        let known = self.known?;
        if now < known.resets_ms {
            return Some(known);
        }
        Some(Left { remaining: known.limit, resets_ms: next_midnight(now), ..known })
    }
}

/// Returns when OpenRouter counts anew, in milliseconds since 1970.
pub fn next_midnight(now: u64) -> u64 {
    (now / DAY_MS + 1).saturating_mul(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 20_000 * DAY_MS + DAY_MS / 2;
    const MIDNIGHT: u64 = 20_001 * DAY_MS;

    fn said(remaining: u32) -> DailyRequests {
        DailyRequests { limit: 50, remaining }
    }

    fn remaining(quota: &Quota, now: u64) -> Option<u32> {
        quota.left(now).map(|left| left.remaining)
    }

    #[test]
    fn nothing_is_known_until_it_is_told_and_every_call_counts() {
        let mut quota = Quota::default();
        quota.count(NOON);
        assert_eq!(quota.left(NOON), None);
        quota.told(said(40), NOON);
        quota.count(NOON);
        quota.count(NOON);
        quota.uncount();
        let expected = Left { limit: 50, remaining: 39, as_of_ms: NOON, resets_ms: MIDNIGHT };
        assert_eq!(quota.left(NOON + 1), Some(expected));
    }

    #[test]
    fn midnight_fills_the_day_up_again() {
        let mut quota = Quota::default();
        quota.told(said(0), NOON);
        assert_eq!((remaining(&quota, MIDNIGHT - 1), remaining(&quota, MIDNIGHT)), (Some(0), Some(50)));
        quota.count(MIDNIGHT);
        assert_eq!((remaining(&quota, MIDNIGHT), remaining(&quota, MIDNIGHT + DAY_MS)), (Some(49), Some(50)));
    }

    #[test]
    fn an_old_count_does_not_bring_back_what_was_used_since() {
        let mut quota = Quota::default();
        quota.told(said(10), NOON);
        for _ in 0..4 {
            quota.count(NOON);
        }
        // A cached reply that has seen one of the four; then one that has seen none of it.
        for (told, expected) in [(9, 6), (9, 9), (3, 3)] {
            quota.told(said(told), NOON + 60_000);
            assert_eq!(remaining(&quota, NOON + 60_000), Some(expected), "{told}");
        }
    }

    #[test]
    fn a_refusal_says_more_than_the_count_and_lasts_until_its_own_reset() {
        let mut quota = Quota::default();
        quota.told(said(10), NOON);
        quota.exhausted(NOON + 5_000);
        assert_eq!((remaining(&quota, NOON + 4_999), remaining(&quota, NOON + 5_000)), (Some(0), Some(50)));
    }
}
