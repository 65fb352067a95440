//! The OpenAI face: chat completions and the list of models.
//!
//! Requests are the neutral shape already, so there is no conversion: the
//! model's name is replaced and every other field passes as it came. Streams
//! are in [`stream`].

mod stream;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{
        Api, body,
        error::{Error, Protocol},
        openai::stream::Events,
        sse, streaming, trail,
    },
    catalog::names::AUTO,
    chat::{Fields, Request, fold},
    failover::Answered,
    policy::generation::Generation,
};

/// `POST /v1/chat/completions`.
pub(super) async fn chat(State(api): State<Api>, body: Body) -> Response {
    match answer(&api, body).await {
        Ok(response) => response,
        Err(error) => error.respond(Protocol::OpenAi),
    }
}

async fn answer(api: &Api, body: Body) -> Result<Response, Error> {
    let (request, with_usage) = request(&body::read(body, api.max_body()).await?)?;
    let streaming = request.streaming;
    let answered = api.answer(request).await?;
    if streaming { Ok(sse::response(api, answered, Events::new(with_usage))) } else { whole(answered).await }
}

/// `GET /v1/models`.
pub(super) async fn models(State(api): State<Api>) -> Response {
    let generation = api.generation();
    let list = api.0.models.of(generation.number, || listed(&generation).to_string().into());
    ([(CONTENT_TYPE, "application/json")], list).into_response()
}

/// Returns the list of models: `auto`, then those of the policy in its order.
fn listed(generation: &Generation) -> Value {
    let model = |id: &str, created: u64, vendor: &str| json!({"id": id, "object": "model", "created": created, "owned_by": vendor});
    let visible = generation.visible.iter().filter_map(|number| generation.catalog.model(*number));
    let newest = visible.map(|found| found.created).max().unwrap_or_default();
    let auto = model(AUTO, newest, "ollama-router");
    let listed = generation.visible.iter().filter_map(|number| {
        let found = generation.catalog.model(*number)?;
        Some(model(generation.names.shown(*number)?, found.created, found.id.vendor()))
    });
    let data: Vec<Value> = std::iter::once(auto).chain(listed).collect();
    json!({"object": "list", "data": data})
}

#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// Reads a request, and whether its stream is to end with the usage.
fn request(body: &Bytes) -> Result<(Request, bool), Error> {
    if body.is_empty() {
        return Err(Error::bad_request("EOF"));
    }
    let mut fields: Fields = serde_json::from_slice(body).map_err(|error| Error::bad_request(error.to_string()))?;
    let model: String = fields.read("model")?.unwrap_or_default();
    if model.is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    let messages = fields.get("messages").map(|messages| messages.get().trim_start_matches(['[', ' ', '\n']));
    if messages.is_none_or(|messages| messages.starts_with(']')) {
        return Err(Error::bad_request("[] is too short - 'messages'"));
    }
    let streaming: bool = fields.read("stream")?.unwrap_or_default();
    let options: StreamOptions = fields.read("stream_options")?.unwrap_or_default();
    drop(fields.take("model"));
    Ok((Request::new(model, streaming, fields)?, options.include_usage.unwrap_or_default()))
}

async fn whole(mut answered: Answered) -> Result<Response, Error> {
    let chunks = streaming::whole(&mut answered.reply).await?;
    let mut response = Json(fold::completion(&chunks, || format!("call_{:016x}", fastrand::u64(..)))).into_response();
    trail::mark(response.headers_mut(), &answered);
    Ok(response)
}
