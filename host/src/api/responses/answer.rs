//! An answer as it comes: its items, and the events that tell of them.
//!
//! Thinking, words and pictures come one after the other: what begins ends what
//! was open. Calls stay open beside each other to the end, since their fragments
//! may come by turns. How items and the whole end is in [`ends`]; the wire is in
//! [`event`](super::event), what an item looks like in [`items`].
//!
//! Outside fact: the order of events as in "Streaming" of
//! platform.openai.com/docs, November 2026.

mod ends;

use std::sync::Arc;

use bytes::BytesMut;
use serde_json::Value;

use crate::{
    api::{
        responses::{
            convert::Form,
            event::{AnyPart, Event, Teller},
            items::{self, Body, Call, Item, Part, Probability, Reasoning, Status, SummaryText},
            object::Usage,
            recall::Recall,
            thinking,
            tools::Kind,
        },
        streaming::{Encode, End},
    },
    chat::{
        chunk::{Choice, Chunk, Delta, FinishReason, ToolCallDelta},
        fold,
        tools::ToolCalls,
    },
};

/// What is known of an answer before it comes.
pub(super) struct Head {
    /// What makes its ids its own.
    pub(super) seed: u64,
    /// When it began, in seconds since 1970.
    pub(super) created_at: u64,
    /// Tells the time, in the same.
    pub(super) now: fn() -> u64,
    /// Who answers.
    pub(super) model: String,
    /// The tokens of the prompt, about.
    pub(super) prompt_tokens: u32,
    /// What the request says of its answer.
    pub(super) form: Form,
    /// Where its items are kept, if they may be.
    pub(super) recall: Option<Arc<Recall>>,
}

/// An answer, as far as it has come.
pub(super) struct Answer {
    head: Head,
    id: String,
    teller: Teller,
    begun: bool,
    items: Vec<Item>,
    /// The item that thinking or words go on in.
    open: Option<usize>,
    calls: ToolCalls,
    /// The items of the calls, in the order in which those began.
    call_items: Vec<Option<usize>>,
    /// Signed parts of the thinking that came after it.
    late_details: Vec<Value>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
    /// Bytes of all that was thought, said and called.
    told_bytes: usize,
}

impl Answer {
    /// Begins an answer that goes out event by event.
    pub(super) fn streamed(head: Head) -> Self {
        Self::new(head, Teller::Stream(0))
    }

    /// Returns the JSON of the answer that these pieces spell.
    pub(super) fn whole(head: Head, chunks: &[Chunk]) -> String {
        let mut answer = Self::new(head, Teller::Silent);
        let mut unused = BytesMut::new();
        for chunk in chunks {
            answer.chunk(chunk, &mut unused);
        }
        answer.finish(&mut unused).get().to_owned()
    }

    fn new(head: Head, teller: Teller) -> Self {
        Self {
            id: format!("resp_{:016x}", head.seed),
            head,
            teller,
            begun: false,
            items: Vec::new(),
            open: None,
            calls: ToolCalls::default(),
            call_items: Vec::new(),
            late_details: Vec::new(),
            finish: None,
            usage: None,
            told_bytes: 0,
        }
    }

    fn take(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        self.finish = self.finish.or(chunk.finish_reason());
        self.usage = Usage::of(chunk).or(self.usage);
        let Some(choice) = chunk.choice() else { return };
        let delta = choice.delta();
        if !delta.reasoning_details.is_empty() {
            self.keep_details(items::details(&chunk.raw), delta.thinking().is_some(), frame);
        }
        if let Some(thought) = delta.thinking() {
            self.think(thought, frame);
        }
        self.speak(choice, delta, frame);
        for image in &delta.images {
            if let Some(picture) = items::picture(image) {
                let at = self.begin_item("ig", Body::Picture(picture), frame);
                self.close(at, Status::Completed, frame);
            }
        }
        for fragment in &delta.tool_calls {
            self.call(fragment, frame);
        }
    }

