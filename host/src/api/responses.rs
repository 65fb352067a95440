//! The face of OpenAI's Responses API, with next to no memory.
//!
//! Handlers only: what a request means is in [`convert`], what comes of an answer
//! in [`mod@answer`], how it looks in [`object`] and [`items`]. Between two requests
//! nothing is kept but the last items ([`recall`]), so what refers to an earlier
//! answer is refused. What is
//! served, field by field: `host/RESPONSES.md`.

mod answer;
mod convert;
mod event;
mod items;
mod object;
pub mod recall;
mod thinking;
mod tools;
mod wire;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};

use crate::{
    api::{
        Api, body,
        error::{Error, Protocol},
        responses::{
            answer::{Answer, Head},
            convert::Asked,
        },
        sse, streaming, trail,
    },
    chat::Fields,
    clock::now_ms,
};

/// `POST /v1/responses`.
pub(super) async fn create(State(api): State<Api>, body: Body) -> Response {
    match answer(&api, body).await {
        Ok(response) => response,
        Err(error) => error.respond(Protocol::OpenAi),
    }
}

async fn answer(api: &Api, body: Body) -> Result<Response, Error> {
    let created_at = now();
    let Asked { request, form, unserved } = read(api, &body::read(body, api.max_body()).await?)?;
    if !unserved.is_empty() {
        tracing::debug!(tools = ?unserved, "tools that no model here has were left out");
    }
    let (streaming, prompt_tokens) = (request.streaming, request.needs.input_tokens);
    let mut answered = api.answer(request).await?;
    let model = answered.model.as_str().to_owned();
    let recall = form.keeps.then(|| Arc::clone(&api.0.recall));
    let head = Head { seed: fastrand::u64(..), created_at, now, model, prompt_tokens, form, recall };
    if streaming {
        return Ok(sse::response(api, answered, Answer::streamed(head)));
    }
    let chunks = streaming::whole(&mut answered.reply).await?;
    let mut response = ([(CONTENT_TYPE, "application/json")], Answer::whole(head, &chunks)).into_response();
    trail::mark(response.headers_mut(), &answered);
    Ok(response)
}

fn read(api: &Api, body: &[u8]) -> Result<Asked, Error> {
    if body.is_empty() {
        return Err(Error::bad_request("EOF"));
    }
    let mut fields: Fields = serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))?;
    let model: String = fields.read("model")?.unwrap_or_default();
    if model.is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    drop(fields.take("model"));
    if let Some(input) = fields.get("input").and_then(|input| api.0.recall.filled(input)) {
        fields.set_raw("input", input);
    }
    Ok(convert::response_request(model, fields)?)
}

/// Returns the time in seconds since 1970.
fn now() -> u64 {
    now_ms() / 1000
}
