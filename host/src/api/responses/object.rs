//! The response object: what a whole answer is, and what a stream begins and
//! ends with.
//!
//! All its members but a few repeat the request; they are kept as text. What is
//! in `output` is in [`items`](super::items). Pure.
//!
//! Outside facts: `openai/types/responses/response.py` of the Python package
//! `openai` 3.57, and openresponses.org for members that must not be left out.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    api::responses::items::View,
    chat::{Fields, chunk::Chunk},
};

/// What an answer repeats of its request, each with what holds if it was not said.
#[derive(Debug)]
pub(super) struct Echo(Vec<(&'static str, Option<Box<RawValue>>)>);

/// The members that repeat the request, with their values if it says nothing.
const ECHOED: [(&str, &str); 18] = [
    ("frequency_penalty", "0"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("presence_penalty", "0"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

impl Echo {
    /// Copies what is repeated.
    pub(super) fn of(fields: &Fields) -> Self {
        Self(ECHOED.iter().map(|(name, usual)| (*name, fields.get(name).map(|said| repeated(said, usual)))).collect())
    }

    /// Returns the members, each as JSON.
    fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        ECHOED.iter().map(|(name, usual)| {
            let said = self.0.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.as_deref());
            (*name, said.map_or(*usual, RawValue::get))
        })
    }
}

/// Returns a value as it is repeated: an object with the usual members where it
/// has none of its own, and nothing with line breaks, which would end the line of
/// an event; in JSON they can only stand between tokens.
fn repeated(said: &RawValue, usual: &str) -> Box<RawValue> {
    let members = |text: &str| serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text);
    let mut text = said.get().to_owned();
    if let (Ok(mut all), Ok(own)) = (members(usual), members(&text)) {
        all.extend(own);
        text = serde_json::to_string(&all).unwrap_or(text);
    }
    RawValue::from_string(text.replace(['\r', '\n'], " ")).unwrap_or_else(|_| said.to_owned())
}

/// How an answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State<'a> {
    /// It is coming.
    InProgress,
    /// All of it is there.
    Completed,
    /// It was cut, for this reason.
    Incomplete(&'static str),
    /// It broke off, with these words.
    Failed(&'a str),
}

impl State<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(_) => "failed",
        }
    }
}

/// A response object, but for what it repeats.
#[derive(Debug)]
pub(super) struct Object<'a> {
    /// Its id.
    pub(super) id: &'a str,
    /// When it began, in seconds since 1970.
    pub(super) created_at: u64,
    /// When it was complete, in the same.
    pub(super) completed_at: Option<u64>,
    /// How it stands.
    pub(super) state: State<'a>,
    /// Who answers.
    pub(super) model: &'a str,
    /// What came so far.
    pub(super) output: Vec<View<'a>>,
    /// The tokens that it took, once that is known.
    pub(super) usage: Option<Usage>,
}

#[derive(Serialize)]
struct Reason {
    reason: &'static str,
}

#[derive(Serialize)]
struct Failure<'a> {
    code: &'static str,
    message: &'a str,
}

impl Object<'_> {
    /// Returns the JSON of the object with what it repeats.
    pub(super) fn json(&self, echo: &Echo) -> Box<RawValue> {
        let error = match self.state {
            // The code that every client knows for a fault of the server's.
            State::Failed(message) => Some(Failure { code: "server_error", message }),
            State::InProgress | State::Completed | State::Incomplete(_) => None,
        };
        let details = match self.state {
            State::Incomplete(reason) => Some(Reason { reason }),
            State::InProgress | State::Completed | State::Failed(_) => None,
        };
        let members: [(&str, Cow<'_, str>); 14] = [
            ("id", json(self.id)),
            ("object", "\"response\"".into()),
            ("created_at", json(&self.created_at)),
            ("completed_at", json(&self.completed_at)),
            ("status", json(self.state.name())),
            ("background", "false".into()),
            ("error", json(&error)),
            ("incomplete_details", json(&details)),
            ("model", json(self.model)),
            ("output", json(&self.output)),
            ("previous_response_id", "null".into()),
            ("service_tier", "\"default\"".into()),
            // Nothing is, whatever was asked for.
            ("store", "false".into()),
            ("usage", json(&self.usage)),
        ];
        let mut text = String::from("{");
        let members = members.iter().map(|(name, value)| (*name, &**value)).chain(echo.members());
        for (place, (name, value)) in members.enumerate() {
            let comma = if place == 0 { "" } else { "," };
            text.extend([comma, "\"", name, "\":", value]);
        }
        text.push('}');
        RawValue::from_string(text).unwrap_or_default()
    }
}

fn json(value: &(impl Serialize + ?Sized)) -> Cow<'static, str> {
    serde_json::to_string(value).map_or(Cow::Borrowed("null"), Cow::Owned)
}

/// The tokens that an answer took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    input_tokens: u64,
    input_tokens_details: InputDetails,
    output_tokens: u64,
    output_tokens_details: OutputDetails,
    total_tokens: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct InputDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct OutputDetails {
    reasoning_tokens: u64,
}

impl Usage {
    /// Makes a usage of counts that are known or estimated, with no details.
    pub(super) fn new(input_tokens: u64, output_tokens: u64) -> Self {
        Self {
            input_tokens,
            input_tokens_details: InputDetails::default(),
            output_tokens,
            output_tokens_details: OutputDetails::default(),
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }

    /// Returns the usage that a chunk tells, with its details if they can be read.
    pub(super) fn of(chunk: &Chunk) -> Option<Self> {
        #[derive(Default, Deserialize)]
        struct Told {
            usage: Details,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Details {
            prompt_tokens_details: Option<Prompt>,
            completion_tokens_details: Option<Completion>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Prompt {
            cached_tokens: Option<u64>,
            cache_write_tokens: Option<u64>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Completion {
            reasoning_tokens: Option<u64>,
        }
        let counted = chunk.usage?;
        let Told { usage } = serde_json::from_slice(&chunk.raw).unwrap_or_default();
        let prompt = usage.prompt_tokens_details.unwrap_or_default();
        let completion = usage.completion_tokens_details.unwrap_or_default();
        Some(Self {
            input_tokens_details: InputDetails {
                cached_tokens: prompt.cached_tokens.unwrap_or_default(),
                cache_write_tokens: prompt.cache_write_tokens.unwrap_or_default(),
            },
            output_tokens_details: OutputDetails { reasoning_tokens: completion.reasoning_tokens.unwrap_or_default() },
            ..Self::new(counted.prompt_tokens, counted.completion_tokens)
        })
    }
}
