//! How replies fail: inside a 200, by status, by a page that is no JSON.
//!
//! Each builder of `reply/fault.rs`, `reply/refusal.rs` and `reply/limit.rs`
//! is used once and its bytes are looked at.

use serde_json::{Value, json};

use super::{MODEL, asking, chat, open_chat, quiet, streamed, whole};
use crate::sandbox::reply::Reply;
use crate::sandbox::scenario::Scenario;
use crate::sandbox::{Sandbox, catalog};

const LOST: &str = "Network connection lost.";

fn lost(code: &Value) -> Value {
    json!({"code": code, "message": LOST, "metadata": {"error_type": "provider_unavailable"}})
}

/// Returns the last event's number of choices, finish reason and error code,
/// and whether the stream had `[DONE]` and its proper end.
async fn ending(reply: Reply) -> Value {
    let answer = streamed(reply).await;
    assert_eq!(answer.status, 200);
    let last = answer.events().pop().unwrap();
    json!([
        last["choices"].as_array().map(Vec::len),
        last["choices"][0]["finish_reason"],
        last["error"]["code"],
        answer.has_done(),
        answer.is_complete,
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_fails_before_any_token_in_every_known_form() {
    let event = Reply::error_event(502, LOST);
    assert_eq!(ending(event).await, json!([null, null, 502, false, true]));
    let chunk = Reply::error_chunk("502", LOST);
    assert_eq!(ending(chunk).await, json!([0, null, "502", false, true]));
    let empty = Reply::empty();
    assert_eq!(ending(empty).await, json!([1, "stop", null, true, true]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_breaks_after_a_token_in_every_known_form() {
    let text = || Reply::chunks(["partial"]);
    let chunk = text().then_error_chunk(502, LOST);
    assert_eq!(ending(chunk).await, json!([0, null, 502, false, true]));
    let choice = text().then_error("server_error", LOST);
    let expected = json!([1, "error", "server_error", false, true]);
    assert_eq!(ending(choice).await, expected);
    let malformed = text().then_malformed();
    let expected = json!([1, "error", null, true, true]);
    assert_eq!(ending(malformed).await, expected);
    let late = text().finish("length").then_late_error(400, LOST);
    assert_eq!(ending(late).await, json!([1, "error", 400, true, true]));
    let unfinished = text().without_finish();
    let expected = json!([1, null, null, false, true]);
    assert_eq!(ending(unfinished).await, expected);
    let undone = text().without_done();
    assert_eq!(ending(undone).await, json!([1, "stop", null, false, true]));
    let cut = text().then_cut();
    assert_eq!(ending(cut).await, json!([1, null, null, false, false]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stream_the_same_faults_are_error_bodies_inside_a_200() {
    let code = json!(502);
    let event = whole(Reply::error_event(502, LOST)).await;
    let error = json!({"code": 502, "message": LOST});
    assert_eq!(event.json(), json!({"error": error, "user_id": "user_sandbox"}));
    let chunk = whole(Reply::error_chunk(502, LOST)).await;
    assert_eq!(chunk.json(), json!({"choices": [], "error": lost(&code)}));
    let partial = whole(Reply::text("partial").then_error(502, LOST)).await;
    let choice = &partial.json()["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"], &choice["error"]),
        (&json!("partial"), &json!("error"), &lost(&code))
    );
    let malformed = whole(Reply::chunks([]).then_malformed()).await;
    let choice = &malformed.json()["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["native_finish_reason"], choice.get("error")),
        (&json!("error"), &json!("MALFORMED_FUNCTION_CALL"), None)
    );
    let late = whole(Reply::text("done").finish("length").then_late_error(400, LOST)).await;
    let choice = &late.json()["choices"][0];
    assert_eq!((&choice["finish_reason"], choice.get("error")), (&json!("length"), None));
    let empty = whole(Reply::empty()).await;
    assert_eq!(empty.json()["usage"]["completion_tokens"], 0);
    let cut = whole(Reply::text("partial").then_cut()).await;
    assert!(!cut.is_complete && cut.body.starts_with('{'), "{cut:?}");
    let nothing = whole(Reply::stream([])).await;
    assert_eq!((nothing.status, nothing.body.as_str()), (200, ""));
}

/// Holds that a reply has this status and these words in its message.
async fn check_message(reply: Reply, status: u16, words: &str) {
    let answer = streamed(reply).await;
    let error = &answer.json()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    assert_eq!((answer.status, &error["code"]), (status, &json!(status)));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_requests_and_keys_have_the_upstreams_words() {
    let prompt = "maximum context length is 10 tokens. However, you requested about 20";
    let harness = "only available on agentic harnesses";
    let unknown = "borealis/skald-70b-instruct:free is not a valid model ID";
    check_message(Reply::invalid_model(), 400, unknown).await;
    check_message(Reply::context_exceeded(10, 20), 400, prompt).await;
    check_message(Reply::too_many_models(), 400, "3 items or fewer").await;
    check_message(Reply::reasoning_mandatory(), 400, "is mandatory").await;
    check_message(Reply::provider_error(400, "x"), 400, "Provider returned").await;
    check_message(Reply::no_credentials(), 401, "No auth credentials").await;
    check_message(Reply::missing_authentication(), 401, "Missing Auth").await;
    check_message(Reply::user_not_found(), 401, "User not found.").await;
    check_message(Reply::insufficient_credits(), 402, "Insufficient").await;
    check_message(Reply::cannot_afford(16_384, 3_324), 402, "afford 3324").await;
    check_message(Reply::key_limit(), 403, "Key limit exceeded").await;
    check_message(Reply::harness_gate(), 403, harness).await;
    check_message(Reply::harness_gate_bare(), 403, harness).await;
    check_message(Reply::age_attestation(), 403, "18+ age").await;
    check_message(Reply::moderated(), 403, "flagged").await;
    check_message(Reply::payload_too_large(), 413, "too large").await;
    check_message(Reply::unprocessable(), 422, "not be processed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_want_of_an_endpoint_have_the_upstreams_words() {
    let tools = "support tool use. Try disabling \"weather\".";
    check_message(Reply::model_gone(), 404, "endpoints found for borealis/").await;
    check_message(Reply::free_period_ended(), 404, "has ended").await;
    check_message(Reply::unavailable_for_free(), 404, "for free").await;
    check_message(Reply::data_policy(), 404, "data policy").await;
    check_message(Reply::guardrails(), 404, "0 endpoints out of 1").await;
    check_message(Reply::no_allowed_providers(), 404, "No allowed").await;
    check_message(Reply::no_tool_use("weather"), 404, tools).await;
    check_message(Reply::no_tool_choice(), 404, "'tool_choice' value").await;
    check_message(Reply::no_input("image"), 404, "support image input").await;
    check_message(Reply::no_output("text, audio"), 404, ": text, audio").await;
    check_message(Reply::no_parameters(), 404, "parameters").await;
    check_message(Reply::above_max_price(), 404, "max price").await;
}

/// Holds that a reply has this status and, below `error`, this value.
async fn check_mark(reply: Reply, status: u16, pointer: &str, mark: &Value) {
    let answer = streamed(reply).await;
    let error = &answer.json()["error"];
    let seen = error.pointer(pointer).unwrap_or(&Value::Null);
    assert_eq!((answer.status, seen), (status, mark), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rate_limit_has_the_mark_of_its_class() {
    let source = "/metadata/limit_source";
    let reset = "/metadata/headers/X-RateLimit-Reset";
    let seconds = "/metadata/retry_after_seconds";
    let models = "/availability/requested_models/0";
    let daily = json!("openrouter_free_tier_daily");
    let minute = json!("openrouter_free_tier_per_minute");
    let shared = json!("upstream_provider_shared_pool");
    let hidden =
        json!("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day");
    check_mark(Reply::daily_limit(50, 1_768), 429, reset, &json!("1768")).await;
    check_mark(Reply::daily_limit(1_000, 1), 429, source, &daily).await;
    check_mark(Reply::daily_limit_bare(), 429, "/metadata", &json!(null)).await;
    check_mark(Reply::daily_limit_in_raw(), 429, "/metadata/raw", &hidden).await;
    check_mark(Reply::minute_limit(60_000), 429, source, &minute).await;
    check_mark(Reply::upstream_limit(), 429, source, &shared).await;
    check_mark(Reply::upstream_limit_for(11), 429, seconds, &json!(11)).await;
    check_mark(Reply::capacity_exhausted(40), 429, models, &json!(MODEL)).await;
    let plain = json!("rate_limit_exceeded");
    check_mark(Reply::rate_limited(), 429, "/metadata/error_type", &plain).await;
    let budget = json!("openrouter_in_flight_budget");
    check_mark(Reply::in_flight_budget(3), 402, source, &budget).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outage_has_its_status_and_its_words() {
    check_message(Reply::request_timeout(), 408, "Request timed out").await;
    check_message(Reply::internal_error(), 500, "Internal Server Error").await;
    check_message(Reply::connection_lost(), 502, LOST).await;
    check_message(Reply::no_instances(), 503, "No instances available").await;
    check_message(Reply::edge_timeout(), 524, "Please try again later.").await;
    check_message(Reply::overloaded(), 529, "overloaded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_metadata_pages_and_own_bodies_are_sent_as_given() {
    let reply = Reply::error(503, "busy in {model}").metadata(json!({"a": 1}));
    let answer = streamed(reply.metadata(json!({"b": "{model}"})).retry_after(7)).await;
    let error = json!({"code": 503, "message": format!("busy in {MODEL}"),
        "metadata": {"a": 1, "b": MODEL}});
    assert_eq!(answer.json(), json!({"error": error}));
    assert!(answer.headers.contains("retry-after: 7\r\n"));
    let page = streamed(Reply::html(502)).await;
    assert_eq!(page.status, 502);
    assert!(page.headers.contains("content-type: text/html"));
    assert!(page.body.starts_with("<!DOCTYPE html>"));
    let body = streamed(Reply::body(200, "text/plain", "{\"half\":").padding(1)).await;
    assert_eq!(body.body, "\n         {\"half\":");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_no_response_says_so() {
    let sandbox = quiet().await;
    sandbox.script(MODEL, [Reply::text("x").header("bad name", "x")]);
    let mut connection = open_chat(&sandbox, &asking(MODEL, true));
    connection.read_headers();
    assert_eq!(connection.answer.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_a_model_for_an_error_before_the_words_and_one_for_after() {
    let sandbox = Sandbox::start(Scenario::demo()).await.unwrap();
    for stream in [false, true] {
        let refused = chat(&sandbox, &asking(catalog::MODERATED_MODEL, stream));
        assert_eq!((refused.status, &refused.json()["error"]["metadata"]["reasons"]), (403, &json!(["violence"])));
    }
    let broken = chat(&sandbox, &asking(catalog::BRITTLE_MODEL, true));
    let words = "This answer is simulated, and it breaks off in the middle of its";
    assert_eq!((broken.status, &*broken.content(), broken.has_done()), (200, words, false));
    let end = json!({"choices": [], "error": {
        "code": 502,
        "message": "Upstream provider disconnected",
        "metadata": {"error_type": "provider_unavailable"},
    }});
    assert_eq!(broken.events().last(), Some(&end));
    let whole = chat(&sandbox, &asking(catalog::BRITTLE_MODEL, false));
    assert_eq!((whole.status, &whole.json()["choices"][0]["error"]["code"]), (200, &json!(502)));
}
