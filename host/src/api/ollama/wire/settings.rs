//! The settings that a request writes in more than one form.
//!
//! `keep_alive` (a number or Go's text for durations), `think` (yes, no or a
//! level) and `format` (a word or a schema), each read into one type, with
//! Ollama's words where it cannot be. Knows nothing of what they lead to; see
//! [`convert`](super::super::convert) for that.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

/// The longest piece of a client's value that an error repeats, in bytes:
/// enough to find it, too little to flood a log.
const QUOTED_BYTES: usize = 80;

/// How long a model is to stay loaded after a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KeepAlive {
    /// It is unloaded now.
    Unload,
    /// It stays for ever.
    Forever,
    /// It stays for so many seconds.
    Seconds(f64),
}

impl KeepAlive {
    fn of_seconds(seconds: f64) -> Self {
        if seconds < 0.0 {
            Self::Forever
        } else if seconds > 0.0 {
            Self::Seconds(seconds)
        } else {
            Self::Unload
        }
    }
}

impl<'de> Deserialize<'de> for KeepAlive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let seconds = if let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw) {
            seconds(&text).map_err(D::Error::custom)?
        } else {
            serde_json::from_str(raw).map_err(|_not_a_number| {
                D::Error::custom("keep_alive must be a number of seconds or a duration such as \"5m\"")
            })?
        };
        Ok(Self::of_seconds(seconds))
    }
}

/// Whether and how hard a model is to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Think {
    /// It thinks, as hard as it likes.
    On,
    /// It does not think.
    Off,
    /// It thinks this hard: `low`, `medium`, `high` or `max`.
    Level(&'static str),
}

/// The levels of thinking that Ollama knows.
const LEVELS: [&str; 4] = ["high", "medium", "low", "max"];

impl<'de> Deserialize<'de> for Think {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if let Ok(on) = serde_json::from_str(raw) {
            return Ok(if on { Self::On } else { Self::Off });
        }
        let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw) else {
            return Err(D::Error::custom(
                "think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\", true, or false)",
            ));
        };
        LEVELS.into_iter().find(|level| *level == text).map(Self::Level).ok_or_else(|| {
            D::Error::custom(format!(
                "invalid think value: {:?} (must be \"high\", \"medium\", \"low\", \"max\", true, or false)",
                quoted(&text)
            ))
        })
    }
}

/// The form that an answer is to have.
#[derive(Debug, Clone, Copy, Default)]
pub enum Format<'a> {
    /// Any.
    #[default]
    Free,
    /// A JSON object.
    Json,
    /// JSON that follows this schema.
    Schema(&'a RawValue),
}

impl<'de: 'a, 'a> Deserialize<'de> for Format<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        match raw.get() {
            "null" | "\"\"" => Ok(Self::Free),
            "\"json\"" => Ok(Self::Json),
            schema if schema.starts_with('{') => Ok(Self::Schema(raw)),
            other => Err(D::Error::custom(format!(
                "invalid format: {:?}; expected \"json\" or a valid JSON Schema object",
                quoted(other)
            ))),
        }
    }
}

/// Returns a value's beginning, for an error.
fn quoted(text: &str) -> &str {
    text.get(..text.floor_char_boundary(QUOTED_BYTES)).unwrap_or(text)
}

/// Reads one of Go's durations, such as `1h30m` or `-1.5s`, in seconds.
///
/// Outside fact: <https://pkg.go.dev/time#ParseDuration>, with its error texts.
fn seconds(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {:?}", quoted(text));
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, text.get(1..).unwrap_or_default()),
        Some(b'+') => (1.0, text.get(1..).unwrap_or_default()),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_junk| invalid())?;
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        total += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("time: missing unit in duration {:?}", quoted(text))),
                other => return Err(format!("time: unknown unit {:?} in duration {:?}", quoted(other), quoted(text))),
            };
        rest = after;
    }
    Ok(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_is_a_number_or_a_go_duration() {
        let cases = [
            ("0", KeepAlive::Unload),
            ("0.0", KeepAlive::Unload),
            ("-1", KeepAlive::Forever),
            ("300", KeepAlive::Seconds(300.0)),
            ("1.5", KeepAlive::Seconds(1.5)),
            ("\"0\"", KeepAlive::Unload),
            ("\"0s\"", KeepAlive::Unload),
            ("\"-1s\"", KeepAlive::Forever),
            ("\"-1m\"", KeepAlive::Forever),
            ("\"5m0s\"", KeepAlive::Seconds(300.0)),
            ("\"1h30m\"", KeepAlive::Seconds(5400.0)),
            ("\"300ms\"", KeepAlive::Seconds(0.3)),
            ("\"1.5s\"", KeepAlive::Seconds(1.5)),
        ];
        for (json, expected) in cases {
            assert_eq!(serde_json::from_str::<KeepAlive>(json).ok(), Some(expected), "{json}");
        }
    }

    #[test]
    fn a_keep_alive_that_is_none_is_refused_in_gos_words() {
        let wanted = "keep_alive must be a number of seconds or a duration such as \"5m\"";
        let cases = [
            ("\"300\"", "time: missing unit in duration \"300\""),
            ("\"\"", "time: invalid duration \"\""),
            ("\"soon\"", "time: invalid duration \"soon\""),
            ("\"1.2.3s\"", "time: invalid duration \"1.2.3s\""),
            ("\"5d\"", "time: unknown unit \"d\" in duration \"5d\""),
            ("true", wanted),
            ("{}", wanted),
        ];
        for (json, expected) in cases {
            let error = serde_json::from_str::<KeepAlive>(json).map_err(|error| error.to_string());
            assert_eq!(error, Err(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn think_is_a_boolean_or_a_level() {
        let read = |json: &str| serde_json::from_str::<Think>(json).map_err(|error| error.to_string());
        assert_eq!(read("true"), Ok(Think::On));
        assert_eq!(read("false"), Ok(Think::Off));
        assert_eq!(read("\"max\""), Ok(Think::Level("max")));
        assert_eq!(
            read("\"hard\""),
            Err("invalid think value: \"hard\" (must be \"high\", \"medium\", \"low\", \"max\", true, or false)".into())
        );
        assert_eq!(
            read("1"),
            Err("think must be a boolean or string (\"high\", \"medium\", \"low\", \"max\", true, or false)".into())
        );
    }

    #[test]
    fn a_format_is_nothing_json_or_a_schema() {
        let read = |json: &str| {
            serde_json::from_str::<Format<'_>>(json).map(|format| format!("{format:?}")).map_err(|e| e.to_string())
        };
        assert_eq!(read("\"\""), Ok("Free".to_owned()));
        assert_eq!(read("\"json\""), Ok("Json".to_owned()));
        assert_eq!(read("{\"type\":\"object\"}"), Ok("Schema(RawValue({\"type\":\"object\"}))".to_owned()));
        assert_eq!(
            read("\"xml\""),
            Err("invalid format: \"\\\"xml\\\"\"; expected \"json\" or a valid JSON Schema object".to_owned())
        );
    }
}
