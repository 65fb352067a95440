//! What OpenRouter says of a key: `GET /key`.
//!
//! Only the account's free requests of the day are read. The field is young and
//! may be missing, and a number in it may be anything: then nothing is known. Pure.

use serde::Deserialize;

use crate::routing::quota::DailyRequests;

#[derive(Deserialize)]
struct Envelope {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    free_model_daily_requests: Option<Daily>,
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
    let daily = envelope.data.free_model_daily_requests?;
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
