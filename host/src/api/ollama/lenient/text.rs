//! Text that no reader of JSON takes, mended as Go does it.
//!
//! Clients cut texts in the middle of a character, and then send bytes that are
//! no UTF-8, or one half of a surrogate pair. Go's `encoding/json` reads U+FFFD
//! there; serde refuses the whole request. Knows nothing of what the text says.
//!
//! Outside fact: "invalid UTF-8 or invalid UTF-16 surrogate pairs are not
//! treated as an error", <https://pkg.go.dev/encoding/json#Unmarshal>.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

/// The bytes of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// Returns a body in which all text can be read; the same one, if it can be.
pub fn sound(body: Bytes) -> Bytes {
    let body = match String::from_utf8_lossy(&body) {
        Cow::Borrowed(_) => body,
        Cow::Owned(mended) => Bytes::from(mended),
    };
    let halves = halves(&body);
    if halves.is_empty() {
        return body;
    }
    let mut mended = BytesMut::from(body);
    for half in halves {
        if let Some(escape) = mended.get_mut(half..half + ESCAPE_BYTES) {
            escape.copy_from_slice(b"\\ufffd");
        }
    }
    mended.freeze()
}

/// Returns where escapes stand that are half of a surrogate pair.
fn halves(body: &[u8]) -> Vec<usize> {
    let mut halves = Vec::new();
    let mut place = 0;
    while let Some(step) = body.get(place..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        place += step;
        place += match (escape(body, place), escape(body, place + ESCAPE_BYTES)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 2 * ESCAPE_BYTES,
            (Some(0xD800..=0xDFFF), _) => {
                halves.push(place);
                ESCAPE_BYTES
            }
            (Some(_), _) => ESCAPE_BYTES,
            // Another escape, of two bytes: what it escapes is no backslash of its own.
            (None, _) => 2,
        };
    }
    halves
}

/// Reads the escape `\uXXXX` that stands at a place, if one does.
fn escape(body: &[u8], place: usize) -> Option<u32> {
    let digits = body.get(place..place + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_becomes_the_replacement_character() {
        let cases: [(&[u8], &str); 8] = [
            (b"\"cut \\ud83d\"", r#""cut \ufffd""#),
            (b"\"\\uDE00 late\"", r#""\ufffd late""#),
            (b"\"\\ud83d\\ud83d\\ude00\"", r#""\ufffd\ud83d\ude00""#),
            (b"\"\\ud83dx\\ude00\"", r#""\ufffdx\ufffd""#),
            (b"\"no \\\\ud83d\"", r#""no \\ud83d""#),
            (b"\"\\\\\\ud83d\"", r#""\\\ufffd""#),
            (b"\"\xff\xfe\"", "\"\u{fffd}\u{fffd}\""),
            (b"\"\xf0\x9f\x98\"", "\"\u{fffd}\""),
        ];
        for (body, expected) in cases {
            assert_eq!(sound(Bytes::from_static(body)), expected, "{expected}");
        }
    }

    #[test]
    fn sound_text_is_not_copied() {
        let body = Bytes::from_static(br#"{"a":"\ud83d\ude00 \u00e4 \\ \n","b":"\"#);
        assert_eq!(sound(body.clone()).as_ptr(), body.as_ptr());
    }
}
