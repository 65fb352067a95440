//! The neutral chat type: a request as the upstream spells it.
//!
//! OpenRouter speaks OpenAI's chat completions, and so does this: typed where
//! the router looks, untouched text for all the rest. Each face of the API
//! makes a [`Request`] of its own protocol; nothing here knows which. Replies
//! are in [`chunk`].

pub mod chunk;
pub mod fold;
mod peek;
pub mod repeats;
pub mod sealed;
pub mod stops;
pub mod thinking;
pub mod tools;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::{catalog::Capabilities, routing::needs::Needs};

/// Bytes of text that make a token, about, in the languages most written.
pub const BYTES_PER_TOKEN: usize = 4;

/// A chat request: what the client sent, but for the model's name.
#[derive(Debug)]
pub struct Request {
    /// The model's name as the client wrote it.
    pub model: String,
    /// Whether the client reads the answer as it comes.
    pub streaming: bool,
    /// Whether a streaming client gets tool calls whole all the same, so that
    /// nothing is sent while only calls come.
    pub whole_calls: bool,
    /// What a model must be able to do to answer it.
    pub needs: Needs,
    /// What would be good: the upstream ignores in silence what a model cannot
    /// do, so this is no condition.
    pub wishes: Capabilities,
    /// Everything else, as it goes upstream.
    pub fields: Fields,
}

impl Request {
    /// Makes a request of its upstream fields, and finds out what it needs.
    ///
    /// Fails with words for the client if a field that the router has to read
    /// cannot be read.
    pub fn new(model: String, streaming: bool, fields: Fields) -> Result<Self, Unreadable> {
        let needs = peek::needs(&fields)?;
        let wishes = peek::wishes(&fields)?;
        Ok(Self { model, streaming, whole_calls: false, needs, wishes, fields })
    }
}

/// A field of the request that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot use `{field}`: {reason}")]
pub struct Unreadable {
    /// The field's name.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Fields of one request: the API has some sixty, and each is looked for by name.
const MAX_FIELDS: usize = 512;

/// The members of a JSON object in their order, each value as its text.
///
/// A value is not looked into unless somebody asks, so what a client sends
/// reaches the upstream byte for byte.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Returns the value of a field; a `null` counts as not given.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| &**value).filter(|v| v.get() != "null")
    }

    /// Reads the value of a field; `None` if it is not given or `null`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Result<Option<T>, Unreadable> {
        self.get(name)
            .map(|value| serde_json::from_str(value.get()))
            .transpose()
            .map_err(|error| Unreadable { field: name.to_owned(), reason: error.to_string() })
    }

    /// Takes a field out; `None` if it is not there or `null`.
    pub fn take(&mut self, name: &str) -> Option<Box<RawValue>> {
        let place = self.0.iter().position(|(field, _)| field == name)?;
        let (_, value) = self.0.remove(place);
        (value.get() != "null").then_some(value)
    }

    /// Sets a field to the JSON of `value`, in place of an earlier one.
    ///
    /// A value that has no JSON form (a map with keys that are no text) sets
    /// nothing; none of our types is one.
    pub fn set(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if let Ok(value) = to_raw_value(value) {
            self.set_raw(name, value);
        }
    }

    /// Sets a field to a value that is JSON already.
    pub fn set_raw(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(field, _)| field == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Returns the fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), &**value))
    }
}

impl Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if fields.0.len() >= MAX_FIELDS {
                        return Err(serde::de::Error::custom(format_args!("more than {MAX_FIELDS} fields")));
                    }
                    fields.set_raw(&name, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Members)
    }
}
