//! Sections 5.5 and 6.3, and what the wire itself does: silence, cuts, odd bodies.

use ollama_router::sandbox::reply::{Reply as Upstream, step::Step};
use serde_json::{Value, json};

use super::{Row, breaks, check_in_turn, check_together, next, patient, sound, told};
use crate::support::Setup;

fn lost() -> Value {
    json!({"code": 502, "message": "Network connection lost.", "metadata": {"error_type": "provider_unavailable"}})
}

/// An answer whose one choice is this.
fn choice(choice: &Value) -> Upstream {
    Upstream::json(200, json!({"id": "gen-1", "choices": [choice]}))
}

fn begun() -> Upstream {
    Upstream::chunks(["One ", "two"])
}

fn inside_a_200() -> Vec<Row> {
    let partial = json!({"message": {"content": "Par"}, "finish_reason": "error", "error": lost()});
    let malformed = json!({"message": {"content": ""}, "finish_reason": "error", "native_finish_reason": "MALFORMED"});
    let says = |content: &Value| json!({"message": {"role": "assistant", "content": content}, "finish_reason": "stop"});
    vec![
        next("5.5 error alone", Upstream::json(200, json!({"error": lost(), "user_id": "u"})), "server-error", 300),
        next("5.5 empty choices", Upstream::json(200, json!({"choices": [], "error": lost()})), "server-error", 300),
        next("5.5 error in the choice", choice(&partial), "server-error", 300),
        next("5.5 error as reason", choice(&malformed), "interrupted", 300),
        next("5.5 content empty", choice(&says(&json!(""))), "empty", 300),
        next("5.5 content null", choice(&says(&Value::Null)), "empty", 300),
        next("5.5 no choice", Upstream::json(200, json!({"choices": []})), "bad-answer", 300),
        next("5.1 error after blanks", Upstream::json(200, json!({"error": lost()})).padding(5), "server-error", 300),
        sound("5.1 answer after blanks", Upstream::whole("One two").padding(5)),
        sound("JSON for a stream", Upstream::whole("One two")),
    ]
}

fn before_any_word() -> Vec<Row> {
    let http_status = json!({"error": {"http_status": 503, "message": "no room"}});
    vec![
        next("6.3 a", Upstream::error_event(502, "lost"), "server-error", 300),
        next("6.3 a after comments", Upstream::error_event(502, "lost").comments(9), "server-error", 300),
        next("6.3 code as text", Upstream::error_event("502", "lost"), "server-error", 300),
        next("6.3 code as word", Upstream::error_event("server_error", "oops"), "server-error", 300),
        next("6.3 http_status", Upstream::stream([Step::Data(http_status)]), "overloaded", 300),
        next("6.3 a 524", Upstream::error_event(524, "Provider timed out after 10886ms"), "timed-out", 300),
        next(
            "6.3 a 429",
            Upstream::error_event(429, "x is temporarily rate-limited upstream."),
            "rate-limited-model",
            60,
        ),
        next("6.3 b", Upstream::error_chunk(502, "JSON error injected into SSE stream"), "server-error", 300),
        next("6.3 c", Upstream::chunks([]).then_error(502, "lost"), "server-error", 300),
        next("6.3 c after a role", Upstream::chunks([""]).then_error(502, "lost"), "server-error", 300),
        next("6.3 d", Upstream::chunks([]).then_malformed(), "interrupted", 300),
        next("6.3 f", Upstream::chunks([]).without_finish(), "interrupted", 300),
        next("6.3 f after a role", Upstream::chunks([""]).without_finish(), "interrupted", 300),
        next("6.3 g", Upstream::empty(), "empty", 300),
        next("cut", Upstream::chunks([]).then_cut(), "interrupted", 300),
        next("cut after a role", Upstream::chunks([""]).then_cut(), "interrupted", 300),
        next("no JSON in an event", Upstream::body(200, "text/event-stream", "data: {\"cho\n\n"), "bad-answer", 300),
        next("no event at all", Upstream::body(200, "text/event-stream", ""), "interrupted", 300),
        next("comments alone", Upstream::body(200, "text/event-stream", ": x\n\n: y\n\n"), "interrupted", 300),
        next("half a body", Upstream::body(200, "application/json", "{\"choices\": [{\"me"), "bad-answer", 300),
        next("no type", Upstream::body(200, "application/octet-stream", "what"), "bad-answer", 300),
    ]
}

fn after_the_first_words() -> Vec<Row> {
    let torn = Upstream::stream([Step::text("One "), Step::text("two"), Step::Raw("data: {\"cho\n\n".into())]);
    vec![
        breaks("6.3 b", begun().then_error_chunk(502, "lost"), "server-error", 300),
        breaks(
            "6.3 b 429",
            begun().then_error_chunk(429, "x is temporarily rate-limited upstream."),
            "rate-limited-model",
            60,
        ),
        breaks("6.3 c", begun().then_error(502, "lost"), "server-error", 300),
        breaks("6.3 c in pieces", begun().then_error(502, "lost").crlf().split_every(7), "server-error", 300),
        breaks("6.3 d", begun().then_malformed(), "interrupted", 300),
        breaks("6.3 f", begun().without_finish(), "interrupted", 300),
        breaks("cut", begun().then_cut(), "interrupted", 300),
        breaks("no JSON in an event", torn, "bad-answer", 300),
        sound("6.3 e", begun().then_late_error(400, "Token limit reached")),
        sound("no [DONE]", begun().without_done()),
        sound("comments between", begun().comments(5).comment_after_each()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn inside_a_200_in_every_form() {
    let rows = [inside_a_200(), before_any_word(), after_the_first_words()];
    check_together(patient(), &rows.into_iter().flatten().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_account_inside_a_200_in_every_form() {
    let rows = [
        told("6.3 a 402", Upstream::error_event(402, "Insufficient credits."), "key-exhausted", 402),
        told(
            "6.3 a day",
            Upstream::error_event(429, "Rate limit exceeded: free-models-per-day"),
            "rate-limited-day",
            429,
        ),
        next("6.3 a 429, whose?", Upstream::error_event(429, "busy"), "rate-limited-unknown", 60),
    ];
    check_in_turn(patient(), &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_in_every_form() {
    let comments = Upstream::stream([Step::Comment, Step::Comment, Step::Hang]);
    let role = Upstream::stream([Step::role(), Step::Hang]);
    let rows = [
        next("silence before headers", Upstream::silent(), "timed-out", 300),
        next("silence after headers", Upstream::chunks([]).then_hang(), "timed-out", 300),
        next("comments, then silence", comments, "timed-out", 300),
        next("a role, then silence", role, "timed-out", 300),
    ];
    // Longer than the first token's, so that it is that time which ends it.
    check_together(Setup::new().set("failover.first_token_timeout", "3s").set("failover.idle_timeout", "15s"), &rows)
        .await;
    let rows = [breaks("words, then silence", begun().then_hang(), "stalled", 300)];
    check_together(Setup::new().set("failover.first_token_timeout", "15s").set("failover.idle_timeout", "3s"), &rows)
        .await;
}
