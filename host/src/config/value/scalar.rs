//! One written value, as a file, a variable or a flag gives it, before it has a meaning.
//!
//! The environment knows text only and YAML reads `11434` as a number, so every value type is
//! parsed from a `Scalar` and takes both. It must not know which setting it is for, and never
//! shows the text of a value by itself: that may be a key. Read `config/value.rs` next.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

/// Holds a text, a number or a boolean as text.
#[derive(Clone, PartialEq, Eq)]
pub struct Scalar {
    /// The value as written, without the space around it.
    pub text: String,
    /// Whether it was text; a number may have lost letters, as `0123` does.
    pub is_text: bool,
}

/// Holds a list: a real one, or one text whose items are separated by commas or line breaks.
#[derive(Clone, PartialEq, Eq)]
pub struct Items(pub Vec<Scalar>);

/// Returns the items of a list that is one text: with commas, or one a line, as files have them.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', '\r']).map(str::trim).filter(|piece| !piece.is_empty())
}

/// Reads a boolean: `true`, `yes`, `on`, `1` and their opposites, in any case.
pub fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = Scalar::deserialize(deserializer)?.text;
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(D::Error::custom(format!("`{text}` is neither `true` nor `false`"))),
    }
}

/// Reads a port, 0 to 65535; 0 lets the system choose one.
pub fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = Scalar::deserialize(deserializer)?.text;
    let wrong = |_| D::Error::custom(format!("`{text}` is not a port: use a number from 0 to 65535"));
    text.parse().map_err(wrong)
}

/// Reads a count that may be zero.
pub fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let text = Scalar::deserialize(deserializer)?.text;
    let wrong = |_| D::Error::custom(format!("`{text}` is not a whole number of 0 or more"));
    text.parse().map_err(wrong)
}

/// Reads a count of one or more.
pub fn at_least_one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<std::num::NonZeroU32, D::Error> {
    let text = Scalar::deserialize(deserializer)?.text;
    let wrong = |_| D::Error::custom(format!("`{text}` is not a whole number of 1 or more"));
    text.parse().map_err(wrong)
}

/// Reads a text that YAML may take for a number, such as a version.
pub fn plain_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Scalar::deserialize(deserializer)?.text)
}

/// Reads the path of a PEM file. Who gives what is in it instead must not see it in an
/// error: that may be a private key.
pub fn pem_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let Some(Scalar { text, .. }) = Option::deserialize(deserializer)? else { return Ok(None) };
    if text.contains('\n') || text.starts_with("-----") {
        return Err(D::Error::custom("this is what a PEM file holds: give the path of such a file instead"));
    }
    Ok(Some(text.into()))
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

impl<'de> Deserialize<'de> for Items {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemsVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one text, number or boolean")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar { text: value.trim().to_owned(), is_text: true })
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(bare(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(bare(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(bare(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(bare(value.to_string()))
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list, or a text whose items are separated by commas")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Items, E> {
        let scalar = |piece: &str| Scalar { text: piece.to_owned(), is_text: true };
        Ok(Items(pieces(value).map(scalar).collect()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Items, E> {
        Ok(Items(vec![bare(value.to_string())]))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Items, E> {
        Ok(Items(vec![bare(value.to_string())]))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Items, E> {
        Ok(Items(vec![bare(value.to_string())]))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Items, E> {
        Ok(Items(vec![bare(value.to_string())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Items(items))
    }
}

fn bare(text: String) -> Scalar {
    Scalar { text, is_text: false }
}
