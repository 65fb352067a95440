//! What is remembered of one model: failures, rests, answers, pace.
//!
//! Values and arithmetic on them; the time is an argument, in milliseconds
//! since 1970, so that what is remembered survives a restart. Who keeps the
//! healths of all models, and when they are written down, is `failover::ledger`.

use std::time::Duration;

use crate::routing::{Failure, FailureKind, Rests, lessons::Lessons, tally::Tally};

/// Minutes that `successes` and `failures` look back.
const WINDOW_MINUTES: u64 = 5;

/// One bucket a minute.
const BUCKETS: usize = 5;
const _: () = assert!(BUCKETS as u64 == WINDOW_MINUTES, "a bucket for every minute of the window");

/// How much a new measurement weighs in a moving average.
const WEIGHT: f32 = 0.2;

/// What is remembered of one model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Health {
    /// Failures since the last answer, of those that let it rest.
    pub in_a_row: u32,
    /// When its rest ends; `None` if it never rested since the last answer.
    pub rests_until: Option<u64>,
    /// Why it rests so long; unknown after a restart.
    pub rests_for: Option<FailureKind>,
    /// The last failure, of any kind.
    pub last_failure: Option<LastFailure>,
    /// When it answered last.
    pub last_success: Option<u64>,
    /// Requests that it is answering now.
    pub in_flight: u32,
    /// Milliseconds to the first token, a moving average; 0 unknown.
    pub first_token_ms: f32,
    /// Tokens a second while answering, a moving average; 0 unknown.
    pub tokens_per_second: f32,
    /// What its refusals have taught.
    pub lessons: Lessons,
    /// How often it answered and failed since it is known.
    pub tally: Tally,
    window: Window,
}

/// The last failure of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// When it happened.
    pub at: u64,
    /// What went wrong.
    pub kind: FailureKind,
    /// The upstream's words.
    pub message: String,
}

/// How a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Ready,
    /// It rests for so many milliseconds more.
    Cooling(u64),
    /// Its rest is over and it has not answered since.
    OnTrial,
}

