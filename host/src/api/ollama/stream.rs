//! Replies in Ollama's form: lines of JSON, or the one object.
//!
//! A state machine without clock or network: pieces of the upstream's reply go
//! in, lines come out, each complete and ended by one newline. No line has an
//! `error` key, a `null` or an empty list, and none is blank, for some client
//! fails on each of these. Figures are kept in `figures`, the parts that
//! need turning over in [`parts`], the answer in one object in [`whole`].
//!
//! Outside facts: `api/types.go` of github.com/ollama/ollama, August 2026.

mod figures;
pub mod parts;
pub mod whole;

use std::{fmt::Write as _, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    api::ollama::stream::{
        figures::Figures,
        parts::{BadCall, ReadyCall, pictures, probabilities},
    },
    catalog::ModelId,
    chat::{
        chunk::{Chunk, Delta},
        stops::Stops,
        tools::ToolCalls,
    },
};

/// Where the models are, in the words that Ollama has for its remote models.
pub const REMOTE_HOST: &str = "https://openrouter.ai";

/// Which of the two forms an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// That of `/api/chat`, with a message.
    Chat,
    /// That of `/api/generate`, with a response.
    Generate,
}

/// What is known of a reply before its first piece.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// Which form it has.
    pub kind: Kind,
    /// The model's name as the client wrote it.
    pub model: &'a str,
    /// The model that answers.
    pub served_by: &'a ModelId,
    /// When the request came.
    pub started: Timestamp,
    /// Tokens of the prompt, estimated, for a reply that does not tell them.
    pub prompt_tokens: u32,
    /// Texts at which it is to end.
    pub stops: &'a [String],
}

/// Writes a reply as lines while it comes in.
///
/// Everywhere `elapsed` is the time since the request came. Each call appends
/// at most one line, which is to be sent in one write.
#[derive(Debug)]
pub struct Encoder {
    kind: Kind,
    /// The line up to the time: the same in every line, so written once.
    head: Vec<u8>,
    /// Who answers; on the last line only.
    remote: Vec<u8>,
    started: Timestamp,
    figures: Figures,
    calls: ToolCalls,
    stops: Stops,
}

impl Encoder {
    /// Begins a reply.
    pub fn new(reply: &Reply<'_>) -> Self {
        let mut remote = BytesMut::new();
        remote.put_slice(b",\"remote_model\":");
        json(&mut remote, reply.served_by.as_str());
        remote.put_slice(b",\"remote_host\":");
        json(&mut remote, REMOTE_HOST);
        Self {
            kind: reply.kind,
            head: head(reply.model),
            remote: remote.into(),
            started: reply.started,
            figures: Figures::new(reply.prompt_tokens),
            calls: ToolCalls::default(),
            stops: Stops::new(reply.stops.to_vec()),
        }
    }

    /// Appends the line of a piece; nothing if it has nothing to show yet.
    ///
    /// Fragments of tool calls are kept for [`Self::calls`]. An error that the
    /// piece carries is the caller's business and is not looked at.
    pub fn chunk(&mut self, chunk: &Chunk, elapsed: Duration, out: &mut BytesMut) {
        if self.is_over() {
            return;
        }
        let Some(delta) = self.take(chunk, elapsed) else { return };
        let text = self.stops.pass(delta.text().unwrap_or_default());
        let images = pictures(&delta.images);
        let probabilities = probabilities(chunk);
        let content = Content {
            text: &text,
            thinking: delta.thinking().unwrap_or_default(),
            images: &images,
            calls: &[],
            probabilities: &probabilities,
        };
        if !content.is_empty() {
            self.begin(&content, elapsed, out);
            out.put_slice(b",\"done\":false");
            self.end(&content, out);
        }
    }

    /// Tells whether a text came at which the reply is to end.
    pub fn is_over(&self) -> bool {
        self.stops.is_over()
    }

    /// Appends the line with text that was held, because a stop could have begun
    /// with it; nothing without any.
    ///
    /// To be called once, after the last piece and before [`Self::calls`].
    pub fn rest(&mut self, elapsed: Duration, out: &mut BytesMut) {
        let text = self.stops.rest();
        if !text.is_empty() {
            let content = Content { text: &text, ..Content::default() };
            self.begin(&content, elapsed, out);
            out.put_slice(b",\"done\":false");
            self.end(&content, out);
        }
    }

    /// Appends the line with the tool calls, all complete; nothing without any.
    ///
    /// To be called once, after [`Self::rest`] and before [`Self::finish`].
    /// Fails if a call cannot be told as Ollama tells it, with an object for
    /// arguments: then the reply has failed and is not to be finished.
    pub fn calls(&mut self, elapsed: Duration, out: &mut BytesMut) -> Result<(), BadCall> {
        let calls = ReadyCall::all(std::mem::take(&mut self.calls))?;
        if !calls.is_empty() {
            let content = Content { calls: &calls, ..Content::default() };
            self.begin(&content, elapsed, out);
            out.put_slice(b",\"done\":false");
            self.end(&content, out);
        }
        Ok(())
    }

