//! Errors as clients read them: status, hint, and a body in their protocol.
//!
//! The one place where an error of the engine becomes a status. It says what
//! was tried and when to come back, in upstream's words but never with a key,
//! and logs the chain once. The bodies are in [`bodies`].

pub mod bodies;

use std::{fmt::Write as _, time::Duration};

use axum::{
    Json,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::{
    api::{
        error::bodies::{Attempt, OllamaBody},
        names,
        request_id::RequestId,
        trail,
    },
    catalog::{Capabilities, ModelId},
    chat::Unreadable,
    failover::{
        self, Try,
        embed::{NoVectors, Why},
        ledger::Ledger,
    },
    policy::generation::Generation,
    routing::{FailureKind, health::Standing},
};

/// When to come back while there is no list of models: it is fetched again after
/// some seconds.
const CATALOG_WAIT: Duration = Duration::from_secs(5);

/// The protocol in whose shape an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `{"error":"text"}`, and `attempts` beside it after tries.
    Ollama,
    /// `{"error":{"message","type","param","code"}}`, and in it `metadata.attempts`
    /// after tries.
    OpenAi,
    /// `{"type":"error","error":{"type","message"},"request_id"}`, and in the error
    /// `attempts` after tries, and `details` where a client knows what to do with them.
    Anthropic(RequestId),
}

impl Protocol {
    /// Returns the protocol of a route, for what is told before its handler runs.
    pub(super) fn of(request: &Request) -> Self {
        let path = request.uri().path();
        if path.starts_with("/v1/messages") {
            Self::Anthropic(RequestId::of(request))
        } else if path.starts_with("/v1/") {
            Self::OpenAi
        } else {
            Self::Ollama
        }
    }
}

/// An error for a client.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    message: String,
    code: Option<String>,
    retry_after: Option<Duration>,
    tried: Vec<Try>,
    /// For each try, when its model is due again, if it rests.
    due_in: Vec<Option<Duration>>,
    policy: Option<HeaderValue>,
    /// More for programs, where the protocol has a place for it.
    details: Option<Value>,
}

impl Error {
    /// Makes an error of a status and words for people.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            code: None,
            retry_after: None,
            tried: Vec::new(),
            due_in: Vec::new(),
            policy: None,
            details: None,
        }
    }

    /// Makes the error for a request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Adds what programs are to do about it.
    pub(super) fn detailed(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// Notes the tries before it.
    pub(super) fn after(self, tried: Vec<Try>) -> Self {
        Self { tried, ..self }
    }

    /// Names the generation under which the request failed.
    pub(super) fn under(self, generation: &Generation) -> Self {
        Self { policy: trail::policy(generation, false), ..self }
    }

    /// Looks up when the models that were tried are due again, and logs why none
    /// of them answered.
    pub(super) fn with_dues(mut self, ledger: &Ledger, now: u64) -> Self {
        let due = |tried: &Try| match ledger.standing(&ModelId::parse(&tried.model)?, now).0 {
            Standing::Cooling(ms) => Some(Duration::from_millis(ms)),
            Standing::Ready | Standing::OnTrial => None,
        };
        self.due_in = self.tried.iter().map(due).collect();
        if self.tried.is_empty() {
            return self;
        }
        let (status, attempts) = (self.status.as_u16(), trail::calls(&self.tried));
        if matches!(status, 400 | 403 | 404) {
            tracing::info!(status, attempts, "refused: {}", self.message);
        } else {
            tracing::warn!(status, attempts, "{}", self.message);
        }
        self
    }

    /// Returns the words for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Tells the error in a protocol.
    pub fn respond(self, protocol: Protocol) -> Response {
        let attempts = self.attempts();
        let mut response = match protocol {
            Protocol::Ollama => (self.status, Json(OllamaBody { error: &self.message, attempts })).into_response(),
            Protocol::OpenAi => {
                let mut body = bodies::openai(self.status, &self.message, self.code.as_deref());
                if !attempts.is_empty() {
                    body["error"]["metadata"] = json!({"attempts": attempts});
                }
                (self.status, Json(body)).into_response()
            }
            Protocol::Anthropic(id) => {
                let mut body = bodies::anthropic(self.status, &self.message, id);
                if !attempts.is_empty() {
                    body["error"]["attempts"] = json!(attempts);
                }
                if let Some(details) = &self.details {
                    body["error"]["details"] = details.clone();
                }
                (self.status, Json(body)).into_response()
            }
        };
        let headers = response.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        if let Some(policy) = self.policy {
            headers.insert(HeaderName::from_static("x-router-policy"), policy);
            headers.insert(HeaderName::from_static("x-router-attempts"), HeaderValue::from(trail::calls(&self.tried)));
            if let Some(trail) = trail::header(&self.tried) {
                headers.insert(HeaderName::from_static("x-router-trail"), trail);
            }
        }
        response
    }
}

