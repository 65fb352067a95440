//! The columns of the built-in table of models, and the JSON they become.
//!
//! A column holds what differs between models; all else of the real shape is
//! derived here, so that an entry of the table is a few lines. It holds no
//! model. The table is in `catalog/models.rs`.

use serde_json::{Map, Value, json};

/// One model of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) id: &'static str,
    /// Empty: the model has no name, as seen once in the real catalogue.
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    /// Added to a fixed day, newest first.
    pub(super) created: u32,
    pub(super) context: u32,
    pub(super) provider_context: Option<u32>,
    pub(super) answer_max: Option<u32>,
    pub(super) inputs: &'static [&'static str],
    pub(super) outputs: &'static [&'static str],
    pub(super) tokenizer: &'static str,
    pub(super) instruct: Option<&'static str>,
    pub(super) prices: &'static [(&'static str, &'static str)],
    pub(super) parameters: &'static [&'static str],
    pub(super) is_moderated: bool,
    pub(super) ends: Ends,
    pub(super) reasoning: Reasoning,
    /// Intelligence, coding and agentic index.
    pub(super) benchmarks: Option<[f32; 3]>,
    pub(super) alias: Option<(&'static str, &'static str)>,
}

/// When a model leaves the catalogue.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends {
    Unknown,
    /// A few days after the present day.
    Soon,
    On(&'static str),
}

/// Whether and how a model reasons.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reasoning {
    None,
    OnRequest,
    ByDefault,
    Mandatory,
}

/// 2026-06-01, the day from which `created` counts.
const FIRST_DAY: u32 = 1_780_272_000;

/// What every chat model takes.
pub(super) const PLAIN: &[&str] =
    &["frequency_penalty", "max_tokens", "presence_penalty", "seed", "stop", "temperature", "top_p"];

/// What a model with tools takes.
pub(super) const TOOLS: &[&str] = &["max_tokens", "seed", "stop", "temperature", "tool_choice", "tools", "top_p"];

/// What a model with tools takes that cannot be told which one to use.
pub(super) const TOOLS_WITHOUT_CHOICE: &[&str] = &["max_tokens", "stop", "temperature", "tools", "top_p"];

/// What a model with tools, reasoning and structured output takes.
pub(super) const FULL: &[&str] = &[
    "frequency_penalty",
    "include_reasoning",
    "logprobs",
    "max_tokens",
    "presence_penalty",
    "reasoning",
    "response_format",
    "seed",
    "stop",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
];

pub(super) const FREE: &[(&str, &str)] = &[("prompt", "0"), ("completion", "0")];

/// A free text model without tools: what the entries of the table start from.
pub(super) const BASE: Entry = Entry {
    id: "",
    name: "",
    summary: "An invented model of the sandbox.",
    created: 0,
    context: 32_768,
    provider_context: None,
    answer_max: Some(8_192),
    inputs: &["text"],
    outputs: &["text"],
    tokenizer: "Other",
    instruct: None,
    prices: FREE,
    parameters: PLAIN,
    is_moderated: false,
    ends: Ends::Unknown,
    reasoning: Reasoning::None,
    benchmarks: None,
    alias: None,
};

impl Entry {
    /// Returns the model in the shape of the real catalogue.
    pub(super) fn model(&self, soon: &str) -> Value {
        let slug = self.slug();
        let provider_context = match self.tokenizer {
            // A router has no provider of its own.
            "Router" if self.alias.is_none() => None,
            _ => Some(self.provider_context.unwrap_or(self.context)),
        };
        let modality = format!("{}->{}", self.inputs.join("+"), self.outputs.join("+"));
        let mut model = json!({
            "id": self.id,
            "canonical_slug": slug,
            "hugging_face_id": null,
            "created": FIRST_DAY + self.created * 86_400,
            "description": self.summary,
            "context_length": self.context,
            "architecture": {
                "modality": modality,
                "input_modalities": self.inputs,
                "output_modalities": self.outputs,
                "tokenizer": self.tokenizer,
                "instruct_type": self.instruct,
            },
            "pricing": self.prices.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
            "top_provider": {
                "context_length": provider_context,
                "max_completion_tokens": self.answer_max,
                "is_moderated": self.is_moderated,
            },
            "per_request_limits": null,
            "supported_parameters": self.parameters,
            "default_parameters": {},
            "supported_voices": null,
            "knowledge_cutoff": null,
            "expiration_date": self.ends.date(soon),
            "links": {"details": format!("/api/v1/models/{slug}/endpoints")},
        });
        if let Value::Object(fields) = &mut model {
            self.add_optional(fields);
        }
        model
    }

    fn add_optional(&self, fields: &mut Map<String, Value>) {
        if !self.name.is_empty() {
            fields.insert("name".to_owned(), json!(self.name));
        }
        if let Some(reasoning) = self.reasoning.value() {
            fields.insert("reasoning".to_owned(), reasoning);
        }
        if let Some([intelligence, coding, agentic]) = self.benchmarks {
            let indices = json!({
                "intelligence_index": intelligence,
                "coding_index": coding,
                "agentic_index": agentic,
            });
            let benchmarks = json!({"design_arena": [], "artificial_analysis": indices});
            fields.insert("benchmarks".to_owned(), benchmarks);
        }
        if let Some((name, slug)) = self.alias {
            fields.insert("alias_target".to_owned(), json!({"name": name, "slug": slug}));
        }
    }

    /// Returns the permanent name: dated, and without the variant.
    fn slug(&self) -> String {
        let plain = self.id.split_once(':').map_or(self.id, |(plain, _)| plain);
        if self.tokenizer == "Router" {
            return plain.to_owned();
        }
        // One day of one month is as good as another, but it must be valid.
        format!("{plain}-202606{:02}", self.created % 28 + 1)
    }
}

impl Ends {
    fn date(self, soon: &str) -> Option<&str> {
        match self {
            Self::Unknown => None,
            Self::Soon => Some(soon),
            Self::On(date) => Some(date),
        }
    }
}

impl Reasoning {
    fn value(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::OnRequest => Some(json!({"mandatory": false})),
            Self::ByDefault => Some(json!({
                "mandatory": false,
                "default_enabled": true,
                "supported_efforts": ["high", "medium", "low"],
                "default_effort": "medium",
            })),
            Self::Mandatory => Some(json!({"mandatory": true, "default_enabled": true})),
        }
    }
}
