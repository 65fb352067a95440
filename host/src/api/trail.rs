//! Headers that tell which model answered, under which policy, after what.
//!
//! The same on every answer of every face. Values that no header can carry are
//! left out rather than mended.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    catalog::ModelId,
    failover::{Answered, Try, embed::Embedded},
    policy::generation::Generation,
    routing::FailureKind,
};

/// Marks an answer with the model, the tries and the policy.
pub(super) fn mark(headers: &mut HeaderMap, answered: &Answered) {
    let policy = policy(&answered.generation, answered.fallback);
    write(headers, &answered.model, &answered.tried, policy);
}

/// Marks vectors with the model, the tries and the policy.
pub(super) fn mark_vectors(headers: &mut HeaderMap, embedded: &Embedded) {
    let policy = policy(&embedded.generation, embedded.fallback);
    write(headers, &embedded.model, &embedded.tried, policy);
}

fn write(headers: &mut HeaderMap, model: &ModelId, tried: &[Try], policy: Option<HeaderValue>) {
    headers.insert(HeaderName::from_static("x-router-attempts"), HeaderValue::from(calls(tried) + 1));
    if let Ok(model) = HeaderValue::from_str(model.as_str()) {
        headers.insert(HeaderName::from_static("x-router-model"), model);
    }
    if let Some(policy) = policy {
        headers.insert(HeaderName::from_static("x-router-policy"), policy);
    }
    if let Some(trail) = header(tried) {
        headers.insert(HeaderName::from_static("x-router-trail"), trail);
    }
}

/// Returns how many of the tries went to OpenRouter.
pub(super) fn calls(tried: &[Try]) -> u64 {
    tried.iter().filter(|tried| was_called(tried)).count() as u64
}

/// Tells whether a try was a call: a name that is not served any more was none.
pub(super) fn was_called(tried: &Try) -> bool {
    tried.failure.kind != FailureKind::Gone || tried.failure.status != 0
}

/// Returns the tries before the answer, such as `a/b:free=rate-limited-model`.
pub(super) fn header(tried: &[Try]) -> Option<HeaderValue> {
    let mut text = String::new();
    for Try { model, failure } in tried {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{model}={}", failure.kind);
    }
    (!text.is_empty()).then(|| HeaderValue::from_str(&text).ok())?
}

/// Returns the policies and their generation, such as `free-mode/0.1.0; generation=3`,
/// and `; fallback` if it failed and the fallback decided.
pub(super) fn policy(generation: &Generation, fallback: bool) -> Option<HeaderValue> {
    let fallback = if fallback { "; fallback" } else { "" };
    let text = format!("{}; generation={}{fallback}", generation.chain.label(), generation.number);
    HeaderValue::from_str(&text).ok()
}
