//! The sampling options of a request.
//!
//! Only those that an upstream knows are kept; all others, known to Ollama or
//! not, are ignored as Ollama ignores what it does not know. Names are matched
//! exactly, since Ollama reads them from a map. Where each goes is in
//! [`convert`](super::super::convert).
//!
//! Outside facts: `Options.FromMap` in `api/types.go` of ollama, and its errors.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// The options that an upstream knows; `None` if not given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// How freely to choose among tokens.
    pub temperature: Option<f64>,
    /// The share of probability to choose from.
    pub top_p: Option<f64>,
    /// How many tokens to choose from; none or less means all.
    pub top_k: Option<i64>,
    /// The least probability, relative to the best token's.
    pub min_p: Option<f64>,
    /// Where chance begins; negative for anywhere.
    pub seed: Option<i64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// The most tokens to answer with; none or less for no limit.
    pub num_predict: Option<i64>,
    /// What a repeated token costs, as a factor.
    pub repeat_penalty: Option<f64>,
    /// What a token costs that has been there.
    pub presence_penalty: Option<f64>,
    /// What a token costs each time that it has been there.
    pub frequency_penalty: Option<f64>,
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Options;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Options, A::Error> {
        let mut options = Options::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match &*name {
                "temperature" => options.temperature = number(&name, map.next_value()?)?,
                "top_p" => options.top_p = number(&name, map.next_value()?)?,
                "top_k" => options.top_k = integer(&name, map.next_value()?)?,
                "min_p" => options.min_p = number(&name, map.next_value()?)?,
                "seed" => options.seed = integer(&name, map.next_value()?)?,
                "stop" => options.stop = texts(&name, map.next_value()?)?,
                "num_predict" => options.num_predict = integer(&name, map.next_value()?)?,
                "repeat_penalty" => options.repeat_penalty = number(&name, map.next_value()?)?,
                "presence_penalty" => options.presence_penalty = number(&name, map.next_value()?)?,
                "frequency_penalty" => options.frequency_penalty = number(&name, map.next_value()?)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(options)
    }
}

fn number<E: serde::de::Error>(name: &str, value: &RawValue) -> Result<Option<f64>, E> {
    typed(name, "float32", value)
}

/// Reads a whole number; a fraction is cut off, as Ollama does.
fn integer<E: serde::de::Error>(name: &str, value: &RawValue) -> Result<Option<i64>, E> {
    if let Ok(whole) = serde_json::from_str(value.get()) {
        return Ok(whole);
    }
    #[expect(clippy::cast_possible_truncation, reason = "cut on purpose; beyond the range it saturates")]
    let whole = typed::<f64, E>(name, "integer", value)?.map(|number| number as i64);
    Ok(whole)
}

/// Reads a list of texts, or one text, which Ollama's own documents allow.
fn texts<E: serde::de::Error>(name: &str, value: &RawValue) -> Result<Vec<String>, E> {
    if let Ok(text) = serde_json::from_str::<String>(value.get()) {
        return Ok(vec![text]);
    }
    if !value.get().starts_with('[') {
        return typed(name, "array", value).map(Option::unwrap_or_default);
    }
    serde_json::from_str(value.get())
        .map_err(|_wrong_kind| E::custom(format!("option \"{name}\" must be of an array of strings")))
}

fn typed<'de, T: Deserialize<'de>, E: serde::de::Error>(
    name: &str,
    kind: &str,
    value: &'de RawValue,
) -> Result<Option<T>, E> {
    serde_json::from_str(value.get())
        .map_err(|_wrong_kind| E::custom(format!("option \"{name}\" must be of type {kind}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Options, String> {
        serde_json::from_str(json).map_err(|error: serde_json::Error| {
            error.to_string().split(" at line").next().unwrap_or_default().to_owned()
        })
    }

    #[test]
    fn known_options_are_read_and_all_others_ignored() {
        let json = r#"{"temperature":0.7,"top_p":1,"top_k":40.9,"seed":-1,"stop":["a","b"],"num_predict":128,
            "min_p":null,"num_ctx":"any","mirostat":2,"Temperature":3,"use_mmap":{}}"#;
        let expected = Options {
            temperature: Some(0.7),
            top_p: Some(1.0),
            top_k: Some(40),
            seed: Some(-1),
            stop: vec!["a".to_owned(), "b".to_owned()],
            num_predict: Some(128),
            ..Options::default()
        };
        assert_eq!(read(json), Ok(expected));
        assert_eq!(read(r#"{"stop":"a"}"#).map(|options| options.stop), Ok(vec!["a".to_owned()]));
        assert_eq!(read(r#"{"stop":null}"#), Ok(Options::default()));
    }

    #[test]
    fn a_wrong_kind_is_refused_in_ollamas_words() {
        let cases = [
            (r#"{"temperature":"hot"}"#, "option \"temperature\" must be of type float32"),
            (r#"{"seed":"x"}"#, "option \"seed\" must be of type integer"),
            (r#"{"stop":1}"#, "option \"stop\" must be of type array"),
            (r#"{"stop":[1]}"#, "option \"stop\" must be of an array of strings"),
        ];
        for (json, expected) in cases {
            assert_eq!(read(json), Err(expected.to_owned()), "{json}");
        }
    }
}