impl Error {
    /// Returns the tries for programs, the last one last.
    fn attempts(&self) -> Vec<Attempt<'_>> {
        let dues = self.due_in.iter().copied().chain(std::iter::repeat(None));
        self.tried.iter().zip(dues).map(|(tried, due_in)| Attempt::of(tried, due_in)).collect()
    }
}

impl From<Unreadable> for Error {
    fn from(error: Unreadable) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<failover::Error> for Error {
    fn from(error: failover::Error) -> Self {
        use failover::Error as Engine;
        match error {
            Engine::Account(block, wait) => Self {
                code: Some(block.kind.to_string()),
                retry_after: Some(wait),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, account_message(wait))
            },
            Engine::Ambiguous { .. } | Engine::NotChat(_) | Engine::Unusable(_) => Self::bad_request(error.to_string()),
            Engine::Denied { status, code, message } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
                Self { code: Some(code), ..Self::new(status, message) }
            }
            Engine::Failed { tried, due_in } => failed(tried, due_in),
            Engine::NoCatalog => Self {
                retry_after: Some(CATALOG_WAIT),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the list of models could not be fetched yet; see the router's log",
                )
            },
            Engine::NoCandidates { asked, lacking } => Self::bad_request(no_candidates(asked.as_deref(), lacking)),
            Engine::NoVectors(NoVectors { name, .. }) | Engine::Unknown(name) if !names::is_wellformed(&name) => {
                Self::bad_request("invalid model name")
            }
            Engine::NoVectors(unable) => {
                let status = match unable.why {
                    Why::NotFree | Why::Unknown => StatusCode::NOT_FOUND,
                    Why::Several | Why::Unable => StatusCode::BAD_REQUEST,
                };
                Self::new(status, unable.to_string())
            }
            Engine::Policy(source) => {
                tracing::error!(error = %source, "request refused because the policy failed");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, source.to_string())
            }
            Engine::TooLate(wait) => Self {
                code: Some(FailureKind::RateLimitedMinute.to_string()),
                retry_after: Some(wait),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many requests at once: the account's requests a minute are used up \
                     (failover.requests_per_minute); try again later",
                )
            },
            Engine::Unknown(name) => Self::new(StatusCode::NOT_FOUND, format!("model '{name}' not found")),
        }
    }
}

fn account_message(wait: Duration) -> String {
    format!(
        "OpenRouter's free requests of today are used up for this account; they come back in {}",
        humantime::format_duration(Duration::from_secs(wait.as_secs()))
    )
}

fn no_candidates(asked: Option<&str>, lacking: Capabilities) -> String {
    let names = [
        (Capabilities::TOOLS, "tools"),
        (Capabilities::TOOL_CHOICE, "a tool choice"),
        (Capabilities::VISION, "images"),
        (Capabilities::AUDIO, "audio"),
        (Capabilities::FILES, "files"),
        (Capabilities::REASONING, "thinking"),
    ];
    let unmet: Vec<&str> = names.iter().filter(|(need, _)| lacking.contains(*need)).map(|(_, name)| *name).collect();
    // Ollama's words, which its clients look for.
    match (asked, unmet.as_slice()) {
        (_, []) => "no model can be used: none passes the filter, or the prompt is longer than every context; \
                    see the models with `ollama-router list-models`"
            .to_owned(),
        (Some(model), unmet) => {
            format!("{model} does not support {}, and no other model that may be used does", unmet.join(" and "))
        }
        (None, [unmet]) => format!("no model that may be used supports {unmet}"),
        (None, unmet) => format!("no model that may be used supports {} together", unmet.join(" and ")),
    }
}

