//! The OpenAI face: chats, completions, vectors, and the list of models.
//!
//! Chats are the neutral shape already, so nothing is converted: the model's name
//! is replaced and every other field passes as it came. What all routes share
//! stands here: how a request is read, and the ids that are made. Routes are in
//! [`chat`], [`completions`], [`embeddings`] and [`models`]; what clients may say
//! and what they get, field by field, in `host/OPENAI.md`.

pub(super) mod chat;
pub(super) mod completions;
pub(super) mod embeddings;
mod head;
pub(super) mod models;

use axum::{body::Body, response::Response};
use serde::Deserialize;

use crate::{
    api::{
        Api, body,
        error::{Error, Protocol},
    },
    chat::{Fields, Unreadable},
};

/// Reads a request: the model's name, and the other fields.
async fn read(api: &Api, body: Body) -> Result<(String, Fields), Error> {
    let body = body::read(body, api.max_body()).await?;
    if body.is_empty() {
        return Err(Error::bad_request("EOF"));
    }
    let mut fields: Fields = serde_json::from_slice(&body).map_err(|error| Error::bad_request(error.to_string()))?;
    let model: String = fields.read("model")?.unwrap_or_default();
    drop(fields.take("model"));
    if model.is_empty() {
        return Err(Error::bad_request("model is required"));
    }
    Ok((model, fields))
}

fn or_error(answer: Result<Response, Error>) -> Response {
    answer.unwrap_or_else(|error| error.respond(Protocol::OpenAi))
}

/// In which form an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    /// In pieces, as it comes.
    streaming: bool,
    /// With the usage at the end of the pieces.
    with_usage: bool,
}

/// OpenAI's way of asking for the usage of a stream.
#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

/// OpenRouter's way.
#[derive(Default, Deserialize)]
struct UsageOptions {
    #[serde(default)]
    include: Option<bool>,
}

impl Form {
    fn of(fields: &Fields) -> Result<Self, Unreadable> {
        let options: StreamOptions = fields.read("stream_options")?.unwrap_or_default();
        let usage: UsageOptions = fields.read("usage")?.unwrap_or_default();
        Ok(Self {
            streaming: fields.read("stream")?.unwrap_or_default(),
            with_usage: options.include_usage.or(usage.include).unwrap_or_default(),
        })
    }
}

/// Returns an error that names a field and what is wrong with it.
fn unusable(field: &str, reason: impl Into<String>) -> Error {
    Unreadable { field: field.to_owned(), reason: reason.into() }.into()
}

/// Returns an id for a tool call.
fn call_id() -> String {
    format!("call_{:016x}", fastrand::u64(..))
}
