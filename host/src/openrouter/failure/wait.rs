//! How long the upstream asks to wait.
//!
//! Reads every place in which OpenRouter puts a hint: fields of the error,
//! headers quoted in it, headers of the reply. Senseless hints are none. Knows
//! of a failure only its kind, and nothing of what is done with the answer.

use std::time::Duration;

use jiff::fmt::rfc2822;
use serde_json::Value;

use super::Headers;
use crate::routing::FailureKind;

/// A hint beyond this is a mistake: no limit of OpenRouter's is longer than a day.
const LONGEST: Duration = Duration::from_hours(48);

/// A wait for the next minute is never longer than that, but for clocks that
/// differ by some seconds.
const LONGEST_MINUTE: Duration = Duration::from_secs(65);

/// Numbers below this are seconds since 1970, others milliseconds: the one is
/// the year 5138, the other 1973.
const LEAST_MILLISECONDS: u64 = 100_000_000_000;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Returns the wait that the upstream asks for, where waiting helps at all.
///
/// The daily limit always has one: without a credible hint, until midnight UTC,
/// when OpenRouter counts anew.
pub(super) fn hint(kind: FailureKind, error: &Value, headers: Headers<'_>, now_ms: u64) -> Option<Duration> {
    let reset = || reset(error, headers, now_ms);
    let asked = || asked(error, headers, now_ms);
    match kind {
        FailureKind::RateLimitedDay => Some(reset().unwrap_or_else(|| until_midnight(now_ms))),
        FailureKind::RateLimitedMinute => reset().or_else(asked).map(|wait| wait.min(LONGEST_MINUTE)),
        FailureKind::AccountBusy
        | FailureKind::KeyExhausted
        | FailureKind::Overloaded
        | FailureKind::RateLimitedModel
        | FailureKind::RateLimitedUnknown
        | FailureKind::ServerError
        | FailureKind::TimedOut => asked().or_else(reset),
        FailureKind::Attestation
        | FailureKind::BadAnswer
        | FailureKind::BadRequest
        | FailureKind::Connect
        | FailureKind::ContextOverflow
        | FailureKind::DataPolicy
        | FailureKind::Empty
        | FailureKind::Gated
        | FailureKind::Gone
        | FailureKind::Interrupted
        | FailureKind::KeyRejected
        | FailureKind::Moderated
        | FailureKind::Refused
        | FailureKind::Stalled
        | FailureKind::Unroutable
        | FailureKind::Unsupported => None,
    }
}

/// The hints that are lengths, and the `Retry-After` that may be a date.
fn asked(error: &Value, headers: Headers<'_>, now_ms: u64) -> Option<Duration> {
    ["/availability/retry_after", "/metadata/retry_after_seconds", "/metadata/retry_after_seconds_raw"]
        .into_iter()
        .filter_map(|path| error.pointer(path))
        .find_map(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()).and_then(seconds))
        .or_else(|| quoted(error, "retry-after").and_then(|value| retry_after(&value, now_ms)))
        .or_else(|| retry_after(headers.retry_after?, now_ms))
}

fn retry_after(value: &str, now_ms: u64) -> Option<Duration> {
    if let Ok(number) = value.trim().parse() {
        return seconds(number);
    }
    let date = rfc2822::parse(value.trim()).ok()?;
    until(u64::try_from(date.timestamp().as_millisecond()).ok()?, now_ms)
}

fn reset(error: &Value, headers: Headers<'_>, now_ms: u64) -> Option<Duration> {
    let read = |value: &str| value.trim().parse().ok().and_then(|moment| until(moment, now_ms));
    quoted(error, "x-ratelimit-reset").and_then(|value| read(&value)).or_else(|| read(headers.rate_limit_reset?))
}

/// Returns a header that is quoted in the error, under any spelling of its name.
fn quoted(error: &Value, name: &str) -> Option<String> {
    let headers = error.pointer("/metadata/headers")?.as_object()?;
    let (_, value) = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().and_then(credible)
}

fn until(moment: u64, now_ms: u64) -> Option<Duration> {
    let moment_ms = if moment < LEAST_MILLISECONDS { moment * 1000 } else { moment };
    credible(Duration::from_millis(moment_ms.checked_sub(now_ms)?))
}

fn credible(wait: Duration) -> Option<Duration> {
    (!wait.is_zero() && wait <= LONGEST).then_some(wait)
}

