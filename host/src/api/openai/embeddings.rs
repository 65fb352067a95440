//! `POST /v1/embeddings`.
//!
//! The fields pass as they came; what comes back is put in order, counted, and
//! given in the encoding that the client asked for, whatever the model makes of
//! it. Which model answers, and that it is never another one, is the engine's:
//! `failover::embed`.

mod encoding;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    api::{
        Api,
        error::Error,
        openai::{embeddings::encoding::Encoding, or_error, read},
        trail,
    },
    chat::{BYTES_PER_TOKEN, Fields},
    embeddings::Request,
    failover::embed::Embedded,
};

/// `POST /v1/embeddings`.
pub(in crate::api) async fn embeddings(State(api): State<Api>, body: Body) -> Response {
    or_error(answer(&api, body).await)
}

async fn answer(api: &Api, body: Body) -> Result<Response, Error> {
    let (model, fields) = read(api, body).await?;
    let encoding = Encoding::read(fields.read::<String>("encoding_format")?.as_deref())?;
    let Inputs { count, input_tokens } = inputs(&fields)?;
    let generation = api.generation();
    let request = Request { model, input_tokens, fields };
    let embedded = api.failover().embed(request, Arc::clone(&generation)).await;
    let embedded = embedded.map_err(|error| api.told(error, &generation))?;
    let body = told(&embedded, count, encoding).map_err(|what| {
        Error::new(StatusCode::BAD_GATEWAY, format!("{}: {what}", embedded.model))
            .after(embedded.tried.clone())
            .under(&generation)
    })?;
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    trail::mark_vectors(response.headers_mut(), &embedded);
    Ok(response)
}

/// How much is to be turned into vectors.
struct Inputs {
    count: usize,
    /// Tokens of the longest, estimated.
    input_tokens: u32,
}

/// Looks at what is to be turned into vectors: a text, tokens, parts, or a list of
/// one kind of these.
fn inputs(fields: &Fields) -> Result<Inputs, Error> {
    let input: Value = fields.read("input")?.unwrap_or_default();
    let is_tokens = |items: &[Value]| !items.is_empty() && items.iter().all(Value::is_u64);
    let sizes: Vec<usize> = match &input {
        Value::Array(items) if is_tokens(items) => vec![items.len()],
        Value::Array(items) => {
            let one_kind =
                items.iter().map(std::mem::discriminant).collect::<std::collections::HashSet<_>>().len() <= 1;
            let sizes = items.iter().map(|item| match item {
                Value::Array(tokens) => is_tokens(tokens).then_some(tokens.len()),
                item => tokens(item),
            });
            sizes.collect::<Option<_>>().filter(|_| one_kind).unwrap_or_default()
        }
        item => tokens(item).filter(|_| *item != "").into_iter().collect(),
    };
    match sizes.iter().max() {
        Some(longest) => Ok(Inputs { count: sizes.len(), input_tokens: u32::try_from(*longest).unwrap_or(u32::MAX) }),
        // Ollama's words.
        None => Err(Error::bad_request("invalid input")),
    }
}

/// Estimates the tokens of a text, or of the texts among parts; `None` for what is
/// neither.
fn tokens(item: &Value) -> Option<usize> {
    match item {
        Value::String(text) => Some(text.len() / BYTES_PER_TOKEN),
        Value::Object(parts) => {
            let parts = parts.get("content").and_then(Value::as_array).into_iter().flatten();
            let texts = parts.filter_map(|part| part.get("text")?.as_str());
            Some(texts.map(str::len).sum::<usize>() / BYTES_PER_TOKEN)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// One vector, as OpenAI's clients read it.
#[derive(Serialize)]
struct Entry<'a> {
    object: &'static str,
    index: usize,
    embedding: &'a RawValue,
}

#[derive(Default, Deserialize)]
struct Usage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    total_tokens: Option<u64>,
}

/// Returns the answer for so many inputs, or what is wrong with it.
fn told(embedded: &Embedded, count: usize, encoding: Encoding) -> Result<Vec<u8>, String> {
    let vectors = embedded.vectors.in_order().ok_or("its vectors are in no order")?;
    if vectors.len() != count {
        return Err(format!("{} vectors came for {count} texts", vectors.len()));
    }
    let vectors: Option<Vec<_>> = vectors.into_iter().map(|vector| encoding.of(vector)).collect();
    let vectors = vectors.ok_or("its vectors are no lists of numbers")?;
    let data: Vec<Entry<'_>> =
        vectors.iter().enumerate().map(|(index, embedding)| Entry { object: "embedding", index, embedding }).collect();
    let unreadable = |error: serde_json::Error| error.to_string();
    let mut reply: Fields = serde_json::from_slice(embedded.vectors.raw()).map_err(unreadable)?;
    reply.set_raw("data", to_raw_value(&data).map_err(unreadable)?);
    reply.set("object", "list");
    if !matches!(reply.read::<String>("model"), Ok(Some(model)) if !model.is_empty()) {
        reply.set("model", embedded.model.as_str());
    }
    let usage: Value = reply.read("usage").ok().flatten().unwrap_or_default();
    reply.set("usage", &complete(usage));
    serde_json::to_vec(&reply).map_err(unreadable)
}

/// Returns the usage with both figures that clients insist on; 0 where the
/// upstream tells none.
fn complete(usage: Value) -> Value {
    let Usage { prompt_tokens, total_tokens } = serde_json::from_value(usage.clone()).unwrap_or_default();
    let mut usage = if usage.is_object() { usage } else { json!({}) };
    usage["prompt_tokens"] = json!(prompt_tokens.or(total_tokens).unwrap_or_default());
    usage["total_tokens"] = json!(total_tokens.or(prompt_tokens).unwrap_or_default());
    usage
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted_and_measured_in_every_form() {
        let parts =
            json!({"content": [{"type": "text", "text": "x".repeat(40)}, {"type": "image_url", "image_url": {}}]});
        let cases = [
            (json!("eight by"), Some((1, 2))),
            (json!(["", "eight by"]), Some((2, 2))),
            (json!([1, 2, 3]), Some((1, 3))),
            (json!([[1, 2, 3], [4]]), Some((2, 3))),
            (json!([parts, parts]), Some((2, 10))),
            (parts, Some((1, 10))),
            (json!(""), None),
            (json!([]), None),
            (json!([[]]), None),
            (json!([[1], []]), None),
            (json!(["a", 1]), None),
            (json!(["a", [1]]), None),
            (json!([-1]), None),
            (json!(["a", null]), None),
            (json!(7), None),
            (json!(null), None),
        ];
        for (input, expected) in cases {
            let fields = serde_json::from_value(json!({"input": input})).unwrap();
            let told = inputs(&fields).ok().map(|inputs| (inputs.count, inputs.input_tokens));
            assert_eq!(told, expected, "{input}");
        }
    }

    #[test]
    fn the_usage_has_both_figures() {
        let cases = [
            (
                json!({"prompt_tokens": 3, "total_tokens": 3, "cost": 0}),
                json!({"prompt_tokens": 3, "total_tokens": 3, "cost": 0}),
            ),
            (json!({"prompt_tokens": 3}), json!({"prompt_tokens": 3, "total_tokens": 3})),
            (json!({"total_tokens": 3}), json!({"prompt_tokens": 3, "total_tokens": 3})),
            (json!(null), json!({"prompt_tokens": 0, "total_tokens": 0})),
        ];
        for (usage, expected) in cases {
            assert_eq!(complete(usage.clone()), expected, "{usage}");
        }
    }
}
