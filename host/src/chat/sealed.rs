//! Thinking that its vendor signed or encrypted, kept to be sent back unchanged.
//!
//! In a loop of tool calls some vendors want their thinking back as it came, with
//! the signature; it comes in pieces, to be joined by their index. Thinking that
//! is plain text needs none of this. Pure; what a client is given of it is each
//! face's own business.
//!
//! Outside fact: `reasoning_details` on openrouter.ai/docs, August 2026.

use crate::chat::chunk::ReasoningDetail;

/// Bytes that are kept; thinking that is longer is not sent back.
const MAX_BYTES: usize = 1 << 20;

/// The parts of an answer's thinking while their pieces come in.
#[derive(Debug, Default)]
pub struct Sealed {
    parts: Vec<ReasoningDetail>,
    bytes: usize,
}

impl Sealed {
    /// Adds a piece to the part it belongs to.
    pub fn add(&mut self, piece: &ReasoningDetail) {
        self.bytes = self.bytes.saturating_add(size(piece));
        if self.bytes > MAX_BYTES {
            // What is not whole is worth nothing.
            self.parts.clear();
            return;
        }
        let is_same = |part: &&mut ReasoningDetail| part.index == piece.index && part.kind == piece.kind;
        match self.parts.iter_mut().rfind(is_same).filter(|_| piece.index.is_some()) {
            Some(part) => join(part, piece),
            None => self.parts.push(piece.clone()),
        }
    }

    /// Takes the parts out; none unless one of them is signed or encrypted.
    pub fn take(&mut self) -> Vec<ReasoningDetail> {
        self.bytes = 0;
        let parts = std::mem::take(&mut self.parts);
        if parts.iter().any(is_sealed) { parts } else { Vec::new() }
    }
}

/// Tells whether a piece is worth nothing unless it comes back unchanged.
pub fn is_sealed(piece: &ReasoningDetail) -> bool {
    let is_filled = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    is_filled(&piece.signature) || is_filled(&piece.data)
}

fn join(part: &mut ReasoningDetail, piece: &ReasoningDetail) {
    let grow = |whole: &mut Option<String>, new: &Option<String>| {
        if let Some(new) = new {
            whole.get_or_insert_default().push_str(new);
        }
    };
    grow(&mut part.text, &piece.text);
    grow(&mut part.summary, &piece.summary);
    grow(&mut part.data, &piece.data);
    for (whole, new) in
        [(&mut part.id, &piece.id), (&mut part.format, &piece.format), (&mut part.signature, &piece.signature)]
    {
        if new.is_some() {
            whole.clone_from(new);
        }
    }
}

fn size(piece: &ReasoningDetail) -> usize {
    let texts = [&piece.kind, &piece.id, &piece.format, &piece.text, &piece.summary, &piece.data, &piece.signature];
    64 + texts.into_iter().flatten().map(String::len).sum::<usize>()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn joined(pieces: &[Value]) -> Value {
        let mut sealed = Sealed::default();
        for piece in pieces {
            sealed.add(&serde_json::from_value(piece.clone()).unwrap());
        }
        serde_json::to_value(sealed.take()).unwrap()
    }

    #[test]
    fn signed_thinking_is_joined_by_its_index_and_comes_back_as_it_was() {
        let text =
            |text: &str| json!({"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": 0});
        let signature =
            json!({"type": "reasoning.text", "signature": "abc", "format": "anthropic-claude-v1", "index": 0});
        let secret = json!({"type": "reasoning.encrypted", "data": "x", "id": "call_1", "index": 1});
        let expected = json!([
            {"type": "reasoning.text", "text": "Hm. So.", "format": "anthropic-claude-v1", "index": 0, "signature": "abc"},
            {"type": "reasoning.encrypted", "data": "x", "id": "call_1", "index": 1},
        ]);
        assert_eq!(joined(&[text("Hm. "), text("So."), signature, secret]), expected);
    }

    #[test]
    fn plain_thinking_is_not_kept_and_neither_is_what_is_too_long() {
        let plain = json!({"type": "reasoning.text", "text": "Hm.", "signature": null, "index": 0});
        assert_eq!(joined(&[plain.clone(), plain]), json!([]));
        let long = json!({"type": "reasoning.encrypted", "data": "x".repeat(MAX_BYTES), "index": 0});
        assert_eq!(joined(&[long]), json!([]));
    }

    #[test]
    fn parts_without_an_index_stay_apart() {
        let part = |data: &str| json!({"type": "reasoning.encrypted", "data": data});
        assert_eq!(joined(&[part("a"), part("b")]), json!([part("a"), part("b")]));
    }
}
