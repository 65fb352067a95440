//! Anthropic's events, spelled.
//!
//! Names and shapes only; when which is due is in [`stream`](super).
//!
//! Outside fact: `RawMessageStreamEvent` of github.com/anthropics/anthropic-sdk-python,
//! November 2026.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::Value;

use crate::api::{anthropic::figures::Told, sse};

/// An event of a stream.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    MessageStart { message: Value },
    ContentBlockStart { index: u32, content_block: Block<'a> },
    Ping {},
    ContentBlockDelta { index: u32, delta: Piece<'a> },
    ContentBlockStop { index: u32 },
    MessageDelta { delta: Value, usage: Told },
    MessageStop {},
}

/// A block as it begins: nothing is in it yet.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Thinking { thinking: &'a str, signature: &'a str },
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Empty },
}

/// An object without members.
#[derive(Serialize)]
pub(super) struct Empty {}

/// What is added to a block.
#[expect(clippy::enum_variant_names, reason = "the names of the protocol")]
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Piece<'a> {
    ThinkingDelta { thinking: &'a str },
    SignatureDelta { signature: &'a str },
    TextDelta { text: &'a str },
    InputJsonDelta { partial_json: &'a str },
}

impl Event<'_> {
    /// Appends the event.
    pub(super) fn write(&self, frame: &mut BytesMut) {
        let name = match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::Ping {} => "ping",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop {} => "message_stop",
        };
        // Fails for maps whose keys are no text only, and none of ours is one.
        sse::event(name, &serde_json::to_vec(self).unwrap_or_default(), frame);
    }
}
