//! What an upstream reply means.
//!
//! Decides once, at the source, for HTTP errors and for errors inside a 200 or
//! a stream. Pure: no network, no clock, no log. What follows from a failure is
//! `routing`'s; errors of the network never come here. Read `kind` next, for
//! the tables, then `wait` (the upstream's hints), `words` (its message) and
//! [`lesson`] (what it teaches of the model).
//! Facts: <https://openrouter.ai/docs/api-reference/errors>, August 2026.

mod kind;
pub mod lesson;
mod wait;
mod words;

use serde_json::Value;

use crate::routing::{Failure, FailureKind};

/// A reply that is not the answer asked for.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// The headers that tell something about a failure.
    pub headers: Headers<'a>,
    /// The whole body, or as much of it as was read.
    pub body: &'a [u8],
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
}

/// The headers of a reply that tell something about a failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    /// `content-type`.
    pub content_type: Option<&'a str>,
    /// `retry-after`: seconds, or an HTTP date.
    pub retry_after: Option<&'a str>,
    /// `x-ratelimit-reset`: milliseconds since 1970.
    pub rate_limit_reset: Option<&'a str>,
}

/// Classifies a reply that is an error, or a 2xx that is no success.
///
/// A 2xx is no success if it holds an error, has no choice, ends with the
/// reason `error`, or says nothing. Whether that is so the caller has found
/// out: a sound answer must not be given here.
pub fn classify(reply: &Reply<'_>) -> Failure {
    match serde_json::from_slice::<Value>(without_comments(reply.body)) {
        Err(_) => without_json(reply),
        Ok(mut body) => match take_error(&mut body) {
            Some(error) => judge(&error, reply.status, reply.headers, reply.now_ms),
            None if is_success(reply.status) => without_error(&body, reply.status),
            None => judge(&body, reply.status, reply.headers, reply.now_ms),
        },
    }
}

/// Returns a body without the comments of an event stream in front of it, which
/// some proxies send before they know what they will answer.
pub(super) fn without_comments(body: &[u8]) -> &[u8] {
    let mut rest = body.trim_ascii_start();
    while rest.starts_with(b":") {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        rest = rest.get(end..).unwrap_or_default().trim_ascii_start();
    }
    rest
}

/// Classifies the `error` of a body with status 200 or of a chunk of a stream.
///
/// An error that comes after the answer's `finish_reason` belongs to a complete
/// answer: the caller must not ask then.
pub fn classify_error_object(error: &Value, now_ms: u64) -> Failure {
    judge(error, 0, Headers::default(), now_ms)
}

fn judge(error: &Value, http_status: u16, headers: Headers<'_>, now_ms: u64) -> Failure {
    let status = kind::status(error, http_status);
    let told = words::told(error).unwrap_or_default();
    let kind = kind::decide(error, status, &told);
    let message = match words::presentable(&told) {
        message if message.is_empty() => silent(status),
        message => message,
    };
    Failure { kind, status, message, retry_after: wait::hint(kind, error, headers, now_ms) }
}

/// Takes the error out of a body, with what some replies put beside it.
///
/// The places: top level, the first choice, and for `error_type` and
/// `metadata` the level above the error.
fn take_error(body: &mut Value) -> Option<Value> {
    let mut error = [body.get("error"), body.pointer("/choices/0/error")]
        .into_iter()
        .flatten()
        .find(|error| !error.is_null())?
        .clone();
    if let Value::Object(fields) = &mut error {
        for name in ["error_type", "metadata"] {
            if let Some(beside) = body.get_mut(name).filter(|_| !fields.contains_key(name)) {
                fields.insert(name.to_owned(), beside.take());
            }
        }
    }
    Some(error)
}

/// Judges a 2xx of JSON in which no error is told.
fn without_error(body: &Value, status: u16) -> Failure {
    let reason = |name: &str| body.pointer(&format!("/choices/0/{name}")).and_then(Value::as_str);
    let (kind, message) = if body.pointer("/choices/0").is_none() {
        (FailureKind::BadAnswer, "the reply holds neither a choice nor an error".to_owned())
    } else if reason("finish_reason") == Some("error") {
        let native = reason("native_finish_reason").unwrap_or("no reason given");
        (FailureKind::Interrupted, format!("the model broke off: {}", words::presentable(native)))
    } else {
        (FailureKind::Empty, "the answer is complete and says nothing".to_owned())
    };
    Failure { kind, status, message, retry_after: None }
}

/// Judges a body that is no JSON: a page of the front's, plain text, nothing.
fn without_json(reply: &Reply<'_>) -> Failure {
    let text = String::from_utf8_lossy(reply.body);
    let is_page = words::is_page(&text) || reply.headers.content_type.is_some_and(|kind| kind.contains("text/html"));
    if !is_success(reply.status) && !is_page {
        return judge(&Value::String(text.into_owned()), reply.status, reply.headers, reply.now_ms);
    }
    let kind = if is_success(reply.status) { FailureKind::BadAnswer } else { kind::of_page(reply.status) };
    let title = if is_page { words::page_title(&text) } else { None };
    let message = match title {
        Some(title) => format!("a page instead of an answer: {title}"),
        None if text.trim().is_empty() => silent(reply.status),
        None => "a reply that is no JSON".to_owned(),
    };
    let retry_after = wait::hint(kind, &Value::Null, reply.headers, reply.now_ms);
    Failure { kind, status: reply.status, message, retry_after }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn silent(status: u16) -> String {
    if status == 0 { "an error without a message".to_owned() } else { format!("status {status} without a message") }
}

#[cfg(test)]
mod tests;
