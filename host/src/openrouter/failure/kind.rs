//! The tables: from an error object and its status to a kind.
//!
//! Structure is asked first, in the order of [`decide`]; then the literal texts
//! that are known; last the status alone. A text counts only with the status it
//! was seen with, so that nothing echoed from a prompt decides. Knows neither
//! hints nor how messages are shown.

use serde_json::Value;

use crate::routing::FailureKind;

/// Texts that decide where no field does, each with its status.
const LITERALS: [(u16, &str, FailureKind); 21] = [
    (400, "is not a valid model ID", FailureKind::Gone),
    (400, "maximum context length", FailureKind::ContextOverflow),
    (400, "Token limit reached", FailureKind::ContextOverflow),
    (400, "'models' array must have", FailureKind::Refused),
    // Another model may be told not to think.
    (400, "Reasoning is mandatory", FailureKind::Unsupported),
    (400, "Image in system message is unsupported", FailureKind::Unsupported),
    // The provider's own border, though not the request's fault.
    (400, "User location is not supported", FailureKind::Gated),
    (403, "Key limit exceeded", FailureKind::KeyExhausted),
    (403, "only available on agentic harnesses", FailureKind::Gated),
    (403, "complete the following before use", FailureKind::Attestation),
    (403, "Request blocked", FailureKind::Moderated),
    (404, "data policy", FailureKind::DataPolicy),
    (404, "guardrail restrictions", FailureKind::DataPolicy),
    (404, "No allowed providers are available", FailureKind::DataPolicy),
    (404, "No endpoints found that support", FailureKind::Unsupported),
    (404, "No endpoints found that can handle the requested parameters", FailureKind::Unsupported),
    (429, "free-models-per-day", FailureKind::RateLimitedDay),
    (429, "free-models-per-min", FailureKind::RateLimitedMinute),
    (429, "rate-limited upstream", FailureKind::RateLimitedModel),
    (0, "rate-limited upstream", FailureKind::RateLimitedModel),
    (200, "rate-limited upstream", FailureKind::RateLimitedModel),
];

/// Returns the status of an error: its own code, else that of the HTTP reply,
/// else what its words stand for; 0 if nothing tells.
pub(super) fn status(error: &Value, http_status: u16) -> u16 {
    let told = [error.get("code"), error.get("http_status")].into_iter().flatten().find_map(number);
    let spelt = || words(error).find_map(status_of_word);
    told.or((http_status >= 400).then_some(http_status)).or_else(spelt).unwrap_or(http_status)
}

/// Decides the kind of an error with this status and these words.
pub(super) fn decide(error: &Value, status: u16, told: &str) -> FailureKind {
    by_limit(error)
        .or_else(|| by_step(error))
        .or_else(|| by_availability(error))
        .or_else(|| by_evidence(error))
        .or_else(|| by_refusing_provider(error, status))
        .or_else(|| words(error).find_map(kind_of_word))
        .or_else(|| by_literal(status, told))
        .or_else(|| by_new_step(error, status))
        .or_else(|| by_provider_s_limit(error, status))
        .unwrap_or_else(|| by_status(status))
}

/// Returns the kind of a page of HTML, which the front sends, not the API: it
/// says nothing of the key, the model or the request, but for its size.
pub(super) fn of_page(status: u16) -> FailureKind {
    match status {
        408 | 413 | 429 | 503 | 504 | 524 | 529 => by_status(status),
        _ => FailureKind::ServerError,
    }
}

fn by_limit(error: &Value) -> Option<FailureKind> {
    // A request that alone exceeds the budget does not fit after a wait either.
    if text(error, "/metadata/reason") == "weight_exceeds_budget" {
        return Some(FailureKind::KeyExhausted);
    }
    if text(error, "/metadata/reason") == "in_flight_budget_exhausted" {
        return Some(FailureKind::AccountBusy);
    }
    match text(error, "/metadata/limit_source") {
        "openrouter_free_tier_daily" => Some(FailureKind::RateLimitedDay),
        "openrouter_free_tier_per_minute" => Some(FailureKind::RateLimitedMinute),
        "upstream_provider_shared_pool" => Some(FailureKind::RateLimitedModel),
        "openrouter_in_flight_budget" => Some(FailureKind::AccountBusy),
        "openrouter_key_limit" | "openrouter_credits" => Some(FailureKind::KeyExhausted),
        _ => None,
    }
}

