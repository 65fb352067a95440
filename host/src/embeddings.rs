//! Texts and their vectors: a request as the upstream spells it, and its reply.
//!
//! OpenRouter speaks OpenAI's embeddings, and so does this: typed where the
//! router looks, untouched text for all the rest. Each face of the API makes a
//! [`Request`] of its own protocol and reads [`Vectors`] into its own. Knows no
//! face, no model and no network.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::{Fields, chunk::Usage};

/// A request for vectors: what the client sent, but for the model's name.
#[derive(Debug)]
pub struct Request {
    /// The model's name as the client wrote it.
    pub model: String,
    /// Tokens of the longest text, estimated from its length.
    pub input_tokens: u32,
    /// Everything else, as it goes upstream: `input` and what goes with it.
    pub fields: Fields,
}

/// The vectors of one reply, as they came.
#[derive(Debug)]
pub struct Vectors {
    raw: Bytes,
    /// Token counts and cost, if the upstream told them.
    pub usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<Entry<'a>>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow)]
    embedding: &'a RawValue,
}

impl Vectors {
    /// Takes a reply that holds vectors; gives back one that does not.
    pub fn parse(raw: Bytes) -> Result<Self, Bytes> {
        let usage = match serde_json::from_slice::<Body<'_>>(&raw) {
            Ok(body) if !body.data.is_empty() => body.usage,
            Ok(_) | Err(_) => return Err(raw),
        };
        Ok(Self { raw, usage })
    }

    /// Returns the reply as it came: one JSON object.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// Returns the vectors as they came, in the order of the texts; `None` if their
    /// indices are not those of a list.
    ///
    /// Without any index they are in the order in which they came.
    pub fn in_order(&self) -> Option<Vec<&RawValue>> {
        let mut body: Body<'_> = serde_json::from_slice(&self.raw).ok()?;
        if body.data.iter().any(|entry| entry.index.is_some()) {
            body.data.sort_by_key(|entry| entry.index);
            let mut places = (0_u64..).zip(&body.data);
            if !places.all(|(place, entry)| entry.index == Some(place)) {
                return None;
            }
        }
        Some(body.data.into_iter().map(|entry| entry.embedding).collect())
    }

    /// Returns the vectors in the order of the texts; `None` if one of them is no
    /// list of numbers, as when text was asked for.
    pub fn numbers(&self) -> Option<Vec<Vec<f64>>> {
        let mut body: Body<'_> = serde_json::from_slice(&self.raw).ok()?;
        // Stable, so that entries without an index stay as they came.
        body.data.sort_by_key(|entry| entry.index.unwrap_or(u64::MAX));
        body.data.iter().map(|entry| serde_json::from_str(entry.embedding.get()).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(reply: &'static str) -> Result<Vectors, Bytes> {
        Vectors::parse(Bytes::from_static(reply.as_bytes()))
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts() {
        let reply = r#"  {"object":"list","data":[{"index":1,"embedding":[0.5,-1]},{"index":0,"embedding":[2e-3]}],
            "usage":{"prompt_tokens":7,"cost":0}}"#;
        let vectors = parse(reply).ok();
        assert_eq!(vectors.as_ref().and_then(Vectors::numbers), Some(vec![vec![0.002], vec![0.5, -1.0]]));
        assert_eq!(vectors.and_then(|vectors| vectors.usage).map(|usage| usage.prompt_tokens), Some(7));
    }

    #[test]
    fn a_reply_without_vectors_is_given_back() {
        for reply in [r#"{"data":[]}"#, r#"{"error":{"code":429}}"#, r#"{"data":[{"index":0}]}"#, "<html>", ""] {
            assert_eq!(parse(reply).err().as_deref(), Some(reply.as_bytes()), "{reply}");
        }
    }

    #[test]
    fn what_is_no_list_of_numbers_is_none() {
        let numbers = |reply| parse(reply).ok().and_then(|vectors| vectors.numbers());
        assert_eq!(numbers(r#"{"data":[{"embedding":"AACAPw=="}]}"#), None);
        assert_eq!(numbers(r#"{"data":[{"embedding":[1]},{"embedding":[null]}]}"#), None);
    }

    #[test]
    fn vectors_are_ordered_by_their_indices_or_not_at_all() {
        let cases = [
            (r#"{"data":[{"index":1,"embedding":[1]},{"index":0,"embedding":"AA=="}]}"#, Some(vec!["\"AA==\"", "[1]"])),
            (r#"{"data":[{"embedding":[1]},{"embedding":[2.50]}]}"#, Some(vec!["[1]", "[2.50]"])),
            (r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}]}"#, None),
            (r#"{"data":[{"index":1,"embedding":[1]},{"index":2,"embedding":[2]}]}"#, None),
            (r#"{"data":[{"index":0,"embedding":[1]},{"embedding":[2]}]}"#, None),
        ];
        for (reply, expected) in cases {
            let vectors = parse(reply).ok();
            let told = vectors.as_ref().and_then(Vectors::in_order);
            assert_eq!(told.map(|told| told.into_iter().map(RawValue::get).collect()), expected, "{reply}");
        }
    }
}
