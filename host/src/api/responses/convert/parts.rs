//! The contents of messages and of tools' results, part by part.
//!
//! Borrowed from the client's items and written straight to JSON, so that a
//! picture is not copied in between. A text alone stays a text; knows nothing of
//! who says it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    api::responses::wire::{Linked, Part},
    chat::Unreadable,
};

/// What is said, as the upstream spells it.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    parts: Vec<Outgoing<'a>>,
    /// The words of a refusal, which stand beside the content upstream.
    pub(super) refusal: Option<Cow<'a, str>>,
}

/// A part for the upstream.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outgoing<'a> {
    Text { text: Cow<'a, str> },
    ImageUrl { image_url: Picture<'a> },
    File { file: File<'a> },
    InputAudio { input_audio: &'a RawValue },
}

#[derive(Debug, Serialize)]
struct Picture<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    filename: Cow<'a, str>,
    file_data: Cow<'a, str>,
}

impl<'a> Content<'a> {
    /// Makes a content of one text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { parts: vec![Outgoing::Text { text: text.into() }], refusal: None }
    }

    /// Reads a text or a list of parts; nothing is no part. `place` is where it
    /// stands, for errors.
    pub(super) fn read(raw: Option<&'a RawValue>, place: &str) -> Result<Self, Unreadable> {
        let Some(raw) = raw else { return Ok(Self::default()) };
        let wrong = |error: serde_json::Error| unreadable(place, error.to_string());
        if raw.get().starts_with('"') {
            let text: Cow<'a, str> = read_text(raw).map_err(wrong)?;
            return Ok(Self::text(text));
        }
        if !raw.get().starts_with('[') {
            return Err(unreadable(place, "expected a text or a list of parts"));
        }
        let parts: Vec<Part<'a>> = serde_json::from_str(raw.get()).map_err(wrong)?;
        let mut content = Self::default();
        for (number, part) in parts.into_iter().enumerate() {
            content.add(part).map_err(|reason| unreadable(&format!("{place}[{number}]"), reason))?;
        }
        Ok(content)
    }

    /// Tells whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.refusal.is_none()
    }

    /// Adds what is said after it.
    pub(super) fn append(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.refusal = self.refusal.take().or(other.refusal);
    }

    fn add(&mut self, part: Part<'a>) -> Result<(), String> {
        let kind = part.kind.as_deref().unwrap_or_default();
        match kind {
            "input_text" | "output_text" | "text" => {
                self.parts.push(Outgoing::Text { text: part.text.unwrap_or_default() });
            }
            "refusal" => self.refusal = Some(part.refusal.unwrap_or_default()),
            "input_image" | "image_url" => self.parts.push(picture(part)?),
            "input_file" => self.parts.push(file(part)?),
            "input_audio" => {
                let input_audio = part.input_audio.ok_or("`input_audio` is missing")?;
                self.parts.push(Outgoing::InputAudio { input_audio });
            }
            _ => {
                return Err(format!(
                    "a part cannot be of the type `{kind}`: use input_text, input_image, input_file, input_audio, \
                     output_text or refusal"
                ));
            }
        }
        Ok(())
    }
}

impl Serialize for Content<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.parts.as_slice() {
            // Not `null`, which some models' templates spell out.
            [] => serializer.serialize_str(""),
            [Outgoing::Text { text }] => serializer.serialize_str(text),
            parts => serializer.collect_seq(parts),
        }
    }
}

/// Files that were uploaded are at OpenAI, if anywhere.
const NO_UPLOADS: &str = "the router keeps no files, so there is none of this `file_id`; send its content instead";

fn picture(part: Part<'_>) -> Result<Outgoing<'_>, String> {
    let Some(raw) = part.image_url else {
        let missing = "`image_url` is missing";
        return Err(if part.file_id.is_some() { NO_UPLOADS } else { missing }.to_owned());
    };
    let linked = if raw.get().starts_with('"') {
        Linked { url: Some(read_text(raw).map_err(|error| error.to_string())?), detail: None }
    } else {
        serde_json::from_str(raw.get()).map_err(|error| error.to_string())?
    };
    let url = linked.url.ok_or("`image_url` is missing")?;
    // The upstream has no word for a picture in its own size.
    let detail = part.detail.or(linked.detail).map(|detail| if detail == "original" { "high".into() } else { detail });
    Ok(Outgoing::ImageUrl { image_url: Picture { url, detail } })
}

fn file(part: Part<'_>) -> Result<Outgoing<'_>, String> {
    let Some(file_data) = part.file_data.or(part.file_url) else {
        let missing = "`file_data` or `file_url` is missing";
        return Err(if part.file_id.is_some() { NO_UPLOADS } else { missing }.to_owned());
    };
    // The upstream wants a name, and OpenAI none for a link.
    let filename = part.filename.unwrap_or_else(|| "file".into());
    Ok(Outgoing::File { file: File { filename, file_data } })
}

/// Reads a text, borrowed if nothing in it is escaped.
pub(super) fn read_text(raw: &RawValue) -> Result<Cow<'_, str>, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get()).map(|text| text.0)
}

pub(super) fn unreadable(field: &str, reason: impl Into<String>) -> Unreadable {
    Unreadable { field: field.to_owned(), reason: reason.into() }
}
