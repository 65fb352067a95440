//! Vectors as numbers or in base64.
//!
//! Some models know one encoding only, and answer in it whatever is asked for. So
//! each vector is turned into what the client wants; one that is in it already
//! passes as it came. Knows nothing of requests.
//!
//! Outside fact: base64 holds 32-bit floats, lowest byte first (`encoding_format`
//! in platform.openai.com/docs, and `openai` for Python, which asks for it always).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::value::{RawValue, to_raw_value};

use crate::api::{error::Error, openai::unusable};

/// How vectors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As a list of numbers.
    Float,
    /// As text.
    Base64,
}

impl Encoding {
    /// Reads the client's wish; numbers if it has none.
    pub(super) fn read(wish: Option<&str>) -> Result<Self, Error> {
        match wish {
            None | Some("float") => Ok(Self::Float),
            Some("base64") => Ok(Self::Base64),
            Some(other) => Err(unusable("encoding_format", format!("`{other}` is neither `float` nor `base64`"))),
        }
    }

    /// Returns a vector in this encoding; `None` if it is none in either.
    pub(super) fn of(self, vector: &RawValue) -> Option<Box<RawValue>> {
        let is_text = vector.get().starts_with('"');
        match self {
            Self::Float if is_text => to_raw_value(&decoded(vector)?).ok(),
            Self::Base64 if is_text => decoded(vector).map(|_| vector.to_owned()),
            Self::Float => numbers(vector).map(|_| vector.to_owned()),
            Self::Base64 => {
                let bytes: Vec<u8> = numbers(vector)?.into_iter().flat_map(f32::to_le_bytes).collect();
                to_raw_value(&STANDARD.encode(bytes)).ok()
            }
        }
    }
}

fn numbers(vector: &RawValue) -> Option<Vec<f32>> {
    serde_json::from_str(vector.get()).ok().filter(|numbers: &Vec<f32>| !numbers.is_empty())
}

fn decoded(vector: &RawValue) -> Option<Vec<f32>> {
    let text: Cow<'_, str> = serde_json::from_str::<String>(vector.get()).ok()?.into();
    let bytes = STANDARD.decode(text.as_bytes()).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    (rest.is_empty() && !numbers.is_empty()).then(|| numbers.iter().map(|number| f32::from_le_bytes(*number)).collect())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_given_as_it_is_wanted() {
        let cases = [
            (Encoding::Float, "[0.1, -2]", Some("[0.1, -2]")),
            (Encoding::Float, r#""zczMPQAAAMA=""#, Some("[0.1,-2.0]")),
            (Encoding::Base64, "[0.1, -2]", Some(r#""zczMPQAAAMA=""#)),
            (Encoding::Base64, r#""zczMPQAAAMA=""#, Some(r#""zczMPQAAAMA=""#)),
            (Encoding::Float, "[null]", None),
            (Encoding::Float, "[]", None),
            (Encoding::Float, r#""zczMPQAAAA==""#, None),
            (Encoding::Base64, r#""%""#, None),
            (Encoding::Base64, r#""""#, None),
            (Encoding::Base64, "{}", None),
        ];
        for (encoding, vector, expected) in cases {
            let raw = RawValue::from_string(vector.to_owned()).unwrap();
            let told = encoding.of(&raw);
            assert_eq!(told.as_deref().map(RawValue::get), expected, "{encoding:?} {vector}");
        }
    }
}
