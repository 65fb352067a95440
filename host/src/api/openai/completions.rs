//! `POST /v1/completions`, on top of chats.
//!
//! The prompt becomes a user message, because the free models are made for chats
//! and refuse or misread a bare text. What a chat cannot do is refused in words.
//! What is answered is made of the pieces in [`pieces`], as a whole or as events
//! ([`stream`]).

mod logprobs;
mod pieces;
mod stream;

use axum::{
    Json,
    body::Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

use crate::{
    api::{
        Api,
        error::Error,
        openai::{
            Form,
            completions::{pieces::Pieces, stream::Events},
            or_error, read, unusable,
        },
        sse, streaming, trail,
    },
    chat::{Fields, Request},
    failover::Answered,
};

/// Fields whose answers a completion has no place for.
const OF_CHATS: [&str; 5] = ["messages", "tools", "functions", "modalities", "audio"];

/// `POST /v1/completions`.
pub(in crate::api) async fn completions(State(api): State<Api>, body: Body) -> Response {
    or_error(answer(&api, body).await)
}

async fn answer(api: &Api, body: Body) -> Result<Response, Error> {
    let (model, mut fields) = read(api, body).await?;
    let wanted = wanted(&mut fields)?;
    let form = Form::of(&fields)?;
    let request = Request::new(model, form.streaming, fields)?;
    let mut answered = api.answer(request).await?;
    let pieces = Pieces::new(&answered.model, wanted);
    if form.streaming {
        return Ok(sse::response(api, answered, Events::new(pieces, form.with_usage)));
    }
    let body = whole(&mut answered, pieces).await?;
    let mut response = Json(body).into_response();
    trail::mark(response.headers_mut(), &answered);
    Ok(response)
}

/// What a client wants of an answer besides the model's text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// The prompt, if it is to be told before the answer.
    echo: Option<String>,
    /// How many other tokens are to be told beside each, if any are.
    logprobs: Option<u8>,
}

/// Turns the fields of a completion into those of a chat.
fn wanted(fields: &mut Fields) -> Result<Wanted, Error> {
    for name in OF_CHATS {
        if fields.take(name).is_some_and(|value| value.get() != "[]") {
            return Err(unusable(name, "a completion is text alone; use /v1/chat/completions"));
        }
    }
    if fields.take("suffix").is_some_and(|suffix| suffix.get() != "\"\"") {
        return Err(unusable("suffix", "no model here fills gaps"));
    }
    if fields.read::<f64>("best_of")?.is_some_and(|answers| answers > 1.0) {
        return Err(unusable("best_of", "the router gives one answer; ask again for another"));
    }
    drop(fields.take("best_of"));
    let prompt = prompt(fields)?;
    fields.set("messages", &json!([{"role": "user", "content": prompt}]));
    let echo: bool = fields.read("echo")?.unwrap_or_default();
    drop(fields.take("echo"));
    let logprobs = logprobs(fields)?;
    if echo && logprobs.is_some() {
        return Err(unusable("echo", "nobody tells the probabilities of the prompt; leave out `logprobs`"));
    }
    Ok(Wanted { echo: echo.then_some(prompt), logprobs })
}

/// Takes the prompt: a text, or a list with one.
fn prompt(fields: &mut Fields) -> Result<String, Error> {
    let prompt: Value = fields.read("prompt")?.unwrap_or_default();
    drop(fields.take("prompt"));
    let mut prompts = match prompt {
        Value::Null => Vec::new(),
        Value::Array(prompts) => prompts,
        prompt => vec![prompt],
    };
    match (prompts.pop(), prompts.is_empty()) {
        (None, _) => Err(Error::bad_request("prompt is required")),
        (Some(Value::String(prompt)), true) if prompt.is_empty() => Err(Error::bad_request("prompt is required")),
        (Some(Value::String(prompt)), true) => Ok(prompt),
        (Some(Value::String(_)), false) => {
            Err(unusable("prompt", "the router answers one prompt; send each in a request of its own"))
        }
        _ => Err(unusable("prompt", "it must be a text; only a model's own server can read tokens")),
    }
}

