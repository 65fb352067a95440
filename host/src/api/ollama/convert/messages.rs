//! The messages of a conversation, as the upstream spells them.
//!
//! Borrowed from the client's messages and written straight to JSON, so that a
//! picture is not copied in between. The ids of calls come from
//! `pairing`, the parts that are no text from
//! `images`. Knows nothing of the rest of a request.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::api::ollama::{
    convert::{
        images::Media,
        pairing::{ids, is_result, result_name},
    },
    lenient::Refused,
    wire::{Function, Message},
};

/// Returns the messages for the upstream.
pub(super) fn outgoing<'a>(messages: &'a [Message<'a>]) -> Result<Vec<Outgoing<'a>>, Refused> {
    messages.iter().zip(ids(messages)).map(|(message, ids)| one(message, ids)).collect()
}

/// A message for the upstream.
#[derive(Debug, Serialize)]
pub(super) struct Outgoing<'a> {
    role: Cow<'a, str>,
    content: Content<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
}

fn one<'a>(message: &'a Message<'a>, ids: Vec<Cow<'a, str>>) -> Result<Outgoing<'a>, Refused> {
    let mut media = Vec::new();
    for image in &message.images {
        media.extend(Media::parse(&image.0)?);
    }
    let (tool_call_id, name, calls) = if is_result(message) {
        (ids.into_iter().next(), result_name(message), Vec::new())
    } else {
        let calls = message
            .tool_calls
            .iter()
            .zip(ids)
            .map(|(call, id)| {
                let arguments = arguments(&call.function)?;
                Ok(Call { id, kind: "function", function: Called { name: &call.function.name, arguments } })
            })
            .collect::<Result<Vec<_>, Refused>>()?;
        (None, &*message.name, calls)
    };
    Ok(Outgoing {
        role: role(&message.role),
        content: Content { text: &message.content, media },
        reasoning: &message.thinking,
        tool_calls: calls,
        tool_call_id,
        name,
    })
}

/// Returns a role in small letters; Ollama asks for none, so none is a user's.
fn role(role: &str) -> Cow<'_, str> {
    if role.is_empty() {
        "user".into()
    } else if role.bytes().any(|byte| byte.is_ascii_uppercase()) {
        role.to_ascii_lowercase().into()
    } else {
        role.into()
    }
}

/// Text alone, or text and other parts.
#[derive(Debug)]
struct Content<'a> {
    text: &'a str,
    media: Vec<Media<'a>>,
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.media.is_empty() {
            return serializer.serialize_str(self.text);
        }
        let text = (!self.text.is_empty()).then_some(Part::Text(self.text));
        serializer.collect_seq(text.into_iter().chain(self.media.iter().map(Part::Media)))
    }
}

enum Part<'a> {
    Text(&'a str),
    Media(&'a Media<'a>),
}

impl Serialize for Part<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => TextPart { kind: "text", text }.serialize(serializer),
            Self::Media(media) => media.serialize(serializer),
        }
    }
}

#[derive(Serialize)]
struct TextPart<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    text: &'a str,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

/// Returns a call's arguments as the JSON text that the upstream wants.
///
/// Ollama takes an object only; a text that holds one is taken too, as clients
/// made for OpenAI send it. None, or an empty text, is `{}`.
fn arguments<'a>(function: &Function<'a>) -> Result<Cow<'a, str>, Refused> {
    let raw = function.arguments.map_or("null", RawValue::get);
    let text: Cow<'a, str> = if raw.starts_with('"') {
        let text: String = serde_json::from_str(raw).map_err(|error| Refused(error.to_string()))?;
        text.into()
    } else {
        raw.into()
    };
    if text == "null" || text.trim().is_empty() {
        return Ok("{}".into());
    }
    let object = serde_json::from_str::<&RawValue>(&text).is_ok_and(|value| value.get().starts_with('{'));
    if object {
        Ok(text)
    } else {
        Err(Refused(format!("invalid tool call arguments of \"{}\": expected an object", function.name)))
    }
}
