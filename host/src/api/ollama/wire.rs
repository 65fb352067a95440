//! The requests of Ollama's API, as clients write them.
//!
//! Field by field what its reference has; each borrows from the request body.
//! Read with [`lenient::decode`](super::lenient::decode), which makes a missing
//! field, a `null` and a key in capitals all alike. What a request means
//! upstream is in [`convert`](super::convert). No replies here: those are in
//! [`stream`](super::stream) and [`listing`](super::listing).
//!
//! Outside facts: `api/types.go` of github.com/ollama/ollama, August 2026.

pub mod manage;
pub mod options;
pub mod settings;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::ollama::wire::{
    options::Options,
    settings::{Format, KeepAlive, Think},
};

/// The body of `POST /api/chat`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ChatRequest<'a> {
    /// The model's name; empty if the client gave none.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The conversation; without any, the call loads or unloads.
    #[serde(borrow)]
    pub messages: Vec<Message<'a>>,
    /// The functions that the model may call, as the client wrote them.
    #[serde(borrow)]
    pub tools: Option<&'a RawValue>,
    /// Whether the answer comes in pieces; true if absent.
    pub stream: Option<bool>,
    /// The form of the answer.
    #[serde(borrow)]
    pub format: Format<'a>,
    /// How to sample.
    pub options: Options,
    /// How long the model stays loaded.
    pub keep_alive: Option<KeepAlive>,
    /// Whether, and how hard, the model thinks.
    pub think: Option<Think>,
    /// Whether a conversation that is too long may be shortened.
    pub truncate: Option<bool>,
    /// Whether token probabilities are wanted.
    pub logprobs: bool,
    /// How many other tokens each place shows, 0 to 20.
    pub top_logprobs: i64,
}

/// A message of a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message<'a> {
    /// Who speaks, in any case.
    #[serde(borrow)]
    pub role: Cow<'a, str>,
    /// What is said; empty beside calls.
    #[serde(borrow)]
    pub content: Cow<'a, str>,
    /// What the model thought before it said so.
    #[serde(borrow)]
    pub thinking: Cow<'a, str>,
    /// Pictures, and sounds too.
    #[serde(borrow)]
    pub images: Vec<Image<'a>>,
    /// The calls that the model asked for.
    #[serde(borrow)]
    pub tool_calls: Vec<ToolCall<'a>>,
    /// The function whose result this is.
    #[serde(borrow)]
    pub tool_name: Cow<'a, str>,
    /// The same, as clients made for OpenAI write it.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The call whose result this is.
    #[serde(borrow)]
    pub tool_call_id: Cow<'a, str>,
}

/// The bytes of a picture in base64, with or without a `data:` prefix.
#[derive(Debug, Default, Deserialize)]
pub struct Image<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A call in the history of a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolCall<'a> {
    /// Its id; most clients send none.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What was called.
    #[serde(borrow)]
    pub function: Function<'a>,
}

/// The function of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Function<'a> {
    /// Its name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// An object, or a text that holds one.
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
}

/// The body of `POST /api/generate`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct GenerateRequest<'a> {
    /// The model's name; empty if the client gave none.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The prompt; without one, the call loads or unloads.
    #[serde(borrow)]
    pub prompt: Cow<'a, str>,
    /// What follows the gap to fill.
    #[serde(borrow)]
    pub suffix: Cow<'a, str>,
    /// The system message.
    #[serde(borrow)]
    pub system: Cow<'a, str>,
    /// A prompt template in place of the model's.
    #[serde(borrow)]
    pub template: Cow<'a, str>,
    /// The state of an earlier answer; we never hand one out.
    #[serde(borrow)]
    pub context: Option<&'a RawValue>,
    /// Whether the prompt is sent without any template.
    pub raw: bool,
    /// Pictures, and sounds too.
    #[serde(borrow)]
    pub images: Vec<Image<'a>>,
    /// Whether the answer comes in pieces; true if absent.
    pub stream: Option<bool>,
    /// The form of the answer.
    #[serde(borrow)]
    pub format: Format<'a>,
    /// How to sample.
    pub options: Options,
    /// How long the model stays loaded.
    pub keep_alive: Option<KeepAlive>,
    /// Whether, and how hard, the model thinks.
    pub think: Option<Think>,
    /// Whether a prompt that is too long may be shortened.
    pub truncate: Option<bool>,
    /// Whether token probabilities are wanted.
    pub logprobs: bool,
    /// How many other tokens each place shows, 0 to 20.
    pub top_logprobs: i64,
}

/// The body of `POST /api/show`; its other fields change nothing here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShowRequest<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl ShowRequest<'_> {
    /// Returns the name from `model`, or from the older `name`; empty without.
    pub fn model(&self) -> &str {
        first_named(&self.model, &self.name)
    }
}

/// Returns the first of two names that is not empty: the `ollama` command
/// sends an empty `model` beside a `name`, libraries send `model` alone.
fn first_named<'a>(model: &'a str, name: &'a str) -> &'a str {
    if model.is_empty() { name } else { model }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::api::ollama::lenient::decode;

    #[test]
    fn the_nulls_and_empty_texts_of_the_command_line_client_are_nothing() {
        let body = br#"{"model":"m","messages":null,"stream":null,"format":"","options":null,"keep_alive":null,
            "think":null,"tools":null,"truncate":null,"logprobs":null,"top_logprobs":null}"#;
        let request: ChatRequest<'_> = decode(body).unwrap();
        assert_eq!(format!("{request:?}"), format!("{:?}", ChatRequest { model: "m".into(), ..Default::default() }));
    }

    #[test]
    fn a_message_is_read_with_all_its_fields() {
        let body = br#"{"messages":[{"role":"Assistant","content":null,"thinking":"t","images":["aGk=","a\/b="],
            "tool_calls":[{"id":"c","type":"function","function":{"index":0,"name":"f","Arguments":{"A": null}}}],
            "tool_name":"f","tool_call_id":"c"}]}"#;
        let request: ChatRequest<'_> = decode(body).unwrap();
        let [message] = &request.messages[..] else { panic!("one message") };
        let images: Vec<&str> = message.images.iter().map(|image| &*image.0).collect();
        let [call] = &message.tool_calls[..] else { panic!("one call") };
        assert_eq!((&*message.role, &*message.content, &*message.thinking), ("Assistant", "", "t"));
        assert_eq!(images, ["aGk=", "a/b="]);
        assert_eq!((&*call.id, &*call.function.name), ("c", "f"));
        assert_eq!(call.function.arguments.map(RawValue::get), Some(r#"{"A": null}"#));
        assert_eq!((&*message.tool_name, &*message.tool_call_id), ("f", "c"));
    }

    #[test]
    fn content_in_parts_is_refused_as_ollama_does() {
        let error = decode::<ChatRequest<'_>>(br#"{"messages":[{"role":"user","content":[]}]}"#).unwrap_err();
        assert_eq!(error.0, "json: cannot unmarshal array into field messages.content: expected a string");
    }

    #[test]
    fn show_takes_the_model_from_either_field() {
        let model = |body: &'static str| decode::<ShowRequest<'_>>(body.as_bytes()).unwrap().model().to_owned();
        assert_eq!(model(r#"{"model":"","name":"x"}"#), "x");
        assert_eq!(model(r#"{"model":"m","verbose":true,"options":null}"#), "m");
        assert_eq!(model("null"), "");
    }
}
