//! The events of a stream: one type for all, numbered as they go out.
//!
//! Which members an event has follows from what it tells; what is not set is not
//! there. When which is told is in [`answer`](mod@super::answer).
//!
//! Outside facts: `response_*_event.py` in `openai/types/responses` of the Python
//! package `openai` 3.57.

use bytes::BytesMut;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::{
    responses::items::{Annotation, Part, Probability, SummaryText, View},
    sse,
};

/// What an event says; its type and its number are set as it goes out.
#[derive(Debug, Default, Serialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) output_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<View<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<AnyPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation: Option<&'a Annotation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<&'a [Probability]>,
}

/// A part, of a message or of the thinking.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum AnyPart<'a> {
    /// Of a message.
    Content(&'a Part),
    /// Of the thinking.
    Summary(SummaryText<'a>),
}

/// Where events go.
#[derive(Debug)]
pub(super) enum Teller {
    /// To a client, numbered from here.
    Stream(u64),
    /// Nowhere: the answer is wanted whole.
    Silent,
}

impl Teller {
    /// Appends an event.
    pub(super) fn tell(&mut self, kind: &'static str, event: Event<'_>, frame: &mut BytesMut) {
        match self {
            Self::Stream(next) => {
                let event = Event { kind, sequence_number: *next, ..event };
                *next += 1;
                // The members are texts, numbers and what is JSON already.
                if let Ok(line) = serde_json::to_vec(&event) {
                    sse::event(kind, &line, frame);
                }
            }
            Self::Silent => {}
        }
    }
}
