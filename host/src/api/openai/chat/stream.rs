//! Chunks as OpenAI's server-sent events.
//!
//! A piece in the middle of an answer goes out as it came. Pieces with which
//! clients stumble are mended: the first names the role, all have the same head,
//! thinking has both of its names ([`super::thinking`]), calls are introduced once
//! ([`super::calls`]), one piece tells why the answer ends, and the usage stands in
//! one of its own at the end, for those who asked. Decides nothing about failures.

use std::collections::VecDeque;

use axum::http::StatusCode;
use bytes::BytesMut;
use serde_json::{Map, Value, json};

use crate::{
    api::{
        error::bodies,
        openai::{
            chat::{calls::Calls, thinking::with_content},
            head::Head,
        },
        sse,
        streaming::{Encode, End},
    },
    catalog::ModelId,
    chat::{
        chunk::{Chunk, FinishReason, ThinkingNames, ToolCallDelta},
        thinking,
    },
};

type Object = Map<String, Value>;

/// Writes one answer as events.
pub(super) struct Events {
    with_usage: bool,
    head: Head,
    /// The digests of a piece that has the right head by itself.
    usual: Option<[u64; 4]>,
    has_role: bool,
    calls: Calls,
    /// Why the answer is over, and the piece that says so.
    finish: Option<(FinishReason, Object)>,
    /// The last piece that counted tokens, without its choices.
    usage: Option<Object>,
    /// What is still to be told, once the answer is complete.
    last: Option<VecDeque<Value>>,
}

impl Events {
    /// Makes a writer of an answer by `asked`; `with_usage` if the client asked for
    /// the usage.
    pub(super) fn new(asked: &ModelId, with_usage: bool) -> Self {
        Self {
            with_usage,
            head: Head::new("chat.completion.chunk", "", asked),
            usual: None,
            has_role: false,
            calls: Calls::default(),
            finish: None,
            usage: None,
            last: None,
        }
    }

    /// Appends a piece that needs nothing but another name for its thinking, or
    /// not even that; tells whether it was one.
    fn pass(&mut self, chunk: &Chunk, frame: &mut BytesMut) -> bool {
        let [choice] = &chunk.choices[..] else { return false };
        let is_usual = self.has_role
            && self.usual == Some(chunk.head())
            && chunk.usage.is_none()
            && choice.is_plain()
            && chunk.has_substance()
            && self.calls.go_on(&choice.delta().tool_calls);
        if !is_usual {
            return false;
        }
        match choice.delta().thinking_names() {
            ThinkingNames::None | ThinkingNames::Both => sse::data(&chunk.raw, frame),
            ThinkingNames::FirstAlone => {
                let text = choice.delta().thinking().unwrap_or_default();
                let Some(piece) = with_content(&chunk.raw, text) else { return false };
                sse::data(&piece, frame);
            }
            ThinkingNames::Otherwise => return false,
        }
        true
    }

    /// Reads a piece again and returns what is to be sent of it now; keeps what
    /// belongs to the end.
    fn mended(&mut self, chunk: &Chunk) -> Option<Value> {
        let Ok(Value::Object(mut piece)) = serde_json::from_slice(&chunk.raw) else { return None };
        if self.head.fill(&mut piece) {
            self.usual = Some(chunk.head());
        }
        let choices = piece.remove("choices");
        if let Some(usage) = piece.remove("usage").filter(|usage| !usage.is_null()) {
            let mut last = piece.clone();
            last.insert("choices".to_owned(), json!([]));
            last.insert("usage".to_owned(), usage);
            self.usage = Some(last);
        }
        let Some(Value::Object(mut choice)) = first(choices) else {
            // Without a choice only this says something; the client asked for it.
            if !piece.contains_key("debug") {
                return None;
            }
            piece.insert("choices".to_owned(), json!([]));
            return Some(Value::Object(piece));
        };
        let fragments = chunk.choice().map_or(&[][..], |choice| &choice.delta().tool_calls);
        let mut delta = self.delta(&mut choice, fragments);
        let is_news = delta.iter().any(|(name, value)| name != "role" && says_something(value))
            || choice.get("logprobs").is_some_and(says_something);
        choice.insert("index".to_owned(), json!(0));
        if let Some(reason) = chunk.finish_reason()
            && self.finish.is_none()
        {
            let mut over = choice.clone();
            over.insert("delta".to_owned(), if is_news { json!({}) } else { Value::Object(delta.clone()) });
            if is_news {
                drop(over.remove("logprobs"));
            }
            self.finish = Some((reason, with_choice(piece.clone(), over)));
        }
        if !is_news && self.finish.is_some() {
            return None;
        }
        self.introduce(&mut delta);
        choice.insert("delta".to_owned(), Value::Object(delta));
        choice.insert("finish_reason".to_owned(), Value::Null);
        if chunk.finish_reason().is_some() && choice.contains_key("native_finish_reason") {
            choice.insert("native_finish_reason".to_owned(), Value::Null);
        }
        Some(Value::Object(with_choice(piece, choice)))
    }

