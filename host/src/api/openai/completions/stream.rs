//! A completion as server-sent events.
//!
//! Each piece of text is one; why the answer is over stands in the last, and the
//! usage in one without choices, for who asked.

use axum::http::StatusCode;
use bytes::BytesMut;
use serde_json::Value;

use crate::{
    api::{
        error::bodies,
        openai::completions::pieces::{Piece, Pieces},
        sse,
        streaming::{Encode, End},
    },
    chat::chunk::Chunk,
};

/// Writes one answer as events.
pub(super) struct Events {
    pieces: Pieces,
    with_usage: bool,
    next: Next,
}

/// What is told when no more chunks come.
#[derive(Clone, Copy)]
enum Next {
    Reason,
    Usage,
    Done,
}

impl Events {
    /// Makes a writer; `with_usage` if the client asked for the usage.
    pub(super) fn new(pieces: Pieces, with_usage: bool) -> Self {
        Self { pieces, with_usage, next: Next::Reason }
    }
}

fn send(piece: &Value, frame: &mut BytesMut) {
    sse::data(piece.to_string().as_bytes(), frame);
}

impl Encode for Events {
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut) {
        let Some(Piece { mut text, logprobs }) = self.pieces.of(chunk) else { return };
        text.insert_str(0, &self.pieces.echo());
        send(&self.pieces.body(&text, &logprobs, None), frame);
    }

    fn is_over(&self) -> bool {
        false
    }

    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String> {
        match self.next {
            Next::Reason => {
                let text = self.pieces.echo();
                let reason = self.pieces.reason();
                send(&self.pieces.body(&text, &Value::Null, Some(reason)), frame);
                self.next = Next::Usage;
                Ok(End::More)
            }
            Next::Usage => {
                self.next = Next::Done;
                let usage = self.pieces.usage();
                if !self.with_usage || usage.is_null() {
                    return self.end(frame);
                }
                let mut piece = self.pieces.with_choices(Vec::new());
                piece["usage"] = usage;
                send(&piece, frame);
                Ok(End::More)
            }
            Next::Done => {
                sse::data(b"[DONE]", frame);
                Ok(End::Last)
            }
        }
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
    use serde_json::json;

    use super::*;
    use crate::{api::openai::completions::Wanted, catalog::ModelId};

    fn told(wanted: Wanted, with_usage: bool, chunks: &[Value]) -> Vec<Value> {
        let pieces = Pieces::new(&ModelId::parse("a/b:free").unwrap(), wanted);
        let mut events = Events::new(pieces, with_usage);
        let mut frame = BytesMut::new();
        for chunk in chunks {
            events.chunk(&Chunk::parse(Bytes::from(chunk.to_string())).unwrap(), &mut frame);
        }
        while events.end(&mut frame).unwrap() == End::More {}
        let text = String::from_utf8(frame.to_vec()).unwrap();
        let data = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| json!(data))).collect()
    }

    fn chunk(delta: &Value, reason: Option<&str>) -> Value {
        json!({"id": "g", "object": "chat.completion.chunk", "created": 7, "model": "m",
               "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    }

    fn piece(choices: &Value) -> Value {
        json!({"id": "cmpl-g", "object": "text_completion", "created": 7, "model": "m", "choices": choices})
    }

    fn text(text: &str, reason: Option<&str>) -> Value {
        piece(&json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]))
    }

    #[test]
    fn the_text_is_told_and_the_thinking_is_not() {
        let mut usage = chunk(&json!({"content": ""}), Some("length"));
        usage["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
        let chunks = [
            chunk(&json!({"role": "assistant", "content": "", "reasoning": "Hm"}), None),
            chunk(&json!({"content": "Hi"}), None),
            chunk(&json!({"content": " you"}), Some("length")),
            usage,
        ];
        let expected = [text("Hi", None), text(" you", None), text("", Some("length")), json!("[DONE]")];
        assert_eq!(told(Wanted::default(), false, &chunks), expected);
        let mut last = piece(&json!([]));
        last["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
        let [first, second, third, done] = expected;
        assert_eq!(told(Wanted::default(), true, &chunks), [first, second, third, last, done]);
    }

    #[test]
    fn the_prompt_is_told_once_before_the_answer() {
        let wanted = || Wanted { echo: Some("Say: ".to_owned()), logprobs: None };
        let chunks = [chunk(&json!({"content": "Hi"}), None), chunk(&json!({"content": "!"}), Some("stop"))];
        let expected = [text("Say: Hi", None), text("!", None), text("", Some("stop")), json!("[DONE]")];
        assert_eq!(told(wanted(), false, &chunks), expected);
        let nothing = [chunk(&json!({}), Some("content_filter"))];
        assert_eq!(told(wanted(), false, &nothing), [text("Say: ", Some("content_filter")), json!("[DONE]")]);
    }
}
