//! Pictures, and sounds, as parts of a message.
//!
//! Ollama takes bare base64 and looks at the bytes; the upstream wants a data
//! URL that says what they are. The bytes are checked and looked at without a
//! decoded copy. A kind that is not known goes as the type that the client
//! gave, else as PNG: upstreams look for themselves, and refuse in clear words.

use std::{borrow::Cow, fmt};

use base64::{
    DecodeError, Engine as _, alphabet,
    engine::{
        GeneralPurpose,
        general_purpose::{NO_PAD, PAD},
    },
};
use serde::{Serialize, Serializer};

use crate::api::ollama::lenient::Refused;

/// Characters decoded at a time while checking; a multiple of four.
const CHECKED_CHARS: usize = 4096;

/// Characters that hold the bytes by which a kind is told, which are twelve.
const MAGIC_CHARS: usize = 16;

/// The last piece of a text, with padding. Bits left over at its end may have
/// any value, as in Go.
const LAST: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

/// The pieces before it: padding may end the text only.
const INNER: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, NO_PAD);

/// A part of a message that is no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Media<'a> {
    kind: Kind<'a>,
    base64: Cow<'a, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind<'a> {
    /// A picture, by its media type.
    Picture(&'a str),
    /// A sound, by OpenRouter's word for its format.
    Sound(&'static str),
}

impl<'a> Media<'a> {
    /// Reads base64, with or without a `data:` prefix; `None` if it is empty.
    ///
    /// Fails in Ollama's words if it is no base64: the standard alphabet, with
    /// padding; line breaks may stand anywhere.
    pub(super) fn parse(text: &'a str) -> Result<Option<Self>, Refused> {
        let (declared, base64) = match text.strip_prefix("data:").and_then(|url| url.split_once(',')) {
            Some((head, data)) => (head.split(';').next().filter(|kind| kind.contains('/')), data),
            None => (None, text),
        };
        let base64: Cow<'a, str> =
            if base64.contains(['\r', '\n']) { base64.replace(['\r', '\n'], "").into() } else { base64.into() };
        if base64.is_empty() {
            return Ok(None);
        }
        check(&base64)?;
        let kind = known(&base64).unwrap_or_else(|| match declared {
            Some("audio/wav" | "audio/x-wav" | "audio/wave") => Kind::Sound("wav"),
            Some("audio/mpeg" | "audio/mp3") => Kind::Sound("mp3"),
            declared => Kind::Picture(declared.unwrap_or("image/png")),
        });
        Ok(Some(Self { kind, base64 }))
    }
}

impl Serialize for Media<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.kind {
            Kind::Picture(mime) => {
                let url = DataUrl { mime, base64: &self.base64 };
                Picture { kind: "image_url", image_url: Link { url } }.serialize(serializer)
            }
            Kind::Sound(format) => {
                Sound { kind: "input_audio", input_audio: Audio { data: &self.base64, format } }.serialize(serializer)
            }
        }
    }
}

#[derive(Serialize)]
struct Picture<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    image_url: Link<'a>,
}

#[derive(Serialize)]
struct Link<'a> {
    url: DataUrl<'a>,
}

/// Written piece by piece, since the data may be tens of megabytes.
struct DataUrl<'a> {
    mime: &'a str,
    base64: &'a str,
}

impl fmt::Display for DataUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:{};base64,{}", self.mime, self.base64)
    }
}

impl Serialize for DataUrl<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[derive(Serialize)]
struct Sound<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    input_audio: Audio<'a>,
}

#[derive(Serialize)]
struct Audio<'a> {
    data: &'a str,
    format: &'static str,
}

/// Checks that a text is base64, piece by piece.
fn check(base64: &str) -> Result<(), Refused> {
    let mut buffer = [0_u8; CHECKED_CHARS];
    let pieces = base64.len().div_ceil(CHECKED_CHARS);
    for (number, piece) in base64.as_bytes().chunks(CHECKED_CHARS).enumerate() {
        let engine = if number + 1 == pieces { &LAST } else { &INNER };
        // Four characters make three bytes, so the buffer is large enough.
        engine.decode_slice_unchecked(piece, &mut buffer).map_err(|error| {
            let place = match error {
                DecodeError::InvalidByte(place, _) => place,
                _ => piece.iter().position(|byte| *byte == b'=').unwrap_or(piece.len()),
            };
            Refused(format!("illegal base64 data at input byte {}", number * CHECKED_CHARS + place))
        })?;
    }
    Ok(())
}

