//! No model answers: one error that says what was tried, why, and until when.
//!
//! Status, `Retry-After` and body in the shape of each protocol, for failures
//! that end a chain at once and for chains in which every model fails. What a
//! client's own mistakes lead to before any call is in `bad_input`.

use ollama_router::sandbox::reply::Reply;
use serde_json::json;

use crate::support::{
    Setup,
    ask::{FORMS, Form},
};

const MODELS: [&str; 3] = ["acme/a:free", "acme/b:free", "acme/c:free"];

/// What is expected when every model fails in the same way.
struct Expected {
    status: u16,
    calls: u32,
    retry: bool,
    words: &'static str,
    code: &'static str,
    rests: bool,
}

/// Fails every model in this way, and asks for any of them in every form.
async fn check(reply: Reply, expected: Expected) {
    for form in FORMS {
        let host = Setup::new().models(&MODELS).set("failover.first_token_timeout", "15s").start().await;
        host.sandbox.always("*", reply.clone());
        let answer = host.ask(form, "auto").await;
        let told = form.error(&answer);
        assert_eq!((answer.status, answer.complete), (expected.status, true), "{form:?}: {told}");
        assert_eq!(answer.header("x-router-attempts"), Some(&*expected.calls.to_string()), "{form:?}: {told}");
        assert_eq!(host.called().len(), expected.calls as usize, "{form:?}");
        assert_eq!(answer.header("retry-after").is_some(), expected.retry, "{form:?}: {:?}", answer.headers);
        assert!(told.contains(expected.words), "{form:?}: {told}");
        let calls = usize::try_from(expected.calls).unwrap();
        for id in &MODELS[..calls] {
            assert!(told.contains(&format!("{id}: ")), "{form:?}: {told}");
            let standing = if expected.rests { "cooling" } else { "ready" };
            assert_eq!(host.standing(id).await, (standing.to_owned(), Some(expected.code.to_owned())), "{form:?}");
        }
        if form.has_openai_errors() {
            assert_eq!(answer.json()["error"]["code"], expected.code);
        }
        let attempts = form.attempts(&answer);
        assert_eq!(attempts.as_array().map(Vec::len), Some(calls), "{form:?}: {attempts}");
        for (attempt, id) in attempts.as_array().unwrap().iter().zip(MODELS) {
            assert_eq!((&attempt["model"], &attempt["kind"]), (&json!(id), &json!(expected.code)), "{form:?}");
            assert!(told.contains(attempt["message"].as_str().unwrap()), "{form:?}: {attempt}");
            assert!(attempt["status"].is_u64(), "{form:?}: {attempt}");
            assert_eq!(attempt["due_in_s"].is_u64(), expected.rests, "{form:?}: {attempt}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_models_limited_is_429_with_the_time_of_the_first() {
    let words = "temporarily rate-limited upstream";
    check(
        Reply::upstream_limit(),
        Expected { status: 429, calls: 3, retry: true, words, code: "rate-limited-model", rests: true },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_models_overloaded_is_503() {
    let words = "Provider is overloaded";
    check(Reply::overloaded(), Expected { status: 503, calls: 3, retry: true, words, code: "overloaded", rests: true })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_models_failing_otherwise_is_502() {
    let words = "a page instead of an answer: openrouter.ai | 502";
    check(Reply::html(502), Expected { status: 502, calls: 3, retry: true, words, code: "server-error", rests: true })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_two_models_refuse_is_the_clients_400() {
    let words = "messages: odd roles";
    check(
        Reply::provider_error(400, words),
        Expected { status: 400, calls: 2, retry: false, words, code: "bad-request", rests: false },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_key_is_told_at_once_and_is_no_401() {
    let words = "check openrouter.api_key";
    check(
        Reply::user_not_found(),
        Expected { status: 502, calls: 1, retry: false, words, code: "key-rejected", rests: false },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_credits_is_told_at_once() {
    for reply in [Reply::insufficient_credits(), Reply::cannot_afford(4_096, 12)] {
        check(
            reply,
            Expected { status: 402, calls: 1, retry: false, words: "credits", code: "key-exhausted", rests: false },
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_limit_of_its_own_is_told_at_once() {
    let words = "Key limit exceeded";
    check(
        Reply::key_limit(),
        Expected { status: 402, calls: 1, retry: false, words, code: "key-exhausted", rests: false },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moderated_request_is_told_at_once() {
    let words = "Your input was flagged";
    check(Reply::moderated(), Expected { status: 403, calls: 1, retry: false, words, code: "moderated", rests: false })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_reached_is_502_and_no_models_fault() {
    for form in FORMS {
        let mut host = Setup::new().models(&MODELS).start().await;
        // The catalogue stays in memory; only the calls find nobody.
        host.stop_upstream().await;
        let answer = host.ask(form, "auto").await;
        let told = form.error(&answer);
        assert_eq!((answer.status, answer.header("x-router-attempts")), (502, Some("3")), "{form:?}: {told}");
        for id in MODELS {
            assert!(told.contains(&format!("{id}: cannot reach OpenRouter")), "{form:?}: {told}");
            assert_eq!(host.standing(id).await, ("ready".to_owned(), Some("connect".to_owned())), "{form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_models_hanging_is_504_within_the_deadline() {
    let host = Setup::new()
        .models(&MODELS)
        .set("failover.deadline", "1500ms")
        .set("failover.idle_timeout", "15s")
        .start()
        .await;
    host.sandbox.always("*", Reply::silent());
    for form in [Form { path: "/api/chat", streaming: true }, Form { path: "/v1/chat/completions", streaming: false }] {
        let answer = host.ask(form, "auto").await;
        let told = form.error(&answer);
        assert_eq!(answer.status, 504, "{told}");
        assert!(told.contains("nothing of an answer came within"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_models_limited_at_once_by_nobody_knows_whom_are_the_accounts_minute() {
    for form in FORMS {
        // Less than a minute, so that it is told and not waited for.
        let host = Setup::new().models(&MODELS).set("failover.deadline", "30s").start().await;
        host.sandbox.always("*", Reply::limited_by_somebody());
        let answer = host.ask(form, "auto").await;
        let trail =
            "acme/a:free=rate-limited-unknown, acme/b:free=rate-limited-unknown, acme/c:free=rate-limited-minute";
        assert_eq!((answer.status, answer.header("x-router-trail")), (429, Some(trail)), "{form:?}: {}", answer.text);
        assert!(answer.header("retry-after").is_some(), "{form:?}");
        for id in MODELS {
            assert_eq!(host.standing(id).await.0, "ready", "{form:?}: the models are innocent");
        }
    }
}
