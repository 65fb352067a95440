//! The items of `input` as the messages of a conversation.
//!
//! Upstream, one message of the assistant holds what it thought, said and called;
//! here these are items in a row, so they are gathered in a turn until somebody
//! else speaks. Parts are in [`parts`](super::parts), tools that stand among the
//! items go to [`Offered`].

use std::{borrow::Cow, collections::HashSet};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    api::responses::{
        convert::{
            offered::Offered,
            parts::{Content, read_text, unreadable},
        },
        thinking::Thinking,
        tools,
        wire::{Item, Part},
    },
    chat::Unreadable,
};

/// A message for the upstream.
#[derive(Debug, Default, Serialize)]
pub(super) struct Message<'a> {
    role: &'static str,
    content: Content<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: String,
    arguments: Cow<'a, str>,
}

/// Returns the messages that the instructions and the input spell.
pub(super) fn messages<'a>(
    instructions: Option<&'a str>,
    input: &'a RawValue,
    offered: &mut Offered,
) -> Result<Vec<Message<'a>>, Unreadable> {
    let mut conversation = Conversation::default();
    if let Some(instructions) = instructions.filter(|instructions| !instructions.is_empty()) {
        conversation.push(Message { role: "system", content: Content::text(instructions), ..Message::default() });
    }
    if input.get().starts_with('[') {
        let items: Vec<Item<'a>> =
            serde_json::from_str(input.get()).map_err(|error| unreadable("input", error.to_string()))?;
        for (number, item) in items.into_iter().enumerate() {
            conversation.add(item, &format!("input[{number}]"), offered)?;
        }
    } else {
        let content = Content::read(Some(input), "input")?;
        conversation.push(Message { role: "user", content, ..Message::default() });
    }
    Ok(conversation.finish())
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    /// What the assistant thought, said and called since somebody else spoke.
    turn: Message<'a>,
    /// The calls so far, for whose results there is a place.
    called: HashSet<Cow<'a, str>>,
}

impl<'a> Conversation<'a> {
    fn add(&mut self, item: Item<'a>, place: &str, offered: &mut Offered) -> Result<(), Unreadable> {
        let kind = item.kind.clone().unwrap_or_else(|| if item.role.is_some() { "message" } else { "" }.into());
        match &*kind {
            "message" => self.message(&item, place),
            "function_call" => {
                let arguments = arguments(item.arguments).map_err(|reason| unreadable(place, reason))?;
                self.call(item, arguments, place)
            }
            "custom_tool_call" => {
                let arguments = tools::arguments(item.input.as_deref().unwrap_or_default()).into();
                self.call(item, arguments, place)
            }
            "function_call_output" | "custom_tool_call_output" => self.result(item, place),
            "reasoning" => self.thinking(&item, place),
            "additional_tools" => offered.add_all(item.tools.unwrap_or_default()),
            // What a search found stands in the answer that followed it, and for a
            // picture that the model made its messages have no place.
            "image_generation_call" | "web_search_call" => Ok(()),
            "item_reference" => Err(unreadable(
                place,
                "this item is not known here any more, so there is nothing to refer to; send the item itself",
            )),
            "" => Err(unreadable(place, "`type` is missing")),
            other => Err(unreadable(
                place,
                format!(
                    "an item of the type `{other}` has no counterpart with OpenRouter's models; leave it out, or say \
                     in a message what is in it"
                ),
            )),
        }
    }

    fn message(&mut self, item: &Item<'a>, place: &str) -> Result<(), Unreadable> {
        let mut content = Content::read(item.content, &format!("{place}.content"))?;
        let role = match item.role.as_deref() {
            Some("user") => "user",
            Some("system") => "system",
            Some("developer") => "developer",
            Some("assistant") => {
                // One that called already goes on in the same message: between
                // calls and their results nothing may stand.
                if self.turn.tool_calls.is_empty() && !self.turn.content.is_empty() {
                    self.end_turn();
                }
                self.turn.content.append(content);
                return Ok(());
            }
            Some(other) => {
                return Err(unreadable(
                    place,
                    format!("the role `{other}` is none of user, assistant, system and developer"),
                ));
            }
            None => return Err(unreadable(place, "`role` is missing")),
        };
        let refusal = content.refusal.take();
        self.push(Message { role, content, refusal, ..Message::default() });
        Ok(())
    }

