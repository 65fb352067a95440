//! One row for each row of OpenRouter's tables of errors.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Headers, Reply, classify, classify_error_object};
use crate::routing::{
    Failure,
    FailureKind::{self, *},
};

/// 2026-08-16, 12:00:20 UTC.
const NOW: u64 = 1_786_881_620_000;

fn reply(status: u16, body: &str) -> Failure {
    classify(&Reply { status, headers: Headers::default(), body: body.as_bytes(), now_ms: NOW })
}

/// An error reply in the usual shape.
fn refused(status: u16, message: &str, metadata: &Value) -> Failure {
    reply(status, &json!({"error": {"code": status, "message": message, "metadata": metadata}}).to_string())
}

#[test]
fn comments_before_the_json_are_passed_over() {
    let body = json!({"error": {"code": 429, "message": "Provider returned error"}}).to_string();
    let commented = format!(": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\r\n\n {body}");
    assert_eq!(reply(429, &commented), reply(429, &body));
    assert_eq!(reply(502, ": nothing else").kind, ServerError);
}

#[test]
fn every_text_of_the_table_means_what_it_says() {
    let rows: [(u16, &str, FailureKind); 48] = [
        (400, "acme/fake-1.0 is not a valid model ID", Gone),
        (400, "This endpoint's maximum context length is 200000 tokens. However, you requested more", ContextOverflow),
        (400, "Token limit reached", ContextOverflow),
        (400, "'models' array must have 3 items or fewer.", BadRequest),
        (400, "Reasoning is mandatory for this endpoint and cannot be disabled.", Unsupported),
        (400, "Provider returned error", BadRequest),
        (401, "Missing Authentication header", KeyRejected),
        (401, "No auth credentials found", KeyRejected),
        (401, "User not found.", KeyRejected),
        (402, "Insufficient credits. This account never purchased credits.", KeyExhausted),
        (402, "This request requires more credits, or fewer max_tokens. You can only afford 3324.", KeyExhausted),
        (402, "Prompt tokens limit exceeded: 5000 > 1000. To increase, visit the settings", KeyExhausted),
        (403, "Key limit exceeded (daily limit). Manage it using the settings", KeyExhausted),
        (403, "Key limit exceeded (total limit). Manage it using the settings", KeyExhausted),
        (403, "acme/fox:free is only available on agentic harnesses. Try plugging it in", Gated),
        (403, "This model requires you to complete the following before use: 18+ age confirmation.", Gated),
        (403, "Request blocked: prompt injection patterns detected", Moderated),
        (403, "Forbidden", ServerError),
        (404, "No endpoints found for acme/fox:free.", Gone),
        (404, "The free Fox 2 period has ended. To continue, migrate to the paid slug: acme/fox-2", Gone),
        (404, "This model is unavailable for free. The paid version is available now", Gone),
        (404, "No endpoints found matching your data policy (Free model publication).", DataPolicy),
        (404, "No endpoints available matching your guardrail restrictions and data policy.", DataPolicy),
        (404, "0 endpoints out of 1 requested are available matching your guardrail restrictions", DataPolicy),
        (404, "No endpoints found that support tool use. Try disabling \"read\".", Unsupported),
        (404, "No endpoints found that support the provided 'tool_choice' value.", Unsupported),
        (404, "No endpoints found that support image input", Unsupported),
        (404, "No endpoints found that support the requested output modalities: text, image", Unsupported),
        (404, "No endpoints found that can handle the requested parameters.", Unsupported),
        (404, "No allowed providers are available for the selected model.", DataPolicy),
        (408, "Request timed out", TimedOut),
        (410, "Gone", Gone),
        (412, "Precondition failed", BadRequest),
        (413, "Payload too large", BadRequest),
        (422, "Unprocessable", BadRequest),
        (429, "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000", RateLimitedDay),
        (429, "Rate limit exceeded: free-models-per-day-high-balance. ", RateLimitedDay),
        (429, "Rate limit exceeded: free-models-per-min. ", RateLimitedMinute),
        (429, "acme/fox:free is temporarily rate-limited upstream.", RateLimitedModel),
        (429, "Rate limit exceeded", RateLimitedModel),
        (500, "Internal Server Error", ServerError),
        (502, "Network connection lost.", ServerError),
        (502, "ResourceExhausted: Worker local total request limit reached (33/32)", ServerError),
        (503, "No instances available", Overloaded),
        (504, "Timeout", TimedOut),
        (524, "Provider timed out after 10886ms", TimedOut),
        (529, "Provider is overloaded", Overloaded),
        (520, "Unknown", ServerError),
    ];
    for (status, text, kind) in rows {
        let expected = Failure { kind, status, message: text.trim().to_owned(), retry_after: None };
        let mut found = refused(status, text, &json!(null));
        if kind == RateLimitedDay {
            found.retry_after = None;
        }
        assert_eq!(found, expected);
        let mut inside = classify_error_object(&json!({"code": status, "message": text}), NOW);
        inside.retry_after = None;
        assert_eq!(inside, expected, "inside a 200");
    }
}

