//! Sections 7.2 and 7.3: what a status, a type and a literal text mean.
//!
//! Each text is judged both as the body of an error status and as an error
//! inside a 200.

use super::*;
use crate::routing::FailureKind::*;

/// Judges a text without any field, outside and inside a 200.
fn check_text(status: u16, text: &str, kind: FailureKind, whom: Whom) {
    let row = format!("7.3 {status} {text}");
    let expected = (kind, status, text.trim().to_owned());
    let inside = classify_error_object(&json!({"code": status, "message": text}), NOW);
    for found in [refused(status, text, &json!(null)), inside] {
        check(&row, &found, kind, whom);
        assert_eq!((found.kind, found.status, found.message), expected, "{row}");
    }
}

#[test]
fn a_400_is_about_the_model_or_about_the_request() {
    let too_long = "This endpoint's maximum context length is 200000 tokens. However, you requested more";
    let mandatory = "Reasoning is mandatory for this endpoint and cannot be disabled.";
    check_text(400, "acme/fake-1.0 is not a valid model ID", Gone, MODEL_FOR_HOURS);
    check_text(400, too_long, ContextOverflow, TOO_LONG);
    check_text(400, "Token limit reached", ContextOverflow, TOO_LONG);
    check_text(400, "'models' array must have 3 items or fewer.", Refused, REQUEST);
    check_text(400, mandatory, Unsupported, MISFIT);
    check_text(400, "Provider returned error", BadRequest, PERHAPS_REQUEST);
    check_text(400, "messages: Input should be a list", BadRequest, PERHAPS_REQUEST);
}

#[test]
fn a_401_402_or_403_is_about_the_key_the_account_or_the_model() {
    let gate = "acme/fox:free is only available on agentic harnesses. Try plugging it in";
    let age = "This model requires you to complete the following before use: 18+ age confirmation.";
    let afford = "This request requires more credits, or fewer max_tokens. You can only afford 3324.";
    for text in ["Missing Authentication header", "No auth credentials found", "User not found."] {
        check_text(401, text, KeyRejected, KEY);
    }
    check_text(402, "Insufficient credits. This account never purchased credits.", KeyExhausted, KEY);
    check_text(402, afford, KeyExhausted, KEY);
    check_text(402, "Prompt tokens limit exceeded: 5000 > 1000. To increase, visit the settings", KeyExhausted, KEY);
    for period in ["daily", "weekly", "monthly", "total"] {
        check_text(403, &format!("Key limit exceeded ({period} limit). Manage it there"), KeyExhausted, KEY);
    }
    check_text(403, gate, Gated, MODEL_FOR_A_DAY);
    check_text(403, age, Attestation, MODEL_FOR_HOURS);
    check_text(403, "Request blocked: prompt injection patterns detected", Moderated, REQUEST);
    check_text(403, "Forbidden", ServerError, MODEL);
}

#[test]
fn a_404_is_about_the_model_and_what_it_is_asked_for() {
    for gone in [
        "No endpoints found for acme/fox:free.",
        "The free Fox 2 period has ended. To continue, migrate to the paid slug: acme/fox-2",
        "This model is unavailable for free. The paid version is available now - use this slug instead: acme/fox",
    ] {
        check_text(404, gone, Gone, MODEL_FOR_HOURS);
    }
    for policy in [
        "No endpoints found matching your data policy (Free model publication). Configure: the settings",
        "No endpoints available matching your guardrail restrictions and data policy. Configure: the settings",
        "0 endpoints out of 1 requested are available matching your guardrail restrictions and data policy.",
        "No endpoints for acme/fox match your data policy (zero data retention).",
        "No allowed providers are available for the selected model.",
    ] {
        check_text(404, policy, DataPolicy, MODEL_FOR_HOURS);
    }
    for misfit in [
        "No endpoints found that support tool use. Try disabling \"read\". To learn more, visit the docs",
        "No endpoints found that support the provided 'tool_choice' value. To learn more, visit the docs",
        "No endpoints found that support image input",
        "No endpoints found that support the requested output modalities: text, image",
        "No endpoints found that can handle the requested parameters. To learn more, visit the docs",
    ] {
        check_text(404, misfit, Unsupported, MISFIT);
    }
}

#[test]
fn every_other_status_has_its_meaning() {
    check_text(408, "Request timed out", TimedOut, MODEL);
    check_text(410, "Gone", Gone, MODEL_FOR_HOURS);
    check_text(412, "Precondition failed", Refused, REQUEST);
    check_text(413, "Payload too large", Refused, REQUEST);
    check_text(418, "A status that nobody told of", BadRequest, PERHAPS_REQUEST);
    check_text(422, "Unprocessable", Refused, REQUEST);
    check_text(500, "Internal Server Error", ServerError, MODEL);
    check_text(502, "Provider returned error", ServerError, MODEL);
    check_text(502, "Network connection lost.", ServerError, MODEL);
    check_text(503, "No instances available", Overloaded, MODEL);
    check_text(503, "No provider meets your routing requirements", Overloaded, MODEL);
    check_text(504, "Timeout", TimedOut, MODEL);
    check_text(520, "Unknown", ServerError, MODEL);
    check_text(524, "Request timed out. Please try again later.", TimedOut, MODEL);
    check_text(529, "Provider is overloaded", Overloaded, MODEL);
}