impl Health {
    /// Notes a failure, and returns how long the model rests because of it.
    ///
    /// Failures that are not the model's fault are remembered, but neither
    /// counted nor punished. Of tries that began before the last failure was known
    /// (`began`), only one makes the rest grow: they tell of one and the same.
    pub fn failed(&mut self, failure: &Failure, rests: Rests, began: u64, now: u64, spread: f32) -> Option<Duration> {
        let is_known = self.in_a_row > 0 && self.last_failure.as_ref().is_some_and(|last| last.at > began);
        self.last_failure = Some(LastFailure { at: now, kind: failure.kind, message: failure.message.clone() });
        self.tally.failed(failure.kind);
        let rest = failure.kind.consequence(rests).rest?;
        if !is_known {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        self.window.at(now).failed(failure.kind);
        let length = rest.length(self.in_a_row, failure.retry_after, spread);
        let until = now.saturating_add(millis(length));
        if self.rests_until.is_none_or(|earlier| earlier <= until) {
            self.rests_until = Some(until);
            self.rests_for = Some(failure.kind);
        }
        Some(length)
    }

    /// Takes the blame for the last failures off the model.
    pub fn pardoned(&mut self) {
        self.in_a_row = 0;
        self.rests_until = None;
        self.rests_for = None;
    }

    /// Forgets all failures and what they taught, but not how well it answers;
    /// tells whether there was anything to forget.
    pub fn forget_failures(&mut self) -> bool {
        let lessons = std::mem::take(&mut self.lessons);
        let is_marked =
            self.last_failure.take().is_some() || self.rests_until.is_some() || lessons != Lessons::default();
        self.pardoned();
        self.window.forget_failures();
        is_marked
    }

    /// Returns the kind of failure that the model rests for.
    pub fn reason(&self) -> Option<FailureKind> {
        self.rests_until?;
        self.rests_for.or_else(|| self.last_failure.as_ref().map(|last| last.kind))
    }

    /// Notes an answer: the model is trusted again at once.
    pub fn answered(&mut self, now: u64) {
        self.pardoned();
        self.last_success = Some(now);
        self.tally.answers = self.tally.answers.saturating_add(1);
        self.window.at(now).successes += 1;
    }

    /// Notes how long the first token took.
    pub fn first_token_after(&mut self, elapsed: Duration) {
        self.first_token_ms = average(self.first_token_ms, elapsed.as_secs_f32() * 1000.0);
    }

    /// Notes how many tokens came in the time after the first.
    pub fn paced(&mut self, tokens: u32, elapsed: Duration) {
        let seconds = elapsed.as_secs_f32();
        if tokens > 1 && seconds > 0.001 {
            #[expect(clippy::cast_precision_loss, reason = "a figure for ranking")]
            let rate = tokens as f32 / seconds;
            self.tokens_per_second = average(self.tokens_per_second, rate);
        }
    }

    /// Returns how the model stands.
    pub fn standing(&self, now: u64) -> Standing {
        match self.rests_until {
            Some(until) if until > now => Standing::Cooling(until - now),
            Some(_) => Standing::OnTrial,
            None => Standing::Ready,
        }
    }

    /// Notes a tool call that nobody can carry out, beside the failure that it is.
    pub fn called_badly(&mut self, now: u64) {
        self.tally.bad_calls = self.tally.bad_calls.saturating_add(1);
        self.window.at(now).bad_calls += 1;
    }

    /// Returns answers and failures of the last five minutes.
    pub fn recent(&self, now: u64) -> (u32, u32) {
        let failures = self.recent_failures(now).iter().map(|(_, count)| count).sum();
        (self.window.since(now).map(|bucket| bucket.successes).sum(), failures)
    }

    /// Returns the failures of the last five minutes by kind, in no order.
    pub fn recent_failures(&self, now: u64) -> Vec<(FailureKind, u32)> {
        let mut all = Vec::new();
        for (kind, count) in self.window.since(now).flat_map(|bucket| &bucket.failures) {
            add(&mut all, *kind, *count);
        }
        all
    }

    /// Returns the answers of the last five minutes whose tool calls nobody could
    /// carry out.
    pub fn recent_bad_calls(&self, now: u64) -> u32 {
        self.window.since(now).map(|bucket| bucket.bad_calls).sum()
    }
}

/// One bucket a minute, each used again after the window has passed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Window {
    buckets: [Bucket; BUCKETS],
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Bucket {
    minute: u64,
    successes: u32,
    bad_calls: u32,
    failures: Vec<(FailureKind, u32)>,
}

impl Window {
    fn at(&mut self, now: u64) -> &mut Bucket {
        let minute = now / 60_000;
        let bucket = &mut self.buckets[(minute % WINDOW_MINUTES) as usize];
        if bucket.minute != minute {
            *bucket = Bucket { minute, ..Bucket::default() };
        }
        bucket
    }

    fn forget_failures(&mut self) {
        for bucket in &mut self.buckets {
            bucket.bad_calls = 0;
            bucket.failures.clear();
        }
    }

