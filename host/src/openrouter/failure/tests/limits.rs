//! Section 7.4: who is limited, and until when.

use super::*;
use crate::routing::FailureKind::*;

/// The next midnight UTC, in milliseconds since 1970.
const MIDNIGHT: u64 = 1_786_924_800_000;

fn resets(limit: u32, at_ms: u64) -> Value {
    json!({"X-RateLimit-Limit": limit.to_string(), "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": at_ms.to_string()})
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_account_s_day_is_known_by_its_source_or_its_words() {
    let midnight = Some(Duration::from_millis(MIDNIGHT - NOW));
    let source = json!({"limit_source": "openrouter_free_tier_daily", "headers": resets(1000, MIDNIGHT)});
    let raw = json!({"raw": "Rate limit exceeded: free-models-per-day. Add 10 credits", "provider_name": "Acme"});
    let rows = [
        ("source", "Rate limit exceeded", source, midnight),
        (
            "source, an hour",
            "no",
            json!({"limit_source": "openrouter_free_tier_daily", "headers": resets(50, NOW + 3_600_000)}),
            Some(seconds(3600)),
        ),
        (
            "50 a day",
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000",
            json!({"headers": resets(50, MIDNIGHT), "provider_name": null}),
            midnight,
        ),
        (
            "1000 a day",
            "Rate limit exceeded: free-models-per-day-high-balance. ",
            json!({"headers": resets(1000, MIDNIGHT)}),
            midnight,
        ),
        ("words alone", "Rate limit exceeded: free-models-per-day-high-balance.", json!(null), midnight),
        ("hidden in raw", "Provider returned error", raw, midnight),
        ("reset in the past", "free-models-per-day", json!({"headers": resets(50, NOW - 1)}), midnight),
        ("reset too far away", "free-models-per-day", json!({"headers": resets(50, NOW + 49 * 3_600_000)}), midnight),
        ("reset unreadable", "free-models-per-day", json!({"headers": {"X-RateLimit-Reset": "soon"}}), midnight),
    ];
    for (row, message, metadata, wait) in rows {
        let found = refused(429, message, &metadata);
        check(row, &found, RateLimitedDay, ACCOUNT_TODAY);
        assert_eq!(found.retry_after, wait, "{row}");
    }
}

#[test]
fn the_account_s_minute_is_waited_for() {
    let rows = [
        (
            "source",
            "no",
            json!({"limit_source": "openrouter_free_tier_per_minute", "headers": resets(20, NOW + 40_000)}),
            Some(seconds(40)),
        ),
        (
            "words",
            "Rate limit exceeded: free-models-per-min. ",
            json!({"headers": resets(20, NOW + 9_000)}),
            Some(seconds(9)),
        ),
        ("words alone", "Rate limit exceeded: free-models-per-min. ", json!(null), None),
        ("reset too far away", "free-models-per-min", json!({"headers": resets(20, NOW + 900_000)}), Some(seconds(65))),
    ];
    for (row, message, metadata, wait) in rows {
        let found = refused(429, message, &metadata);
        check(row, &found, RateLimitedMinute, ACCOUNT_NOW);
        assert_eq!(found.retry_after, wait, "{row}");
    }
}

#[test]
fn a_limit_of_the_provider_s_is_the_model_s() {
    let pool = "acme/fox:free is temporarily rate-limited upstream. Please retry shortly, or add your own key";
    let wrapped = |fields: Value| {
        let mut metadata = json!({"raw": pool, "provider_name": "Acme", "is_byok": false});
        metadata.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        metadata
    };
    let rows = [
        (
            "source",
            "Provider returned error",
            wrapped(json!({"limit_source": "upstream_provider_shared_pool", "provider_error_code": "429"})),
            None,
        ),
        (
            "engine overloaded",
            "Provider returned error",
            wrapped(json!({"provider_error_code": "engine_overloaded"})),
            None,
        ),
        (
            "hint",
            "Provider returned error",
            wrapped(json!({"retry_after_seconds": 11, "retry_after_seconds_raw": 10.9})),
            Some(seconds(11)),
        ),
        ("2025, raw alone", "Provider returned error", wrapped(json!({})), None),
        ("words alone", pool, json!(null), None),
        ("stealth", "stealth/fox is temporarily rate-limited upstream. Please retry shortly.", json!(null), None),
        ("provider's name alone", "Provider returned error", json!({"provider_name": "Acme"}), None),
        (
            "provider's code alone",
            "Rate limit exceeded",
            json!({"error_type": "rate_limit_exceeded", "provider_code": "rate_limited"}),
            None,
        ),
    ];
    for (row, message, metadata, wait) in rows {
        let found = refused(429, message, &metadata);
        check(row, &found, RateLimitedModel, POOL);
        assert_eq!(found.retry_after, wait, "{row}");
    }
}

#[test]
fn a_model_without_capacity_is_limited_for_as_long_as_it_says() {
    let error = json!({
        "message": "All providers for acme/fox are at capacity. Retry after 40 seconds.",
        "error_type": "rate_limit_exceeded", "http_status": 429,
        "availability": {"code": "capacity_exhausted", "retryable": true, "retry_after": 40, "fallback_models": ["acme/dear"]},
        "metadata": {"previous_errors": [{"provider": "acme", "code": "capacity_exhausted", "status": 429}]},
    });
    let found = reply(429, &json!({"error": error}).to_string());
    check("capacity", &found, RateLimitedModel, POOL);
    assert_eq!((found.status, found.retry_after), (429, Some(seconds(40))));
}

#[test]
fn money_in_flight_is_waited_for_and_money_spent_is_not() {
    let rows = [
        ("in flight", 402, json!({"limit_source": "openrouter_in_flight_budget"}), AccountBusy, ACCOUNT_NOW),
        ("in flight, 429", 429, json!({"limit_source": "openrouter_in_flight_budget"}), AccountBusy, ACCOUNT_NOW),
        ("in flight, reason", 402, json!({"reason": "in_flight_budget_exhausted"}), AccountBusy, ACCOUNT_NOW),
        (
            "never fits",
            402,
            json!({"limit_source": "openrouter_in_flight_budget", "reason": "weight_exceeds_budget"}),
            KeyExhausted,
            KEY,
        ),
        ("key's limit", 429, json!({"limit_source": "openrouter_key_limit"}), KeyExhausted, KEY),
        ("key's limit, 403", 403, json!({"limit_source": "openrouter_key_limit"}), KeyExhausted, KEY),
        ("credits", 402, json!({"limit_source": "openrouter_credits"}), KeyExhausted, KEY),
    ];
    for (row, status, metadata, kind, whom) in rows {
        check(row, &refused(status, "No", &metadata), kind, whom);
    }
    let headers = Headers { retry_after: Some("3"), ..Headers::default() };
    let body = json!({"error": {"code": 402, "metadata": {"limit_source": "openrouter_in_flight_budget"}}}).to_string();
    let found = classify(&Reply { status: 402, headers, body: body.as_bytes(), now_ms: NOW });
    assert_eq!((found.kind, found.retry_after), (AccountBusy, Some(seconds(3))));
}

#[test]
fn a_limit_of_which_nothing_tells_whose_it_is_is_its_own_kind() {
    let rows = [
        ("plain", "Rate limit exceeded", json!(null)),
        ("type alone", "Rate limit exceeded", json!({"error_type": "rate_limit_exceeded"})),
        ("new source", "Rate limit exceeded", json!({"limit_source": "openrouter_moon_phase"})),
        ("no provider", "Rate limit exceeded", json!({"provider_name": null})),
    ];
    for (row, message, metadata) in rows {
        check(row, &refused(429, message, &metadata), RateLimitedUnknown, POOL);
    }
    let headers = Headers { rate_limit_reset: Some("1786881650"), ..Headers::default() };
    let found = classify(&Reply { status: 429, headers, body: b"slow down", now_ms: NOW });
    check("a real header, in seconds", &found, RateLimitedUnknown, POOL);
    assert_eq!(found.retry_after, Some(seconds(30)));
}
