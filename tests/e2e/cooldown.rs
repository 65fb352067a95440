//! What is remembered of failures: rests, their ends, the account's limits.
//!
//! In memory, in `failures.db`, and over a restart. Which failures lead to a
//! rest is in `failover`; the arithmetic is tested beside `routing::health`.

use ollama_router::{
    clock::now_ms,
    sandbox::{
        record::View,
        reply::{
            Reply,
            step::{Gate, Step},
        },
    },
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{
    self, Host, Setup,
    ask::{FORMS, Form, Told},
    models,
};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";
const C: &str = "acme/c:free";

const CHAT: Form = Form { path: "/api/chat", streaming: false };

/// Returns the rest of a model in whole seconds.
async fn rest_s(host: &Host, id: &str) -> u64 {
    host.state(id).await["cooldown_ms"].as_u64().unwrap() / 1000
}

/// Reads the failures on disk, oldest first: model, kind, status.
fn failures(path: &std::path::Path) -> Vec<(String, String, Option<u16>)> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT model, kind, http_status FROM failures ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_rests_is_not_asked_even_by_name() {
    let host = Setup::new().models(&[A, B]).start().await;
    host.sandbox.script(A, [Reply::overloaded()]);
    assert_eq!(Told::by(&host.ask(CHAT, "a:free").await), Told::hello(B, 2, Some("acme/a:free=overloaded")));
    for form in FORMS {
        assert_eq!(Told::by(&host.ask(form, "a:free").await), Told::hello(B, 1, None), "{form:?}");
    }
    assert_eq!(host.called().iter().filter(|id| *id == A).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_lasts_as_the_operator_or_the_upstream_says() {
    // From some seconds less, for the time that the test itself takes.
    let rows = [
        (Reply::overloaded(), 295..=330),
        (Reply::upstream_limit(), 55..=66),
        (Reply::upstream_limit_for(40), 35..=40),
        (Reply::capacity_exhausted(25), 20..=25),
        (Reply::rate_limited().retry_after(600), 595..=600),
        (Reply::harness_gate(), 86_395..=86_400),
        (Reply::model_gone(), 21_595..=21_600),
    ];
    for (reply, expected) in rows {
        let host = Setup::new().models(&[A, B]).start().await;
        host.sandbox.script(A, [reply]);
        host.ask(CHAT, "auto").await;
        let rest = rest_s(&host, A).await;
        assert!(expected.contains(&rest), "{rest} s, expected {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rests_begin_at_the_operators_figures_and_grow_while_the_model_fails() {
    let setup = Setup::new().set("failover.failure_cooldown_minutes", "0.5");
    let host = setup.set("failover.ratelimit_cooldown_minutes", "2").models(&[A, B]).start().await;
    host.sandbox.script(A, [Reply::overloaded(), Reply::overloaded()]);
    host.sandbox.script(B, [Reply::upstream_limit(), Reply::upstream_limit()]);
    let expected = [(25..=33, 115..=132), (55..=66, 115..=132)];
    for (of_a, of_b) in expected {
        // When both rest, the one due first is tried all the same.
        assert_ne!(host.ask(CHAT, "auto").await.status, 200);
        let (a, b) = (rest_s(&host, A).await, rest_s(&host, B).await);
        assert!(of_a.contains(&a) && of_b.contains(&b), "{a} {b}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_closed_to_the_account_is_listed_with_the_reason() {
    for (reply, reason) in [(Reply::harness_gate(), "gated"), (Reply::guardrails(), "data-policy")] {
        let host = Setup::new().models(&[A, B]).start().await;
        host.sandbox.script(A, [reply]);
        host.ask(CHAT, "auto").await;
        let rows = host.get("/router/models").await.json();
        let learned = |place: usize| (rows[place]["id"].clone(), rows[place]["learned"].clone());
        assert_eq!([learned(0), learned(1)], [(json!(A), json!([reason])), (json!(B), json!([]))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_on_trial_that_answers_is_ready_again() {
    let setup = Setup::new().set("failover.failure_cooldown_minutes", "0");
    let host = setup.models(&[A, B]).start().await;
    host.sandbox.script(A, [Reply::overloaded()]);
    host.ask(CHAT, "auto").await;
    assert_eq!(host.standing(A).await.0, "on trial");
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None));
    let state = host.state(A).await;
    assert_eq!((&state["standing"], &state["failures_in_a_row"]), (&json!("ready"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_request_at_a_time_tries_a_model_on_trial() {
    let setup = Setup::new().set("failover.failure_cooldown_minutes", "0").set("failover.first_token_timeout", "15s");
    let host = setup.models(&[A, B]).start().await;
    host.sandbox.script(A, [Reply::overloaded()]);
    host.ask(CHAT, "auto").await;
    let gate = Gate::new();
    host.sandbox.script(A, [Reply::text("Here again").headers_after(&gate)]);
    let trial = host.ask(CHAT, "auto");
    let meanwhile = async {
        host.sandbox.wait_until(|view| view.chats_with(A).len() == 2).await;
        let answer = host.ask(CHAT, "auto").await;
        gate.open();
        answer
    };
    let (trial, meanwhile) = tokio::join!(trial, meanwhile);
    assert_eq!(trial.content(), "Here again");
    assert_eq!(Told::by(&meanwhile), Told::hello(B, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn if_all_rest_the_one_due_first_is_tried() {
    let host = Setup::new().models(&[A, B, C]).start().await;
    host.sandbox.script(A, [Reply::upstream_limit_for(50)]);
    host.sandbox.script(B, [Reply::upstream_limit_for(20)]);
    host.sandbox.script(C, [Reply::upstream_limit_for(40)]);
    let answer = host.ask(CHAT, "auto").await;
    assert_eq!(answer.status, 429);
    let due: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((15..=20).contains(&due), "{due}");
    assert_eq!(Told::by(&host.ask(CHAT, "a:free").await), Told::hello(B, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_on_disk_and_a_rest_survives_a_restart() {
    let host = Setup::new().models(&[A, B, C]).start().await;
    host.sandbox.script(A, [Reply::upstream_limit_for(600)]);
    host.sandbox.script(B, [Reply::chunks([]).then_cut()]);
    let answer = host.ask(CHAT, "auto").await;
    let trail = "acme/a:free=rate-limited-model, acme/b:free=interrupted";
    assert_eq!(Told::by(&answer), Told::hello(C, 3, Some(trail)));

    let host = host.restart().await;
    let expected =
        [(A.to_owned(), "rate-limited-model".to_owned(), Some(429)), (B.to_owned(), "interrupted".to_owned(), None)];
    assert_eq!(failures(&host.path("failures.db")), expected);
    let rest = rest_s(&host, A).await;
    assert!((580..=600).contains(&rest), "{rest}");
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(C, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_left_the_catalogue_is_forgotten_but_not_for_a_refresh_that_failed() {
    let host = Setup::new().models(&[A, B]).start().await;
    host.sandbox.script(A, [Reply::overloaded()]);
    host.ask(CHAT, "auto").await;
    host.sandbox.fail_catalog(&Reply::no_instances());
    let host = host.restart_stale().await;
    let tried = |view: &View| view.requests.iter().filter(|request| request.path == "/models").count() >= 2;
    host.sandbox.wait_until(tried).await;
    assert_eq!(host.standing(A).await.0, "cooling");

    host.sandbox.restore_catalog();
    host.sandbox.set_catalog(models::free(&[B]));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    host.sandbox.set_catalog(models::free(&[A, B]));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    assert_eq!(host.standing(A).await, ("ready".to_owned(), None));
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_of_every_model_is_counted_by_kind_and_survives_a_restart() {
    let host = Setup::new().models(&[A, B]).set("failover.failure_cooldown_minutes", "0").start().await;
    let fragment = json!({"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"x"}});
    let broken = Reply::stream([Step::tool(&fragment), Step::finish("tool_calls"), Step::Done]);
    host.sandbox.script(A, [Reply::overloaded(), Reply::no_tool_use("f"), broken, Reply::overloaded()]);
    for _ in 0..5 {
        assert_eq!(host.ask(CHAT, "auto").await.status, 200);
    }
    let host = host.restart().await;
    let counts = |state: Value| ["answers", "failures", "bad_calls"].map(|field| state[field].clone());
    let failures = json!({"overloaded": 2, "unsupported": 1, "bad-answer": 1});
    assert_eq!(counts(host.state(A).await), [json!(1), failures, json!(1)]);
    assert_eq!(counts(host.state(B).await), [json!(4), json!({}), json!(0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_the_day_stops_everything_at_once_and_survives_a_restart() {
    let reset_ms = now_ms() + 3_600_000;
    for reply in [
        Reply::daily_limit(50, reset_ms),
        Reply::daily_limit(1_000, reset_ms),
        Reply::daily_limit_bare(),
        Reply::daily_limit_in_raw(),
        Reply::error_event(429, "Rate limit exceeded: free-models-per-day"),
    ] {
        let mut host = Setup::new().models(&[A, B]).start().await;
        host.sandbox.script("*", [reply]);
        check_closed(&host, "the first").await;
        assert_eq!(host.called(), [A], "no other model is asked");
        assert_eq!(host.status().await["account"]["limit"], "rate-limited-day");
        for form in FORMS {
            let answer = host.ask(form, "auto").await;
            assert_eq!(answer.status, 429, "{form:?}");
            assert!(answer.header("retry-after").is_some(), "{form:?}");
            assert!(form.error(&answer).contains("free requests of today are used up"), "{}", answer.text);
        }
        host = host.restart().await;
        check_closed(&host, "after a restart").await;
        assert_eq!(host.called(), [A], "no call is made while the limit holds");
        assert_eq!(host.standing(A).await.0, "ready", "the model is innocent");
    }
}

async fn check_closed(host: &Host, when: &str) {
    let answer = host.ask(CHAT, "auto").await;
    let wait: u64 = answer.header("retry-after").unwrap_or_else(|| panic!("{when}: {}", answer.text)).parse().unwrap();
    assert_eq!(answer.status, 429, "{when}: {}", answer.text);
    assert!((1..=24 * 3600).contains(&wait), "{when}: {wait}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_began_before_the_limit_of_the_day_does_not_lift_it() {
    let host = Setup::new().models(&[A, B]).set("failover.idle_timeout", "15s").start().await;
    let gate = Gate::new();
    host.sandbox.script(A, [Reply::chunks(["One ", "two"]).gate_rest(&gate)]);
    let stream = Form { path: "/api/chat", streaming: true };
    let early = host.send(stream.path, stream.body("auto", "Hello").to_string()).await;
    host.sandbox.script("*", [Reply::daily_limit(50, now_ms() + 3_600_000)]);
    check_closed(&host, "while the early answer goes on").await;
    gate.open();
    assert!(support::Reply::read(early).await.complete);
    let calls = host.called().len();
    check_closed(&host, "after the early answer").await;
    assert_eq!(host.called().len(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn pacing_tells_who_would_wait_too_long_when_to_come_back() {
    let setup = Setup::new().set("failover.requests_per_minute", "2").set("failover.deadline", "2s");
    let host = setup.models(&[A]).start().await;
    for form in FORMS.into_iter().take(2) {
        assert_eq!(host.ask(form, "auto").await.status, 200);
    }
    for form in FORMS {
        let answer = host.ask(form, "auto").await;
        assert_eq!(answer.status, 429, "{form:?}: {}", answer.text);
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((50..=60).contains(&wait), "{form:?}: {wait}");
        assert!(form.error(&answer).contains("failover.requests_per_minute"), "{}", answer.text);
    }
    assert_eq!(host.called().len(), 2);
    let state = host.state(A).await;
    assert_eq!((&state["standing"], &state["last_failure"]), (&json!("ready"), &Value::Null));
}