    /// Takes the delta out of a choice, as clients need it but for the role.
    fn delta(&mut self, choice: &mut Object, fragments: &[ToolCallDelta]) -> Object {
        let message = choice.remove("message");
        let delta = choice.remove("delta");
        let mut delta = match (message, delta) {
            (Some(Value::Object(delta)), _) | (_, Some(Value::Object(delta))) => delta,
            _ => Map::new(),
        };
        thinking::give_both_names(&mut delta);
        if let Some(Value::Array(calls)) = delta.get_mut("tool_calls") {
            let raw = std::mem::take(calls);
            *calls = raw.iter().zip(fragments).filter_map(|(raw, fragment)| self.calls.mended(fragment, raw)).collect();
        }
        delta
    }

    /// Names the role in the first delta.
    fn introduce(&mut self, delta: &mut Object) {
        if !self.has_role || delta.contains_key("role") {
            delta.insert("role".to_owned(), json!("assistant"));
        }
        self.has_role = true;
    }

    /// Returns what is told after the last chunk: arguments that are missing, why
    /// the answer is over, the usage.
    fn rest(&mut self) -> VecDeque<Value> {
        let mut rest = VecDeque::new();
        let closing = self.calls.closing();
        if !closing.is_empty() {
            let choice = json!({"index": 0, "delta": {"tool_calls": closing}, "finish_reason": null});
            rest.push_back(self.piece_of(choice));
        }
        let (reason, mut piece) = self.finish.take().unwrap_or_else(|| (FinishReason::Stop, self.head.piece()));
        let Some(Value::Object(mut choice)) = first(piece.remove("choices")).or_else(|| Some(json!({"index": 0})))
        else {
            return rest;
        };
        // Some say `stop` of calls too, and clients go by the other word.
        let has_calls = !self.calls.is_empty();
        let reason = if reason == FinishReason::Stop && has_calls { FinishReason::ToolCalls } else { reason };
        let mut delta = match choice.remove("delta") {
            Some(Value::Object(delta)) => delta,
            Some(_) | None => Map::new(),
        };
        if !self.has_role {
            self.introduce(&mut delta);
        }
        choice.insert("delta".to_owned(), Value::Object(delta));
        choice.insert("finish_reason".to_owned(), reason.as_str().into());
        rest.push_back(Value::Object(with_choice(piece, choice)));
        rest.extend(self.usage.take().filter(|_| self.with_usage).map(Value::Object));
        rest
    }

    fn piece_of(&mut self, choice: Value) -> Value {
        let mut piece = self.head.piece();
        piece.insert("choices".to_owned(), Value::Array(vec![choice]));
        Value::Object(piece)
    }
}

impl Encode for Events {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        if !self.pass(chunk, frame)
            && let Some(piece) = self.mended(chunk)
        {
            sse::data(piece.to_string().as_bytes(), frame);
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        let mut last = self.last.take().unwrap_or_else(|| self.rest());
        let next = last.pop_front();
        self.last = Some(last);
        if let Some(piece) = next {
            sse::data(piece.to_string().as_bytes(), frame);
            return Ok(End::More);
        }
        sse::data(b"[DONE]", frame);
        Ok(End::Last)
    }

    fn error(&mut self, message: &str, frame: &mut BytesMut) {
        let body = bodies::openai(StatusCode::BAD_GATEWAY, message, None);
        sse::data(body.to_string().as_bytes(), frame);
    }
}

fn first(choices: Option<Value>) -> Option<Value> {
    match choices {
        Some(Value::Array(choices)) => choices.into_iter().next(),
        Some(_) | None => None,
    }
}

fn with_choice(mut piece: Object, choice: Object) -> Object {
    piece.insert("choices".to_owned(), Value::Array(vec![Value::Object(choice)]));
    piece
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
