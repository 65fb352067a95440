//! The requests about models themselves, and those for vectors.
//!
//! Pull, push, create, copy and delete, with only the fields that a router
//! reads: the rest says how to build or fetch files, and there are none here.
//! Embedding requests stand here too, whole. Knows nothing of what is answered.
//!
//! Outside facts: `api/types.go` of github.com/ollama/ollama, August 2026.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::value::RawValue;

use crate::api::ollama::wire::{first_named, settings::KeepAlive};

/// The body of `POST /api/pull`, `/api/push` and `/api/create`, and of
/// `DELETE /api/delete`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ManageRequest<'a> {
    #[serde(borrow)]
    model: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    /// Whether progress is told line by line; true if absent.
    pub stream: Option<bool>,
}

impl ManageRequest<'_> {
    /// Returns the name from `model`, or from the older `name`; empty without.
    pub fn model(&self) -> &str {
        first_named(&self.model, &self.name)
    }
}

/// The body of `POST /api/copy`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CopyRequest<'a> {
    /// The model to copy.
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    /// The copy's name.
    #[serde(borrow)]
    pub destination: Cow<'a, str>,
}

/// One line of progress, or the last as the whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Progress<'a> {
    /// What is being done; `success` at the end.
    pub status: &'a str,
}

/// The body of `POST /api/embed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EmbedRequest<'a> {
    /// The model's name; empty if the client gave none.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The texts.
    pub input: Input,
    /// Whether a text that is too long is cut; true if absent.
    pub truncate: Option<bool>,
    /// How many numbers a vector has; the model's own count if that is not
    /// above 0.
    pub dimensions: i64,
    /// How long the model stays loaded.
    pub keep_alive: Option<KeepAlive>,
}

/// The texts of `POST /api/embed`: one or a list, none for a load call.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Input(pub Vec<String>);

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('"') {
            let text: String = serde_json::from_str(raw).map_err(D::Error::custom)?;
            return Ok(Self(if text.is_empty() { Vec::new() } else { vec![text] }));
        }
        serde_json::from_str(raw).map(Self).map_err(|_wrong_kind| D::Error::custom("invalid input type"))
    }
}

/// The body of the older `POST /api/embeddings`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EmbeddingsRequest<'a> {
    /// The model's name; empty if the client gave none.
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    /// The text; empty for a load call.
    #[serde(borrow)]
    pub prompt: Cow<'a, str>,
    /// How long the model stays loaded.
    pub keep_alive: Option<KeepAlive>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ollama::lenient::decode;

    #[test]
    fn the_name_may_stand_in_either_field() {
        let name =
            |body: &'static str| decode::<ManageRequest<'_>>(body.as_bytes()).map(|request| request.model().to_owned());
        assert_eq!(name(r#"{"name":"x","model":"","insecure":false}"#), Ok("x".to_owned()));
        assert_eq!(name(r#"{"model":"m","stream":false}"#), Ok("m".to_owned()));
    }

    #[test]
    fn an_input_is_one_text_or_a_list() {
        let input = |body: &'static str| {
            decode::<EmbedRequest<'_>>(body.as_bytes()).map(|request| request.input.0).map_err(|refused| refused.0)
        };
        assert_eq!(input(r#"{"input":"a"}"#), Ok(vec!["a".to_owned()]));
        assert_eq!(input(r#"{"input":["a","b"]}"#), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(input(r#"{"input":""}"#), Ok(vec![]));
        assert_eq!(input("{}"), Ok(vec![]));
        assert_eq!(input(r#"{"input":[1]}"#), Err("invalid input type".to_owned()));
        assert_eq!(input(r#"{"input":{}}"#), Err("invalid input type".to_owned()));
    }
}
