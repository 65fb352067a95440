//! What an answer says of itself: why it ended, and how many tokens it took.
//!
//! The same for a stream and for a whole answer. Figures that the upstream leaves
//! out are estimated, for clients count on them.

use serde::Serialize;

use crate::chat::{
    BYTES_PER_TOKEN,
    chunk::{Choice, Chunk, FinishReason, Usage},
};

/// Notes what the chunks of an answer say of it.
#[derive(Debug)]
pub(super) struct Figures {
    /// Tokens of the prompt, estimated.
    prompt_tokens: u64,
    usage: Option<Usage>,
    reason: Option<FinishReason>,
    /// Bytes of text, thinking and arguments so far.
    bytes: usize,
}

/// The tokens of an answer, as Anthropic counts them.
#[expect(clippy::struct_field_names, reason = "the names of the protocol")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Told {
    /// Those of the prompt that were not remembered.
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

impl Figures {
    /// Begins with an estimate of the prompt.
    pub(super) fn new(prompt_tokens: u32) -> Self {
        Self { prompt_tokens: prompt_tokens.max(1).into(), usage: None, reason: None, bytes: 0 }
    }

    /// Notes what a chunk says.
    pub(super) fn note(&mut self, chunk: &Chunk) {
        self.usage = chunk.usage.or(self.usage);
        self.reason = self.reason.or(chunk.finish_reason());
        let Some(delta) = chunk.choice().map(Choice::delta) else { return };
        let texts = [delta.text(), delta.thinking()];
        let arguments = delta.tool_calls.iter().map(|fragment| fragment.function.arguments.as_deref());
        let bytes: usize = texts.into_iter().chain(arguments).flatten().map(str::len).sum();
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns the tokens so far.
    pub(super) fn told(&self) -> Told {
        let usage = self.usage.unwrap_or_default();
        let cached = usage.prompt_tokens_details;
        let prompt = if usage.prompt_tokens == 0 { self.prompt_tokens } else { usage.prompt_tokens };
        let counted = (usage.completion_tokens > 0).then_some(usage.completion_tokens);
        Told {
            input_tokens: prompt.saturating_sub(cached.cached_tokens).saturating_sub(cached.cache_write_tokens),
            cache_creation_input_tokens: cached.cache_write_tokens,
            cache_read_input_tokens: cached.cached_tokens,
            output_tokens: counted.unwrap_or(self.bytes.div_ceil(BYTES_PER_TOKEN) as u64),
        }
    }

    /// Returns why the answer ended; `calls` if it calls a tool, `stopped` if it was
    /// ended here, at a text that the client named.
    pub(super) fn stop_reason(&self, calls: bool, stopped: bool) -> &'static str {
        match self.reason {
            _ if stopped && !calls => "stop_sequence",
            Some(FinishReason::Length) => "max_tokens",
            Some(FinishReason::ContentFilter) => "refusal",
            _ if calls => "tool_use",
            _ => "end_turn",
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    fn figures(chunks: &[Value]) -> Figures {
        let mut figures = Figures::new(7);
        for chunk in chunks {
            figures.note(&Chunk::parse(Bytes::from(chunk.to_string())).unwrap());
        }
        figures
    }

    fn told(chunks: &[Value]) -> [u64; 4] {
        let told = figures(chunks).told();
        [told.input_tokens, told.cache_creation_input_tokens, told.cache_read_input_tokens, told.output_tokens]
    }

    #[test]
    fn tokens_are_the_upstreams_or_else_estimated() {
        let text = json!({"choices": [{"delta": {"content": "12345", "reasoning": "678"}}]});
        let usage = |usage: Value| json!({"choices": [], "usage": usage});
        assert_eq!(told(std::slice::from_ref(&text)), [7, 0, 0, 2]);
        assert_eq!(told(&[text.clone(), usage(json!({"prompt_tokens": 11, "completion_tokens": 3}))]), [11, 0, 0, 3]);
        assert_eq!(told(&[text, usage(json!({"prompt_tokens": null, "prompt_tokens_details": null}))]), [7, 0, 0, 2]);
        let cached = json!({"prompt_tokens": 100, "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30}});
        assert_eq!(told(&[usage(cached)]), [10, 30, 60, 3]);
    }

    #[test]
    fn the_reason_is_the_upstreams_in_anthropics_words() {
        let rows = [
            (json!("stop"), false, false, "end_turn"),
            (json!("stop"), true, false, "tool_use"),
            (json!("tool_calls"), true, false, "tool_use"),
            (json!("tool_calls"), false, false, "end_turn"),
            (json!("length"), true, false, "max_tokens"),
            (json!("content_filter"), false, false, "refusal"),
            (Value::Null, false, true, "stop_sequence"),
            (json!("stop"), true, true, "tool_use"),
            (Value::Null, false, false, "end_turn"),
        ];
        for (reason, calls, stopped, expected) in rows {
            let figures = figures(&[json!({"choices": [{"delta": {}, "finish_reason": reason}]})]);
            assert_eq!(figures.stop_reason(calls, stopped), expected, "{reason} {calls} {stopped}");
        }
    }
}
