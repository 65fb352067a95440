//! The pieces of a completion, made of those of a chat.
//!
//! A completion is the text alone: thinking is not told, and calls and pictures
//! are never asked for. Knows nothing of how pieces are sent.

use serde_json::{Map, Value, json};

use crate::{
    api::openai::{
        completions::{
            Wanted,
            logprobs::{self, Place},
        },
        head::Head,
    },
    catalog::ModelId,
    chat::chunk::{Chunk, FinishReason},
};

/// What makes pieces of one answer.
pub(super) struct Pieces {
    head: Head,
    wanted: Wanted,
    place: Place,
    reason: Option<FinishReason>,
    usage: Option<Value>,
    has_head: bool,
}

/// One piece.
pub(super) struct Piece {
    /// Its text, which may be empty.
    pub(super) text: String,
    /// What is told of its tokens; `null` if nothing.
    pub(super) logprobs: Value,
}

impl Pieces {
    /// Makes pieces of an answer by `asked`.
    pub(super) fn new(asked: &ModelId, wanted: Wanted) -> Self {
        let head = Head::new("text_completion", "cmpl-", asked);
        Self { head, wanted, place: Place::default(), reason: None, usage: None, has_head: false }
    }

    /// Returns what is told of a chunk, if it has text; keeps what belongs to the
    /// end.
    pub(super) fn of(&mut self, chunk: &Chunk) -> Option<Piece> {
        self.reason = self.reason.or(chunk.finish_reason());
        if !self.has_head || chunk.usage.is_some() {
            self.look_at(chunk);
        }
        let choice = chunk.choice()?;
        let text = choice.delta().text().unwrap_or_default().to_owned();
        let logprobs = match (self.wanted.logprobs, choice.logprobs.as_deref()) {
            (Some(others), Some(raw)) => logprobs::legacy(raw, others, &mut self.place),
            (None, _) | (_, None) => Value::Null,
        };
        (!text.is_empty() || !logprobs.is_null()).then_some(Piece { text, logprobs })
    }

    fn look_at(&mut self, chunk: &Chunk) {
        let Ok(Value::Object(mut piece)) = serde_json::from_slice(&chunk.raw) else { return };
        if let Some(usage) = piece.remove("usage").filter(|usage| !usage.is_null()) {
            self.usage = Some(usage);
        }
        self.head.fill(&mut piece);
        self.has_head = true;
    }

    /// Takes the prompt that is to be told before the answer; empty if none is.
    pub(super) fn echo(&mut self) -> String {
        self.wanted.echo.take().unwrap_or_default()
    }

    /// Takes what was counted; `null` if nothing was.
    pub(super) fn usage(&mut self) -> Value {
        self.usage.take().unwrap_or_default()
    }

    /// Returns why the answer is over, in a word that completions have.
    pub(super) fn reason(&self) -> &'static str {
        match self.reason {
            Some(reason @ (FinishReason::Length | FinishReason::ContentFilter)) => reason.as_str(),
            Some(FinishReason::Error | FinishReason::Stop | FinishReason::ToolCalls) | None => {
                FinishReason::Stop.as_str()
            }
        }
    }

    /// Returns an object with one choice.
    pub(super) fn body(&mut self, text: &str, logprobs: &Value, reason: Option<&str>) -> Value {
        let choice = json!({"text": text, "index": 0, "logprobs": logprobs, "finish_reason": reason});
        self.with_choices(vec![choice])
    }

    /// Returns an object with these choices.
    pub(super) fn with_choices(&mut self, choices: Vec<Value>) -> Value {
        let mut body: Map<String, Value> = self.head.piece();
        body.insert("choices".to_owned(), Value::Array(choices));
        Value::Object(body)
    }
}