#[test]
fn a_text_decides_only_with_the_status_it_was_seen_with() {
    check("day", &refused(400, "you wrote: free-models-per-day", &json!(null)), BadRequest, PERHAPS_REQUEST);
    check("policy", &refused(502, "you wrote: data policy", &json!(null)), ServerError, MODEL);
    check(
        "harness",
        &refused(400, "you wrote: only available on agentic harnesses", &json!(null)),
        BadRequest,
        PERHAPS_REQUEST,
    );
}

#[test]
fn a_type_stands_for_its_status_where_there_is_no_number() {
    let rows = [
        ("context_length_exceeded", 400, ContextOverflow, TOO_LONG),
        ("max_tokens_exceeded", 400, ContextOverflow, TOO_LONG),
        ("token_limit_exceeded", 400, ContextOverflow, TOO_LONG),
        ("string_too_long", 400, BadRequest, PERHAPS_REQUEST),
        ("invalid_request", 400, BadRequest, PERHAPS_REQUEST),
        ("invalid_prompt", 400, BadRequest, PERHAPS_REQUEST),
        ("content_policy_violation", 400, Moderated, REQUEST),
        ("refusal", 400, Moderated, REQUEST),
        ("invalid_image", 400, BadRequest, PERHAPS_REQUEST),
        ("image_too_large", 400, BadRequest, PERHAPS_REQUEST),
        ("image_too_small", 400, BadRequest, PERHAPS_REQUEST),
        ("unsupported_image_format", 400, BadRequest, PERHAPS_REQUEST),
        ("image_download_failed", 400, BadRequest, PERHAPS_REQUEST),
        ("authentication", 401, KeyRejected, KEY),
        ("payment_required", 402, KeyExhausted, KEY),
        ("permission_denied", 403, ServerError, MODEL),
        ("not_found", 404, Gone, MODEL_FOR_HOURS),
        ("image_not_found", 404, BadRequest, PERHAPS_REQUEST),
        ("precondition_failed", 412, Refused, REQUEST),
        ("payload_too_large", 413, Refused, REQUEST),
        ("unprocessable", 422, Refused, REQUEST),
        ("rate_limit_exceeded", 429, RateLimitedUnknown, POOL),
        ("server", 500, ServerError, MODEL),
        ("unmapped", 500, ServerError, MODEL),
        ("provider_unavailable", 502, ServerError, MODEL),
        ("provider_overloaded", 503, Overloaded, MODEL),
        ("timeout", 504, TimedOut, MODEL),
    ];
    for (word, status, kind, whom) in rows {
        let row = format!("7.2 {word}");
        let beside = classify_error_object(&json!({"error_type": word, "message": "No"}), NOW);
        check(&row, &beside, kind, whom);
        assert_eq!(beside.status, status, "{row}");
        check(&row, &refused(status, "No", &json!({"error_type": word})), kind, whom);
    }
}

#[test]
fn a_provider_that_refuses_speaks_for_itself_alone() {
    for (status, kind, whom) in [
        (401, ServerError, MODEL),
        (402, ServerError, MODEL),
        (403, ServerError, MODEL),
        (412, BadRequest, PERHAPS_REQUEST),
        (413, BadRequest, PERHAPS_REQUEST),
        (422, BadRequest, PERHAPS_REQUEST),
    ] {
        let metadata = json!({"provider_name": "Acme", "raw": "{\"error\": \"bad key sk-acme-0123456789\"}"});
        let found = refused(status, "Provider returned error", &metadata);
        check("7.3 Provider returned error", &found, kind, whom);
        assert_eq!((found.status, &*found.message), (status, "bad key sk-***"));
    }
}

#[test]
fn the_words_of_the_provider_decide_like_those_of_openrouter() {
    let rows = [
        (
            "7.3 context",
            400,
            r#"{"error": {"message": "This model's maximum context length is 8192 tokens"}}"#,
            ContextOverflow,
            TOO_LONG,
        ),
        (
            "7.3 border",
            400,
            r#"{"error": {"message": "User location is not supported for the API use."}}"#,
            Gated,
            MODEL_FOR_A_DAY,
        ),
        ("7.3 system image", 400, "Image in system message is unsupported", Unsupported, MISFIT),
        ("7.3 anything else", 400, r#"{"error": {"message": "roles must alternate"}}"#, BadRequest, PERHAPS_REQUEST),
        ("JSON in JSON", 400, r#""{\"error\":\"User location is not supported\"}""#, Gated, MODEL_FOR_A_DAY),
    ];
    for (row, status, raw, kind, whom) in rows {
        let metadata = json!({"provider_name": "Acme", "is_byok": false, "raw": raw});
        check(row, &refused(status, "Provider returned error", &metadata), kind, whom);
    }
}
