//! A model that fails before it has said anything: the next one answers.
//!
//! Every reply form of the upstream that another model can make good, in every
//! protocol and form: a complete answer, the headers that tell, and what rests
//! afterwards. What ends a chain is in `exhausted`, what comes after the first
//! words in `streaming`, how long a rest lasts in `cooldown`.

use std::time::Duration;

use futures_util::future::join_all;
use ollama_router::sandbox::reply::{Reply, step::Step};
use serde_json::json;

use crate::support::{
    Setup,
    ask::{FORMS, Form, Told},
};

/// The model that answers in place of the others: the largest.
const GOOD: &str = "acme/good:free";

const RESTS: bool = true;
const INNOCENT: bool = false;

/// A way to fail, the kind it is told as, and whether the model rests for it.
type Case = (Reply, &'static str, bool);

/// Has the named model of each form fail in this way, and the large one answer.
async fn check(setup: Setup, (reply, kind, rests): Case) {
    // One model to fail for each form, so that a rest shows which fault it is of.
    let failing: Vec<String> = (0..FORMS.len()).map(|number| format!("acme/f{number}:free")).collect();
    let models: Vec<&str> = std::iter::once(GOOD).chain(failing.iter().map(String::as_str)).collect();
    let host = setup.models(&models).start().await;
    for id in &failing {
        host.sandbox.always(id, reply.clone());
    }
    let answers = FORMS.iter().zip(&failing).map(|(form, id)| host.ask(*form, id));
    for ((form, id), answer) in FORMS.iter().zip(&failing).zip(join_all(answers).await) {
        let trail = format!("{id}={kind}");
        assert_eq!(Told::by(&answer), Told::hello(GOOD, 2, Some(&trail)), "{form:?}");
        assert!(form.is_finished(&answer), "{form:?}: {}", answer.text);
        let standing = if rests { "cooling" } else { "ready" };
        assert_eq!(host.standing(id).await, (standing.to_owned(), Some(kind.to_owned())), "{form:?}");
    }
    assert_eq!(host.standing(GOOD).await, ("ready".to_owned(), None), "{kind}");
}

/// Where time is not what is tested, a busy machine must not decide.
async fn check_all(cases: impl IntoIterator<Item = Case>) {
    for case in cases {
        let patient = Setup::new().set("failover.first_token_timeout", "15s").set("failover.idle_timeout", "15s");
        check(patient, case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_model_moves_on_and_cools_it_down() {
    check_all([
        (Reply::upstream_limit(), "rate-limited-model", RESTS),
        (Reply::upstream_limit_for(40), "rate-limited-model", RESTS),
        (Reply::capacity_exhausted(40), "rate-limited-model", RESTS),
        (Reply::rate_limited().retry_after(7), "rate-limited-model", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_moves_on_and_cools_the_model_down() {
    check_all([
        (Reply::internal_error(), "server-error", RESTS),
        (Reply::connection_lost(), "server-error", RESTS),
        (Reply::no_instances(), "overloaded", RESTS),
        (Reply::overloaded(), "overloaded", RESTS),
        (Reply::request_timeout(), "timed-out", RESTS),
        (Reply::edge_timeout(), "timed-out", RESTS),
        (Reply::html(502), "server-error", RESTS),
        (Reply::html(503), "overloaded", RESTS),
        (Reply::html(403), "server-error", RESTS),
        (Reply::body(500, "text/plain", "upstream fell over"), "server-error", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_closed_or_gone_moves_on_and_rests() {
    check_all([
        (Reply::harness_gate(), "gated", RESTS),
        (Reply::harness_gate_bare(), "gated", RESTS),
        (Reply::age_attestation(), "attestation", RESTS),
        (Reply::model_gone(), "gone", RESTS),
        (Reply::invalid_model(), "gone", RESTS),
        (Reply::free_period_ended(), "gone", RESTS),
        (Reply::unavailable_for_free(), "gone", RESTS),
        (Reply::above_max_price(), "gone", RESTS),
        (Reply::data_policy(), "data-policy", RESTS),
        (Reply::guardrails(), "data-policy", RESTS),
        (Reply::no_allowed_providers(), "data-policy", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_does_not_suit_the_model_moves_on_and_punishes_nobody() {
    check_all([
        (Reply::no_tool_use("f"), "unsupported", INNOCENT),
        (Reply::no_tool_choice(), "unsupported", INNOCENT),
        (Reply::no_input("image"), "unsupported", INNOCENT),
        (Reply::no_parameters(), "unsupported", INNOCENT),
        (Reply::reasoning_mandatory(), "unsupported", INNOCENT),
        (Reply::context_exceeded(4_096, 9_000), "context-overflow", INNOCENT),
        (Reply::provider_error(400, "messages: odd roles"), "bad-request", INNOCENT),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_refuses_the_upstreams_own_key_is_not_our_key_refused() {
    check_all([
        (Reply::provider_error(401, "invalid api key"), "server-error", RESTS),
        (Reply::provider_error(402, "no balance"), "server-error", RESTS),
        (Reply::provider_error(403, "forbidden"), "server-error", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_inside_a_200_moves_on() {
    let error = |code: i32| json!({"error": {"code": code, "message": "no"}});
    let padded = Reply::json(200, error(502)).padding(3);
    check_all([
        (Reply::json(200, error(503)), "overloaded", RESTS),
        (padded, "server-error", RESTS),
        (Reply::html(200), "bad-answer", RESTS),
        (Reply::json(200, json!({"choices": []})), "bad-answer", RESTS),
        (Reply::body(200, "application/json", "{\"choices\": [{\"mess"), "bad-answer", RESTS),
        (Reply::body(200, "text/event-stream", "data: {\"choices\n\n"), "bad-answer", RESTS),
        (Reply::body(200, "text/event-stream", ""), "interrupted", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_as_the_first_event_moves_on() {
    check_all([
        (Reply::error_event(503, "busy"), "overloaded", RESTS),
        (Reply::error_event("502", "gone away").comments(3), "server-error", RESTS),
        (Reply::error_event("server_error", "oops"), "server-error", RESTS),
        (Reply::error_chunk(503, "no room"), "overloaded", RESTS),
        (Reply::chunks([]).then_error(502, "lost"), "server-error", RESTS),
        (Reply::chunks([]).then_malformed(), "interrupted", RESTS),
        (Reply::chunks([""]).then_error(502, "lost").crlf().split_every(7), "server-error", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_says_nothing_moves_on() {
    let roles = Reply::stream([Step::Repeat(json!({"choices": [{"delta": {"role": "assistant"}}]}), 9), Step::Done]);
    let endless = Reply::stream([Step::Endless(json!({"choices": [{"delta": {"content": ""}}]}))]);
    check_all([
        (Reply::empty(), "empty", RESTS),
        (Reply::chunks(["", ""]), "empty", RESTS),
        (roles, "empty", RESTS),
        (endless, "empty", RESTS),
        (Reply::chunks([]).without_finish(), "interrupted", RESTS),
        (Reply::chunks([]).then_cut(), "interrupted", RESTS),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_before_the_first_token_moves_on_in_time() {
    let comment = [Step::Comment, Step::Pause(Duration::from_millis(50))];
    let alive = Reply::stream(comment.into_iter().cycle().take(800));
    let role = Step::role();
    let roles = Reply::stream([role, Step::Pause(Duration::from_millis(50))].into_iter().cycle().take(800));
    for reply in [Reply::silent(), Reply::chunks([]).then_hang(), alive, roles] {
        // Longer than the first token's, so that it is that time which ends it.
        let setup = Setup::new().set("failover.idle_timeout", "15s");
        check(setup, (reply, "timed-out", RESTS)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_too_long_for_one_model_goes_only_to_larger_ones() {
    for form in FORMS {
        let host = Setup::new().models(&["acme/large:free", "acme/middle:free", "acme/small:free"]).start().await;
        host.sandbox.always("acme/middle:free", Reply::context_exceeded(4_096, 9_000));
        host.sandbox.always("acme/large:free", Reply::context_exceeded(9_000, 9_001));
        let answer = host.ask(form, "middle:free").await;
        assert_eq!(answer.status, 400, "{form:?}");
        assert_eq!(answer.header("x-router-attempts"), Some("2"), "{form:?}");
        assert!(form.error(&answer).contains("maximum context length is 9000 tokens"), "{}", answer.text);
        assert_eq!(host.called(), ["acme/middle:free", "acme/large:free"], "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_goes_on_to_the_last_attempt_that_is_allowed() {
    let models = ["acme/a:free", "acme/b:free", "acme/c:free", "acme/d:free", "acme/e:free"];
    let host = Setup::new().models(&models).set("failover.max_attempts", "3").start().await;
    host.sandbox.always("acme/a:free", Reply::overloaded());
    host.sandbox.always("acme/b:free", Reply::html(502));
    let answer = host.ask(FORMS[0], "auto").await;
    let trail = "acme/a:free=overloaded, acme/b:free=server-error";
    assert_eq!(Told::by(&answer), Told::hello("acme/c:free", 3, Some(trail)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_minute_is_waited_for_and_the_same_model_answers() {
    let host = Setup::new().models(&["acme/a:free", "acme/b:free"]).start().await;
    for form in FORMS {
        let reset_ms = ollama_router::clock::now_ms() + 300;
        host.sandbox.script("acme/a:free", [Reply::minute_limit(reset_ms)]);
        let answer = host.ask(form, "a:free").await;
        let trail = Some("acme/a:free=rate-limited-minute");
        assert_eq!(Told::by(&answer), Told::hello("acme/a:free", 2, trail), "{form:?}");
        assert_eq!(host.standing("acme/a:free").await.0, "ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_account_is_waited_for_and_the_same_model_answers() {
    let host = Setup::new().models(&["acme/a:free", "acme/b:free"]).start().await;
    host.sandbox.script("acme/a:free", [Reply::in_flight_budget(1)]);
    let form = Form { path: "/api/chat", streaming: false };
    let answer = host.ask(form, "a:free").await;
    assert_eq!(Told::by(&answer), Told::hello("acme/a:free", 2, Some("acme/a:free=account-busy")));
}
