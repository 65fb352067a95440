//! What a request needs, read from its fields without copying them.
//!
//! Looks at tools, formats and the kinds of message parts; counts the bytes of
//! text for an estimate of tokens. Never keeps a word of the conversation.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    catalog::Capabilities,
    chat::{BYTES_PER_TOKEN, Fields, Unreadable},
    routing::needs::{Needs, ToolMode},
};

/// What an image costs in tokens, about, with most vision models.
const TOKENS_PER_IMAGE: usize = 800;

/// Returns what a request needs of a model.
pub(super) fn needs(fields: &Fields) -> Result<Needs, Unreadable> {
    if fields.read::<f64>("n")?.is_some_and(|answers| answers > 1.0) {
        return Err(Unreadable {
            field: "n".to_owned(),
            reason: "the router gives one answer; ask again for another".to_owned(),
        });
    }
    let mut needs = Needs { tools: tool_mode(fields)?, ..Needs::default() };
    match needs.tools {
        ToolMode::None => {}
        ToolMode::Optional => needs.capabilities |= Capabilities::TOOLS,
        ToolMode::Required => needs.capabilities |= Capabilities::TOOLS | Capabilities::TOOL_CHOICE,
    }
    let conversation: Conversation = fields.read("messages")?.unwrap_or_default();
    needs.capabilities |= conversation.capabilities;
    let tool_bytes = fields.get("tools").map_or(0, |tools| tools.get().len());
    let tokens = (conversation.text_bytes + tool_bytes) / BYTES_PER_TOKEN + conversation.images * TOKENS_PER_IMAGE;
    needs.input_tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
    let limit: Option<f64> = fields.read("max_completion_tokens")?.or(fields.read("max_tokens")?);
    needs.output_tokens = limit.map_or(0, whole);
    Ok(needs)
}

/// Returns what would be good: the upstream ignores in silence what a model
/// cannot do, so these come as a wish and not as a condition.
pub(super) fn wishes(fields: &Fields) -> Result<Capabilities, Unreadable> {
    let mut wishes = Capabilities::empty();
    let format: Option<Kind<'_>> = fields.read("response_format")?;
    match format.as_ref().map(|format| &*format.kind) {
        Some("json_schema") => wishes |= Capabilities::JSON_SCHEMA,
        Some("json_object") => wishes |= Capabilities::JSON_OBJECT,
        _ => {}
    }
    if fields.read::<bool>("logprobs")?.unwrap_or(false) {
        wishes |= Capabilities::LOGPROBS;
    }
    Ok(wishes)
}

fn tool_mode(fields: &Fields) -> Result<ToolMode, Unreadable> {
    let tools: Vec<IgnoredAny> = fields.read("tools")?.unwrap_or_default();
    if tools.is_empty() {
        return Ok(ToolMode::None);
    }
    Ok(match fields.get("tool_choice").map(RawValue::get) {
        // With `none` the conversation may hold calls all the same, which only a
        // model with tools understands.
        None | Some("\"auto\"" | "\"none\"") => ToolMode::Optional,
        Some(_) => ToolMode::Required,
    })
}

fn whole(number: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is what is wanted")]
    {
        number as u32
    }
}

#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
}

/// What was found in the messages.
#[derive(Default)]
struct Conversation {
    text_bytes: usize,
    images: usize,
    capabilities: Capabilities,
}

impl<'de> Deserialize<'de> for Conversation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Messages;
        impl<'de> Visitor<'de> for Messages {
            type Value = Conversation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Conversation, A::Error> {
                let mut conversation = Conversation::default();
                while let Some(message) = seq.next_element::<Message>()? {
                    conversation.add(&message.content);
                    conversation.add(&message.tool_calls);
                }
                Ok(conversation)
            }
        }
        deserializer.deserialize_seq(Messages)
    }
}

impl Conversation {
    fn add(&mut self, part: &Content) {
        self.text_bytes += part.text_bytes;
        self.images += part.images;
        self.capabilities |= part.capabilities;
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Content,
    #[serde(default)]
    tool_calls: Content,
}

/// A text, a list of parts, or nothing.
#[derive(Default)]
struct Content {
    text_bytes: usize,
    images: usize,
    capabilities: Capabilities,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parts)
    }
}

struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a list of parts")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content { text_bytes: text.len(), ..Content::default() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
        let mut content = Content::default();
        while let Some(part) = seq.next_element::<Part>()? {
            content.text_bytes += part.text_bytes;
            content.images += usize::from(part.kind.contains(Capabilities::VISION));
            content.capabilities |= part.kind;
        }
        Ok(content)
    }
}

/// One part of a message, or one tool call.
struct Part {
    text_bytes: usize,
    kind: Capabilities,
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a message part")
            }

            fn visit_str<E>(self, text: &str) -> Result<Part, E> {
                Ok(Part { text_bytes: text.len(), kind: Capabilities::empty() })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
                let mut part = Part { text_bytes: 0, kind: Capabilities::empty() };
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    match &*name {
                        "text" => part.text_bytes += map.next_value::<Content>()?.text_bytes,
                        // The parts of a tool call that the model reads again.
                        "function" => part.text_bytes += map.next_value::<Function>()?.arguments.text_bytes,
                        "type" => part.kind |= part_kind(&map.next_value::<Cow<'de, str>>()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(part)
            }
        }
        deserializer.deserialize_any(Members)
    }
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    arguments: Content,
}

fn part_kind(name: &str) -> Capabilities {
    match name {
        "image_url" | "input_image" | "image" => Capabilities::VISION,
        "input_audio" => Capabilities::AUDIO,
        "file" | "input_file" => Capabilities::FILES,
        _ => Capabilities::empty(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fields(body: &Value) -> Fields {
        serde_json::from_str(&body.to_string()).unwrap()
    }

    fn check(body: &Value, capabilities: Capabilities, tools: ToolMode) {
        let needs = needs(&fields(body)).unwrap();
        assert_eq!((needs.capabilities, needs.tools), (capabilities, tools), "{body}");
    }

    #[test]
    fn needs_follow_from_tools_and_from_the_kinds_of_parts() {
        let tool = json!([{"type": "function", "function": {"name": "f"}}]);
        check(&json!({"messages": []}), Capabilities::empty(), ToolMode::None);
        check(&json!({"tools": []}), Capabilities::empty(), ToolMode::None);
        check(&json!({"tools": null, "messages": null}), Capabilities::empty(), ToolMode::None);
        check(&json!({"tools": tool}), Capabilities::TOOLS, ToolMode::Optional);
        check(&json!({"tools": tool, "tool_choice": "auto"}), Capabilities::TOOLS, ToolMode::Optional);
        check(
            &json!({"tools": tool, "tool_choice": "required"}),
            Capabilities::TOOLS | Capabilities::TOOL_CHOICE,
            ToolMode::Required,
        );
        let seen = json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]}]});
        check(&seen, Capabilities::VISION, ToolMode::None);
        let heard = json!({"messages": [{"content": [{"type": "input_audio", "input_audio": {}}]}]});
        check(&heard, Capabilities::AUDIO, ToolMode::None);
        let read = json!({"messages": [{"content": [{"type": "file", "file": {}}]}]});
        check(&read, Capabilities::FILES, ToolMode::None);
    }

    #[test]
    fn tokens_are_estimated_from_text_calls_and_images_but_not_from_their_data() {
        let body = json!({
            "messages": [
                {"role": "user", "content": "x".repeat(400)},
                {"role": "assistant", "content": null,
                 "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "y".repeat(40)}}]},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "z".repeat(100_000)}}]},
            ],
            "max_tokens": 100,
        });
        let needs = needs(&fields(&body)).unwrap();
        assert_eq!((needs.input_tokens, needs.output_tokens), (110 + 800, 100));
    }

    #[test]
    fn formats_and_probabilities_are_wishes() {
        let format = |kind| json!({"response_format": {"type": kind}, "logprobs": true});
        let both = Capabilities::JSON_SCHEMA | Capabilities::LOGPROBS;
        assert_eq!(wishes(&fields(&format("json_schema"))), Ok(both));
        assert_eq!(wishes(&fields(&format("text"))), Ok(Capabilities::LOGPROBS));
        assert_eq!(wishes(&fields(&json!({}))), Ok(Capabilities::empty()));
    }

    #[test]
    fn a_field_that_cannot_be_read_is_named() {
        let error = needs(&fields(&json!({"messages": "hello"}))).unwrap_err();
        assert_eq!(error.field, "messages");
        assert!(error.to_string().starts_with("cannot use `messages`: "), "{error}");
    }
}