    /// Appends the last line, with all figures and no text.
    pub fn finish(&self, elapsed: Duration, out: &mut BytesMut) {
        self.last(&Content::default(), elapsed, out);
    }

    /// Notes what a piece says, and returns what it adds.
    fn take<'a>(&mut self, chunk: &'a Chunk, elapsed: Duration) -> Option<&'a Delta> {
        self.figures.note(chunk, elapsed);
        let delta = chunk.choice()?.delta();
        for fragment in &delta.tool_calls {
            self.calls.add(fragment);
        }
        Some(delta)
    }

    fn last(&self, content: &Content<'_>, elapsed: Duration, out: &mut BytesMut) {
        self.begin(content, elapsed, out);
        out.put_slice(b",\"done\":true");
        self.figures.write(elapsed, out);
        out.put_slice(&self.remote);
        self.end(content, out);
    }

    /// Writes a line up to `done`.
    fn begin(&self, content: &Content<'_>, elapsed: Duration, out: &mut BytesMut) {
        out.put_slice(&self.head);
        // Beyond the year 9999 there is no such time: the start is told then.
        time(self.started.checked_add(elapsed).unwrap_or(self.started), out);
        out.put_slice(opening(self.kind));
        json(out, content.text);
        if !content.thinking.is_empty() {
            out.put_slice(b",\"thinking\":");
            json(out, content.thinking);
        }
        // `/api/generate` has no field for pictures.
        if !content.images.is_empty() && self.kind == Kind::Chat {
            out.put_slice(b",\"images\":");
            json(out, content.images);
        }
        if !content.calls.is_empty() {
            out.put_slice(b",\"tool_calls\":");
            json(out, content.calls);
        }
        if self.kind == Kind::Chat {
            out.put_slice(b"}");
        }
    }

    /// Writes a line's end, after `done`.
    #[expect(clippy::unused_self, reason = "the other half of `begin`")]
    fn end(&self, content: &Content<'_>, out: &mut BytesMut) {
        if !content.probabilities.is_empty() {
            out.put_slice(b",\"logprobs\":");
            json(out, content.probabilities);
        }
        out.put_slice(b"}\n");
    }
}

/// What one line says; whatever is empty is left out.
#[derive(Default)]
struct Content<'a> {
    text: &'a str,
    thinking: &'a str,
    images: &'a [String],
    calls: &'a [ReadyCall],
    probabilities: &'a [parts::Probability],
}

impl Content<'_> {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thinking.is_empty() && self.images.is_empty() && self.probabilities.is_empty()
    }
}

/// Why a call was answered without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// The model was to be loaded.
    Load,
    /// The model was to be unloaded.
    Unload,
}

/// Returns the one object that answers a load or unload call.
pub fn idle(kind: Kind, model: &str, why: Idle, now: Timestamp) -> Bytes {
    let mut out = BytesMut::from(&*head(model));
    time(now, &mut out);
    out.put_slice(opening(kind));
    out.put_slice(match kind {
        Kind::Chat => b"\"\"}",
        Kind::Generate => b"\"\"",
    });
    out.put_slice(match why {
        Idle::Load => b",\"done\":true,\"done_reason\":\"load\"}",
        Idle::Unload => b",\"done\":true,\"done_reason\":\"unload\"}",
    });
    out.freeze()
}

/// Returns the line that tells of a failure after the first piece.
///
/// The body is to end abnormally after it: several clients take a clean end
/// for a complete answer.
pub fn error_line(text: &str) -> Bytes {
    let mut out = BytesMut::from(&b"{\"error\":"[..]);
    json(&mut out, text);
    out.put_slice(b"}\n");
    out.freeze()
}

fn head(model: &str) -> Vec<u8> {
    let mut head = BytesMut::from(&b"{\"model\":"[..]);
    json(&mut head, model);
    head.put_slice(b",\"created_at\":\"");
    head.into()
}

fn time(time: Timestamp, out: &mut BytesMut) {
    // Writing to memory cannot fail.
    write!(out, "{time}").ok();
}

fn opening(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Chat => b"\",\"message\":{\"role\":\"assistant\",\"content\":",
        Kind::Generate => b"\",\"response\":",
    }
}

fn json(out: &mut BytesMut, value: &(impl Serialize + ?Sized)) {
    // Fails for maps whose keys are no text only, and none of ours is one.
    serde_json::to_writer(out.writer(), value).ok();
}

#[cfg(test)]
mod tests;
