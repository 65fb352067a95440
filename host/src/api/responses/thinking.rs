//! The thinking of a model, sealed for the way to the client and back.
//!
//! Clients hand `encrypted_content` back as it came, and some drop a reasoning
//! item that has none. In it stands what the model must see again: the text, or,
//! where a provider signed or encrypted its thinking, the parts as they came,
//! since it may refuse a tool's result without them. No secret: it is the
//! client's own conversation.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What our seals begin with, so that those of others are told apart.
const MARK: &str = "ollama-router.1.";

/// Thinking as it goes upstream again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Thinking {
    /// `reasoning`: the text.
    Text(String),
    /// `reasoning_details`: the parts.
    Details(Vec<Value>),
}

impl Thinking {
    /// Chooses the form that holds all: the parts only if they say more than the text.
    pub(super) fn of(text: &str, details: &[Value]) -> Self {
        if details.iter().any(says_more) { Self::Details(details.to_vec()) } else { Self::Text(text.to_owned()) }
    }

    /// Returns the seal.
    pub(super) fn sealed(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{MARK}{}", BASE64_STANDARD.encode(json))
    }

    /// Reads a seal; `None` if it is not one of ours.
    pub(super) fn unsealed(seal: &str) -> Option<Self> {
        let json = BASE64_STANDARD.decode(seal.strip_prefix(MARK)?).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// Tells whether a part of the thinking says more than its text.
pub(super) fn says_more(detail: &Value) -> bool {
    ["signature", "data"].iter().any(|name| detail[name].as_str().is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thinking_comes_back_as_it_was_and_signed_parts_in_full() {
        let plain = [json!({"type": "reasoning.text", "text": "Hm", "signature": null})];
        let signed = [json!({"type": "reasoning.text", "text": "Hm", "signature": "sig", "index": 0})];
        assert_eq!(Thinking::of("Hm", &plain), Thinking::Text("Hm".to_owned()));
        assert_eq!(Thinking::of("Hm", &signed), Thinking::Details(signed.to_vec()));
        for thinking in [Thinking::of("Hm ä", &plain), Thinking::of("Hm", &signed)] {
            assert_eq!(Thinking::unsealed(&thinking.sealed()), Some(thinking));
        }
    }

    #[test]
    fn what_others_sealed_is_not_opened() {
        for foreign in ["", "gAAAAABo", "ollama-router.1.", "ollama-router.1.!!", "ollama-router.1.e30="] {
            assert_eq!(Thinking::unsealed(foreign), None, "{foreign}");
        }
    }
}
