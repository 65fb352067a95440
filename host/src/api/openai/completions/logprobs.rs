//! Probabilities of tokens in the older form, made of the newer.
//!
//! Chats tell one object a token; completions tell four lists side by side, and
//! where in the text each token begins, in characters. Pure.

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

/// How many characters were told so far.
#[derive(Debug, Default)]
pub(super) struct Place(usize);

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    content: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(rename = "token")]
    text: String,
    logprob: f64,
    #[serde(default)]
    top_logprobs: Option<Vec<Other>>,
}

#[derive(Deserialize)]
struct Other {
    #[serde(rename = "token")]
    text: String,
    logprob: f64,
}

/// Returns the lists for one piece, with the `others` that might have stood in the
/// place of each token; `null` if it tells of none.
pub(super) fn legacy(raw: &RawValue, others: u8, place: &mut Place) -> Value {
    let tokens = serde_json::from_str::<Option<Tokens>>(raw.get()).ok().flatten();
    let tokens = tokens.and_then(|tokens| tokens.content).unwrap_or_default();
    if tokens.is_empty() {
        return Value::Null;
    }
    let offsets: Vec<usize> = tokens
        .iter()
        .map(|token| {
            let begin = place.0;
            place.0 += token.text.chars().count();
            begin
        })
        .collect();
    let top = |token: &Token| {
        let top = token.top_logprobs.iter().flatten().take(others.into());
        top.map(|other| (other.text.clone(), json!(other.logprob))).collect::<Map<String, Value>>()
    };
    json!({
        "tokens": tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>(),
        "token_logprobs": tokens.iter().map(|token| token.logprob).collect::<Vec<_>>(),
        "top_logprobs": (others > 0).then(|| tokens.iter().map(top).collect::<Vec<_>>()),
        "text_offset": offsets,
    })
}

/// Adds the lists of a piece to those before it.
pub(super) fn join(whole: &mut Value, piece: Value) {
    let (Value::Object(whole), Value::Object(piece)) = (&mut *whole, &piece) else {
        if whole.is_null() {
            *whole = piece;
        }
        return;
    };
    for (name, items) in piece {
        if let (Some(Value::Array(whole)), Value::Array(items)) = (whole.get_mut(name), items) {
            whole.extend(items.iter().cloned());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn objects_become_lists_and_lists_are_joined() {
        let token = |token: &str| {
            json!({"token": token, "logprob": -0.5, "bytes": null, "top_logprobs":
                [{"token": token, "logprob": -0.5}, {"token": "x", "logprob": -1.5}]})
        };
        let pieces = [
            json!({"content": [token("H\u{e4}"), token("i")], "refusal": null}),
            json!({"content": null}),
            json!(null),
            json!({"content": [token("!")]}),
        ];
        let told = |others| {
            let (mut place, mut whole) = (Place::default(), Value::Null);
            for piece in &pieces {
                let raw = serde_json::value::to_raw_value(piece).unwrap();
                join(&mut whole, legacy(&raw, others, &mut place));
            }
            whole
        };
        let mut expected = json!({
            "tokens": ["H\u{e4}", "i", "!"], "token_logprobs": [-0.5, -0.5, -0.5], "text_offset": [0, 2, 3],
            "top_logprobs": [{"H\u{e4}": -0.5, "x": -1.5}, {"i": -0.5, "x": -1.5}, {"!": -0.5, "x": -1.5}],
        });
        assert_eq!(told(2), expected);
        expected["top_logprobs"] = Value::Null;
        assert_eq!(told(0), expected);
    }
}