    /// Returns the buckets of the last five minutes.
    fn since(&self, now: u64) -> impl Iterator<Item = &Bucket> {
        let oldest = (now / 60_000).saturating_sub(WINDOW_MINUTES - 1);
        self.buckets.iter().filter(move |bucket| bucket.minute >= oldest)
    }
}

impl Bucket {
    fn failed(&mut self, kind: FailureKind) {
        add(&mut self.failures, kind, 1);
    }
}

/// Adds to the count of a kind; of the twenty-odd a model sees a few.
fn add(counts: &mut Vec<(FailureKind, u32)>, kind: FailureKind, count: u32) {
    match counts.iter_mut().find(|(known, _)| *known == kind) {
        Some((_, sum)) => *sum = sum.saturating_add(count),
        None => counts.push((kind, count)),
    }
}

fn average(old: f32, new: f32) -> f32 {
    if old == 0.0 { new } else { old + WEIGHT * (new - old) }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTS: Rests = Rests { failure: Duration::from_mins(5), rate_limit: Duration::from_mins(1) };
    const MINUTE: u64 = 60_000;
    const NOW: u64 = 1_000 * MINUTE;

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "no")
    }

    #[test]
    fn a_failing_model_cools_then_is_on_trial_then_ready_again() {
        let mut health = Health::default();
        assert_eq!(health.standing(NOW), Standing::Ready);
        health.failed(&failure(FailureKind::ServerError), RESTS, NOW, NOW, 0.0);
        assert_eq!(health.standing(NOW), Standing::Cooling(5 * MINUTE));
        assert_eq!(health.standing(NOW + 5 * MINUTE), Standing::OnTrial);
        health.answered(NOW + 6 * MINUTE);
        assert_eq!(health.standing(NOW + 6 * MINUTE), Standing::Ready);
        assert_eq!(health.in_a_row, 0);
    }

    #[test]
    fn a_request_that_cannot_succeed_does_not_punish_the_model() {
        for kind in [FailureKind::BadRequest, FailureKind::KeyRejected, FailureKind::RateLimitedDay] {
            let mut health = Health::default();
            assert_eq!(health.failed(&failure(kind), RESTS, NOW, NOW, 0.0), None);
            assert_eq!((health.standing(NOW), health.in_a_row, health.recent(NOW)), (Standing::Ready, 0, (0, 0)));
            assert_eq!(health.last_failure.as_ref().map(|last| last.kind), Some(kind));
        }
    }

    #[test]
    fn one_outage_that_meets_many_tries_counts_once() {
        let mut health = Health::default();
        for late in 1..=6 {
            health.failed(&failure(FailureKind::ServerError), RESTS, NOW, NOW + late, 0.0);
        }
        assert_eq!((health.in_a_row, health.recent(NOW)), (1, (0, 6)));
        health.failed(&failure(FailureKind::ServerError), RESTS, NOW + 7, NOW + 8, 0.0);
        assert_eq!(health.in_a_row, 2);
    }

    #[test]
    fn a_shorter_rest_never_cuts_a_longer_one() {
        let mut health = Health::default();
        health.failed(&failure(FailureKind::Gated), RESTS, NOW, NOW, 0.0);
        health.failed(&failure(FailureKind::RateLimitedModel), RESTS, NOW, NOW, 0.0);
        assert_eq!(health.standing(NOW), Standing::Cooling(24 * 60 * MINUTE));
    }

    #[test]
    fn the_window_forgets_after_five_minutes() {
        let mut health = Health::default();
        health.answered(NOW);
        health.failed(&failure(FailureKind::Empty), RESTS, NOW + MINUTE, NOW + MINUTE, 0.0);
        health.answered(NOW + 4 * MINUTE);
        assert_eq!(health.recent(NOW + 4 * MINUTE), (2, 1));
        assert_eq!(health.recent(NOW + 5 * MINUTE), (1, 1));
        assert_eq!(health.recent(NOW + 20 * MINUTE), (0, 0));
    }

    #[test]
    fn the_window_knows_what_went_wrong() {
        let mut health = Health::default();
        for (kind, at) in [(FailureKind::Empty, 0), (FailureKind::TimedOut, 1), (FailureKind::Empty, 4)] {
            health.failed(&failure(kind), RESTS, NOW + at * MINUTE, NOW + at * MINUTE, 0.0);
        }
        health.called_badly(NOW);
        health.called_badly(NOW + MINUTE);
        let now = NOW + 4 * MINUTE;
        assert_eq!(health.recent_failures(now), [(FailureKind::Empty, 2), (FailureKind::TimedOut, 1)]);
        assert_eq!((health.recent(now), health.recent_bad_calls(now)), ((0, 3), 2));
        let later = NOW + 5 * MINUTE;
        assert_eq!(health.recent_failures(later).iter().map(|(_, count)| count).sum::<u32>(), 2);
        assert_eq!(health.recent_bad_calls(later), 1);
    }

    #[test]
    fn averages_start_with_the_first_measurement_and_move_slowly() {
        let mut health = Health::default();
        health.first_token_after(Duration::from_millis(100));
        health.first_token_after(Duration::from_millis(200));
        assert!((health.first_token_ms - 120.0).abs() < 0.01);
        health.paced(1, Duration::from_secs(1));
        assert!(health.tokens_per_second.abs() < f32::EPSILON);
        health.paced(50, Duration::from_secs(2));
        assert!((health.tokens_per_second - 25.0).abs() < 0.01);
    }
}
