//! Sections 5.5 and 6.3: errors inside a 200, whole or in a stream.
//!
//! What a stream says by its end alone (6.3 e to g) is decided by `answer`, and
//! tested through the router.

use super::*;
use crate::routing::FailureKind::*;

#[test]
fn an_error_inside_a_200_means_what_it_would_outside() {
    let error = json!({"code": 502, "message": "Network connection lost.", "metadata": {"provider_name": null}});
    let rows = [
        ("5.5 error alone", json!({"error": error, "user_id": "u"})),
        ("5.5 empty choices", json!({"choices": [], "error": error})),
        (
            "5.5 in the choice, some words",
            json!({"choices": [{"message": {"content": "Hel"}, "finish_reason": "error", "error": error}]}),
        ),
        ("beside a finished choice", json!({"choices": [{"finish_reason": "stop"}], "error": error})),
    ];
    let message = "Network connection lost.".to_owned();
    let expected = Failure { kind: ServerError, status: 502, message, retry_after: None };
    for (row, body) in rows {
        let found = reply(200, &format!("\n         \n         {body}"));
        assert_eq!(found, expected, "{row}");
        check(row, &found, ServerError, MODEL);
        assert_eq!(reply(502, &body.to_string()), expected, "{row}, and the status says so too");
    }
}

#[test]
fn what_stands_beside_an_error_belongs_to_it() {
    let error = json!({"code": 502, "message": "no"});
    for (row, body) in [
        ("7.1 error_type", json!({"error": error, "error_type": "timeout"})),
        ("10 metadata", json!({"error": error, "metadata": {"error_type": "timeout"}})),
        ("9 a word for a code", json!({"error": {"code": "server_error", "message": "no"}, "error_type": "timeout"})),
    ] {
        check(row, &reply(200, &body.to_string()), TimedOut, MODEL);
    }
}

#[test]
fn a_200_that_says_nothing_of_use_is_the_model_s_failure() {
    let rows = [
        ("no choice", r#"{"id": "gen-1"}"#, BadAnswer, "the reply holds neither a choice nor an error"),
        (
            "empty choices",
            r#"{"choices": [], "error": null}"#,
            BadAnswer,
            "the reply holds neither a choice nor an error",
        ),
        (
            "5.5 error as reason, no error object",
            r#"{"choices": [{"finish_reason": "error", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]}"#,
            Interrupted,
            "the model broke off: MALFORMED_FUNCTION_CALL",
        ),
        (
            "5.5 content null",
            r#"{"choices": [{"finish_reason": "stop", "message": {"content": null}}]}"#,
            Empty,
            "the answer is complete and says nothing",
        ),
        (
            "5.5 content empty",
            r#"{"choices": [{"finish_reason": "stop", "message": {"content": ""}}], "usage": {"completion_tokens": 0}}"#,
            Empty,
            "the answer is complete and says nothing",
        ),
        ("no JSON", "Hello", BadAnswer, "a reply that is no JSON"),
        ("cut off", r#"{"choices": [{"mess"#, BadAnswer, "a reply that is no JSON"),
        ("blanks alone", "\n         ", BadAnswer, "status 200 without a message"),
        ("a page", "<html><title>Sign in</title>", BadAnswer, "a page instead of an answer: Sign in"),
    ];
    for (row, body, kind, message) in rows {
        let found = reply(200, body);
        assert_eq!(found, Failure { kind, status: 200, message: message.to_owned(), retry_after: None }, "{row}");
        check(row, &found, kind, MODEL);
    }
}

#[test]
fn an_error_of_a_stream_means_what_its_code_and_words_say() {
    let rows = [
        ("6.3 a, before any token", json!({"code": 402, "message": "Insufficient credits."}), 402, KeyExhausted, KEY),
        (
            "6.3 b, no choices",
            json!({"code": 502, "message": "JSON error injected into SSE stream", "metadata": {"error_type": "provider_unavailable"}}),
            502,
            ServerError,
            MODEL,
        ),
        ("6.3 c, in the middle", json!({"code": 503, "message": "provider unavailable"}), 503, Overloaded, MODEL),
        ("connection lost", json!({"code": 502, "message": "Network connection lost."}), 502, ServerError, MODEL),
        ("provider's words", json!({"code": 502, "message": "Upstream error from Acme: no"}), 502, ServerError, MODEL),
        ("masked", json!({"code": 502, "message": "Internal server error"}), 502, ServerError, MODEL),
        (
            "worker's limit",
            json!({"code": 502, "message": "ResourceExhausted: Worker local total request limit reached (33/32)"}),
            502,
            ServerError,
            MODEL,
        ),
        ("timed out", json!({"code": 524, "message": "Provider timed out after 10886ms"}), 524, TimedOut, MODEL),
        (
            "limited upstream",
            json!({"code": 429, "message": "acme/fox:free is temporarily rate-limited upstream."}),
            429,
            RateLimitedModel,
            POOL,
        ),
        (
            "limited upstream, no code",
            json!({"message": "acme/fox is temporarily rate-limited upstream."}),
            0,
            RateLimitedModel,
            POOL,
        ),
        (
            "daily limit",
            json!({"code": 429, "message": "Rate limit exceeded: free-models-per-day"}),
            429,
            RateLimitedDay,
            ACCOUNT_TODAY,
        ),
        ("code as text", json!({"code": "524", "message": "no"}), 524, TimedOut, MODEL),
        ("code as word", json!({"code": "server_error", "message": "no"}), 500, ServerError, MODEL),
        ("code as word, limit", json!({"code": "rate_limited", "message": "no"}), 429, RateLimitedUnknown, POOL),
        ("http_status, no code", json!({"http_status": 503, "message": "no"}), 503, Overloaded, MODEL),
        ("a provider's own code", json!({"code": 1302, "http_status": 429}), 429, RateLimitedUnknown, POOL),
        ("a code that is none", json!({"code": -1}), 0, ServerError, MODEL),
        ("10 type alone", json!({"type": "overloaded_error", "message": "no"}), 503, Overloaded, MODEL),
        ("text alone", json!("Something broke"), 0, ServerError, MODEL),
        ("nothing", json!(null), 0, ServerError, MODEL),
    ];
    for (row, error, status, kind, whom) in rows {
        let found = classify_error_object(&error, NOW);
        check(row, &found, kind, whom);
        assert_eq!(found.status, status, "{row}");
    }
}
