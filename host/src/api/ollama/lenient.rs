//! JSON as Ollama reads it: the manners of Go's `encoding/json`, over serde.
//!
//! In structs, keys match in any case, `null` means not given, the last of two
//! equal keys counts and unknown ones are nothing. Maps and raw values (tool
//! schemas, arguments, formats) are left as they are. Broken characters are
//! mended in [`text`]. Knows no route and no field; what the fields are is in
//! [`wire`](super::wire).
//!
//! Outside fact: the rules of <https://pkg.go.dev/encoding/json#Unmarshal>.

pub mod text;

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess, Visitor},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;

/// Words for a client whose request is wrong: status 400 in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{0}")]
pub struct Refused(pub String);

/// How an error about a value of the wrong kind begins, as in Go.
const MISMATCH: &str = "json: cannot unmarshal ";

/// What stands between the kind and the place in such an error.
const INTO_FIELD: &str = " into field ";

/// Reads a request body; text after its first JSON value is ignored.
///
/// A body that is `null` counts as `{}`. Borrows from the body: nothing is
/// copied but text that holds escapes. Each level of structs reads its part of
/// the body once more, so `T` should not nest deeply; ours have three levels.
pub fn decode<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Refused> {
    let body = body.trim_ascii_start();
    if body.is_empty() {
        return Err(Refused("missing request body".to_owned()));
    }
    let body: &'de [u8] = if body.starts_with(b"null") { b"{}" } else { body };
    let mut json = serde_json::Deserializer::from_slice(body);
    T::deserialize(Lenient(&mut json)).map_err(|error| {
        Refused(if error.is_eof() {
            "unexpected EOF".to_owned()
        } else if error.is_syntax() {
            format!("invalid JSON: {error}")
        } else {
            explained(&without_position(&error), None)
        })
    })
}

/// Deserializes with Go's manners from a deserializer of JSON.
struct Lenient<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Lenient<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        // Not `deserialize_struct`, for that one takes lists too and no `null`.
        self.0.deserialize_any(Object { fields, visitor })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_seq(List(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Maybe(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        // Raw values come this way and need the JSON deserializer itself.
        self.0.deserialize_newtype_struct(name, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map enum identifier ignored_any
    }
}

/// Reads an object into a struct.
struct Object<V> {
    fields: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Object<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_map(Given::new(self.fields, Vec::new())).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        let mut values: Vec<Option<&'de RawValue>> = vec![None; self.fields.len()];
        while let Some(place) = map.next_key_seed(Place(self.fields))? {
            match place.and_then(|place| values.get_mut(place)) {
                Some(slot) => {
                    let value: &'de RawValue = map.next_value()?;
                    if value.get() != "null" {
                        *slot = Some(value);
                    }
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.visitor.visit_map(Given::new(self.fields, values)).map_err(A::Error::custom)
    }
}

/// Reads a key as the place of the field that it means.
struct Place(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|field| field.eq_ignore_ascii_case(key)))
    }
}

/// The fields that a client gave, under the names of the struct.
struct Given<'de> {
    fields: std::iter::Zip<std::slice::Iter<'static, &'static str>, std::vec::IntoIter<Option<&'de RawValue>>>,
    current: Option<(&'static str, &'de RawValue)>,
}

impl<'de> Given<'de> {
    fn new(fields: &'static [&'static str], values: Vec<Option<&'de RawValue>>) -> Self {
        Self { fields: fields.iter().zip(values), current: None }
    }
}

impl<'de> MapAccess<'de> for Given<'de> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        self.current = self.fields.find_map(|(field, value)| Some((*field, value?)));
        self.current.map(|(field, _)| seed.deserialize(field.into_deserializer())).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Self::Error> {
        let Some((field, value)) = self.current.take() else {
            return Err(Self::Error::custom("a value was asked for before its key"));
        };
        let mut json = serde_json::Deserializer::from_str(value.get());
        seed.deserialize(Lenient(&mut json))
            .map_err(|error| Self::Error::custom(explained(&without_position(&error), Some(field))))
    }
}

/// Hands the adapter on to the items of a list.
struct List<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for List<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Items(seq))
    }
}

struct Items<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Adapted(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Adapted<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Adapted<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Lenient(deserializer))
    }
}

/// Hands the adapter on into an option.
struct Maybe<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Maybe<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Lenient(deserializer))
    }
}

/// Returns an error's text without the line and column, which would be those
/// of a part of the body.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).map_or_else(|| text.clone(), str::to_owned)
}

/// Puts serde's words about a wrong kind into Go's, and adds the field to the
/// path; the words of our own types stay as they are.
///
/// A value is told by its kind alone, since it may be a megabyte of prompt.
fn explained(text: &str, field: Option<&str>) -> String {
    let into = field.map(|field| format!("{INTO_FIELD}{field}")).unwrap_or_default();
    if let Some(rest) = text.strip_prefix(MISMATCH) {
        return match rest.split_once(INTO_FIELD) {
            Some((kind, path)) if field.is_some() => format!("{MISMATCH}{kind}{into}.{path}"),
            Some(_) => text.to_owned(),
            None => rest
                .split_once(": ")
                .map_or_else(|| text.to_owned(), |(kind, expected)| format!("{MISMATCH}{kind}{into}: {expected}")),
        };
    }
    let found = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    match found.and_then(|found| found.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("{MISMATCH}{}{into}: expected {expected}", kind(found)),
        None => text.to_owned(),
    }
}

fn kind(found: &str) -> &str {
    match found.split([' ', '`']).next() {
        Some("sequence") => "array",
        Some("map") => "object",
        Some("integer" | "floating" | "number") => "number",
        Some("boolean") => "bool",
        Some("string") => "string",
        Some("null" | "unit") => "null",
        _ => "value",
    }
}

#[cfg(test)]
mod tests;
