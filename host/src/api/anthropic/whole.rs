//! An answer as the one object of a call that does not stream.
//!
//! Takes the chunks of an answer that is complete, so nothing can be missing but
//! what the client's limit cut off. Streams are in [`stream`](super::stream).

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    api::anthropic::{
        Answer,
        figures::{Figures, Told},
        fresh_call_id, signature,
    },
    chat::{
        chunk::{Choice, Chunk},
        sealed::Sealed,
        stops::Stops,
        tools::{ToolCall, ToolCalls},
    },
};

/// A message for the client.
#[derive(Serialize)]
pub(super) struct Message {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: String,
    content: Vec<Block>,
    stop_reason: &'static str,
    stop_sequence: Option<String>,
    usage: Told,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Thinking { thinking: String, signature: String },
    Text { text: String },
    ToolUse { id: String, name: String, input: Box<RawValue> },
}

/// Returns the message that these chunks spell.
pub(super) fn message(answer: Answer, chunks: &[Chunk]) -> Message {
    let mut figures = Figures::new(answer.prompt_tokens);
    let mut stops = Stops::new(answer.stops);
    let (mut text, mut thinking) = (String::new(), String::new());
    let (mut details, mut calls) = (Sealed::default(), ToolCalls::default());
    for chunk in chunks {
        figures.note(chunk);
        let Some(delta) = chunk.choice().map(Choice::delta).filter(|_| !stops.is_over()) else { continue };
        thinking.push_str(delta.thinking().unwrap_or_default());
        delta.reasoning_details.iter().for_each(|piece| details.add(piece));
        text.push_str(&stops.pass(delta.text().unwrap_or_default()));
        if !stops.is_over() {
            delta.tool_calls.iter().for_each(|fragment| calls.add(fragment));
        }
    }
    text.push_str(&stops.rest());
    let details = details.take();
    let mut content = Vec::new();
    if !thinking.is_empty() || !details.is_empty() {
        content.push(Block::Thinking { thinking, signature: signature::sealed(&answer.model, details) });
    }
    if !text.is_empty() {
        content.push(Block::Text { text });
    }
    let before = content.len();
    content.extend(calls.finish(fresh_call_id).into_iter().filter_map(|call| tool_use(call, &answer.taken)));
    let stop_reason = figures.stop_reason(content.len() > before, stops.is_over());
    Message {
        id: answer.id,
        kind: "message",
        role: "assistant",
        model: answer.model,
        stop_sequence: stops.came().filter(|_| stop_reason == "stop_sequence").map(str::to_owned),
        stop_reason,
        content,
        usage: figures.told(),
    }
}

/// Returns a call as a block, with an id that is not taken; `None` for one that was cut off, for half a call must
/// not be carried out.
fn tool_use(call: ToolCall, taken: &[String]) -> Option<Block> {
    if !call.is_readable() {
        return None;
    }
    let input = RawValue::from_string(call.arguments).ok()?;
    let id = if taken.contains(&call.id) { fresh_call_id() } else { call.id };
    Some(Block::ToolUse { id, name: call.name, input })
}
