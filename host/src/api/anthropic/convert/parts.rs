//! What is said, shown and handed over: blocks as parts of an upstream message.
//!
//! Borrowed from the client's blocks and written straight to JSON, so that a
//! picture is not copied in between. Knows no message: who says it, and what
//! calls and results are, is in `messages`.

use std::{borrow::Cow, fmt};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::api::anthropic::wire::{Block, Content, Source};

/// A part of a message.
#[derive(Debug, Serialize)]
pub(super) struct Part<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<Link<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

impl<'a> Part<'a> {
    /// Makes a part of a text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { kind: "text", text: Some(text.into()), image_url: None, file: None, cache_control: None }
    }

    /// Makes one part of what the client's program says in the middle of a
    /// conversation, marked as such.
    pub(super) fn reminder(said: &[Self]) -> Self {
        let texts: Vec<&str> = said.iter().filter_map(Self::as_text).collect();
        let text = format!("<system-reminder>\n{}\n</system-reminder>", texts.join("\n"));
        Self { cache_control: said.last().and_then(|last| last.cache_control), ..Self::text(text) }
    }

    fn image(url: Url<'a>) -> Self {
        Self { kind: "image_url", text: None, image_url: Some(Link { url }), file: None, cache_control: None }
    }

    fn file(filename: Cow<'a, str>, file_data: Url<'a>) -> Self {
        let file = Some(File { filename, file_data });
        Self { kind: "file", text: None, image_url: None, file, cache_control: None }
    }

    /// Returns the text, if it is nothing else.
    pub(super) fn as_text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// Returns the text if it can be said without saying that it is a part.
    pub(super) fn as_plain(&self) -> Option<&str> {
        self.as_text().filter(|_| self.cache_control.is_none())
    }
}

#[derive(Debug, Serialize)]
struct Link<'a> {
    url: Url<'a>,
}

#[derive(Debug, Serialize)]
struct File<'a> {
    filename: Cow<'a, str>,
    file_data: Url<'a>,
}

/// An address, or the bytes themselves.
#[derive(Debug)]
enum Url<'a> {
    Address(Cow<'a, str>),
    Data { mime: Cow<'a, str>, base64: Cow<'a, str> },
}

impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => f.write_str(address),
            Self::Data { mime, base64 } => write!(f, "data:{mime};base64,{base64}"),
        }
    }
}

impl Serialize for Url<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Returns the parts of a block; none if it says nothing.
///
/// Fails with words for the client if the block is none of those that can be said,
/// or lacks what makes it one.
pub(super) fn parts(block: Block<'_>) -> Result<Vec<Part<'_>>, String> {
    let cache_control = block.cache_control;
    let mut parts = match &*block.kind {
        "text" if block.text.is_empty() => Vec::new(),
        "text" => vec![Part::text(block.text)],
        "image" => vec![Part::image(located(source(&block)?)?)],
        "document" => document(block)?,
        "search_result" => vec![Part::text(search_result(block)?)],
        "tool_reference" => vec![Part::text(format!("The tool `{}` can be called.", block.tool_name))],
        "" => return Err("type: Field required".to_owned()),
        kind => return Err(format!("a block of the type `{kind}` cannot be used here")),
    };
    if let Some(last) = parts.last_mut() {
        last.cache_control = cache_control;
    }
    Ok(parts)
}

fn source<'a>(block: &Block<'a>) -> Result<Source<'a>, String> {
    let source = block.source.ok_or("source: Field required")?;
    serde_json::from_str(source.get()).map_err(|error| format!("source: {error}"))
}

/// Returns where a picture or file is.
fn located(source: Source<'_>) -> Result<Url<'_>, String> {
    match &*source.kind {
        "base64" if source.data.is_empty() => Err("source.data: Field required".to_owned()),
        // Some clients write the whole of it here.
        "base64" if source.data.starts_with("data:") => Ok(Url::Address(source.data)),
        "base64" if source.media_type.is_empty() => Err("source.media_type: Field required".to_owned()),
        "base64" => Ok(Url::Data { mime: source.media_type, base64: source.data }),
        "url" if source.url.is_empty() => Err("source.url: Field required".to_owned()),
        "url" => Ok(Url::Address(source.url)),
        "file" => Err("source: there are no uploaded files here; send it as base64 or by its url".to_owned()),
        kind => Err(format!("source: the type `{kind}` cannot be used here")),
    }
}

fn document<'a>(block: Block<'a>) -> Result<Vec<Part<'a>>, String> {
    let source = source(&block)?;
    let heading = heading(&block);
    let mut parts: Vec<Part<'a>> = match &*source.kind {
        "text" => return Ok(vec![Part::text(format!("{heading}{}", source.data))]),
        "content" => {
            let mut parts = Vec::new();
            for inner in source.content.into_blocks() {
                match &*inner.kind {
                    "text" | "image" => parts.extend(self::parts(inner)?),
                    kind => return Err(format!("source.content: a block of the type `{kind}` cannot be used here")),
                }
            }
            parts
        }
        _ => {
            let name = if block.title.is_empty() { "document.pdf".into() } else { block.title };
            let file = Part::file(name, located(source)?);
            let context = (!block.context.is_empty()).then(|| Part::text(block.context));
            return Ok(context.into_iter().chain([file]).collect());
        }
    };
    if !heading.is_empty() {
        parts.insert(0, Part::text(heading));
    }
    Ok(parts)
}

/// Returns what stands above a document that is told as text.
fn heading(block: &Block<'_>) -> String {
    let lines = [&block.title, &block.context].into_iter().filter(|line| !line.is_empty());
    let mut heading = lines.map(AsRef::as_ref).collect::<Vec<&str>>().join("\n");
    if !heading.is_empty() {
        heading.push_str("\n\n");
    }
    heading
}

fn search_result(block: Block<'_>) -> Result<String, String> {
    let from: Cow<'_, str> = match block.source {
        Some(source) => serde_json::from_str(source.get()).map_err(|error| format!("source: {error}"))?,
        None => "".into(),
    };
    let texts = match block.content {
        Some(content) => serde_json::from_str::<Content<'_>>(content.get()).map_err(|e| format!("content: {e}"))?,
        None => Content::default(),
    };
    let lines = [block.title, from].into_iter().chain(texts.into_blocks().into_iter().map(|text| text.text));
    Ok(lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}
