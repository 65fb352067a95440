//! `GET /v1/models`, which two protocols have under the same path.
//!
//! Anthropic's clients send their version with everything, OpenAI's never. Knows
//! nothing of models.

use axum::{
    extract::{Request, State},
    handler::Handler as _,
    response::Response,
};

use crate::api::{Api, anthropic, openai};

/// `GET /v1/models`, in the protocol of who asks.
pub(super) async fn models(State(api): State<Api>, request: Request) -> Response {
    if request.headers().contains_key("anthropic-version") {
        anthropic::models(&api)
    } else {
        openai::models::models.call(request, api).await
    }
}