#[test]
fn a_text_decides_only_with_the_status_it_was_seen_with() {
    assert_eq!(refused(400, "you wrote: free-models-per-day", &json!(null)).kind, BadRequest);
    assert_eq!(refused(502, "you wrote: data policy", &json!(null)).kind, ServerError);
}

#[test]
fn structure_decides_before_status_and_text() {
    let step = |step: &str| json!({"failed_routing_step": step, "routing_funnel": []});
    let rows: [(&str, u16, Value, FailureKind); 31] = [
        ("limit: day", 429, json!({"limit_source": "openrouter_free_tier_daily"}), RateLimitedDay),
        ("limit: minute", 429, json!({"limit_source": "openrouter_free_tier_per_minute"}), RateLimitedMinute),
        ("limit: pool", 429, json!({"limit_source": "upstream_provider_shared_pool"}), RateLimitedModel),
        ("limit: in flight, 402", 402, json!({"limit_source": "openrouter_in_flight_budget"}), AccountBusy),
        ("limit: in flight, 429", 429, json!({"limit_source": "openrouter_in_flight_budget"}), AccountBusy),
        ("limit: key", 429, json!({"limit_source": "openrouter_key_limit"}), KeyExhausted),
        ("limit: credits", 402, json!({"limit_source": "openrouter_credits"}), KeyExhausted),
        ("limit: unheard of", 429, json!({"limit_source": "moon"}), RateLimitedModel),
        ("reason: in flight", 402, json!({"reason": "in_flight_budget_exhausted"}), AccountBusy),
        ("reason: never fits", 402, json!({"reason": "weight_exceeds_budget"}), KeyExhausted),
        ("step: guardrails", 404, step("Filter by Guardrails"), DataPolicy),
        ("step: providers", 404, step("Filter by Allowed Providers"), DataPolicy),
        ("step: price", 404, step("Filter by Max Price"), Gone),
        ("step: parameters", 404, step("Filter by Parameters"), Unsupported),
        ("step: tools", 404, step("Filter by Tool Compatibility"), Unsupported),
        ("step: outputs", 404, step("Filter by Model Output Modalities"), Unsupported),
        ("step: harness", 403, step("Gate Free Endpoints by Agentic Harness"), Gated),
        ("step: attestation", 403, step("Gate Endpoints with Attestations"), Gated),
        ("step: other, 403", 403, step("Gate by Moon Phase"), Gated),
        ("step: other, 404", 404, step("Filter by Moon Phase"), Gone),
        ("step: other, 503", 503, step("Filter by Moon Phase"), Overloaded),
        ("attestation", 403, json!({"missing_attestation_types": ["age_18plus"]}), Gated),
        ("ineligible", 404, json!({"ineligibility_reasons": [{"reason": "zdr-violation-by-account"}]}), DataPolicy),
        ("moderation", 403, json!({"reasons": ["violence"], "flagged_input": "…", "model_slug": "a/b"}), Moderated),
        ("guardrail", 403, json!({"patterns": ["injection"]}), Moderated),
        ("type: context", 400, json!({"error_type": "context_length_exceeded"}), ContextOverflow),
        ("type: content", 400, json!({"error_type": "content_policy_violation"}), Moderated),
        ("type: no image", 404, json!({"error_type": "image_not_found"}), BadRequest),
        ("code: context", 400, json!({"provider_code": "context_length_exceeded"}), ContextOverflow),
        ("code: overload", 429, json!({"provider_error_code": "engine_overloaded"}), RateLimitedModel),
        ("code: limited", 429, json!({"error_type": "rate_limit_exceeded", "provider_code": "x"}), RateLimitedModel),
    ];
    for (row, status, metadata, kind) in rows {
        assert_eq!(refused(status, "No", &metadata).kind, kind, "{row}");
    }
}

