//! Chunks as OpenAI's server-sent events.
//!
//! A chunk goes out as it came, but for what clients stumble over: the finish
//! reason is told once, and the usage once, at the end, in a chunk of its own
//! with empty `choices`, and only to clients that asked for it, as OpenAI does.

use axum::http::StatusCode;
use bytes::BytesMut;
use serde_json::{Value, json};

use crate::{
    api::{
        error::bodies,
        sse,
        streaming::{Encode, End},
    },
    chat::chunk::Chunk,
};

/// Writes one answer as events.
pub(super) struct Events {
    with_usage: bool,
    finished: bool,
    /// The last chunk that counted tokens, without its choices.
    usage: Option<Value>,
}

impl Events {
    /// Makes a writer; `with_usage` if the client asked for the usage.
    pub(super) fn new(with_usage: bool) -> Self {
        Self { with_usage, finished: false, usage: None }
    }

    /// Takes the usage out of a chunk, and tells what is left to send.
    fn without_usage(&mut self, chunk: &Chunk) -> Option<Value> {
        let mut piece: Value = serde_json::from_slice(&chunk.raw).ok()?;
        let usage = piece.as_object_mut()?.remove("usage").filter(|usage| !usage.is_null());
        if let Some(usage) = usage {
            let mut last = piece.clone();
            last["choices"] = json!([]);
            last["usage"] = usage;
            self.usage = Some(last);
        }
        Some(piece)
    }
}

impl Encode for Events {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        let finishes = chunk.finish_reason().is_some();
        let repeats = self.finished && finishes && !chunk.has_substance();
        self.finished |= finishes;
        if chunk.usage.is_none() {
            if !repeats {
                sse::data(&chunk.raw, frame);
            }
            return;
        }
        let piece = self.without_usage(chunk);
        if !repeats
            && !chunk.choices.is_empty()
            && let Some(piece) = piece
        {
            sse::data(piece.to_string().as_bytes(), frame);
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        if let Some(usage) = self.usage.take().filter(|_| self.with_usage) {
            sse::data(usage.to_string().as_bytes(), frame);
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn check(with_usage: bool, chunks: &[&'static str], expected: &str) {
        let mut events = Events::new(with_usage);
        let mut frame = BytesMut::new();
        for chunk in chunks {
            events.chunk(&Chunk::parse(Bytes::from_static(chunk.as_bytes())).unwrap(), &mut frame);
        }
        while events.end(&mut frame).unwrap() == End::More {}
        assert_eq!(std::str::from_utf8(&frame).unwrap(), expected);
    }

    const TEXT: &str = r#"{"id":"g","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#;
    const FINISH: &str = r#"{"choices":[{"delta":{"content":""},"finish_reason":"stop"}],"id":"g"}"#;
    const FINISH_WITH_USAGE: &str = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"id":"g","usage":{"prompt_tokens":1,"completion_tokens":2}}"#;

    #[test]
    fn chunks_pass_as_they_came_and_the_second_finish_does_not() {
        let expected = format!("data: {TEXT}\n\ndata: {FINISH}\n\ndata: [DONE]\n\n");
        check(false, &[TEXT, FINISH, FINISH_WITH_USAGE], &expected);
    }

    #[test]
    fn usage_comes_once_at_the_end_for_who_asked() {
        let usage = r#"{"choices":[],"id":"g","usage":{"completion_tokens":2,"prompt_tokens":1}}"#;
        let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"id":"g"}"#;
        let expected = format!("data: {TEXT}\n\ndata: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
        check(true, &[TEXT, FINISH_WITH_USAGE], &expected);
        let own = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2},"id":"g"}"#;
        let expected = format!("data: {TEXT}\n\ndata: {FINISH}\n\ndata: {usage}\n\ndata: [DONE]\n\n");
        check(true, &[TEXT, FINISH, own], &expected);
    }
}
