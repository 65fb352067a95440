//! The bodies of errors, one for each protocol.
//!
//! What stands in them for programs and for people; status and headers are the
//! same for all and are not known here.
//!
//! Outside facts: `api/types.go` of github.com/ollama/ollama, the error objects of
//! platform.openai.com/docs and of platform.claude.com/docs, November 2026.

use std::time::Duration;

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{api::request_id::RequestId, failover::Try};

/// The body of an error as Ollama's clients read it. Some of them show people the
/// whole of it, so what is for people comes first.
#[derive(Serialize)]
pub(super) struct OllamaBody<'a> {
    pub(super) error: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attempts: Vec<Attempt<'a>>,
}

/// A try that failed, for programs.
#[derive(Serialize)]
pub(super) struct Attempt<'a> {
    model: &'a str,
    kind: &'static str,
    status: Option<u16>,
    message: &'a str,
    due_in_s: Option<u64>,
}

impl<'a> Attempt<'a> {
    pub(super) fn of(Try { model, failure }: &'a Try, due_in: Option<Duration>) -> Self {
        Self {
            model,
            kind: failure.kind.as_str(),
            status: (failure.status != 0).then_some(failure.status),
            message: &failure.message,
            due_in_s: due_in.map(|wait| wait.as_secs().max(1)),
        }
    }
}

/// Returns the body of an error as OpenAI's clients read it.
pub fn openai(status: StatusCode, message: &str, code: Option<&str>) -> Value {
    let kind = match status {
        StatusCode::BAD_REQUEST => "invalid_request_error",
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        _ => "api_error",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// Returns the body of an error as Anthropic's clients read it.
pub fn anthropic(status: StatusCode, message: &str, id: RequestId) -> Value {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::PAYMENT_REQUIRED => "billing_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        _ if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": id.to_string()})
}
