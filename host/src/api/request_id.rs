//! The id of a request, and the line in the log that it gets.
//!
//! Every answer carries it in `X-Router-Request-Id`, and the log in every line of
//! the request. Decides nothing.

use std::{fmt, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::api::Api;

/// What tells one request from all others; written `req_` and 16 hex digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestId(u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req_{:016x}", self.0)
    }
}

impl RequestId {
    /// Returns the id of a request; zeros before it has got one.
    pub(super) fn of(request: &Request) -> Self {
        request.extensions().get().copied().unwrap_or_default()
    }
}

/// Gives every request an id, one line in the log, and a header with the id;
/// counts it.
pub(super) async fn identify(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    const NAME: HeaderName = HeaderName::from_static("x-router-request-id");
    let id = RequestId(fastrand::u64(..));
    request.extensions_mut().insert(id);
    let span = tracing::info_span!("request", %id);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    api.0.served.answered(route.as_ref().map(MatchedPath::as_str), response.status().as_u16());
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("-");
    tracing::info!(
        parent: &span,
        status = response.status().as_u16(),
        model.id = header("x-router-model"),
        attempts = header("x-router-attempts"),
        duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "{method} {path}"
    );
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(NAME, value);
    }
    response
}
