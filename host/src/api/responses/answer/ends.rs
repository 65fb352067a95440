//! How items end, and the answer: complete, cut, or broken off.
//!
//! The object of the whole is written here, three times in a stream. Knows
//! nothing of chunks.

use bytes::BytesMut;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::{
    api::responses::{
        answer::Answer,
        event::{AnyPart, Event, Teller},
        items::{Body, Call, Item, Part, Reasoning, Status},
        object::{Object, State, Usage},
        tools::{self, Kind},
    },
    chat::{BYTES_PER_TOKEN, chunk::FinishReason},
};

impl Answer {
    /// Tells that the answer begins, unless it has.
    pub(super) fn begin(&mut self, frame: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) || matches!(self.teller, Teller::Silent) {
            return;
        }
        let object = self.object(State::InProgress, None, None);
        for kind in ["response.created", "response.in_progress"] {
            self.teller.tell(kind, Event { response: Some(&object), ..Event::default() }, frame);
        }
    }

    /// Ends what is open and the answer, and returns its object.
    pub(super) fn finish(&mut self, frame: &mut BytesMut) -> Box<RawValue> {
        self.begin(frame);
        let state = match self.finish {
            Some(FinishReason::Length) => State::Incomplete("max_output_tokens"),
            Some(FinishReason::ContentFilter) => State::Incomplete("content_filter"),
            Some(FinishReason::Error | FinishReason::Stop | FinishReason::ToolCalls) | None => State::Completed,
        };
        let (status, kind, completed_at) = match state {
            State::Completed => (Status::Completed, "response.completed", Some((self.head.now)())),
            State::Incomplete(_) | State::InProgress | State::Failed(_) => {
                (Status::Incomplete, "response.incomplete", None)
            }
        };
        self.close_open(status, frame);
        if !self.late_details.is_empty() {
            let details = std::mem::take(&mut self.late_details);
            let late = Reasoning { details, ..Reasoning::default() };
            self.begin_item("rs", Body::Reasoning(late), frame);
        }
        for at in 0..self.items.len() {
            self.close(at, status, frame);
        }
        self.remember();
        let object = self.object(state, completed_at, Some(self.counted()));
        self.teller.tell(kind, Event { response: Some(&object), ..Event::default() }, frame);
        object
    }

    /// Keeps what clients may name instead of sending it back: words and thinking.
    fn remember(&self) {
        let Some(recall) = &self.head.recall else { return };
        let named = self.items.iter().filter(|item| matches!(item.body, Body::Message(_) | Body::Reasoning(_)));
        for item in named {
            if let Ok(json) = serde_json::to_string(&item.view()) {
                recall.keep(&item.id, &json);
            }
        }
    }

    /// Tells that the answer broke off, with all that came of it.
    pub(super) fn fail(&mut self, message: &str, frame: &mut BytesMut) {
        self.begin(frame);
        for item in self.items.iter_mut().filter(|item| item.status == Status::InProgress) {
            item.status = Status::Incomplete;
            if let Body::Call(call) = &mut item.body {
                call.arguments = self.calls.get(call.place).map(|call| call.arguments.clone()).unwrap_or_default();
            }
        }
        let object = self.object(State::Failed(message), None, self.usage);
        self.teller.tell("response.failed", Event { response: Some(&object), ..Event::default() }, frame);
    }

    /// Ends the item that thinking or words went on in.
    pub(super) fn close_open(&mut self, status: Status, frame: &mut BytesMut) {
        if let Some(at) = self.open.take() {
            self.close(at, status, frame);
        }
    }

    /// Ends an item, unless it has ended.
    pub(super) fn close(&mut self, at: usize, status: Status, frame: &mut BytesMut) {
        let Some(item) = self.items.get_mut(at).filter(|item| item.status == Status::InProgress) else { return };
        item.status = status;
        let id = item.id.as_str();
        match &mut item.body {
            Body::Reasoning(reasoning) => end_reasoning(&mut self.teller, (id, at), reasoning, frame),
            Body::Message(parts) => end_part(&mut self.teller, (id, at), parts, frame),
            Body::Call(call) => {
                let arguments = self.calls.get(call.place).map(|call| call.arguments.as_str()).unwrap_or_default();
                item.status = end_call(&mut self.teller, (id, at), call, (arguments, status), frame);
            }
            Body::Picture(_) => {}
        }
        let event = Event { output_index: Some(at), item: Some(item.view()), ..Event::default() };
        self.teller.tell("response.output_item.done", event, frame);
    }

    fn object(&self, state: State<'_>, completed_at: Option<u64>, usage: Option<Usage>) -> Box<RawValue> {
        let object = Object {
            id: &self.id,
            created_at: self.head.created_at,
            completed_at,
            state,
            model: &self.head.model,
            output: self.items.iter().map(Item::view).collect(),
            usage,
        };
        object.json(&self.head.form.echo)
    }

    /// Returns the tokens that the upstream counted, or else about how many they
    /// are: clients want figures.
    fn counted(&self) -> Usage {
        let written = || self.told_bytes.div_ceil(BYTES_PER_TOKEN) as u64;
        self.usage.unwrap_or_else(|| Usage::new(u64::from(self.head.prompt_tokens), written()))
    }
}

