//! `GET /v1/models`, which two protocols have under the same path.
//!
//! Anthropic's clients send their version with everything, OpenAI's never. Knows
//! nothing of models.

use axum::{extract::State, http::HeaderMap, response::Response};

use crate::api::{Api, anthropic, openai};

/// `GET /v1/models`, in the protocol of who asks.
pub(super) async fn models(state: State<Api>, headers: HeaderMap) -> Response {
    if headers.contains_key("anthropic-version") { anthropic::models(state).await } else { openai::models::models(state).await }
}