/// The error after all tries: the last one's status where it is the client's or
/// the account's, else that no model answered.
fn failed(tried: Vec<Try>, due_in: Option<Duration>) -> Error {
    let Some(last) = tried.last() else {
        return Error::new(StatusCode::BAD_GATEWAY, "no model was tried");
    };
    let all = |kinds: &[FailureKind]| {
        let mut called = tried.iter().filter(|tried| trail::was_called(tried)).peekable();
        called.peek().is_some() && called.all(|tried| kinds.contains(&tried.failure.kind))
    };
    let hint = last.failure.retry_after;
    // Where no model is to blame, none needs to be waited for.
    let blameless = [
        FailureKind::BadRequest,
        FailureKind::ContextOverflow,
        FailureKind::KeyExhausted,
        FailureKind::KeyRejected,
        FailureKind::Moderated,
        FailureKind::Refused,
    ];
    let due_in = due_in.filter(|_| !blameless.contains(&last.failure.kind));
    let (status, retry_after) = match last.failure.kind {
        FailureKind::BadRequest | FailureKind::ContextOverflow => (StatusCode::BAD_REQUEST, None),
        FailureKind::Moderated => (StatusCode::FORBIDDEN, None),
        FailureKind::Refused => (refusal(last.failure.status), None),
        FailureKind::AccountBusy | FailureKind::RateLimitedDay | FailureKind::RateLimitedMinute => {
            (StatusCode::TOO_MANY_REQUESTS, hint.or(due_in).or(Some(Duration::from_mins(1))))
        }
        FailureKind::KeyExhausted => (StatusCode::PAYMENT_REQUIRED, hint),
        // Not 401: clients would ask for a key of their own.
        FailureKind::KeyRejected | FailureKind::Connect => (StatusCode::BAD_GATEWAY, hint),
        _ if all(&[FailureKind::RateLimitedModel, FailureKind::RateLimitedUnknown]) => {
            (StatusCode::TOO_MANY_REQUESTS, due_in)
        }
        _ if all(&[FailureKind::Unsupported]) => (StatusCode::BAD_REQUEST, None),
        _ if all(&[FailureKind::TimedOut, FailureKind::Stalled]) => (StatusCode::GATEWAY_TIMEOUT, due_in),
        _ if all(&[FailureKind::Overloaded, FailureKind::RateLimitedModel, FailureKind::RateLimitedUnknown]) => {
            (StatusCode::SERVICE_UNAVAILABLE, due_in)
        }
        _ => (StatusCode::BAD_GATEWAY, due_in),
    };
    Error {
        code: Some(last.failure.kind.to_string()),
        retry_after,
        ..Error::new(status, failed_message(&tried, due_in))
    }
    .after(tried)
}

/// The status of a request that OpenRouter itself refused: its own, where that
/// says more than that the request is wrong.
fn refusal(status: u16) -> StatusCode {
    match status {
        412 | 413 | 422 => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        _ => StatusCode::BAD_REQUEST,
    }
}

fn failed_message(tried: &[Try], due_in: Option<Duration>) -> String {
    let mut message = String::from(if tried.len() == 1 { "no answer" } else { "no model answered" });
    for (place, Try { model, failure }) in tried.iter().enumerate() {
        let separator = if place == 0 { ": " } else { "; " };
        // Writing to a string cannot fail.
        let _ = write!(message, "{separator}{model}: {} ({})", failure.message, failure.kind);
    }
    if tried.iter().any(|tried| tried.failure.kind == FailureKind::KeyRejected) {
        message.push_str("; check openrouter.api_key");
    }
    if tried.last().is_some_and(|tried| tried.failure.kind == FailureKind::KeyExhausted) {
        message.push_str("; add credits, raise the key's limit, or set another key in openrouter.api_keys");
    }
    if let Some(wait) = due_in {
        let _ = write!(message, "; the first is due again in {} s", wait.as_secs().max(1));
    }
    message
}
