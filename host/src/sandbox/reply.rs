//! One reply of the simulated upstream: what is sent, and how it is delivered.
//!
//! A reply is an answer in parts, a list of steps, an error envelope or a body
//! as it stands. It is written before the request is known: ids, the model and
//! the estimate of tokens are filled in when it is sent. Read `reply/parts.rs`
//! for answers, `reply/fault.rs` for broken ones, `reply/refusal.rs` and
//! `reply/limit.rs` for error statuses, `reply/step.rs` for own sequences.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::sandbox::reply::fault::Fault;
use crate::sandbox::reply::parts::Parts;
use crate::sandbox::reply::step::{Gate, Step};

pub mod fault;
pub mod limit;
pub mod parts;
pub mod refusal;
pub mod step;

/// One reply of the simulated upstream.
///
/// When the request does not ask for a stream, the same reply is folded into
/// one JSON body; raw bytes and comments have no folded form and are left out.
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) form: Form,
    pub(super) delivery: Box<Delivery>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// A well-shaped answer, with at most one fault.
    Parts(Box<Parts>),
    /// A sequence as a test wrote it.
    Steps(Vec<Step>),
    /// A JSON body; `{model}` in its texts becomes the requested model's id.
    Json(Value),
    /// A body sent byte for byte.
    Body { content_type: String, bytes: Bytes },
}

/// How it is sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Delivery {
    pub(super) comments: usize,
    pub(super) comment_after_each: bool,
    pub(super) padding: usize,
    pub(super) crlf: bool,
    pub(super) split: Option<NonZeroUsize>,
    pub(super) first_after: Duration,
    pub(super) pace: Duration,
    pub(super) headers_gate: Option<Gate>,
    pub(super) first_gate: Option<Gate>,
    pub(super) rest_gate: Option<Gate>,
}

impl Reply {
    /// Returns an answer of `text`, streamed word by word.
    pub fn text(text: &str) -> Self {
        Self::chunks(text.split_inclusive(' '))
    }

    /// Returns an answer whose text comes in exactly these chunks.
    pub fn chunks<'a>(chunks: impl IntoIterator<Item = &'a str>) -> Self {
        let text = chunks.into_iter().map(str::to_owned).collect();
        let parts = Parts { text, ..Parts::default() };
        Self::new(200, Form::Parts(Box::new(parts)))
    }

    /// Returns a clean answer without any content: form g of a failed stream.
    pub fn empty() -> Self {
        Self::chunks([]).usage(8, 0)
    }

    /// Returns a stream of exactly these steps; nothing is added at its end.
    pub fn stream(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::new(200, Form::Steps(steps.into_iter().collect()))
    }

    /// Returns a JSON body, streamed request or not.
    ///
    /// `{model}` in its texts becomes the requested model's id.
    pub fn json(status: u16, body: Value) -> Self {
        Self::new(status, Form::Json(body))
    }

    /// Returns a complete answer as one JSON body, even if a stream was asked for.
    pub fn whole(text: &str) -> Self {
        let message = json!({"role": "assistant", "content": text, "refusal": null, "reasoning": null});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": "stop"});
        let usage = json!({"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10, "cost": 0});
        let body = json!({"id": "gen-1", "object": "chat.completion", "created": 1_780_272_000, "model": "{model}",
            "provider": "Sandbox", "choices": [choice], "usage": usage});
        Self::json(200, body)
    }

    /// Returns a body sent byte for byte, streamed request or not.
    pub fn body(status: u16, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        let content_type = content_type.to_owned();
        let bytes = bytes.into();
        Self::new(status, Form::Body { content_type, bytes })
    }

    /// Returns an HTML page, as the network front answers in place of the API.
    pub fn html(status: u16) -> Self {
        let page = format!(
            "<!DOCTYPE html>\n<html><head><title>openrouter.ai | {status}</title></head>\
             <body><h1>Error {status}</h1><p>cloudflare</p></body></html>\n"
        );
        Self::body(status, "text/html; charset=UTF-8", page)
    }

    /// Returns an error envelope; `{model}` stands for the requested model's id.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, json!({"error": {"code": status, "message": message}}))
    }

    /// Returns a call that is accepted and never answered, not even by headers.
    pub fn silent() -> Self {
        Self::chunks([]).headers_after(&Gate::new())
    }

    /// Sets one field of the error object, such as `availability`.
    ///
    /// # Panics
    /// Panics when the reply is no error envelope.
    pub fn error_field(mut self, key: &str, value: Value) -> Self {
        self.error_object().insert(key.to_owned(), value);
        self
    }

    /// Adds these fields to the error's `metadata`.
    ///
    /// # Panics
    /// Panics when the reply is no error envelope, or `fields` no object.
    pub fn metadata(mut self, fields: Value) -> Self {
        let Value::Object(fields) = fields else {
            panic!("metadata takes an object");
        };
        let metadata = self.error_object().entry("metadata").or_insert(json!({}));
        if let Value::Object(metadata) = metadata {
            metadata.extend(fields);
        }
        self
    }

    /// Adds a response header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends `count` comment lines before the first event.
    pub fn comments(mut self, count: usize) -> Self {
        self.delivery.comments = count;
        self
    }

    /// Sends a comment line after each event.
    pub fn comment_after_each(mut self) -> Self {
        self.delivery.comment_after_each = true;
        self
    }

    /// Sends `count` keep-alive lines (newline, nine spaces) before a JSON body.
    pub fn padding(mut self, count: usize) -> Self {
        self.delivery.padding = count;
        self
    }

    /// Ends the lines of the stream with CR LF.
    pub fn crlf(mut self) -> Self {
        self.delivery.crlf = true;
        self
    }

    /// Sends the body in pieces of `bytes` bytes, through lines and characters.
    ///
    /// # Panics
    /// Panics when `bytes` is 0.
    pub fn split_every(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a piece holds at least one byte");
        self.delivery.split = NonZeroUsize::new(bytes);
        self
    }

    /// Waits before the first event.
    pub fn first_after(mut self, wait: Duration) -> Self {
        self.delivery.first_after = wait;
        self
    }

    /// Waits before each event.
    pub fn pace(mut self, wait: Duration) -> Self {
        self.delivery.pace = wait;
        self
    }

    /// Holds even the headers back until `gate` opens.
    pub fn headers_after(mut self, gate: &Gate) -> Self {
        self.delivery.headers_gate = Some(gate.clone());
        self
    }

    /// Holds the first event back until `gate` opens; the headers are sent.
    pub fn gate_first(mut self, gate: &Gate) -> Self {
        self.delivery.first_gate = Some(gate.clone());
        self
    }

    /// Holds all but the first event back until `gate` opens.
    pub fn gate_rest(mut self, gate: &Gate) -> Self {
        self.delivery.rest_gate = Some(gate.clone());
        self
    }

    fn new(status: u16, form: Form) -> Self {
        Self { status, headers: Vec::new(), form, delivery: Box::default() }
    }

    fn error_object(&mut self) -> &mut Map<String, Value> {
        let error = match &mut self.form {
            Form::Json(body) => body.get_mut("error").and_then(Value::as_object_mut),
            Form::Parts(_) | Form::Steps(_) | Form::Body { .. } => None,
        };
        let Some(error) = error else {
            panic!("only an error envelope has an error object");
        };
        error
    }

    fn parts(&mut self) -> &mut Parts {
        let Form::Parts(parts) = &mut self.form else {
            panic!("only an answer made of text or chunks has parts");
        };
        parts
    }

    fn with_fault(mut self, fault: Fault) -> Self {
        self.parts().fault = Some(fault);
        self
    }
}
