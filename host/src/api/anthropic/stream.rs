//! An answer as Anthropic's events, while it comes.
//!
//! A state machine without clock or network: chunks go in, events come out. Blocks
//! follow one another, so what cannot be told yet is kept: a call while another
//! one is not complete, and text beside it. Events are spelled in `event`, the
//! block that is open is in `block`. Never an end for an answer that broke off.

mod block;
mod event;

use axum::http::StatusCode;
use bytes::BytesMut;
use serde_json::json;

use crate::{
    api::{
        anthropic::{
            Answer,
            figures::Figures,
            stream::{
                block::{Kind, Open},
                event::Event,
            },
        },
        error::bodies,
        request_id::RequestId,
        sse,
        streaming::{Encode, End},
    },
    chat::{
        chunk::{Choice, Chunk, Delta},
        stops::Stops,
        tools::{ToolCall, ToolCalls},
    },
};

/// Chunks without an event after which a client is told that there is still somebody.
const QUIET_CHUNKS: u32 = 16;

/// Bytes of text that are kept while a call is not complete.
const MAX_LATE_BYTES: usize = 1 << 20;

/// Writes one answer as events.
pub(super) struct Events {
    id: String,
    model: String,
    request: RequestId,
    started: bool,
    open: Open,
    figures: Figures,
    stops: Stops,
    calls: ToolCalls,
    /// How many of the calls have been told whole.
    told: usize,
    /// Text and thinking that came beside a call that was not complete.
    late: Vec<(Kind, String)>,
    late_bytes: usize,
    /// Chunks in a row that said nothing.
    quiet: u32,
}

impl Events {
    /// Begins an answer to a request.
    pub(super) fn new(answer: Answer, request: RequestId) -> Self {
        Self {
            open: Open::new(answer.model.clone(), answer.taken),
            id: answer.id,
            model: answer.model,
            request,
            started: false,
            figures: Figures::new(answer.prompt_tokens),
            stops: Stops::new(answer.stops),
            calls: ToolCalls::default(),
            told: 0,
            late: Vec::new(),
            late_bytes: 0,
            quiet: 0,
        }
    }

    fn start(&mut self, frame: &mut BytesMut) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let message = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": self.figures.told(),
        });
        Event::MessageStart { message }.write(frame);
    }

    /// Tells what a chunk adds, as far as that can be told now.
    fn add(&mut self, delta: &Delta, frame: &mut BytesMut) {
        self.say(Kind::Thinking, delta.thinking().unwrap_or_default(), frame);
        if self.told == self.calls.len() {
            let calls = !delta.tool_calls.is_empty();
            delta.reasoning_details.iter().for_each(|piece| self.open.seal(piece, calls, frame));
        }
        let text = self.stops.pass(delta.text().unwrap_or_default()).into_owned();
        self.say(Kind::Text, &text, frame);
        if delta.tool_calls.is_empty() || self.is_over() {
            return;
        }
        // No text goes on beyond a call, so neither does the beginning of a stop.
        let rest = self.stops.rest();
        self.say(Kind::Text, &rest, frame);
        delta.tool_calls.iter().for_each(|fragment| self.calls.add(fragment));
        self.tell_calls(frame);
    }

    /// Tells text or thinking, or keeps it while a call is not complete.
    fn say(&mut self, kind: Kind, text: &str, frame: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if self.told < self.calls.len() && self.calls.get(self.told).is_some_and(ToolCall::is_closed) {
            self.close_call(frame);
        }
        if self.told == self.calls.len() && self.late.is_empty() {
            self.open.say(kind, text, frame);
            return;
        }
        self.late_bytes = self.late_bytes.saturating_add(text.len());
        match self.late.last_mut() {
            Some((last, late)) if *last == kind => late.push_str(text),
            _ => self.late.push((kind, text.to_owned())),
        }
    }

    /// Tells calls in the order in which they began: of the first that is not
    /// complete what is there, of those after it nothing.
    fn tell_calls(&mut self, frame: &mut BytesMut) {
        while let Some(call) = self.calls.get(self.told) {
            if call.name.is_empty() {
                return;
            }
            self.open.call(call, frame);
            // One without arguments may still get some, so it is not complete.
            if self.told + 1 == self.calls.len() || !call.is_closed() {
                return;
            }
            self.close_call(frame);
        }
    }

    fn close_call(&mut self, frame: &mut BytesMut) {
        self.open.close(frame);
        self.told += 1;
    }

    /// Tells the calls that are left, now that no more of them can come.
    fn tell_last_calls(&mut self, frame: &mut BytesMut) {
        while let Some(call) = self.calls.get(self.told) {
            // Half a call must not be carried out; what is told of it already says
            // so itself.
            if call.is_readable() || self.open.is_call() {
                self.open.call(call, frame);
                self.close_call(frame);
            } else {
                self.told += 1;
            }
        }
    }

    fn is_overfull(&self) -> bool {
        self.late_bytes > MAX_LATE_BYTES
    }
}

impl Encode for Events {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        self.start(frame);
        let before = frame.len();
        self.figures.note(chunk);
        if let Some(delta) = chunk.choice().map(Choice::delta) {
            self.add(delta, frame);
        }
        self.quiet = if frame.len() > before { 0 } else { self.quiet + 1 };
        if self.quiet == QUIET_CHUNKS {
            self.quiet = 0;
            Event::Ping {}.write(frame);
        }
    }

    fn is_over(&self) -> bool {
        self.is_overfull() || (self.stops.is_over() && self.told == self.calls.len())
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        if self.is_overfull() {
            return Err("the answer says too much beside a call that does not end".to_owned());
        }
        self.start(frame);
        let rest = self.stops.rest();
        self.say(Kind::Text, &rest, frame);
        self.tell_last_calls(frame);
        for (kind, text) in std::mem::take(&mut self.late) {
            self.open.say(kind, &text, frame);
        }
        self.open.close(frame);
        let stop_reason = self.figures.stop_reason(self.open.has_called(), self.stops.is_over());
        let stop_sequence = self.stops.came().filter(|_| stop_reason == "stop_sequence");
        let delta = json!({"stop_reason": stop_reason, "stop_sequence": stop_sequence});
        Event::MessageDelta { delta, usage: self.figures.told() }.write(frame);
        Event::MessageStop {}.write(frame);
        Ok(End::Last)
    }

    fn error(&mut self, message: &str, frame: &mut BytesMut) {
        let body = bodies::anthropic(StatusCode::BAD_GATEWAY, message, self.request);
        sse::event("error", body.to_string().as_bytes(), frame);
    }
}

#[cfg(test)]
mod tests;
