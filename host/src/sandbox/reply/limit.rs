//! Limits and outages: 429 in every class, the in-flight 402, 408 and the 5xx.
//!
//! The texts and fields are the upstream's own. Resets are epoch milliseconds
//! as text inside `metadata.headers`; only some replies carry `Retry-After`.
//! Which class cools what is the host's affair, not told here. Refusals are in
//! `reply/refusal.rs`.

use serde_json::{Value, json};

use crate::sandbox::reply::step::Step;
use crate::sandbox::reply::{Form, Reply};

const SHARED_POOL_TEXT: &str = "{model} is temporarily rate-limited upstream. Please retry \
     shortly, or add your own key to accumulate your rate limits: \
     https://openrouter.ai/settings/integrations";

impl Reply {
    /// Returns 429: the account's free calls of the day are used up.
    ///
    /// `limit` is 50 or 1,000; `reset_ms` the next midnight UTC in epoch ms.
    pub fn daily_limit(limit: u64, reset_ms: u64) -> Self {
        let tier = if limit > 50 { "-high-balance. " } else { DAILY_REMEDY };
        Self::error(429, &format!("Rate limit exceeded: free-models-per-day{tier}")).metadata(json!({
            "headers": rate_limit_headers(limit, reset_ms),
            "limit_source": "openrouter_free_tier_daily",
            "remedy_hint": "Wait for the daily reset (see X-RateLimit-Reset)",
        }))
    }

    /// Returns the daily 429 by its text alone, without limit and reset.
    pub fn daily_limit_bare() -> Self {
        let message = "Rate limit exceeded: free-models-per-day-high-balance.";
        Self::error(429, message)
    }

    /// Returns 429: a provider's answer hides the daily limit in `metadata.raw`.
    pub fn daily_limit_in_raw() -> Self {
        Self::provider_error(429, &format!("Rate limit exceeded: free-models-per-day{DAILY_REMEDY}"))
    }

    /// Tells whether this reply says that the day's free calls are used up.
    pub(in crate::sandbox) fn ends_the_day(&self) -> bool {
        let says_so = |value: &Value| value.to_string().contains("free-models-per-day");
        match &self.form {
            Form::Json(body) => says_so(body),
            Form::Steps(steps) => steps.iter().any(|step| matches!(step, Step::Data(event) if says_so(event))),
            Form::Parts(_) | Form::Body { .. } => false,
        }
    }

    /// Returns 429: the account's 20 free calls of this minute are used up.
    pub fn minute_limit(reset_ms: u64) -> Self {
        let message = "Rate limit exceeded: free-models-per-min. ";
        Self::error(429, message).metadata(json!({
            "headers": rate_limit_headers(20, reset_ms),
            "limit_source": "openrouter_free_tier_per_minute",
        }))
    }

    /// Returns 429: the pool that all users share at the provider is empty.
    pub fn upstream_limit() -> Self {
        Self::provider_error(429, SHARED_POOL_TEXT).metadata(json!({
            "provider_error_code": "429",
            "limit_source": "upstream_provider_shared_pool",
            "remedy_hint": "Retry shortly, or add your own provider key",
        }))
    }

    /// Returns `upstream_limit` as it also comes, with a hint in the metadata.
    pub fn upstream_limit_for(seconds: u32) -> Self {
        Self::provider_error(429, SHARED_POOL_TEXT).metadata(json!({
            "retry_after_seconds": seconds,
            "retry_after_seconds_raw": f64::from(seconds) - 0.082,
        }))
    }

    /// Returns 429: all providers of the model are at capacity.
    pub fn capacity_exhausted(seconds: u32) -> Self {
        let message = format!("All providers for {{model}} are at capacity. Retry after {seconds} seconds.");
        Self::error(429, &message)
            .error_field("error_type", json!("rate_limit_exceeded"))
            .error_field("http_status", json!(429))
            .error_field(
                "availability",
                json!({
                    "code": "capacity_exhausted",
                    "retryable": true,
                    "retry_after": seconds,
                    "requested_models": ["{model}"],
                }),
            )
    }

    /// Returns 429 with the plain text of the documentation.
    pub fn rate_limited() -> Self {
        Self::error(429, "Rate limit exceeded").metadata(json!({
            "error_type": "rate_limit_exceeded",
            "provider_code": "rate_limited",
        }))
    }

    /// Returns 429 of which nothing tells whose limit it is.
    pub fn limited_by_somebody() -> Self {
        Self::error(429, "Rate limit exceeded").metadata(json!({"error_type": "rate_limit_exceeded"}))
    }

    /// Returns 402: too much of the account is in flight; has `Retry-After`.
    pub fn in_flight_budget(seconds: u32) -> Self {
        Self::error(402, "In-flight budget exhausted. Please retry shortly.")
            .metadata(json!({
                "limit_source": "openrouter_in_flight_budget",
                "reason": "in_flight_budget_exhausted",
            }))
            .retry_after(seconds)
    }

    /// Adds the header `Retry-After`.
    pub fn retry_after(self, seconds: u32) -> Self {
        self.header("Retry-After", &seconds.to_string())
    }

    /// Returns 408: the request took too long.
    pub fn request_timeout() -> Self {
        Self::error(408, "Request timed out").metadata(json!({"error_type": "timeout"}))
    }

    /// Returns 500: an internal error whose cause is masked.
    pub fn internal_error() -> Self {
        Self::error(500, "Internal Server Error").metadata(json!({"error_type": "server"}))
    }

    /// Returns 502: the connection to the provider was lost.
    pub fn connection_lost() -> Self {
        let error_type = json!({"error_type": "provider_unavailable"});
        Self::error(502, "Network connection lost.").metadata(error_type)
    }

    /// Returns 503: the provider has no instance of the model.
    pub fn no_instances() -> Self {
        Self::error(503, "No instances available")
    }

    /// Returns 524: the edge gave up on the provider.
    pub fn edge_timeout() -> Self {
        Self::error(524, "Request timed out. Please try again later.")
    }

    /// Returns 529: the provider is overloaded.
    pub fn overloaded() -> Self {
        let error_type = json!({"error_type": "provider_overloaded"});
        Self::error(529, "Provider is overloaded").metadata(error_type)
    }
}

const DAILY_REMEDY: &str = ". Add 10 credits to unlock 1000 free model requests per day";

fn rate_limit_headers(limit: u64, reset_ms: u64) -> serde_json::Value {
    json!({
        "X-RateLimit-Limit": limit.to_string(),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": reset_ms.to_string(),
    })
}