#[test]
fn every_availability_code_has_its_meaning() {
    let rows = [
        ("model_not_found", 400, Gone),
        ("wrong_endpoint", 400, Unsupported),
        ("no_endpoints", 404, Gone),
        ("model_deprecated", 404, Gone),
        ("model_unavailable_upstream", 404, Gone),
        ("free_variant_ended", 404, Gone),
        ("capacity_exhausted", 429, RateLimitedModel),
        ("temporarily_unavailable", 503, Overloaded),
        ("region_restricted", 403, Moderated),
        ("privacy_restricted", 404, DataPolicy),
        ("constraint_filtered", 404, Unsupported),
        ("something_new", 503, Overloaded),
    ];
    for (code, status, kind) in rows {
        let error = json!({"message": "No", "http_status": status, "availability": {"code": code}});
        let expected = Failure { kind, status, message: "No".to_owned(), retry_after: None };
        assert_eq!(classify_error_object(&error, NOW), expected, "{code}");
    }
    let excluded = [
        ("max_price", Gone),
        ("context_length", ContextOverflow),
        ("data_policy:zdr", DataPolicy),
        ("allowed_providers", DataPolicy),
        ("geo", DataPolicy),
        ("require_parameters", Unsupported),
        ("quantization", Unsupported),
    ];
    for (name, kind) in excluded {
        let error = json!({"availability": {"code": "constraint_filtered", "excluded_by": [name]}});
        assert_eq!(classify_error_object(&error, NOW).kind, kind, "{name}");
    }
}

#[test]
fn a_word_stands_for_its_status_where_there_is_no_number() {
    let rows = [
        ("invalid_request", 400, BadRequest),
        ("string_too_long", 400, BadRequest),
        ("max_tokens_exceeded", 400, ContextOverflow),
        ("token_limit_exceeded", 400, ContextOverflow),
        ("refusal", 400, Moderated),
        ("image_too_large", 400, BadRequest),
        ("authentication", 401, KeyRejected),
        ("payment_required", 402, KeyExhausted),
        ("permission_denied", 403, ServerError),
        ("not_found", 404, Gone),
        ("precondition_failed", 412, BadRequest),
        ("payload_too_large", 413, BadRequest),
        ("unprocessable", 422, BadRequest),
        ("rate_limit_exceeded", 429, RateLimitedModel),
        ("server", 500, ServerError),
        ("unmapped", 500, ServerError),
        ("provider_unavailable", 502, ServerError),
        ("provider_overloaded", 503, Overloaded),
        ("timeout", 504, TimedOut),
    ];
    for (word, status, kind) in rows {
        let found = classify_error_object(&json!({"error_type": word, "message": "No"}), NOW);
        assert_eq!((found.status, found.kind), (status, kind), "{word}");
    }
}

#[test]
fn a_code_is_read_as_number_text_or_word_and_a_provider_s_own_is_none() {
    let rows = [
        (json!({"code": 524}), 524, TimedOut),
        (json!({"code": "524"}), 524, TimedOut),
        (json!({"code": "server_error"}), 500, ServerError),
        (json!({"code": "rate_limited"}), 429, RateLimitedModel),
        (json!({"code": 1302, "http_status": 429}), 429, RateLimitedModel),
        (json!({"code": -1}), 0, ServerError),
        (json!({"type": "overloaded_error"}), 503, Overloaded),
        (json!({"message": "acme/fox is temporarily rate-limited upstream."}), 0, RateLimitedModel),
        (json!("Something broke"), 0, ServerError),
        (json!(null), 0, ServerError),
    ];
    for (error, status, kind) in rows {
        let found = classify_error_object(&error, NOW);
        assert_eq!((found.status, found.kind), (status, kind), "{error}");
    }
}

#[test]
fn a_provider_that_refuses_openrouter_is_no_refusal_of_our_key() {
    for status in [401, 402, 403] {
        let metadata = json!({"provider_name": "Acme", "raw": "{\"error\": \"bad key sk-acme-0123456789\"}"});
        let message = "bad key sk-***".to_owned();
        let expected = Failure { kind: ServerError, status, message, retry_after: None };
        assert_eq!(refused(status, "Provider returned error", &metadata), expected);
    }
}

#[test]
fn an_error_is_found_wherever_a_body_holds_it() {
    let error = json!({"code": 502, "message": "Network connection lost.", "metadata": {"error_type": "timeout"}});
    let bodies = [
        json!({"error": error, "user_id": "u"}),
        json!({"choices": [], "error": error}),
        json!({"choices": [{"message": {"content": "Hel"}, "finish_reason": "error", "error": error}]}),
        json!({"choices": [{"finish_reason": "stop"}], "error": error}),
        json!({"error": {"code": 502, "message": "Network connection lost."}, "error_type": "timeout"}),
        json!({"error": {"code": 502, "message": "Network connection lost."}, "metadata": {"error_type": "timeout"}}),
    ];
    let message = "Network connection lost.".to_owned();
    let expected = Failure { kind: TimedOut, status: 502, message, retry_after: None };
    for body in bodies {
        assert_eq!(reply(200, &format!("\n         \n         {body}")), expected, "{body}");
        assert_eq!(reply(502, &body.to_string()), expected, "{body}");
    }
}

