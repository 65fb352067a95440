//! When a policy that keeps failing is left alone, and when it is tried again.
//!
//! Five faults in a row, or twenty among the last hundred calls, open the
//! breaker: the policy is not asked for a second, then one call is let through as
//! a trial. If that fails too the wait doubles, up to a minute. So a request over
//! which a policy falls costs its time limit a few times and not always. Knows no
//! policy; the time is an argument.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Faults one after the other that open it.
const IN_A_ROW: u32 = 5;

/// The calls that are looked back upon, and how many faults among them open it.
const WINDOW: u32 = 100;
const IN_WINDOW: u32 = 20;

/// The first wait, and the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Counts the faults of one policy.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    in_a_row: u32,
    /// The last calls, the newest in the lowest bit; set for a fault.
    window: u128,
    /// Until when the policy is left alone; none while all is well.
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    until: Instant,
    wait: Duration,
}

/// What came of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The policy is asked on.
    Closed,
    /// It was the one too many: from now on the policy is left alone.
    Tripped,
    /// The trial failed: it is left alone for longer.
    Open,
}

impl Breaker {
    /// Lets a call through, or tells how long the policy is still left alone.
    ///
    /// While it is open one call is let through when the wait is over, and the
    /// next only after another wait, unless the first shows that all is well.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(open) = &mut state.open else { return Ok(()) };
        if let Some(left) = open.until.checked_duration_since(now).filter(|left| !left.is_zero()) {
            return Err(left);
        }
        open.until = now + open.wait;
        Ok(())
    }

    /// Notes a call that was answered.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        if state.open.take().is_some() {
            state.window = 0;
        }
        state.in_a_row = 0;
        state.window <<= 1;
    }

    /// Notes a fault.
    pub(super) fn failed(&self, now: Instant) -> After {
        let mut state = self.state();
        state.in_a_row = state.in_a_row.saturating_add(1);
        state.window = (state.window << 1) | 1;
        if let Some(open) = &mut state.open {
            // Calls that began before it opened do not make the wait longer.
            if now >= open.until.checked_sub(open.wait).unwrap_or(now) {
                open.wait = (open.wait * 2).min(LONGEST_WAIT);
                open.until = now + open.wait;
            }
            return After::Open;
        }
        let recent = state.window & (u128::MAX >> (u128::BITS - WINDOW));
        if state.in_a_row < IN_A_ROW && recent.count_ones() < IN_WINDOW {
            return After::Closed;
        }
        state.open = Some(Open { until: now + FIRST_WAIT, wait: FIRST_WAIT });
        After::Tripped
    }

    /// Returns how long the policy is still left alone, without letting a call through.
    pub(super) fn left_alone(&self, now: Instant) -> Option<Duration> {
        let until = self.state().open?.until;
        until.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Tells whether the policy is left alone.
    pub(super) fn is_open(&self) -> bool {
        self.state().open.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at any time: nothing can panic while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fail(breaker: &Breaker, times: u32, now: Instant) -> Vec<After> {
        (0..times).map(|_| breaker.failed(now)).collect()
    }

    #[test]
    fn five_faults_in_a_row_open_it_and_an_answer_between_them_does_not_let_them() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert_eq!(fail(&breaker, 4, now), [After::Closed; 4]);
        breaker.answered();
        assert_eq!(fail(&breaker, 4, now), [After::Closed; 4]);
        assert_eq!((breaker.admit(now), breaker.is_open()), (Ok(()), false));
        assert_eq!((breaker.failed(now), breaker.is_open()), (After::Tripped, true));
        assert_eq!(breaker.admit(now), Err(s(1)));
    }

    #[test]
    fn twenty_faults_among_a_hundred_calls_open_it() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for fault in 1..=20 {
            (0..4).for_each(|_| breaker.answered());
            let expected = if fault == 20 { After::Tripped } else { After::Closed };
            assert_eq!(breaker.failed(now), expected, "{fault}");
        }
        let seldom = Breaker::default();
        for fault in 1..=100 {
            (0..5).for_each(|_| seldom.answered());
            assert_eq!(seldom.failed(now), After::Closed, "{fault}");
        }
    }

    #[test]
    fn one_trial_after_each_wait_which_doubles_up_to_a_minute() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&breaker, 5, now);
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(breaker.admit(now), Err(s(wait)));
            now += s(wait);
            assert_eq!(breaker.admit(now), Ok(()), "the trial");
            assert!(breaker.admit(now).is_err(), "and only that one");
            assert_eq!(breaker.failed(now), After::Open);
        }
    }

    #[test]
    fn a_trial_that_is_answered_closes_it_and_the_past_is_forgotten() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        fail(&breaker, 5, now);
        assert_eq!(breaker.admit(now + s(1)), Ok(()));
        breaker.answered();
        assert_eq!((breaker.admit(now + s(1)), breaker.is_open()), (Ok(()), false));
        assert_eq!(fail(&breaker, 4, now), [After::Closed; 4]);
    }
}
