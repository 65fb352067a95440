//! The steps of a scripted stream, and the gate that holds one back.
//!
//! For forms that the builders of `sandbox/reply.rs` do not have. A step says
//! what is sent or waited for, not how lines end or where bytes are cut: that
//! is the reply's delivery. Read `sandbox/stream.rs` for how steps are run.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::sandbox::reply::parts::usage;

/// One step of a scripted stream.
#[derive(Clone, Debug)]
pub enum Step {
    /// One `data:` event; a chunk (it has `choices`) gets the fields it lacks.
    Data(Value),
    /// The same event this many times.
    Repeat(Value, u64),
    /// The same event without end.
    Endless(Value),
    /// Bytes as they are.
    Raw(Bytes),
    /// The comment line `: OPENROUTER PROCESSING`.
    Comment,
    /// Waits until the gate opens.
    Gate(Gate),
    /// Waits for a time.
    Pause(Duration),
    /// Sends nothing more and keeps the connection open.
    Hang,
    /// Breaks the connection off: the chunked body has no end.
    Cut,
    /// The line `data: [DONE]`.
    Done,
}

impl Step {
    /// Returns a chunk of text.
    pub fn text(text: &str) -> Self {
        Self::delta(&json!({"role": "assistant", "content": text}))
    }

    /// Returns a chunk that carries only the role.
    pub fn role() -> Self {
        Self::text("")
    }

    /// Returns a chunk of reasoning, in both forms that the real one sends.
    pub fn reasoning(text: &str) -> Self {
        Self::delta(&json!({
            "role": "assistant",
            "content": "",
            "reasoning": text,
            "reasoning_details":
                [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}],
        }))
    }

    /// Returns a chunk that carries one fragment of a tool call.
    pub fn tool(fragment: &Value) -> Self {
        Self::delta(&json!({"role": "assistant", "content": null, "tool_calls": [fragment]}))
    }

    /// Returns a chunk with this delta.
    pub fn delta(delta: &Value) -> Self {
        Self::Data(json!({"choices": [choice(delta, None)]}))
    }

    /// Returns a chunk that only finishes the answer.
    pub fn finish(reason: &str) -> Self {
        let delta = json!({"role": "assistant", "content": ""});
        Self::Data(json!({"choices": [choice(&delta, Some(reason))]}))
    }

    /// Returns a chunk without choices that carries the usage, at no cost.
    pub fn usage(prompt_tokens: u64, completion_tokens: u64) -> Self {
        let usage = usage(prompt_tokens, completion_tokens, 0, 0.0);
        Self::Data(json!({"choices": [], "usage": usage}))
    }
}

/// Holds a reply back until a test opens it; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// Returns a closed gate.
    pub fn new() -> Self {
        Self { open: Arc::new(watch::Sender::new(false)) }
    }

    /// Opens the gate for good.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until the gate is open; returns at once when it is.
    pub async fn wait(&self) {
        let mut opened = self.open.subscribe();
        // Never an error: the gate itself holds the sender.
        while !*opened.borrow_and_update() && opened.changed().await.is_ok() {}
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns one entry of `choices`.
pub(super) fn choice(delta: &Value, finish_reason: Option<&str>) -> Value {
    json!({
        "index": 0,
        "delta": delta,
        "finish_reason": finish_reason,
        "native_finish_reason": finish_reason,
    })
}
