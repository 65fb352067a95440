//! What follows from what happened: failures, their consequences, rests.
//!
//! Pure values and arithmetic: no clock, no network, no log. What an upstream
//! reply *means* is decided in `openrouter::failure`; what *follows* from it,
//! here: what rests for how long, and whether another model is tried. Read
//! [`health`] next, for what is remembered of a model.

pub mod health;
pub mod lessons;
pub mod needs;
pub mod plan;
pub mod quota;
pub mod suspects;
pub mod tally;

use std::{fmt, time::Duration};

/// One failed try, classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// HTTP status of the reply or of the error inside it; 0 if there was none.
    pub status: u16,
    /// The upstream's words, unwrapped and cut; safe to show to a client.
    pub message: String,
    /// How long the upstream asks to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Makes a failure that no HTTP reply belongs to.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, status: 0, message: message.into(), retry_after: None }
    }
}

/// Everything that can go wrong with a try, by what it concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The account may send nothing for now (money reserved by calls in flight).
    AccountBusy,
    /// The account has to confirm something before it may use the model.
    Attestation,
    /// A reply that is no OpenRouter answer: a page of HTML, broken JSON.
    BadAnswer,
    /// A model's provider refused the request as wrong; another may take it.
    BadRequest,
    /// No connection to OpenRouter, or it broke before a reply.
    Connect,
    /// The request does not fit the model's context.
    ContextOverflow,
    /// The account's privacy settings or guardrails leave no endpoint.
    DataPolicy,
    /// A complete answer with nothing in it.
    Empty,
    /// The model is not for this account or this kind of client.
    Gated,
    /// The model is no longer served, or no longer free.
    Gone,
    /// The answer broke off.
    Interrupted,
    /// The key has no money or quota left.
    KeyExhausted,
    /// The key is unknown or not accepted.
    KeyRejected,
    /// The request was refused by moderation.
    Moderated,
    /// The provider has too much to do.
    Overloaded,
    /// The account's free requests of the day are used up.
    RateLimitedDay,
    /// The account sent too many requests within a minute.
    RateLimitedMinute,
    /// The model's pool, shared by all users, is used up for the moment.
    RateLimitedModel,
    /// Somebody is limited, and nothing tells whether the model or the account.
    RateLimitedUnknown,
    /// OpenRouter itself refused the request: no model will be asked for it.
    Refused,
    /// An error on the other side.
    ServerError,
    /// The answer began and then nothing more came in time.
    Stalled,
    /// Nothing of an answer came in time.
    TimedOut,
    /// OpenRouter found no way to the model, for a reason that is new to us.
    Unroutable,
    /// The model cannot do what this request needs.
    Unsupported,
}

impl FailureKind {
    /// Every kind, for tables and tests.
    pub const ALL: [Self; 25] = [
        Self::AccountBusy,
        Self::Attestation,
        Self::BadAnswer,
        Self::BadRequest,
        Self::Connect,
        Self::ContextOverflow,
        Self::DataPolicy,
        Self::Empty,
        Self::Gated,
        Self::Gone,
        Self::Interrupted,
        Self::KeyExhausted,
        Self::KeyRejected,
        Self::Moderated,
        Self::Overloaded,
        Self::RateLimitedDay,
        Self::RateLimitedMinute,
        Self::RateLimitedModel,
        Self::RateLimitedUnknown,
        Self::Refused,
        Self::ServerError,
        Self::Stalled,
        Self::TimedOut,
        Self::Unroutable,
        Self::Unsupported,
    ];