#[test]
fn a_success_without_an_answer_is_none() {
    let rows = [
        (r#"{"id": "gen-1"}"#, BadAnswer, "the reply holds neither a choice nor an error"),
        (r#"{"choices": [], "error": null}"#, BadAnswer, "the reply holds neither a choice nor an error"),
        (
            r#"{"choices": [{"finish_reason": "error", "native_finish_reason": "MALFORMED_FUNCTION_CALL"}]}"#,
            Interrupted,
            "the model broke off: MALFORMED_FUNCTION_CALL",
        ),
        (
            r#"{"choices": [{"finish_reason": "stop", "message": {"content": null}}]}"#,
            Empty,
            "the answer is complete and says nothing",
        ),
        ("Hello", BadAnswer, "a reply that is no JSON"),
        (r#"{"choices": [{"mess"#, BadAnswer, "a reply that is no JSON"),
        ("\n         ", BadAnswer, "status 200 without a message"),
        ("<html><title>Sign in</title>", BadAnswer, "a page instead of an answer: Sign in"),
    ];
    for (body, kind, message) in rows {
        let expected = Failure { kind, status: 200, message: message.to_owned(), retry_after: None };
        assert_eq!(reply(200, body), expected, "{body}");
    }
}

#[test]
fn a_page_of_the_front_means_what_its_status_says_and_nothing_of_key_or_model() {
    let page = "<!DOCTYPE html>\n<html><head><TITLE>\n Attention Required! |\tCloudflare </TITLE></head>";
    let rows = [
        (400, ServerError),
        (401, ServerError),
        (403, ServerError),
        (404, ServerError),
        (408, TimedOut),
        (413, BadRequest),
        (429, RateLimitedModel),
        (502, ServerError),
        (503, Overloaded),
        (524, TimedOut),
    ];
    for (status, kind) in rows {
        let message = "a page instead of an answer: Attention Required! | Cloudflare".to_owned();
        assert_eq!(reply(status, page), Failure { kind, status, message, retry_after: None });
    }
    let headers = Headers { content_type: Some("text/html; charset=UTF-8"), ..Headers::default() };
    let empty = classify(&Reply { status: 503, headers, body: b"", now_ms: NOW });
    assert_eq!(empty.message, "status 503 without a message");
}

#[test]
fn plain_text_and_other_json_are_taken_by_their_status() {
    let rows = [
        (401, "Unauthorized", KeyRejected, "Unauthorized"),
        (502, "", ServerError, "status 502 without a message"),
        (500, r#"{"detail": "it broke"}"#, ServerError, "it broke"),
        (422, r#"{"message": "no such field"}"#, BadRequest, "no such field"),
        (404, r#"{"error": "No endpoints found for acme/fox."}"#, Gone, "No endpoints found for acme/fox."),
        (400, r#""text""#, BadRequest, "text"),
    ];
    for (status, body, kind, message) in rows {
        let expected = Failure { kind, status, message: message.to_owned(), retry_after: None };
        assert_eq!(reply(status, body), expected, "{body}");
    }
}

#[test]
fn the_words_of_the_provider_decide_like_those_of_openrouter() {
    let rows = [
        (429, "Rate limit exceeded: free-models-per-day. Add 10 credits", RateLimitedDay),
        (429, "acme/fox:free is temporarily rate-limited upstream. Please retry shortly", RateLimitedModel),
        (400, r#"{"error": {"message": "This model's maximum context length is 8192 tokens"}}"#, ContextOverflow),
        (400, r#"{"error": {"message": "User location is not supported for the API use."}}"#, BadRequest),
        (400, "Image in system message is unsupported", BadRequest),
    ];
    for (status, raw, kind) in rows {
        let metadata = json!({"provider_name": "Acme", "is_byok": false, "raw": raw});
        assert_eq!(refused(status, "Provider returned error", &metadata).kind, kind, "{raw}");
    }
}

#[test]
fn a_wait_of_the_headers_reaches_the_failure() {
    let headers = Headers { retry_after: Some("5"), ..Headers::default() };
    let found = classify(&Reply { status: 503, headers, body: b"No instances available", now_ms: NOW });
    let message = "No instances available".to_owned();
    let retry_after = Some(Duration::from_secs(5));
    assert_eq!(found, Failure { kind: Overloaded, status: 503, message, retry_after });
}