/// A step of the routing refused: never the key, and never the request alone.
fn by_step(error: &Value) -> Option<FailureKind> {
    match text(error, "/metadata/failed_routing_step") {
        "Filter by Guardrails" | "Filter by Allowed Providers" => Some(FailureKind::DataPolicy),
        "Filter by Max Price" => Some(FailureKind::Gone),
        "Filter by Parameters" | "Filter by Tool Compatibility" | "Filter by Model Output Modalities" => {
            Some(FailureKind::Unsupported)
        }
        "Gate Free Endpoints by Agentic Harness" => Some(FailureKind::Gated),
        "Gate Endpoints with Attestations" => Some(FailureKind::Attestation),
        _ => None,
    }
}

/// A step that is new to us is about this model with this request, and no more
/// is known: the model rests no longer than after any failure.
fn by_new_step(error: &Value, status: u16) -> Option<FailureKind> {
    let is_told = !text(error, "/metadata/failed_routing_step").is_empty();
    (is_told && matches!(status, 403 | 404)).then_some(FailureKind::Unroutable)
}

fn by_availability(error: &Value) -> Option<FailureKind> {
    match text(error, "/availability/code") {
        "model_not_found"
        | "no_endpoints"
        | "model_deprecated"
        | "model_unavailable_upstream"
        | "free_variant_ended" => Some(FailureKind::Gone),
        "wrong_endpoint" => Some(FailureKind::Unsupported),
        "capacity_exhausted" => Some(FailureKind::RateLimitedModel),
        "temporarily_unavailable" => Some(FailureKind::Overloaded),
        "region_restricted" => Some(FailureKind::Gated),
        "privacy_restricted" => Some(FailureKind::DataPolicy),
        "constraint_filtered" => Some(by_exclusion(error)),
        _ => None,
    }
}

/// What a constraint left out is told by its name; without one it is something
/// that this request asked for.
fn by_exclusion(error: &Value) -> FailureKind {
    let excluded = error.pointer("/availability/excluded_by").and_then(Value::as_array);
    let mut names = excluded.into_iter().flatten().filter_map(Value::as_str);
    names
        .find_map(|name| match name {
            "max_price" => Some(FailureKind::Gone),
            "context_length" => Some(FailureKind::ContextOverflow),
            "allowed_providers" | "geo" | "data_region" => Some(FailureKind::DataPolicy),
            name if name.starts_with("data_policy") => Some(FailureKind::DataPolicy),
            _ => None,
        })
        .unwrap_or(FailureKind::Unsupported)
}

/// Fields that come with one kind of refusal only.
fn by_evidence(error: &Value) -> Option<FailureKind> {
    let has = |name: &str| error.pointer(&format!("/metadata/{name}")).is_some_and(|value| !value.is_null());
    if has("missing_attestation_types") {
        Some(FailureKind::Attestation)
    } else if has("ineligibility_reasons") {
        Some(FailureKind::DataPolicy)
    } else if has("reasons") || has("flagged_input") || has("patterns") {
        Some(FailureKind::Moderated)
    } else {
        None
    }
}

/// The provider refused: if OpenRouter's key or account, not OpenRouter ours; if
/// the request, for itself alone. Another model, elsewhere, can answer.
fn by_refusing_provider(error: &Value, status: u16) -> Option<FailureKind> {
    let by_provider =
        text(error, "/message") == "Provider returned error" && !text(error, "/metadata/provider_name").is_empty();
    match status {
        401..=403 if by_provider => Some(FailureKind::ServerError),
        412 | 413 | 422 if by_provider => Some(FailureKind::BadRequest),
        _ => None,
    }
}

