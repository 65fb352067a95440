//! A reply, piece by piece, as the upstream streams it.
//!
//! Typed where a face or the attempt engine looks; the piece as it came stays
//! beside it, so that an OpenAI client gets it untouched. Reading is lenient:
//! what is missing or `null` is nothing, unknown fields and finish reasons are
//! carried, never refused.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

/// One piece of a streamed reply.
#[derive(Debug, Deserialize)]
pub struct Chunk {
    /// The choices; the router asks for one, and reads the first.
    #[serde(default, deserialize_with = "or_default")]
    pub choices: Vec<Choice>,
    /// Token counts, in one of the last pieces.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// An error in place of a piece, or beside it.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
    #[serde(default, deserialize_with = "digest")]
    id: u64,
    #[serde(default, deserialize_with = "digest")]
    object: u64,
    #[serde(default, deserialize_with = "digest")]
    created: u64,
    #[serde(default, deserialize_with = "digest")]
    model: u64,
    /// The piece as it came: one JSON object.
    #[serde(skip)]
    pub raw: Bytes,
}

/// One of the choices of a piece.
#[derive(Debug, Default, Deserialize)]
pub struct Choice {
    #[serde(default, deserialize_with = "or_default")]
    delta: Delta,
    /// What is new, as a whole answer calls it.
    #[serde(default)]
    message: Option<Delta>,
    #[serde(default, deserialize_with = "finish")]
    finish_reason: Finish,
    #[serde(default, rename = "index", deserialize_with = "given")]
    has_index: bool,
    /// An error of this choice.
    #[serde(default)]
    pub error: Option<Box<RawValue>>,
    /// Token probabilities.
    #[serde(default)]
    pub logprobs: Option<Box<RawValue>>,
}

/// What a piece adds to the message.
#[derive(Debug, Default, Deserialize)]
pub struct Delta {
    /// Text of the answer.
    #[serde(default)]
    pub content: Option<String>,
    /// Text of the thinking.
    #[serde(default)]
    pub reasoning: Option<String>,
    /// Text of the thinking, as some upstreams call it, or once more.
    #[serde(default, deserialize_with = "member")]
    reasoning_content: Member,
    /// The thinking again, in parts; read only where `reasoning` is missing.
    #[serde(default, deserialize_with = "or_default")]
    pub reasoning_details: Vec<ReasoningDetail>,
    /// Fragments of tool calls.
    #[serde(default, deserialize_with = "or_default")]
    pub tool_calls: Vec<ToolCallDelta>,
    /// Words of a refusal, in place of an answer.
    #[serde(default)]
    pub refusal: Option<String>,
    /// Pictures that the model made.
    #[serde(default, deserialize_with = "or_default")]
    pub images: Vec<Box<RawValue>>,
    /// What the text refers to: a list, or anything else.
    #[serde(default)]
    pub annotations: Option<Box<RawValue>>,
}

/// The names under which a piece gives its thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingNames {
    /// It has none.
    None,
    /// `reasoning` and `reasoning_content`.
    Both,
    /// `reasoning`, and nothing at all under the other.
    FirstAlone,
    /// In any other way.
    Otherwise,
}

/// A part of the thinking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ReasoningDetail {
    /// Which of the forms it has, such as `reasoning.text`.
    #[serde(rename = "type", default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Its id, by which some vendors tie it to a call.
    #[serde(default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whose form of signature and data it has.
    #[serde(default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Which part of the thinking it goes on with.
    #[serde(default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Its text, if it is shown in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its text, if only a summary is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The thinking, as only its vendor can read it.
    #[serde(default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// What shows its vendor that nobody changed it.
    #[serde(default, deserialize_with = "if_fits", skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A fragment of a tool call.
#[derive(Debug, Default, Deserialize)]
pub struct ToolCallDelta {
    /// Which call of the message it belongs to.
    #[serde(default)]
    pub index: Option<u32>,
    /// The call's id, usually in its first fragment only.
    #[serde(default)]
    pub id: Option<String>,
    /// Name and arguments.
    #[serde(default, deserialize_with = "or_default")]
    pub function: FunctionDelta,
}

/// A fragment of a function call.
#[derive(Debug, Default, Deserialize)]
pub struct FunctionDelta {
    /// The function's name, usually in the first fragment only.
    #[serde(default)]
    pub name: Option<String>,
    /// A fragment of the arguments' JSON text.
    #[serde(default)]
    pub arguments: Option<String>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The answer was cut by a filter.
    ContentFilter,
    /// Something failed.
    Error,
    /// The limit of tokens was reached.
    Length,
    /// The answer is complete.
    Stop,
    /// The model wants tools called.
    ToolCalls,
}

impl FinishReason {
    /// Returns the reason in the upstream's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContentFilter => "content_filter",
            Self::Error => "error",
            Self::Length => "length",
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
        }
    }
}

/// What a choice says of its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Finish {
    /// Nothing.
    #[default]
    Open,
    /// An empty text, which says nothing either.
    Blank,
    /// That the answer is over.
    Over(FinishReason),
}

/// Reads a finish reason; no text and an empty one say that the answer goes on.
fn finish<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Finish, D::Error> {
    let name = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    Ok(match name.as_deref() {
        None => Finish::Open,
        Some("") => Finish::Blank,
        Some("content_filter") => Finish::Over(FinishReason::ContentFilter),
        Some("error") => Finish::Over(FinishReason::Error),
        Some("length") => Finish::Over(FinishReason::Length),
        Some("tool_calls" | "function_call") => Finish::Over(FinishReason::ToolCalls),
        // A word that is new to us still says that the answer is over.
        Some(_) => Finish::Over(FinishReason::Stop),
    })
}