    fn call(&mut self, item: Item<'a>, arguments: Cow<'a, str>, place: &str) -> Result<(), Unreadable> {
        let missing = |name: &str| unreadable(place, format!("`{name}` is missing"));
        let id = item.call_id.filter(|id| !id.is_empty()).ok_or_else(|| missing("call_id"))?;
        let name = item.name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        let name = tools::upstream_name(item.namespace.as_deref(), &name).into_owned();
        self.called.insert(id.clone());
        self.turn.tool_calls.push(Call { id, kind: "function", function: Function { name, arguments } });
        Ok(())
    }

    fn result(&mut self, item: Item<'a>, place: &str) -> Result<(), Unreadable> {
        let id = item.call_id.unwrap_or_default();
        if !self.called.contains(&id) {
            // Most likely from a client that expects the call to be remembered.
            let reason = format!(
                "there is no tool call with the call_id `{id}` before its output; the router keeps no state, so send \
                 the call too"
            );
            return Err(unreadable(place, reason));
        }
        let content = Content::read(item.output, &format!("{place}.output"))?;
        self.push(Message { role: "tool", content, tool_call_id: Some(id), ..Message::default() });
        Ok(())
    }

    fn thinking(&mut self, item: &Item<'a>, place: &str) -> Result<(), Unreadable> {
        let sealed = item.encrypted_content.as_deref().and_then(Thinking::unsealed);
        let thinking = match sealed {
            Some(thinking) => thinking,
            None => Thinking::Text(shown(item, place)?),
        };
        if self.turn.tool_calls.is_empty() && !self.turn.content.is_empty() {
            self.end_turn();
        }
        match thinking {
            Thinking::Text(text) if text.is_empty() => {}
            Thinking::Text(text) => match &mut self.turn.reasoning {
                Some(earlier) => {
                    earlier.push('\n');
                    earlier.push_str(&text);
                }
                None => self.turn.reasoning = Some(text),
            },
            Thinking::Details(details) => self.turn.reasoning_details.extend(details),
        }
        Ok(())
    }

    fn push(&mut self, message: Message<'a>) {
        self.end_turn();
        self.messages.push(message);
    }

    fn end_turn(&mut self) {
        let mut turn = std::mem::take(&mut self.turn);
        if turn.content.is_empty() && turn.tool_calls.is_empty() {
            // A signature may come after the words that it signs. Thinking that
            // led to nothing has no place upstream.
            if let Some(last) = self.messages.last_mut().filter(|last| last.role == "assistant") {
                last.reasoning_details.extend(turn.reasoning_details);
            }
            return;
        }
        turn.role = "assistant";
        turn.refusal = turn.content.refusal.take();
        self.messages.push(turn);
    }

    fn finish(mut self) -> Vec<Message<'a>> {
        self.end_turn();
        self.messages
    }
}

/// Returns the thinking that an item shows: in full, or else in short.
fn shown(item: &Item<'_>, place: &str) -> Result<String, Unreadable> {
    let full: Option<Vec<Part<'_>>> = item
        .content
        .map(|content| serde_json::from_str(content.get()))
        .transpose()
        .map_err(|error| unreadable(&format!("{place}.content"), error.to_string()))?;
    let texts = |parts: &[Part<'_>]| -> String {
        parts.iter().filter_map(|part| part.text.as_deref()).collect::<Vec<_>>().join("\n")
    };
    let full = texts(full.as_deref().unwrap_or_default());
    Ok(if full.is_empty() { texts(item.summary.as_deref().unwrap_or_default()) } else { full })
}

/// Returns a call's arguments as JSON text; an object is taken for its text.
fn arguments(raw: Option<&RawValue>) -> Result<Cow<'_, str>, String> {
    let Some(raw) = raw else { return Ok("{}".into()) };
    let text = match raw.get().as_bytes().first() {
        Some(b'"') => read_text(raw).map_err(|error| error.to_string())?,
        Some(b'{') => raw.get().into(),
        _ => return Err("`arguments` must be a text that holds a JSON object".to_owned()),
    };
    Ok(if text.trim().is_empty() { "{}".into() } else { text })
}
