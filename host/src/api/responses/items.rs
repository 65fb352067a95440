//! The items of an answer: thinking, messages, calls, pictures.
//!
//! Each grows while the answer comes, and is told as a [`View`]: empty when it
//! begins, whole when it ends. What is told when is in
//! [`answer`](mod@super::answer). Pure.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use crate::{
    api::responses::{
        thinking::Thinking,
        tools::{self, Kind, Tool},
    },
    chat::chunk::Choice,
};

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// It is coming.
    InProgress,
    /// All of it is there.
    Completed,
    /// It was cut.
    Incomplete,
}

/// An item of an answer.
#[derive(Debug)]
pub(super) struct Item {
    /// Its id.
    pub(super) id: String,
    /// How it stands.
    pub(super) status: Status,
    /// What it is.
    pub(super) body: Body,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Body {
    /// What the model thought.
    Reasoning(Reasoning),
    /// What it said.
    Message(Vec<Part>),
    /// What it wants called.
    Call(Call),
    /// A picture that it made, in base64.
    Picture(String),
}

/// What the model thought.
#[derive(Debug, Default)]
pub(super) struct Reasoning {
    /// Its text.
    pub(super) text: String,
    /// The same in parts, as the upstream has it.
    pub(super) details: Vec<Value>,
    /// What the client is to hand back, once it is whole.
    pub(super) sealed: Option<String>,
}

/// What the model wants called.
#[derive(Debug)]
pub(super) struct Call {
    /// The tool.
    pub(super) tool: Tool,
    /// By which its result is told apart.
    pub(super) id: String,
    /// With what; empty until it is whole.
    pub(super) arguments: String,
    /// Which of the message's calls it is, in the order in which they began.
    pub(super) place: usize,
    /// How many bytes of the arguments have been told.
    pub(super) told: usize,
}

/// A part of a message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part {
    /// Words.
    OutputText {
        /// What they refer to.
        annotations: Vec<Annotation>,
        /// How probable each was.
        logprobs: Vec<Probability>,
        /// The words.
        text: String,
    },
    /// Words of a refusal.
    Refusal {
        /// The words.
        refusal: String,
    },
}

/// An item as it is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum View<'a> {
    Reasoning {
        id: &'a str,
        summary: Vec<SummaryText<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
        status: Status,
    },
    Message {
        id: &'a str,
        role: &'static str,
        status: Status,
        content: &'a [Part],
    },
    FunctionCall {
        id: &'a str,
        call_id: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        arguments: &'a str,
        status: Status,
    },
    CustomToolCall {
        id: &'a str,
        call_id: &'a str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
        input: Cow<'a, str>,
        status: Status,
    },
    ImageGenerationCall {
        id: &'a str,
        status: Status,
        result: &'a str,
    },
}

/// Thinking as a part of an item.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "summary_text")]
pub(super) struct SummaryText<'a> {
    pub(super) text: &'a str,
}

impl Item {
    /// Returns the item as it is told now.
    pub(super) fn view(&self) -> View<'_> {
        let (id, status) = (self.id.as_str(), self.status);
        match &self.body {
            Body::Reasoning(reasoning) => View::Reasoning {
                id,
                summary: reasoning.summary().into_iter().collect(),
                encrypted_content: reasoning.sealed.as_deref(),
                status,
            },
            Body::Message(content) => View::Message { id, role: "assistant", status, content },
            Body::Call(Call { tool, id: call_id, arguments, .. }) => {
                let (name, namespace) = (tool.name.as_str(), tool.namespace.as_deref());
                match tool.kind {
                    Kind::Function => View::FunctionCall { id, call_id, name, namespace, arguments, status },
                    Kind::Custom => {
                        let input = tools::input(arguments);
                        View::CustomToolCall { id, call_id, name, namespace, input, status }
                    }
                }
            }
            Body::Picture(result) => View::ImageGenerationCall { id, status, result },
        }
    }
}