    /// Returns the name used in logs, headers, the database and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccountBusy => "account-busy",
            Self::Attestation => "attestation",
            Self::BadAnswer => "bad-answer",
            Self::BadRequest => "bad-request",
            Self::Connect => "connect",
            Self::ContextOverflow => "context-overflow",
            Self::DataPolicy => "data-policy",
            Self::Empty => "empty",
            Self::Gated => "gated",
            Self::Gone => "gone",
            Self::Interrupted => "interrupted",
            Self::KeyExhausted => "key-exhausted",
            Self::KeyRejected => "key-rejected",
            Self::Moderated => "moderated",
            Self::Overloaded => "overloaded",
            Self::RateLimitedDay => "rate-limited-day",
            Self::RateLimitedMinute => "rate-limited-minute",
            Self::RateLimitedModel => "rate-limited-model",
            Self::RateLimitedUnknown => "rate-limited-unknown",
            Self::Refused => "refused",
            Self::ServerError => "server-error",
            Self::Stalled => "stalled",
            Self::TimedOut => "timed-out",
            Self::Unroutable => "unroutable",
            Self::Unsupported => "unsupported",
        }
    }

    /// Returns the kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns what follows from a failure of this kind.
    ///
    /// The table is `openrouter-api.md` 5.5, 6.3, 7.3 to 7.5 in our words: a
    /// client's own mistake, a bad key and an account-wide limit let no model
    /// rest.
    pub fn consequence(self, rests: Rests) -> Consequence {
        let (rest, then) = match self {
            Self::BadAnswer
            | Self::Empty
            | Self::Interrupted
            | Self::Overloaded
            | Self::ServerError
            | Self::Stalled
            | Self::TimedOut
            | Self::Unroutable => (Some(Rest::growing(rests.failure)), Then::Next),
            Self::RateLimitedModel | Self::RateLimitedUnknown => (Some(Rest::growing(rests.rate_limit)), Then::Next),
            Self::Gated => (Some(Rest::fixed(GATED_REST)), Then::Next),
            Self::Attestation | Self::DataPolicy | Self::Gone => (Some(Rest::fixed(GONE_REST)), Then::Next),
            Self::Connect | Self::Unsupported => (None, Then::Next),
            Self::ContextOverflow => (None, Then::NextLarger),
            Self::BadRequest => (None, Then::NextOnce),
            Self::AccountBusy | Self::RateLimitedMinute => (None, Then::Wait),
            Self::KeyExhausted | Self::KeyRejected | Self::Moderated | Self::RateLimitedDay | Self::Refused => {
                (None, Then::Stop)
            }
        };
        Consequence { rest, then }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long a model rests that is not for this account: nothing in the
/// catalogue tells when that changes, and each try costs quota.
const GATED_REST: Duration = Duration::from_hours(24);

/// How long a model rests that is not served, or not under the account's
/// privacy settings: the operator may change those within the day.
const GONE_REST: Duration = Duration::from_hours(6);

/// No rest that grows gets longer than this, whatever the base.
const CEILING: Duration = Duration::from_mins(30);

/// The operator's base figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rests {
    /// After an ordinary failure (`failover.failure_cooldown_minutes`).
    pub failure: Duration,
    /// After a rate limit of the model (`failover.ratelimit_cooldown_minutes`).
    pub rate_limit: Duration,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequence {
    /// How the model rests; `None` if it is innocent.
    pub rest: Option<Rest>,
    /// What happens to the request.
    pub then: Then,
}

/// What happens to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next model is tried.
    Next,
    /// The next model with a larger context is tried; without one the client
    /// is told.
    NextLarger,
    /// One other model is tried; if it says the same, the client is told.
    NextOnce,
    /// The client is told: no model could help.
    Stop,
    /// The same model is tried again after the wait that the upstream asked
    /// for, if that is soon enough.
    Wait,
}

/// How long a model rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    base: Duration,
    grows: bool,
}

impl Rest {
    fn growing(base: Duration) -> Self {
        Self { base, grows: true }
    }

    fn fixed(base: Duration) -> Self {
        Self { base, grows: false }
    }

    /// Returns the time until the model is tried again.
    ///
    /// `in_a_row` counts this failure and those directly before it. A hint of
    /// the upstream's counts if it is longer than nothing and shorter than a
    /// day, and then it decides. `spread`, from 0 to 1, adds up to a tenth, so
    /// that models which failed together do not come back together.
    pub fn length(self, in_a_row: u32, hint: Option<Duration>, spread: f32) -> Duration {
        if let Some(hint) = hint.filter(|hint| !hint.is_zero() && *hint <= GATED_REST) {
            return hint;
        }
        if !self.grows || self.base.is_zero() {
            return self.base;
        }
        let doublings = in_a_row.saturating_sub(1).min(16);
        let grown = self.base.saturating_mul(1 << doublings).min(CEILING.max(self.base));
        grown.saturating_add(grown.mul_f32(0.1 * spread.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESTS: Rests = Rests { failure: Duration::from_mins(5), rate_limit: Duration::from_mins(1) };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_that_reads_back() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(FailureKind::parse("no-such-kind"), None);
    }

    #[test]
    fn only_failures_of_the_model_itself_let_it_rest() {
        let resting: Vec<&str> = FailureKind::ALL
            .into_iter()
            .filter(|kind| kind.consequence(RESTS).rest.is_some())
            .map(FailureKind::as_str)
            .collect();
        assert_eq!(
            resting,
            [
                "attestation",
                "bad-answer",
                "data-policy",
                "empty",
                "gated",
                "gone",
                "interrupted",
                "overloaded",
                "rate-limited-model",
                "rate-limited-unknown",
                "server-error",
                "stalled",
                "timed-out",
                "unroutable"
            ]
        );
    }

    #[test]
    fn a_rest_doubles_while_failures_go_on_up_to_the_ceiling() {
        let rest = Rest::growing(seconds(60));
        let lengths: Vec<u64> = (1..=8).map(|n| rest.length(n, None, 0.0).as_secs()).collect();
        assert_eq!(lengths, [60, 120, 240, 480, 960, 1800, 1800, 1800]);
    }

    #[test]
    fn a_base_above_the_ceiling_is_kept_and_zero_stays_zero() {
        assert_eq!(Rest::growing(seconds(7200)).length(3, None, 0.0), seconds(7200));
        assert_eq!(Rest::growing(Duration::ZERO).length(3, None, 1.0), Duration::ZERO);
    }

    #[test]
    fn a_hint_decides_unless_it_is_senseless() {
        let rest = Rest::growing(seconds(60));
        assert_eq!(rest.length(5, Some(seconds(7)), 1.0), seconds(7));
        assert_eq!(rest.length(1, Some(Duration::ZERO), 0.0), seconds(60));
        assert_eq!(rest.length(1, Some(seconds(40 * 3600)), 0.0), seconds(60));
    }

    #[test]
    fn spread_adds_at_most_a_tenth() {
        let rest = Rest::growing(seconds(100));
        assert_eq!(rest.length(1, None, 1.0).as_secs(), 110);
        assert_eq!(rest.length(1, None, 9.0).as_secs(), 110);
    }
}