/// Tells what the bytes are by how they begin.
fn known(base64: &str) -> Option<Kind<'static>> {
    let start = base64.get(..MAGIC_CHARS).unwrap_or(base64);
    let bytes = LAST.decode(start).ok()?;
    let riff = |form: &[u8]| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(form);
    if bytes.starts_with(b"\x89PNG") {
        Some(Kind::Picture("image/png"))
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(Kind::Picture("image/jpeg"))
    } else if riff(b"WEBP") {
        Some(Kind::Picture("image/webp"))
    } else if bytes.starts_with(b"GIF8") {
        Some(Kind::Picture("image/gif"))
    } else if riff(b"WAVE") {
        Some(Kind::Sound("wav"))
    } else if bytes.starts_with(b"ID3") {
        Some(Kind::Sound("mp3"))
    } else {
        None
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    fn picture(mime: &'static str, base64: &str) -> String {
        format!(r#"{{"type":"image_url","image_url":{{"url":"data:{mime};base64,{base64}"}}}}"#)
    }

    fn part(text: &str) -> String {
        serde_json::to_string(&Media::parse(text).unwrap()).unwrap()
    }

    fn encoded(bytes: &[u8]) -> String {
        BASE64_STANDARD.encode(bytes)
    }

    #[test]
    fn the_kind_is_told_by_the_bytes_before_the_prefix() {
        let cases: [(&[u8], &str); 4] = [
            (b"\x89PNG\r\n\x1a\n and more", "image/png"),
            (b"\xff\xd8\xff\xe0 and more", "image/jpeg"),
            (b"RIFF\x10\0\0\0WEBPVP8 and more", "image/webp"),
            (b"GIF89a and more", "image/gif"),
        ];
        for (bytes, mime) in cases {
            let base64 = encoded(bytes);
            assert_eq!(part(&base64), picture(mime, &base64));
            assert_eq!(part(&format!("data:image/bmp;base64,{base64}")), picture(mime, &base64));
        }
    }

    #[test]
    fn unknown_bytes_go_as_declared_or_as_png() {
        assert_eq!(part("aGVsbG8="), picture("image/png", "aGVsbG8="));
        assert_eq!(part("data:image/avif;base64,aGVsbG8="), picture("image/avif", "aGVsbG8="));
        assert_eq!(part("data:;base64,aGVsbG8="), picture("image/png", "aGVsbG8="));
        assert_eq!(part("aGVs\r\nbG8=\n"), picture("image/png", "aGVsbG8="));
        assert_eq!(Media::parse(""), Ok(None));
    }

    #[test]
    fn sounds_go_as_sounds() {
        let wave = encoded(b"RIFF\x10\0\0\0WAVEfmt ");
        let expected = format!(r#"{{"type":"input_audio","input_audio":{{"data":"{wave}","format":"wav"}}}}"#);
        assert_eq!(part(&wave), expected);
    }

    #[test]
    fn what_is_no_base64_is_refused_with_its_place() {
        let long = "A".repeat(CHECKED_CHARS);
        let cases = [
            ("not base64!".to_owned(), 3),
            ("aGVsbG8".to_owned(), 7),
            ("aGVsbG8-".to_owned(), 7),
            ("https://example.com/a.png".to_owned(), 5),
            (format!("{long}A*AA"), CHECKED_CHARS + 1),
            (format!("{}AA=={long}", &long[4..]), CHECKED_CHARS - 2),
        ];
        for (text, place) in cases {
            let expected = Refused(format!("illegal base64 data at input byte {place}"));
            assert_eq!(Media::parse(&text), Err(expected), "{text:.20}");
        }
    }
}
