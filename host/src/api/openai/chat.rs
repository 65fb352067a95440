//! `POST /v1/chat/completions`.
//!
//! A request is looked at and passed on, a whole answer is folded from its pieces.
//! Streams are in [`stream`].

mod calls;
mod stream;
mod thinking;

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde_json::Value;

use crate::{
    api::{
        Api,
        error::Error,
        openai::{Form, call_id, chat::stream::Events, head::Head, or_error, read, unusable},
        sse, streaming, trail,
    },
    chat::{Fields, Request, fold},
    failover::Answered,
};

/// Fields from before there were tools. OpenRouter does not know them, and a model
/// would answer as if there were none.
const BEFORE_TOOLS: [&str; 2] = ["functions", "function_call"];

/// `POST /v1/chat/completions`.
pub(in crate::api) async fn chat(State(api): State<Api>, body: Body) -> Response {
    or_error(answer(&api, body).await)
}

async fn answer(api: &Api, body: Body) -> Result<Response, Error> {
    let (model, fields) = read(api, body).await?;
    let (request, form) = request(model, fields)?;
    let answered = api.answer(request).await?;
    if form.streaming {
        let events = Events::new(&answered.model, form.with_usage);
        Ok(sse::response(api, answered, events))
    } else {
        whole(answered).await
    }
}

/// Makes a request of its fields, and finds out how it is to be answered.
fn request(model: String, mut fields: Fields) -> Result<(Request, Form), Error> {
    let messages = fields.get("messages").map(|messages| messages.get().trim_start_matches('[').trim_ascii_start());
    if messages.is_none_or(|messages| messages.starts_with(']')) {
        return Err(Error::bad_request("[] is too short - 'messages'"));
    }
    for name in BEFORE_TOOLS {
        if fields.take(name).is_some_and(|value| value.get() != "[]") {
            return Err(unusable(name, "it is from before there were tools; send `tools` and `tool_choice`"));
        }
    }
    let form = Form::of(&fields)?;
    Ok((Request::new(model, form.streaming, fields)?, form))
}

async fn whole(mut answered: Answered) -> Result<Response, Error> {
    let chunks = streaming::whole(&mut answered.reply).await?;
    let mut whole = fold::completion(&chunks, call_id);
    if let Value::Object(whole) = &mut whole {
        Head::new("chat.completion", "", &answered.model).fill(whole);
    }
    let mut response = Json(whole).into_response();
    trail::mark(response.headers_mut(), &answered);
    Ok(response)
}
