//! The Anthropic face: messages, and what they would take.
//!
//! Handlers only: what a request means is in [`convert`], how an answer is written
//! in [`stream`] and [`whole`], the models are in [`listing`]. Nothing is counted exactly: models count
//! differently, and the upstream tells only afterwards.

pub mod convert;
mod figures;
mod listing;
mod signature;
mod stream;
mod whole;
pub mod wire;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::{
    api::{
        Api,
        anthropic::{convert::Asked, stream::Events, wire::Refused},
        body,
        error::{Error, Protocol},
        request_id::RequestId,
        sse, streaming, trail,
    },
    failover,
    routing::plan::Target,
};

/// `POST /v1/messages`.
pub(super) async fn messages(State(api): State<Api>, Extension(id): Extension<RequestId>, body: Body) -> Response {
    respond(id, answer(&api, id, body).await)
}

/// `POST /v1/messages/count_tokens`.
pub(super) async fn count_tokens(State(api): State<Api>, Extension(id): Extension<RequestId>, body: Body) -> Response {
    respond(id, count(&api, body).await)
}

/// `GET /v1/models`, for a client of Anthropic's.
pub(super) fn models(api: &Api) -> Response {
    Json(listing::listed(&api.generation())).into_response()
}

/// What is known of an answer before its first chunk.
struct Answer {
    /// Its id.
    id: String,
    /// The model that answers.
    model: String,
    /// Tokens of the prompt, estimated.
    prompt_tokens: u32,
    /// Texts at which it is to end.
    stops: Vec<String>,
    /// Ids that its calls must not have: some models give the same ones again in
    /// each answer, and Claude Code takes a call with an old id for the old call.
    taken: Vec<String>,
}

async fn answer(api: &Api, id: RequestId, body: Body) -> Result<Response, Error> {
    let (model, fields) = convert::read(&body::read(body, api.max_body()).await?)?;
    if fields.get("thread").is_some() {
        return Err(no_threads());
    }
    let first = first(api, &model);
    let Asked { request, stops, calls: taken } = convert::message(model, fields, first.as_deref())?;
    let (streaming, prompt_tokens) = (request.streaming, request.needs.input_tokens);
    let mut answered = api.answer(request).await?;
    let answer = Answer {
        id: format!("msg_{:016x}{:08x}", fastrand::u64(..), fastrand::u32(..)),
        model: answered.model.to_string(),
        prompt_tokens,
        stops,
        taken,
    };
    if streaming {
        return Ok(sse::response(api, answered, Events::new(answer, id)));
    }
    let chunks = streaming::whole(&mut answered.reply).await?;
    let mut response = Json(whole::message(answer, &chunks)).into_response();
    trail::mark(response.headers_mut(), &answered);
    Ok(response)
}

async fn count(api: &Api, body: Body) -> Result<Response, Error> {
    let (model, fields) = convert::read(&body::read(body, api.max_body()).await?)?;
    let request = convert::counted(model, fields)?;
    let generation = api.generation();
    if generation.catalog.models().is_empty() {
        return Err(failover::Error::NoCatalog.into());
    }
    api.failover().find(&request.model, &generation)?;
    Ok(Json(json!({"input_tokens": request.needs.input_tokens.max(1)})).into_response())
}

/// The error for who wants a conversation to be kept here. The runners of tools in
/// Anthropic's libraries ask for it by themselves, and go on without if the error
/// says so in this way (read in their sources, November 2026).
fn no_threads() -> Error {
    let message = "thread: no conversations are kept here; send all messages with each request";
    let details = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    Error::bad_request(message).detailed(details)
}

/// Returns the model that is tried first, if the name is one's own.
fn first(api: &Api, name: &str) -> Option<String> {
    let generation = api.generation();
    match api.failover().find(name, &generation) {
        Ok(Target::Model(number)) => generation.catalog.model(number).map(|model| model.id.to_string()),
        // What a name means that fits none, or several, is told by the engine.
        Ok(Target::Any | Target::Gone) | Err(_) => None,
    }
}

/// Tells an answer or an error, with the id where Anthropic's libraries look for it.
fn respond(id: RequestId, answer: Result<Response, Error>) -> Response {
    let mut response = answer.unwrap_or_else(|error| error.respond(Protocol::Anthropic(id)));
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("request-id"), value);
    }
    response
}

/// Returns an id for a call that has none of its own.
fn fresh_call_id() -> String {
    format!("toolu_{:016x}", fastrand::u64(..))
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        Self::bad_request(refused.0)
    }
}