/// A limit is the provider's if anything of it is told, its name or its code.
fn by_provider_s_limit(error: &Value, status: u16) -> Option<FailureKind> {
    let names = ["provider_name", "provider_code", "provider_error_code", "retry_after_seconds"];
    let told = names.iter().any(|name| error.pointer(&format!("/metadata/{name}")).is_some_and(|told| !told.is_null()));
    (status == 429 && told).then_some(FailureKind::RateLimitedModel)
}

fn by_literal(status: u16, told: &str) -> Option<FailureKind> {
    let of_status = LITERALS.iter().filter(|(code, ..)| *code == status);
    of_status.into_iter().find(|(_, literal, _)| told.contains(literal)).map(|(.., kind)| *kind)
}

fn by_status(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::KeyRejected,
        402 => FailureKind::KeyExhausted,
        // Neither the key nor the request is proven guilty: another model is
        // tried, and this one rests no longer than after any error.
        403 => FailureKind::ServerError,
        404 | 410 => FailureKind::Gone,
        408 | 504 | 524 => FailureKind::TimedOut,
        412 | 413 | 422 => FailureKind::Refused,
        429 => FailureKind::RateLimitedUnknown,
        503 | 529 => FailureKind::Overloaded,
        400..500 => FailureKind::BadRequest,
        _ => FailureKind::ServerError,
    }
}

/// The words by which an error names itself, the stable ones first.
fn words(error: &Value) -> impl Iterator<Item = &str> {
    [
        "/metadata/error_type",
        "/error_type",
        "/metadata/provider_code",
        "/metadata/provider_error_code",
        "/code",
        "/type",
    ]
    .into_iter()
    .map(|path| text(error, path))
}

/// Words that say more than the status they come with.
fn kind_of_word(word: &str) -> Option<FailureKind> {
    match word {
        "context_length_exceeded" | "max_tokens_exceeded" | "token_limit_exceeded" => {
            Some(FailureKind::ContextOverflow)
        }
        "content_policy_violation" | "refusal" => Some(FailureKind::Moderated),
        "authentication" => Some(FailureKind::KeyRejected),
        "image_not_found" => Some(FailureKind::BadRequest),
        "provider_overloaded" => Some(FailureKind::Overloaded),
        "timeout" => Some(FailureKind::TimedOut),
        _ => None,
    }
}

/// The status that OpenRouter sends with each of its words, and the Messages
/// API with its own.
fn status_of_word(word: &str) -> Option<u16> {
    match word {
        "context_length_exceeded"
        | "max_tokens_exceeded"
        | "token_limit_exceeded"
        | "string_too_long"
        | "invalid_request"
        | "invalid_request_error"
        | "invalid_prompt"
        | "content_policy_violation"
        | "refusal"
        | "invalid_image"
        | "image_too_large"
        | "image_too_small"
        | "unsupported_image_format"
        | "image_download_failed" => Some(400),
        "authentication" | "authentication_error" => Some(401),
        "payment_required" => Some(402),
        "permission_denied" | "permission_error" => Some(403),
        "not_found" | "not_found_error" | "image_not_found" => Some(404),
        "precondition_failed" => Some(412),
        "payload_too_large" => Some(413),
        "unprocessable" => Some(422),
        "rate_limit_exceeded" | "rate_limit_error" | "rate_limited" => Some(429),
        "server" | "server_error" | "unmapped" | "api_error" => Some(500),
        "provider_unavailable" => Some(502),
        "provider_overloaded" | "overloaded_error" | "engine_overloaded" => Some(503),
        "timeout" => Some(504),
        _ => None,
    }
}

/// Reads a code: a number, or a number in a string. Providers' own numbers are
/// none of HTTP's errors and do not count.
fn number(code: &Value) -> Option<u16> {
    let number = match code {
        Value::String(text) => text.trim().parse().ok(),
        code => code.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number.filter(|number| (400..600).contains(number))
}

fn text<'a>(error: &'a Value, path: &str) -> &'a str {
    error.pointer(path).and_then(Value::as_str).unwrap_or_default()
}
