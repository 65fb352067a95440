//! Section 7.4: limits of the account, of a model, and of nobody knows whom.

use ollama_router::{clock::now_ms, sandbox::reply::Reply as Upstream};

use super::{Fate, Row, check_alone, check_in_turn, check_together, next, patient, told};

/// An hour from now.
fn later() -> u64 {
    now_ms() + 3_600_000
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_model_in_every_form() {
    let rows = [
        next("7.4 pool", Upstream::upstream_limit(), "rate-limited-model", 60),
        next("7.4 pool, hint", Upstream::upstream_limit_for(240), "rate-limited-model", 240),
        next("7.4 pool, header", Upstream::upstream_limit().retry_after(120), "rate-limited-model", 120),
        next("7.4 capacity", Upstream::capacity_exhausted(400), "rate-limited-model", 400),
        next("7.4 provider's code", Upstream::rate_limited(), "rate-limited-model", 60),
    ];
    check_together(patient(), &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_account_in_every_form() {
    let again = |name, reply, kind| Row { name, reply, kind, rest_s: 0, fate: Fate::Again };
    let rows = [
        told("7.4 day, 50", Upstream::daily_limit(50, later()), "rate-limited-day", 429),
        told("7.4 day, 1000", Upstream::daily_limit(1_000, later()), "rate-limited-day", 429),
        told("7.4 day, words alone", Upstream::daily_limit_bare(), "rate-limited-day", 429),
        told("7.4 day, in raw", Upstream::daily_limit_in_raw(), "rate-limited-day", 429),
    ];
    check_in_turn(patient(), &rows).await;
    let rows = [
        told("7.4 minute, too far", Upstream::minute_limit(later()), "rate-limited-minute", 429),
        told("7.4 in flight, too long", Upstream::in_flight_budget(60), "account-busy", 429),
        again("7.4 in flight", Upstream::in_flight_budget(1), "account-busy"),
        // The reset is over already, so that the header decides.
        again("7.4 minute", Upstream::minute_limit(1).retry_after(1), "rate-limited-minute"),
    ];
    check_alone(|| patient().set("failover.deadline", "30s"), &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_nobody_knows_whom_in_every_form() {
    let rows = [
        next("7.4 unknown", Upstream::limited_by_somebody(), "rate-limited-unknown", 60),
        next("page 429", Upstream::html(429), "rate-limited-unknown", 60),
    ];
    check_in_turn(patient(), &rows).await;
}
