//! Notices an answer that says the same again and again without end.
//!
//! Free models fall into this: one token, or a phrase of a few, up to the limit
//! of tokens. Compares each piece with those up to sixteen before it: no text is
//! kept, and a piece costs some comparisons. Decides nothing about what follows.

use crate::chat::chunk::{Chunk, Delta};

/// The longest phrase that is noticed, in pieces.
const LONGEST: usize = 16;

/// Counts repetitions in the pieces of one answer.
#[derive(Debug)]
pub struct Repeats {
    /// As many repeated pieces in a row are too many; 0 allows any number.
    limit: u32,
    /// The hashes of the last pieces; the place of the next one is `seen` modulo their number.
    last: [u64; LONGEST],
    seen: usize,
    /// For each length of a phrase, how many pieces in a row equalled the one
    /// that length before.
    runs: [u32; LONGEST],
}

impl Repeats {
    /// Makes a counter.
    pub fn new(limit: u32) -> Self {
        Self { limit, last: [0; LONGEST], seen: 0, runs: [0; LONGEST] }
    }

    /// Looks at the next chunk, and tells whether the answer goes round in circles.
    pub fn add(&mut self, chunk: &Chunk) -> bool {
        let Some(choice) = chunk.choice().filter(|_| self.limit > 0) else { return false };
        let mut endless = false;
        for piece in pieces(choice.delta()) {
            endless |= self.piece(piece);
        }
        endless
    }

    fn piece(&mut self, piece: &str) -> bool {
        let hash = hash(piece);
        let mut longest_run = 0;
        for (place, run) in self.runs.iter_mut().enumerate() {
            let length = place + 1;
            let repeats = self.seen >= length && self.last[(self.seen - length) % LONGEST] == hash;
            *run = if repeats { run.saturating_add(1) } else { 0 };
            longest_run = longest_run.max(*run);
        }
        self.last[self.seen % LONGEST] = hash;
        self.seen += 1;
        longest_run >= self.limit
    }
}

/// The texts of a delta, whatever they are for.
fn pieces(delta: &Delta) -> impl Iterator<Item = &str> {
    let arguments = delta.tool_calls.iter().filter_map(|call| call.function.arguments.as_deref());
    delta.text().into_iter().chain(delta.thinking()).chain(arguments).filter(|text| !text.is_empty())
}

/// FNV-1a: pieces are a few bytes long, and nobody gains by a collision.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns how many of these pieces are let through, up to all of them.
    fn passed<'a>(limit: u32, pieces: impl IntoIterator<Item = &'a str>) -> usize {
        let mut repeats = Repeats::new(limit);
        let chunk = |piece: &str| {
            let json = json!({"choices": [{"delta": {"content": piece}}]});
            Chunk::parse(json.to_string().into()).unwrap()
        };
        pieces.into_iter().take_while(|piece| !repeats.add(&chunk(piece))).count()
    }

    #[test]
    fn one_token_or_a_phrase_without_end_is_noticed() {
        let cases: [&[&str]; 4] =
            [&["<pad>"], &["I", " am", " sorry", "."], &["a", "a", "b"], &["0123456789abcdef"; 1]];
        for cycle in cases {
            let endless = ["Well", ", "].iter().chain(cycle.iter().cycle().take(10_000)).copied();
            let count = passed(100, endless);
            assert_eq!(count, 2 + cycle.len() + 99, "{cycle:?}");
        }
        let letters: Vec<String> = ('a'..='p').map(String::from).collect();
        let longest = letters.iter().map(String::as_str).cycle().take(1_000);
        assert_eq!(passed(100, longest), 16 + 99);
    }

    #[test]
    fn what_changes_or_ends_in_time_passes() {
        let numbers: Vec<String> = (0..2_000).map(|number| number.to_string()).collect();
        assert_eq!(passed(100, numbers.iter().map(String::as_str)), 2_000);
        let lines = ["-"; 100].into_iter().chain(["x"]).cycle().take(2_000);
        assert_eq!(passed(100, lines), 2_000);
        assert_eq!(passed(0, ["<pad>"; 900]), 900);
        assert_eq!(passed(100, [""; 900]), 900);
    }

    #[test]
    fn thinking_and_arguments_are_looked_at_too() {
        let think = json!({"choices": [{"delta": {"content": "", "reasoning": "hm "}}]});
        let call = json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "\\n"}}]}}]});
        for json in [think, call] {
            let chunk = Chunk::parse(json.to_string().into()).unwrap();
            let mut repeats = Repeats::new(10);
            assert_eq!((0..20).position(|_| repeats.add(&chunk)), Some(10), "{json}");
        }
    }
}