    fn speak(&mut self, choice: &Choice, delta: &Delta, frame: &mut BytesMut) {
        if let Some(text) = filled(delta.content.as_ref()) {
            let logprobs = if self.head.form.logprobs { items::probabilities(choice) } else { Vec::new() };
            self.say(text, false, logprobs, frame);
        }
        if let Some(annotations) = &delta.annotations {
            self.annotate(items::annotations(annotations), frame);
        }
        if let Some(text) = filled(delta.refusal.as_ref()) {
            self.say(text, true, Vec::new(), frame);
        }
    }

    /// Keeps the parts of the thinking that go back upstream one day.
    ///
    /// A signature may come while the model speaks already; it must not tear the
    /// message apart.
    fn keep_details(&mut self, details: Vec<Value>, thinks: bool, frame: &mut BytesMut) {
        let at = if thinks { Some(self.reasoning(frame)) } else { self.open };
        let open = at.and_then(|at| self.items.get_mut(at));
        let (list, all) = match open.map(|item| &mut item.body) {
            Some(Body::Reasoning(reasoning)) => (&mut reasoning.details, true),
            _ => (&mut self.late_details, false),
        };
        for detail in details.into_iter().filter(|detail| all || thinking::says_more(detail)) {
            fold::add(list, detail);
        }
    }

    fn think(&mut self, thought: &str, frame: &mut BytesMut) {
        self.told_bytes += thought.len();
        let at = self.reasoning(frame);
        let Some(Item { id, body: Body::Reasoning(reasoning), .. }) = self.items.get_mut(at) else { return };
        let event = || Event { item_id: Some(id), output_index: Some(at), summary_index: Some(0), ..Event::default() };
        if reasoning.text.is_empty() {
            let part = Some(AnyPart::Summary(SummaryText { text: "" }));
            self.teller.tell("response.reasoning_summary_part.added", Event { part, ..event() }, frame);
        }
        let delta = Some(thought);
        self.teller.tell("response.reasoning_summary_text.delta", Event { delta, ..event() }, frame);
        reasoning.text.push_str(thought);
    }

    /// Returns the item that thinking goes on in.
    fn reasoning(&mut self, frame: &mut BytesMut) -> usize {
        match self.open.and_then(|at| Some((at, &self.items.get(at)?.body))) {
            Some((at, Body::Reasoning(_))) => at,
            _ => self.begin_item("rs", Body::Reasoning(Reasoning::default()), frame),
        }
    }

    fn say(&mut self, words: &str, refuses: bool, new: Vec<Probability>, frame: &mut BytesMut) {
        self.told_bytes += words.len();
        let at = self.message(refuses, frame);
        let Some(Item { id, body: Body::Message(parts), .. }) = self.items.get_mut(at) else { return };
        let content_index = Some(parts.len().saturating_sub(1));
        let delta = Some(words);
        let event = Event { item_id: Some(id), output_index: Some(at), content_index, delta, ..Event::default() };
        match parts.last_mut() {
            Some(Part::OutputText { text, logprobs, .. }) => {
                let event = Event { logprobs: Some(&new), ..event };
                self.teller.tell("response.output_text.delta", event, frame);
                text.push_str(words);
                logprobs.extend(new);
            }
            Some(Part::Refusal { refusal }) => {
                self.teller.tell("response.refusal.delta", event, frame);
                refusal.push_str(words);
            }
            None => {}
        }
    }

    /// Returns the item that words go on in, with a part for them at its end.
    fn message(&mut self, refuses: bool, frame: &mut BytesMut) -> usize {
        let at = match self.open.and_then(|at| Some((at, &self.items.get(at)?.body))) {
            Some((at, Body::Message(_))) => at,
            _ => self.begin_item("msg", Body::Message(Vec::new()), frame),
        };
        let Some(Item { id, body: Body::Message(parts), .. }) = self.items.get_mut(at) else { return at };
        match (parts.last(), refuses) {
            (Some(Part::OutputText { .. }), false) | (Some(Part::Refusal { .. }), true) => return at,
            (Some(_), _) => ends::end_part(&mut self.teller, (id, at), parts, frame),
            (None, _) => {}
        }
        parts.push(if refuses { Part::refusal() } else { Part::text() });
        let event = Event {
            item_id: Some(id),
            output_index: Some(at),
            content_index: Some(parts.len() - 1),
            part: parts.last().map(AnyPart::Content),
            ..Event::default()
        };
        self.teller.tell("response.content_part.added", event, frame);
        at
    }