/// Takes `logprobs`, which is a number here, and asks for them as chats do.
fn logprobs(fields: &mut Fields) -> Result<Option<u8>, Error> {
    let others = match fields.read::<Value>("logprobs")?.unwrap_or_default() {
        Value::Null | Value::Bool(false) => None,
        // As chats spell it.
        Value::Bool(true) => Some(fields.read::<u8>("top_logprobs")?.unwrap_or_default()),
        number => match number.as_u64().map(u8::try_from) {
            Some(Ok(others)) => Some(others),
            Some(Err(_)) | None => return Err(unusable("logprobs", format!("`{number}` is no number of tokens"))),
        },
    };
    drop(fields.take("logprobs"));
    if let Some(others) = others {
        fields.set("logprobs", &true);
        if others > 0 {
            fields.set("top_logprobs", &others);
        }
    }
    Ok(others)
}

async fn whole(answered: &mut Answered, mut pieces: Pieces) -> Result<Value, Error> {
    let chunks = streaming::whole(&mut answered.reply).await?;
    let mut text = String::new();
    let mut logprobs = Value::Null;
    for chunk in &chunks {
        let Some(piece) = pieces.of(chunk) else { continue };
        text.push_str(&piece.text);
        logprobs::join(&mut logprobs, piece.logprobs);
    }
    text.insert_str(0, &pieces.echo());
    let usage = pieces.usage();
    let mut body = pieces.body(&text, &logprobs, Some(pieces.reason()));
    body["usage"] = usage;
    Ok(body)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asked(body: &Value) -> Result<(Wanted, Value), String> {
        let mut fields: Fields = serde_json::from_value(body.clone()).unwrap();
        let wanted = wanted(&mut fields).map_err(|error| error.message().to_owned())?;
        Ok((wanted, serde_json::to_value(&fields).unwrap()))
    }

    #[test]
    fn a_prompt_becomes_a_message_and_the_rest_passes() {
        let hello = json!([{"role": "user", "content": "Hello"}]);
        let plain = Wanted::default();
        let cases = [
            (
                json!({"prompt": "Hello", "seed": 7, "x": [null]}),
                plain,
                json!({"messages": hello, "seed": 7, "x": [null]}),
            ),
            (
                json!({"prompt": ["Hello"], "suffix": "", "best_of": 1, "n": 1, "tools": [], "echo": false, "logprobs": null}),
                Wanted::default(),
                json!({"messages": hello, "n": 1}),
            ),
            (
                json!({"prompt": "Hello", "echo": true}),
                Wanted { echo: Some("Hello".to_owned()), logprobs: None },
                json!({"messages": hello}),
            ),
            (
                json!({"prompt": "Hello", "logprobs": 3}),
                Wanted { echo: None, logprobs: Some(3) },
                json!({"messages": hello, "logprobs": true, "top_logprobs": 3}),
            ),
            (
                json!({"prompt": "Hello", "logprobs": 0}),
                Wanted { echo: None, logprobs: Some(0) },
                json!({"messages": hello, "logprobs": true}),
            ),
        ];
        for (body, wanted, sent) in cases {
            assert_eq!(asked(&body), Ok((wanted, sent)), "{body}");
        }
    }

    #[test]
    fn what_a_chat_cannot_do_is_refused() {
        let refused = [
            (json!({}), "prompt is required"),
            (json!({"prompt": ""}), "prompt is required"),
            (json!({"prompt": []}), "prompt is required"),
            (json!({"prompt": ["a", "b"]}), "cannot use `prompt`: the router answers one prompt"),
            (json!({"prompt": [1, 2]}), "cannot use `prompt`: it must be a text"),
            (json!({"prompt": [[1, 2]]}), "cannot use `prompt`: it must be a text"),
            (json!({"prompt": "a", "suffix": "b"}), "cannot use `suffix`: "),
            (json!({"prompt": "a", "best_of": 2}), "cannot use `best_of`: "),
            (json!({"prompt": "a", "echo": true, "logprobs": 1}), "cannot use `echo`: "),
            (json!({"prompt": "a", "logprobs": -1}), "cannot use `logprobs`: "),
            (json!({"prompt": "a", "messages": [{}]}), "cannot use `messages`: "),
            (json!({"prompt": "a", "tools": [{}]}), "cannot use `tools`: "),
        ];
        for (body, expected) in refused {
            let error = asked(&body).unwrap_err();
            assert!(error.starts_with(expected), "{body}: {error}");
        }
    }
}
