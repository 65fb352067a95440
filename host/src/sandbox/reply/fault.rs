//! Answers that break: every way a stream with status 200 can fail.
//!
//! The letters are those of the host's table of upstream failures: a, b before
//! any token, c to g after some. Asked without a stream, the same replies are
//! the error bodies inside a 200. Error statuses are in `reply/refusal.rs` and
//! `reply/limit.rs`.

use serde_json::{Value, json};

use crate::sandbox::reply::Reply;
use crate::sandbox::reply::step::{Step, choice};

/// How an answer breaks once its parts are sent.
#[derive(Clone, Debug)]
pub(in crate::sandbox) enum Fault {
    ErrorChoice(Value),
    ErrorEmptyChoices(Value),
    Malformed,
    ErrorAfterFinish(Value),
    NoFinish,
    NoDone,
    Hang,
    Cut,
}

impl Reply {
    /// Returns form a: the only event is an error, without id or choices.
    ///
    /// `code` is a number, a numeric text or a word: all three were seen.
    pub fn error_event(code: impl Into<Value>, message: &str) -> Self {
        let error = json!({"code": code.into(), "message": message});
        let event = json!({"error": error, "user_id": "user_sandbox"});
        Self::stream([Step::Data(event)])
    }

    /// Returns form b before any token: a chunk without choices but an error.
    pub fn error_chunk(code: impl Into<Value>, message: &str) -> Self {
        Self::chunks([]).then_error_chunk(code, message)
    }

    /// Breaks with form b: a chunk without choices but an error, and no end.
    pub fn then_error_chunk(self, code: impl Into<Value>, message: &str) -> Self {
        self.with_fault(Fault::ErrorEmptyChoices(error(code, message)))
    }

    /// Breaks with form c: `finish_reason: "error"` beside an error object.
    pub fn then_error(self, code: impl Into<Value>, message: &str) -> Self {
        self.with_fault(Fault::ErrorChoice(error(code, message)))
    }

    /// Breaks with form d: `finish_reason: "error"` and no error object.
    pub fn then_malformed(self) -> Self {
        self.with_fault(Fault::Malformed)
    }

    /// Adds form e: an error after the finish; the answer itself is complete.
    pub fn then_late_error(self, code: impl Into<Value>, message: &str) -> Self {
        self.with_fault(Fault::ErrorAfterFinish(error(code, message)))
    }

    /// Breaks with form f: the stream ends without finish and `[DONE]`.
    pub fn without_finish(self) -> Self {
        self.with_fault(Fault::NoFinish)
    }

    /// Ends with finish and usage but without `[DONE]`.
    pub fn without_done(self) -> Self {
        self.with_fault(Fault::NoDone)
    }

    /// Sends nothing more after the parts and keeps the connection open.
    pub fn then_hang(self) -> Self {
        self.with_fault(Fault::Hang)
    }

    /// Breaks the connection off after the parts: the body has no end.
    ///
    /// Asked without a stream, half of the JSON body is sent before the cut.
    pub fn then_cut(self) -> Self {
        self.with_fault(Fault::Cut)
    }
}

/// Returns the chunk of form c.
pub(super) fn error_choice(error: &Value) -> Step {
    let choices = [choice(&json!({"role": "assistant", "content": ""}), Some("error"))];
    Step::Data(json!({"choices": choices, "error": error}))
}

/// Returns the chunk of form b.
pub(super) fn error_chunk(error: &Value) -> Step {
    Step::Data(json!({"choices": [], "error": error}))
}

/// Returns the chunk of form d, as one provider sends it for a broken tool call.
pub(super) fn malformed() -> Step {
    let mut choice = choice(&json!({"role": "assistant", "content": ""}), Some("error"));
    choice["native_finish_reason"] = json!("MALFORMED_FUNCTION_CALL");
    Step::Data(json!({"choices": [choice]}))
}

fn error(code: impl Into<Value>, message: &str) -> Value {
    json!({
        "code": code.into(),
        "message": message,
        "metadata": {"error_type": "provider_unavailable"},
    })
}