/// Tells that the thinking ended, and seals it.
fn end_reasoning(teller: &mut Teller, (id, at): (&str, usize), reasoning: &mut Reasoning, frame: &mut BytesMut) {
    reasoning.seal();
    let event = || Event { item_id: Some(id), output_index: Some(at), summary_index: Some(0), ..Event::default() };
    if let Some(summary) = reasoning.summary() {
        let text = Some(summary.text);
        teller.tell("response.reasoning_summary_text.done", Event { text, ..event() }, frame);
        let part = Some(AnyPart::Summary(summary));
        teller.tell("response.reasoning_summary_part.done", Event { part, ..event() }, frame);
    }
}

/// Tells that the last part of a message ended.
pub(super) fn end_part(teller: &mut Teller, (id, at): (&str, usize), parts: &[Part], frame: &mut BytesMut) {
    let Some(part) = parts.last() else { return };
    let content_index = Some(parts.len() - 1);
    let event = || Event { item_id: Some(id), output_index: Some(at), content_index, ..Event::default() };
    match part {
        Part::OutputText { text, logprobs, .. } => {
            let event = Event { text: Some(text), logprobs: Some(logprobs), ..event() };
            teller.tell("response.output_text.done", event, frame);
        }
        Part::Refusal { refusal } => {
            teller.tell("response.refusal.done", Event { refusal: Some(refusal), ..event() }, frame);
        }
    }
    let part = Some(AnyPart::Content(part));
    teller.tell("response.content_part.done", Event { part, ..event() }, frame);
}

/// Tells that a call ended, and returns how it stands: one that is whole is so
/// even in an answer that was cut after it.
fn end_call(
    teller: &mut Teller,
    (id, at): (&str, usize),
    call: &mut Call,
    (arguments, status): (&str, Status),
    frame: &mut BytesMut,
) -> Status {
    arguments.clone_into(&mut call.arguments);
    let is_whole = serde_json::from_str::<IgnoredAny>(arguments).is_ok();
    let status = if is_whole { Status::Completed } else { status };
    let event = || Event { item_id: Some(id), output_index: Some(at), ..Event::default() };
    match call.tool.kind {
        Kind::Function => {
            // No arguments at all are an empty object, which clients can read.
            if arguments.trim().is_empty() && status == Status::Completed {
                call.arguments.push_str("{}");
                let delta = Some("{}");
                teller.tell("response.function_call_arguments.delta", Event { delta, ..event() }, frame);
            }
            let arguments = Some(call.arguments.as_str());
            teller.tell("response.function_call_arguments.done", Event { arguments, ..event() }, frame);
        }
        Kind::Custom => {
            let input = tools::input(&call.arguments);
            if !input.is_empty() {
                let delta = Some(&*input);
                teller.tell("response.custom_tool_call_input.delta", Event { delta, ..event() }, frame);
            }
            teller.tell("response.custom_tool_call_input.done", Event { input: Some(&input), ..event() }, frame);
        }
    }
    status
}