fn until_midnight(now_ms: u64) -> Duration {
    Duration::from_millis(DAY_MS - now_ms % DAY_MS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-08-16, 12:00:20 UTC.
    const NOW: u64 = 1_786_881_620_000;

    /// The wait in milliseconds.
    fn wait(kind: FailureKind, error: &Value, headers: Headers<'_>) -> Option<u128> {
        hint(kind, error, headers, NOW).map(|wait| wait.as_millis())
    }

    #[test]
    fn a_wait_is_read_wherever_it_is_told() {
        let none = Headers::default();
        let header = |retry_after| Headers { retry_after: Some(retry_after), ..none };
        let resets = |reset| Headers { rate_limit_reset: Some(reset), ..none };
        let rows = [
            (json!({"availability": {"code": "capacity_exhausted", "retry_after": 40}}), none, Some(40_000)),
            (
                json!({"metadata": {"retry_after_seconds": 11, "retry_after_seconds_raw": 10.9}}),
                header("3"),
                Some(11_000),
            ),
            (json!({"metadata": {"retry_after_seconds_raw": 1.5}}), none, Some(1500)),
            (json!({"metadata": {"headers": {"Retry-After": 9}}}), none, Some(9_000)),
            (json!({"metadata": {"headers": {"X-RateLimit-Reset": "1786881640000"}}}), none, Some(20_000)),
            (json!({}), header("7"), Some(7_000)),
            (json!({}), header("Sun, 16 Aug 2026 12:01:00 GMT"), Some(40_000)),
            (json!({}), resets("1786881650000"), Some(30_000)),
            (json!({}), resets("1786881650"), Some(30_000)),
            (json!({}), header("0"), None),
            (json!({}), header("-3"), None),
            (json!({}), header("soon"), None),
            (json!({}), header("999999999999"), None),
            (json!({}), header("Sun, 16 Aug 2026 11:00:00 GMT"), None),
            (json!({}), resets("1786881600000"), None),
            (json!({}), resets("1796881650000"), None),
            (json!({}), none, None),
        ];
        for (error, headers, expected) in rows {
            assert_eq!(wait(FailureKind::RateLimitedModel, &error, headers), expected, "{error} {headers:?}");
        }
    }

    #[test]
    fn the_limit_of_the_day_lasts_until_its_reset_or_midnight() {
        let midnight = Some((12 * 3600 - 20) * 1000);
        let rows = [
            (json!("1786924800000"), midnight),
            (json!("1786924800"), midnight),
            (json!("1786885220000"), Some(3_600_000)),
            (json!("1786880000000"), midnight),
            (json!("1790000000000"), midnight),
            (json!("never"), midnight),
            (json!(null), midnight),
        ];
        for (reset, expected) in rows {
            let error = json!({"metadata": {"headers": {"X-RateLimit-Reset": reset}}});
            let headers = Headers { retry_after: Some("1"), ..Headers::default() };
            assert_eq!(wait(FailureKind::RateLimitedDay, &error, headers), expected, "{error}");
        }
    }

    #[test]
    fn the_limit_of_the_minute_lasts_little_more_than_one() {
        let wait_until = |reset: &str| {
            let headers = Headers { retry_after: Some("9"), rate_limit_reset: Some(reset), ..Headers::default() };
            wait(FailureKind::RateLimitedMinute, &Value::Null, headers)
        };
        assert_eq!(wait_until("1786881660000"), Some(40_000));
        assert_eq!(wait_until("1786885220000"), Some(65_000));
        assert_eq!(wait_until("1786880000000"), Some(9_000));
    }

    #[test]
    fn where_waiting_does_not_help_there_is_no_wait() {
        let headers = Headers { retry_after: Some("5"), ..Headers::default() };
        let with_wait = FailureKind::ALL.into_iter().filter(|kind| wait(*kind, &Value::Null, headers).is_some());
        let expected = [
            FailureKind::AccountBusy,
            FailureKind::KeyExhausted,
            FailureKind::Overloaded,
            FailureKind::RateLimitedDay,
            FailureKind::RateLimitedMinute,
            FailureKind::RateLimitedModel,
            FailureKind::RateLimitedUnknown,
            FailureKind::ServerError,
            FailureKind::TimedOut,
        ];
        assert_eq!(with_wait.collect::<Vec<_>>(), expected);
    }
}
