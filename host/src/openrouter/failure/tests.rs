//! Every row of OpenRouter's tables of errors: what it is, and what follows.
//!
//! A row names its place in the reference (`openrouter-api.md`), the reply, the
//! kind, and whom it concerns: that is what rests for how long, and whether
//! another model is tried. The sections are in files of their own: errors
//! inside a 200 in `inside`, statuses and types in `statuses`, limits in
//! `limits`, refusals of the routing in `steps`, bodies of all sorts in
//! `bodies`. What a stream without any error says is in the end-to-end tests.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;
mod inside;
mod limits;
mod statuses;
mod steps;

use std::time::Duration;

use serde_json::{Value, json};

use super::{Headers, Reply, classify, classify_error_object};
use crate::routing::{
    Failure, FailureKind, Rests,
    Then::{self, *},
};

/// 2026-08-16, 12:00:20 UTC.
const NOW: u64 = 1_786_881_620_000;

/// The default figures.
const RESTS: Rests = Rests { failure: Duration::from_mins(5), rate_limit: Duration::from_mins(1) };

/// Whom a failure concerns: for how many seconds the model rests after the
/// first one, if it is to blame, and what happens to the request.
type Whom = (Option<u64>, Then);

/// The model is in trouble: the next one, and a rest that grows.
const MODEL: Whom = (Some(300), Next);
/// The model's pool is empty: the next one, and a shorter rest that grows.
const POOL: Whom = (Some(60), Next);
/// The model is not there, or not for this account: the next one, later today.
const MODEL_FOR_HOURS: Whom = (Some(6 * 3600), Next);
/// The model is closed to us: the next one, tomorrow.
const MODEL_FOR_A_DAY: Whom = (Some(24 * 3600), Next);
/// Model and request do not suit each other: the next one, and nobody rests.
const MISFIT: Whom = (None, Next);
/// The same, where only a larger model can do.
const TOO_LONG: Whom = (None, NextLarger);
/// Perhaps the request, perhaps the provider: one more model is asked.
const PERHAPS_REQUEST: Whom = (None, NextOnce);
/// The request: the client is told.
const REQUEST: Whom = (None, Stop);
/// The key: the client is told.
const KEY: Whom = (None, Stop);
/// The account, until the day is over: the client is told.
const ACCOUNT_TODAY: Whom = (None, Stop);
/// The account, for a moment: the same model is asked again.
const ACCOUNT_NOW: Whom = (None, Wait);

/// Holds a failure against the row that it belongs to.
fn check(row: &str, found: &Failure, kind: FailureKind, whom: Whom) {
    let consequence = found.kind.consequence(RESTS);
    let rest = consequence.rest.map(|rest| rest.length(1, None, 0.0).as_secs());
    assert_eq!((found.kind, (rest, consequence.then)), (kind, whom), "{row}: {found:?}");
}

/// Judges a reply without any headers.
fn reply(status: u16, body: &str) -> Failure {
    classify(&Reply { status, headers: Headers::default(), body: body.as_bytes(), now_ms: NOW })
}

/// Judges an error reply in the usual shape.
fn refused(status: u16, message: &str, metadata: &Value) -> Failure {
    reply(status, &json!({"error": {"code": status, "message": message, "metadata": metadata}}).to_string())
}