    fn annotate(&mut self, new: Vec<items::Annotation>, frame: &mut BytesMut) {
        let Some((at, item)) = self.open.and_then(|at| Some((at, self.items.get_mut(at)?))) else { return };
        let Body::Message(parts) = &mut item.body else { return };
        let content_index = Some(parts.len().saturating_sub(1));
        let Some(Part::OutputText { annotations, .. }) = parts.last_mut() else { return };
        for annotation in new {
            let event = Event {
                item_id: Some(&item.id),
                output_index: Some(at),
                content_index,
                annotation_index: Some(annotations.len()),
                annotation: Some(&annotation),
                ..Event::default()
            };
            self.teller.tell("response.output_text.annotation.added", event, frame);
            annotations.push(annotation);
        }
    }

    fn call(&mut self, fragment: &ToolCallDelta, frame: &mut BytesMut) {
        self.told_bytes += fragment.function.arguments.as_deref().map_or(0, str::len);
        let Some(place) = self.calls.placed(fragment) else { return };
        if self.call_items.len() <= place {
            self.call_items.resize(place + 1, None);
        }
        let known = self.call_items.get(place).copied().flatten();
        let Some(at) = known.or_else(|| self.begin_call(place, frame)) else { return };
        let Some(Item { id, body: Body::Call(call), .. }) = self.items.get_mut(at) else { return };
        let arguments = self.calls.get(place).map(|call| call.arguments.as_str()).unwrap_or_default();
        let new = arguments.get(call.told..).unwrap_or_default();
        // A custom tool's input stands inside the arguments: it is told at the end.
        if !new.is_empty() && call.tool.kind == Kind::Function {
            let (item_id, output_index, delta) = (Some(id.as_str()), Some(at), Some(new));
            let event = Event { item_id, output_index, delta, ..Event::default() };
            self.teller.tell("response.function_call_arguments.delta", event, frame);
            call.told = arguments.len();
        }
    }

    /// Begins the item of a call, once its name is known.
    fn begin_call(&mut self, place: usize, frame: &mut BytesMut) -> Option<usize> {
        let call = self.calls.get(place).filter(|call| !call.name.is_empty())?;
        let tool = self.head.form.tools.called(&call.name);
        let is_taken =
            |id: &str| self.items.iter().any(|item| matches!(&item.body, Body::Call(earlier) if earlier.id == id));
        let call_id = if call.id.is_empty() || is_taken(&call.id) {
            format!("call_{:016x}{:04x}", self.head.seed, place)
        } else {
            call.id.clone()
        };
        let prefix = match tool.kind {
            Kind::Function => "fc",
            Kind::Custom => "ctc",
        };
        let body = Body::Call(Call { tool, id: call_id, arguments: String::new(), place, told: 0 });
        let at = self.begin_item(prefix, body, frame);
        // Nothing goes on in it but its own fragments.
        self.open = None;
        *self.call_items.get_mut(place)? = Some(at);
        Some(at)
    }

    /// Ends what is open, and begins an item after it.
    fn begin_item(&mut self, prefix: &str, body: Body, frame: &mut BytesMut) -> usize {
        self.close_open(Status::Completed, frame);
        let at = self.items.len();
        let id = format!("{prefix}_{:016x}{at:04x}", self.head.seed);
        let item = Item { id, status: Status::InProgress, body };
        let event = Event { output_index: Some(at), item: Some(item.view()), ..Event::default() };
        self.teller.tell("response.output_item.added", event, frame);
        self.items.push(item);
        self.open = Some(at);
        at
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

impl Encode for Answer {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        self.begin(frame);
        self.take(chunk, frame);
    }

    fn is_over(&self) -> bool {
        false
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        self.finish(frame);
        Ok(End::Last)
    }

    fn error(&mut self, message: &str, frame: &mut BytesMut) {
        self.fail(message, frame);
    }
}

#[cfg(test)]
mod tests;
