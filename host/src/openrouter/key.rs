//! What OpenRouter says of a key: `GET /key`.
//!
//! The account's free requests of the day are what the router goes by. The field is
//! young and may be missing, and a number in it may be anything: then nothing is known.
//! The other facts are for people who look for what is wrong. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::routing::quota::DailyRequests;

/// What people want to know of a key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeyFacts {
    /// What it is called at OpenRouter.
    pub label: Option<String>,
    /// Whether its account never bought credits, if it tells.
    pub free_tier: Option<bool>,
    /// Dollars that it may spend, if it has a limit of its own.
    pub limit: Option<f64>,
    /// Whether it can only manage other keys, and answers no request.
    pub manages_only: bool,
    /// Dollars that are left of its own limit, if it has one.
    pub limit_remaining: Option<f64>,
    /// When it ends, as OpenRouter writes it, if it does.
    pub expires_at: Option<String>,
    /// The account's free requests of the day, if it tells.
    pub day: Option<DailyRequests>,
}

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    free_model_daily_requests: Option<Daily>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
struct Daily {
    limit: Option<f64>,
    used: Option<f64>,
    remaining: Option<f64>,
}

/// Reads the body of `/key`; `None` if it does not tell.
///
/// Refused calls count too, so that more can be used than the limit allows.
pub(super) fn daily_requests(body: &[u8]) -> Option<DailyRequests> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    day(&envelope.data)
}

/// Reads what people want to know; `None` if it is no answer of `/key`.
pub(super) fn facts(body: &[u8]) -> Option<KeyFacts> {
    let Envelope { data } = serde_json::from_slice(body).ok()?;
    let flag = |name: &str| data.others.get(name).and_then(Value::as_bool).unwrap_or(false);
    let text = |name: &str| data.others.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(KeyFacts {
        label: text("label"),
        free_tier: data.others.get("is_free_tier").and_then(Value::as_bool),
        limit: data.others.get("limit").and_then(Value::as_f64),
        manages_only: flag("is_management_key") || flag("is_provisioning_key"),
        limit_remaining: data.others.get("limit_remaining").and_then(Value::as_f64),
        expires_at: text("expires_at"),
        day: day(&data),
    })
}

fn day(data: &Data) -> Option<DailyRequests> {
    let daily = data.free_model_daily_requests.as_ref()?;
    let limit = daily.limit.filter(|limit| *limit >= 1.0)?;
    let remaining = daily.remaining.or_else(|| daily.used.map(|used| limit - used))?;
    Some(DailyRequests { limit: whole(limit), remaining: whole(remaining.min(limit)) })
}

fn whole(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is what is wanted")]
    {
        number as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_read_and_what_makes_no_sense_is_unknown() {
        let rows = [
            (r#"{"used": 3, "limit": 50, "remaining": 47}"#, Some((50, 47))),
            (r#"{"used": 60, "limit": 50, "remaining": 0}"#, Some((50, 0))),
            (r#"{"used": 60, "limit": 50, "remaining": -10}"#, Some((50, 0))),
            (r#"{"used": 1060, "limit": 1000}"#, Some((1000, 0))),
            (r#"{"limit": 1000, "remaining": 2000}"#, Some((1000, 1000))),
            (r#"{"limit": null, "remaining": 3}"#, None),
            (r#"{"limit": 0, "remaining": 0}"#, None),
            (r#"{"limit": 50}"#, None),
            (r#"{"limit": "50"}"#, None),
            ("null", None),
        ];
        for (daily, expected) in rows {
            let body = format!(r#"{{"data": {{"label": "x", "free_model_daily_requests": {daily}}}}}"#);
            let found = daily_requests(body.as_bytes()).map(|said| (said.limit, said.remaining));
            assert_eq!(found, expected, "{daily}");
        }
        for body in [r#"{"data": {"usage": 0}}"#, "{}", "<html>", ""] {
            assert_eq!(daily_requests(body.as_bytes()), None, "{body}");
        }
    }
}
