//! Durations and counts of a reply, for its last line.
//!
//! Durations are measured: the whole, the time to the first token, and the
//! rest. Counts are the upstream's; a reply that tells none is estimated from
//! its length, since clients need a figure above zero. All are in Ollama's
//! units, nanoseconds and tokens, and at least 1: Ollama leaves zeros out, and
//! clients divide by them. Knows no form of a line.

use std::{fmt::Write as _, time::Duration};

use bytes::BytesMut;

use crate::chat::{
    BYTES_PER_TOKEN,
    chunk::{Choice, Chunk, FinishReason, Usage},
};

/// No model is loaded here, but some clients want a figure.
const LOAD_NS: u64 = 1;

/// What has been noted of a reply so far.
#[derive(Debug)]
pub(super) struct Figures {
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    first_token: Option<Duration>,
    text_bytes: u64,
    prompt_tokens: u32,
}

impl Figures {
    /// Begins with an estimate of the prompt's tokens.
    pub(super) fn new(prompt_tokens: u32) -> Self {
        Self { usage: None, finish: None, first_token: None, text_bytes: 0, prompt_tokens }
    }

    /// Notes what a piece says: the first reason to end, the last counts.
    pub(super) fn note(&mut self, chunk: &Chunk, elapsed: Duration) {
        self.usage = chunk.usage.or(self.usage);
        self.finish = self.finish.or(chunk.finish_reason());
        if chunk.has_substance() {
            self.first_token.get_or_insert(elapsed);
        }
        if let Some(delta) = chunk.choice().map(Choice::delta) {
            let texts = [delta.text(), delta.thinking()];
            let arguments = delta.tool_calls.iter().map(|call| call.function.arguments.as_deref());
            let bytes: usize = texts.into_iter().chain(arguments).flatten().map(str::len).sum();
            self.text_bytes += bytes as u64;
        }
    }

    /// Writes why it ended and all figures, each with a comma before it.
    pub(super) fn write(&self, elapsed: Duration, out: &mut BytesMut) {
        let reason = match self.finish {
            Some(FinishReason::Length) => "length",
            // Ollama has no other words, and ends tool calls with `stop` too.
            Some(FinishReason::ContentFilter | FinishReason::Error | FinishReason::Stop | FinishReason::ToolCalls)
            | None => "stop",
        };
        let first = self.first_token.unwrap_or(elapsed);
        let counted = |count: fn(&Usage) -> u64| self.usage.as_ref().map(count).filter(|count| *count > 0);
        let prompt = counted(|usage| usage.prompt_tokens).unwrap_or(u64::from(self.prompt_tokens)).max(1);
        let answer = counted(|usage| usage.completion_tokens)
            .unwrap_or_else(|| self.text_bytes.div_ceil(BYTES_PER_TOKEN as u64))
            .max(1);
        // Writing to memory cannot fail.
        write!(
            out,
            ",\"done_reason\":\"{reason}\",\"total_duration\":{},\"load_duration\":{LOAD_NS},\
             \"prompt_eval_count\":{prompt},\"prompt_eval_duration\":{},\"eval_count\":{answer},\"eval_duration\":{}",
            nanoseconds(elapsed),
            nanoseconds(first),
            nanoseconds(elapsed.saturating_sub(first)),
        )
        .ok();
    }
}

/// Returns a duration in nanoseconds, at least 1.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX).max(1)
}