impl Reasoning {
    /// Returns the part of the item, once there is a text.
    pub(super) fn summary(&self) -> Option<SummaryText<'_>> {
        (!self.text.is_empty()).then_some(SummaryText { text: &self.text })
    }

    /// Makes what the client is to hand back.
    pub(super) fn seal(&mut self) {
        self.sealed = Some(Thinking::of(&self.text, &self.details).sealed());
    }
}

impl Part {
    /// Makes a part for words.
    pub(super) fn text() -> Self {
        Self::OutputText { annotations: Vec::new(), logprobs: Vec::new(), text: String::new() }
    }

    /// Makes a part for the words of a refusal.
    pub(super) fn refusal() -> Self {
        Self::Refusal { refusal: String::new() }
    }
}

/// A page that words refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "url_citation")]
pub(super) struct Annotation {
    url: String,
    title: String,
    start_index: u64,
    end_index: u64,
}

/// Returns the pages that a piece refers to; other notes have no form here.
pub(super) fn annotations(raw: &RawValue) -> Vec<Annotation> {
    #[derive(Deserialize)]
    struct Note {
        url_citation: Citation,
    }
    #[derive(Deserialize)]
    struct Citation {
        url: String,
        #[serde(default)]
        title: Option<String>,
        #[serde(default)]
        start_index: Option<u64>,
        #[serde(default)]
        end_index: Option<u64>,
    }
    let notes: Vec<&RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    let citations = notes.iter().filter_map(|note| serde_json::from_str::<Note>(note.get()).ok());
    citations
        .map(|Note { url_citation: Citation { url, title, start_index, end_index } }| Annotation {
            url,
            title: title.unwrap_or_default(),
            start_index: start_index.unwrap_or_default(),
            end_index: end_index.unwrap_or_default(),
        })
        .collect()
}

/// How probable a token was. OpenAI's clients want all members.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Probability {
    token: String,
    bytes: Vec<u8>,
    logprob: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Self>>,
}

/// Returns the probabilities that a piece carries; none if they are unreadable.
pub(super) fn probabilities(choice: &Choice) -> Vec<Probability> {
    #[derive(Deserialize)]
    struct Told {
        content: Option<Vec<Likely>>,
    }
    #[derive(Deserialize)]
    struct Likely {
        token: String,
        logprob: f64,
        #[serde(default)]
        bytes: Option<Vec<u8>>,
        #[serde(default)]
        top_logprobs: Option<Vec<Self>>,
    }
    fn one(Likely { token, logprob, bytes, top_logprobs }: Likely, with_top: bool) -> Probability {
        let bytes = bytes.unwrap_or_else(|| token.as_bytes().to_vec());
        let top = top_logprobs.unwrap_or_default().into_iter().map(|other| one(other, false)).collect();
        Probability { token, bytes, logprob, top_logprobs: with_top.then_some(top) }
    }
    let told = choice.logprobs.as_deref().and_then(|raw| serde_json::from_str::<Told>(raw.get()).ok());
    let tokens = told.and_then(|told| told.content).unwrap_or_default();
    tokens.into_iter().map(|token| one(token, true)).collect()
}

/// Returns the picture in a piece, as base64.
///
/// One that is only linked has no form here and is left out.
pub(super) fn picture(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Image {
        image_url: Link,
    }
    #[derive(Deserialize)]
    struct Link {
        url: String,
    }
    let image: Image = serde_json::from_str(raw.get()).ok()?;
    let (_, base64) = image.image_url.url.strip_prefix("data:")?.split_once(";base64,")?;
    Some(base64.to_owned())
}

/// Returns the thinking of a piece in parts, each as it came.
pub(super) fn details(raw: &[u8]) -> Vec<Value> {
    #[derive(Deserialize)]
    struct Piece {
        choices: Vec<Told>,
    }
    #[derive(Deserialize)]
    struct Told {
        #[serde(alias = "message")]
        delta: Delta,
    }
    #[derive(Deserialize)]
    struct Delta {
        reasoning_details: Vec<Value>,
    }
    let piece: Option<Piece> = serde_json::from_slice(raw).ok();
    piece
        .and_then(|piece| piece.choices.into_iter().next())
        .map(|told| told.delta.reasoning_details)
        .unwrap_or_default()
}
