//! What clients write in `POST /v1/responses`, as far as it is looked into.
//!
//! One type for all items of `input`, one for all parts of a message, one for
//! all tools: what a value means is told by its `type`, and what belongs to
//! another type is simply not there. `null` is nothing, members that are not
//! named here are not read. What they lead to is in
//! [`convert`](super::convert).
//!
//! Outside facts: the types in `openai/types/responses` of the Python package
//! `openai` 3.57.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An item of `input`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Item<'a> {
    /// What it is; a message may do without.
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    /// Who speaks in a message.
    #[serde(borrow)]
    pub(super) role: Option<Cow<'a, str>>,
    /// A text or parts: of a message, or of the thinking in full.
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    /// The tool that was called.
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    /// The group of the tool.
    #[serde(borrow)]
    pub(super) namespace: Option<Cow<'a, str>>,
    /// What a function was called with: a text that holds JSON.
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    /// What a custom tool was called with.
    #[serde(borrow)]
    pub(super) input: Option<Cow<'a, str>>,
    /// The call, or the call whose result this is.
    #[serde(borrow)]
    pub(super) call_id: Option<Cow<'a, str>>,
    /// What a tool gave: a text or parts.
    #[serde(borrow)]
    pub(super) output: Option<&'a RawValue>,
    /// The thinking in short.
    #[serde(borrow)]
    pub(super) summary: Option<Vec<Part<'a>>>,
    /// The thinking as the router sealed it.
    #[serde(borrow)]
    pub(super) encrypted_content: Option<Cow<'a, str>>,
    /// Tools that are added in the middle of a conversation.
    #[serde(borrow)]
    pub(super) tools: Option<Vec<Tool<'a>>>,
}

/// A part of a message, of a tool's result, or of the thinking.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part<'a> {
    /// What it is.
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    /// A text.
    #[serde(borrow)]
    pub(super) text: Option<Cow<'a, str>>,
    /// The words of a refusal.
    #[serde(borrow)]
    pub(super) refusal: Option<Cow<'a, str>>,
    /// A picture: a URL, or an object that holds one.
    #[serde(borrow)]
    pub(super) image_url: Option<&'a RawValue>,
    /// How closely the picture is to be looked at.
    #[serde(borrow)]
    pub(super) detail: Option<Cow<'a, str>>,
    /// A file that was uploaded earlier.
    #[serde(borrow)]
    pub(super) file_id: Option<Cow<'a, str>>,
    /// A file in a data URL.
    #[serde(borrow)]
    pub(super) file_data: Option<Cow<'a, str>>,
    /// A file somewhere else.
    #[serde(borrow)]
    pub(super) file_url: Option<Cow<'a, str>>,
    /// What the file is called.
    #[serde(borrow)]
    pub(super) filename: Option<Cow<'a, str>>,
    /// A sound and its form.
    #[serde(borrow)]
    pub(super) input_audio: Option<&'a RawValue>,
}

/// A picture as chat completions write it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Linked<'a> {
    /// Where it is, or itself in a data URL.
    #[serde(borrow)]
    pub(super) url: Option<Cow<'a, str>>,
    /// How closely it is to be looked at.
    #[serde(borrow)]
    pub(super) detail: Option<Cow<'a, str>>,
}

/// A tool that is offered, or named in a choice.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tool<'a> {
    /// What it is.
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    /// Its name.
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    /// Its group, in a choice.
    #[serde(borrow)]
    pub(super) namespace: Option<Cow<'a, str>>,
    /// What it is for.
    #[serde(borrow)]
    pub(super) description: Option<Cow<'a, str>>,
    /// The schema of a function's arguments.
    #[serde(borrow)]
    pub(super) parameters: Option<&'a RawValue>,
    /// Whether the schema is kept to in any case.
    pub(super) strict: Option<bool>,
    /// What a custom tool's input looks like.
    #[serde(borrow)]
    pub(super) format: Option<InputFormat<'a>>,
    /// The tools of a group.
    #[serde(borrow)]
    pub(super) tools: Option<Vec<Self>>,
    /// All of it, as chat completions write it.
    #[serde(borrow)]
    pub(super) function: Option<Box<Self>>,
    /// Whether one of `tools` must be called, in a choice.
    #[serde(borrow)]
    pub(super) mode: Option<Cow<'a, str>>,
}

/// What a custom tool's input looks like.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct InputFormat<'a> {
    /// The language of the grammar.
    #[serde(borrow)]
    pub(super) syntax: Option<Cow<'a, str>>,
    /// The grammar; none for any text.
    #[serde(borrow)]
    pub(super) definition: Option<Cow<'a, str>>,
}

/// What an answer's text is to be like.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Text<'a> {
    /// Its form.
    #[serde(borrow)]
    pub(super) format: Option<Format<'a>>,
    /// How long-winded it is.
    #[serde(borrow)]
    pub(super) verbosity: Option<&'a RawValue>,
}

/// The form of an answer's text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Format<'a> {
    /// `text`, `json_object` or `json_schema`.
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    /// The schema's name.
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    /// What the schema is for.
    #[serde(borrow)]
    pub(super) description: Option<Cow<'a, str>>,
    /// The schema.
    #[serde(borrow)]
    pub(super) schema: Option<&'a RawValue>,
    /// Whether the schema is kept to in any case.
    pub(super) strict: Option<bool>,
}
