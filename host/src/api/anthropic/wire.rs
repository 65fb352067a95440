//! The requests of Anthropic's Messages API, as clients write them.
//!
//! What the router has to understand, field by field; each borrows from the
//! request. A `null` is as good as nothing, and a field that is not known here is
//! left alone. What a request means upstream is in
//! [`convert`](super::convert). No replies here.
//!
//! Outside facts: `anthropic/types` of github.com/anthropics/anthropic-sdk-python,
//! November 2026.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::chat::Unreadable;

/// Words for a client whose request is wrong: status 400 in every case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        Self(unreadable.to_string())
    }
}

/// A message of a conversation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Message<'a> {
    /// Who speaks.
    #[serde(borrow, deserialize_with = "text")]
    pub role: Cow<'a, str>,
    /// What is said.
    #[serde(borrow)]
    pub content: Content<'a>,
}

/// A text, or blocks.
#[derive(Debug)]
pub enum Content<'a> {
    /// A text alone.
    Text(Cow<'a, str>),
    /// Blocks of several kinds.
    Blocks(Vec<Block<'a>>),
}

impl Default for Content<'_> {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

impl<'a> Content<'a> {
    /// Returns the blocks; a text alone is one.
    pub fn into_blocks(self) -> Vec<Block<'a>> {
        match self {
            Self::Text(text) => vec![Block { kind: "text".into(), text, ..Block::default() }],
            Self::Blocks(blocks) => blocks,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of blocks")
            }

            fn visit_unit<E>(self) -> Result<Content<'de>, E> {
                Ok(Content::default())
            }

            fn visit_str<E>(self, text: &str) -> Result<Content<'de>, E> {
                Ok(Content::Text(text.to_owned().into()))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Content<'de>, E> {
                Ok(Content::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content<'de>, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = seq.next_element()? {
                    blocks.push(block);
                }
                Ok(Content::Blocks(blocks))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A block of any kind: each kind has some of these fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Block<'a> {
    /// Its kind, such as `text` or `tool_use`.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// What is said.
    #[serde(borrow, deserialize_with = "text")]
    pub text: Cow<'a, str>,
    /// What the model thought.
    #[serde(borrow, deserialize_with = "text")]
    pub thinking: Cow<'a, str>,
    /// What came with the thinking, to be sent back.
    #[serde(borrow, deserialize_with = "text")]
    pub signature: Cow<'a, str>,
    /// The id of a call.
    #[serde(borrow, deserialize_with = "text")]
    pub id: Cow<'a, str>,
    /// The tool that is called.
    #[serde(borrow, deserialize_with = "text")]
    pub name: Cow<'a, str>,
    /// What it is called with.
    #[serde(borrow)]
    pub input: Option<&'a RawValue>,
    /// The call whose result this is.
    #[serde(borrow, deserialize_with = "text")]
    pub tool_use_id: Cow<'a, str>,
    /// A tool that a search for tools found.
    #[serde(borrow, deserialize_with = "text")]
    pub tool_name: Cow<'a, str>,
    /// Whether the tool failed.
    pub is_error: Option<bool>,
    /// A result, or the text of a search result.
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    /// A picture or document, or where a search result is from.
    #[serde(borrow)]
    pub source: Option<&'a RawValue>,
    /// What a document or search result is called.
    #[serde(borrow, deserialize_with = "text")]
    pub title: Cow<'a, str>,
    /// What the client says about a document.
    #[serde(borrow, deserialize_with = "text")]
    pub context: Cow<'a, str>,
    /// Up to where the prompt is to be remembered.
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
}

/// Where a picture or document is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Source<'a> {
    /// `base64`, `url`, `text`, `content` or `file`.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// What the data is, such as `image/png`.
    #[serde(borrow, deserialize_with = "text")]
    pub media_type: Cow<'a, str>,
    /// The bytes in base64, or the text.
    #[serde(borrow, deserialize_with = "text")]
    pub data: Cow<'a, str>,
    /// Its address.
    #[serde(borrow, deserialize_with = "text")]
    pub url: Cow<'a, str>,
    /// Blocks that make up a document.
    #[serde(borrow)]
    pub content: Content<'a>,
}

/// A tool that the model may call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Tool<'a> {
    /// `custom`, none, or the name and version of one of Anthropic's own.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// Its name.
    #[serde(borrow, deserialize_with = "text")]
    pub name: Cow<'a, str>,
    /// What it does.
    #[serde(borrow, deserialize_with = "text")]
    pub description: Cow<'a, str>,
    /// What it takes: a JSON schema.
    #[serde(borrow)]
    pub input_schema: Option<&'a RawValue>,
    /// Whether the model must keep to the schema.
    pub strict: Option<bool>,
    /// Up to where the prompt is to be remembered.
    #[serde(borrow)]
    pub cache_control: Option<&'a RawValue>,
    /// The width of the screen that `computer` sees, in pixels.
    pub display_width_px: Option<u64>,
    /// Its height.
    pub display_height_px: Option<u64>,
}

/// Whether the model calls tools, and which.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ToolChoice<'a> {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// Which, for `tool`.
    #[serde(borrow, deserialize_with = "text")]
    pub name: Cow<'a, str>,
    /// Whether it may call only one at a time.
    pub disable_parallel_tool_use: Option<bool>,
}

/// Whether the model thinks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Thinking<'a> {
    /// `enabled`, `adaptive`, `between_tools` or `disabled`.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// How many tokens it may think.
    pub budget_tokens: Option<u64>,
    /// `omitted` if nobody wants to see it.
    #[serde(borrow, deserialize_with = "text")]
    pub display: Cow<'a, str>,
}

/// How the answer is to be.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OutputConfig<'a> {
    /// How hard the model tries.
    #[serde(borrow, deserialize_with = "text")]
    pub effort: Cow<'a, str>,
    /// Its form.
    #[serde(borrow)]
    pub format: Option<&'a RawValue>,
}

/// The form of an answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Format<'a> {
    /// `json_schema`.
    #[serde(rename = "type", borrow, deserialize_with = "text")]
    pub kind: Cow<'a, str>,
    /// The schema.
    #[serde(borrow)]
    pub schema: Option<&'a RawValue>,
}

/// Who asks.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata<'a> {
    /// An id of the client's user.
    #[serde(borrow, deserialize_with = "text")]
    pub user_id: Cow<'a, str>,
}

/// Reads a text, and `null` as an empty one.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, str>, D::Error> {
    struct Text;
    impl<'de> Visitor<'de> for Text {
        type Value = Cow<'de, str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_unit<E>(self) -> Result<Cow<'de, str>, E> {
            Ok("".into())
        }

        fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
            Ok(text.to_owned().into())
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
            Ok(text.into())
        }
    }
    deserializer.deserialize_any(Text)
}