/// How many tokens a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    #[serde(default, deserialize_with = "or_default")]
    pub prompt_tokens: u64,
    /// Tokens of the answer, thinking included.
    #[serde(default, deserialize_with = "or_default")]
    pub completion_tokens: u64,
    /// How many tokens of the prompt were remembered.
    #[serde(default, deserialize_with = "or_default")]
    pub prompt_tokens_details: PromptDetails,
    /// US dollars that it cost.
    #[serde(default)]
    pub cost: Option<f64>,
}

/// What a prompt's tokens were, as far as the upstream tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct PromptDetails {
    /// Tokens that were remembered from an earlier request.
    #[serde(default, deserialize_with = "or_default")]
    pub cached_tokens: u64,
    /// Tokens that are remembered from now on.
    #[serde(default, deserialize_with = "or_default")]
    pub cache_write_tokens: u64,
}

impl Chunk {
    /// Reads one piece, and keeps its text.
    pub fn parse(raw: Bytes) -> Result<Self, serde_json::Error> {
        let mut chunk: Self = serde_json::from_slice(&raw)?;
        chunk.raw = raw;
        Ok(chunk)
    }

    /// Returns the first choice.
    pub fn choice(&self) -> Option<&Choice> {
        self.choices.first()
    }

    /// Returns why the answer ends here, if it does.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.choice().and_then(Choice::finish_reason)
    }

    /// Returns digests of what the piece says of the whole answer: its `id`,
    /// `object`, `created` and `model`, 0 where it is silent.
    ///
    /// Two pieces with the same digests say the same.
    pub fn head(&self) -> [u64; 4] {
        [self.id, self.object, self.created, self.model]
    }

    /// Tells whether the piece holds something of an answer: text, thinking, a
    /// tool call or a picture. A role, an empty text or a count is not one.
    pub fn has_substance(&self) -> bool {
        self.choices.iter().any(|choice| choice.delta().has_substance())
    }

    /// Tells whether the piece holds nothing but fragments of tool calls, if that.
    pub fn has_only_calls(&self) -> bool {
        self.choice().is_none_or(|choice| {
            let delta = choice.delta();
            delta.text().is_none() && delta.thinking().is_none() && delta.images.is_empty()
        })
    }

    /// Returns the error that the piece carries, if any.
    pub fn error(&self) -> Option<&RawValue> {
        self.error.as_deref().or_else(|| self.choice()?.error.as_deref()).filter(|error| error.get() != "null")
    }
}

impl Choice {
    /// Returns what is new, under either name.
    pub fn delta(&self) -> &Delta {
        self.message.as_ref().unwrap_or(&self.delta)
    }

    /// Returns why the answer ends here, if it does.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        match self.finish_reason {
            Finish::Open | Finish::Blank => None,
            Finish::Over(reason) => Some(reason),
        }
    }

    /// Tells whether it is spelled as a piece in the middle of an answer should be:
    /// with its index, as a delta, and without a word on the end.
    pub fn is_plain(&self) -> bool {
        self.has_index && self.message.is_none() && self.finish_reason == Finish::Open
    }
}

impl Delta {
    /// Returns the new text of the answer, if any.
    pub fn text(&self) -> Option<&str> {
        filled(self.content.as_ref()).or_else(|| filled(self.refusal.as_ref()))
    }

    /// Returns the new text of the thinking, if any.
    pub fn thinking(&self) -> Option<&str> {
        filled(self.reasoning.as_ref()).or_else(|| filled(self.content_of_reasoning())).or_else(|| {
            let detail = self.reasoning_details.first()?;
            filled(detail.text.as_ref()).or_else(|| filled(detail.summary.as_ref()))
        })
    }

    /// Tells under which names the thinking is given.
    pub fn thinking_names(&self) -> ThinkingNames {
        match (filled(self.reasoning.as_ref()), filled(self.content_of_reasoning())) {
            (Some(_), Some(_)) => ThinkingNames::Both,
            (Some(_), None) if matches!(self.reasoning_content, Member::Missing) => ThinkingNames::FirstAlone,
            _ if self.thinking().is_some() => ThinkingNames::Otherwise,
            _ => ThinkingNames::None,
        }
    }

    fn content_of_reasoning(&self) -> Option<&String> {
        match &self.reasoning_content {
            Member::Missing | Member::Null => None,
            Member::Text(text) => Some(text),
        }
    }

    fn has_substance(&self) -> bool {
        self.text().is_some() || self.thinking().is_some() || !self.tool_calls.is_empty() || !self.images.is_empty()
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.is_empty())
}

/// Reads `null` as the default value.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a value of another kind as none, for it is of use to nobody.
fn if_fits<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Fits<T> {
        Yes(T),
        No(IgnoredAny),
    }
    Ok(match Option::<Fits<T>>::deserialize(deserializer)? {
        Some(Fits::Yes(value)) => Some(value),
        Some(Fits::No(_)) | None => None,
    })
}

/// A member with a text of which it matters whether it is there at all.
#[derive(Debug, Default)]
enum Member {
    #[default]
    Missing,
    Null,
    Text(String),
}

fn member<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Member, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map_or(Member::Null, Member::Text))
}

/// Notes that there is a value, whatever it is.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Reads no more of a value than a digest of its text, so that values can be
/// compared and need not be copied: FNV-1a, but over words of eight bytes.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = <&'de RawValue>::deserialize(deserializer)?.get();
    Ok(text.as_bytes().chunks(8).fold(0xcbf2_9ce4_8422_2325, |digest, bytes| {
        let word = bytes.iter().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
        (digest ^ word).wrapping_mul(0x0000_0100_0000_01b3)
    }))
}

#[cfg(test)]
mod tests;
