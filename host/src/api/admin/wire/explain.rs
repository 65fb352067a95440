//! Why each model is tried or not, in words, as types that both ends use.
//!
//! The facts are those of `policy::generation::explain`; nothing is decided here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Capabilities, names::AUTO},
    failover::explain::{self, Asked},
    policy::{
        generation::{Generation, explain::Fate},
        records::Rung,
    },
    routing::needs::{Needs, ToolMode},
};

/// Capabilities as people call them.
const NAMES: [(Capabilities, &str); 10] = [
    (Capabilities::TOOLS, "tools"),
    (Capabilities::TOOL_CHOICE, "a tool choice"),
    (Capabilities::JSON_OBJECT, "JSON"),
    (Capabilities::JSON_SCHEMA, "JSON by a schema"),
    (Capabilities::VISION, "images"),
    (Capabilities::AUDIO, "audio"),
    (Capabilities::FILES, "files"),
    (Capabilities::REASONING, "thinking"),
    (Capabilities::LOGPROBS, "probabilities"),
    (Capabilities::EMBEDDINGS, "vectors"),
];

/// A request to explain; what is not said is that of a plain question.
#[expect(clippy::struct_excessive_bools, reason = "independent features, each a flag")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AskedFor {
    /// The model's name as a client writes it.
    pub model: String,
    /// Whether there are tools that the model may call.
    pub tools: bool,
    /// Whether the model has to call one.
    pub tool_choice: bool,
    /// Whether there is an image.
    pub vision: bool,
    /// Whether it has to think.
    pub reasoning: bool,
    /// Whether JSON by a schema is wished.
    pub json_schema: bool,
    /// Tokens in the prompt.
    pub input_tokens: u32,
    /// Tokens that the client allows for the answer; 0 if it did not say.
    pub output_tokens: u32,
    /// Whether the client reads the answer as it comes.
    pub stream: bool,
}

/// What would be decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The generation that was asked.
    pub generation: u64,
    /// Names and versions of the policies that decide; none if the order of the view does.
    pub policy: Option<String>,
    /// `policy`, or who stands in for it: `last-good`, `embedded`, `view`.
    pub by: String,
    /// Why the policy in force does not decide, if it fails.
    pub fault: Option<String>,
    /// The account's limit that stops free models just now, if one does.
    pub limit: Option<String>,
    /// All models of the catalogue: those that are tried in their order, then the others.
    pub models: Vec<Verdict>,
}

/// What one model came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// OpenRouter's id.
    pub id: String,
    /// Its place among those that are tried, such as `1`, or `left out`.
    pub verdict: String,
    /// Who said so: `host`, `view`, or the policy's name.
    pub by: String,
    /// Why.
    pub why: String,
    /// How good a choice it is, on the policy's own scale.
    pub score: Option<f32>,
    /// What else bears on it: a rest, and what its refusals have taught.
    pub note: Option<String>,
}

impl Default for AskedFor {
    fn default() -> Self {
        Self {
            model: AUTO.to_owned(),
            tools: false,
            tool_choice: false,
            vision: false,
            reasoning: false,
            json_schema: false,
            input_tokens: 0,
            output_tokens: 0,
            stream: false,
        }
    }
}

impl AskedFor {
    /// Returns it as the engine knows requests.
    pub fn asked(self) -> Asked {
        let tools = match (self.tools, self.tool_choice) {
            (_, true) => ToolMode::Required,
            (true, false) => ToolMode::Optional,
            (false, false) => ToolMode::None,
        };
        let parts = [
            (self.tools || self.tool_choice, Capabilities::TOOLS),
            (self.tool_choice, Capabilities::TOOL_CHOICE),
            (self.vision, Capabilities::VISION),
            (self.reasoning, Capabilities::REASONING),
        ];
        let capabilities = parts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, part)| part);
        Asked {
            model: self.model,
            needs: Needs {
                capabilities: capabilities.fold(Capabilities::empty(), |all, part| all | part),
                tools,
                input_tokens: self.input_tokens,
                output_tokens: self.output_tokens,
            },
            wishes: if self.json_schema { Capabilities::JSON_SCHEMA } else { Capabilities::empty() },
            streaming: self.stream,
        }
    }
}

impl Explained {
    /// Puts a decision and its reasons into words.
    pub fn of(explained: &explain::Explained, generation: &Generation) -> Self {
        let explain::Explained { explanation, resting, learned, block, query } = explained;
        let tried = explanation.fates.iter().filter(|fate| matches!(fate, Fate::Tried { .. })).count();
        let mut rows: Vec<(usize, Verdict)> = (0..)
            .zip(generation.catalog.models())
            .zip(&explanation.fates)
            .map(|((number, model), fate)| {
                let rest = resting.iter().find(|(resting, _)| *resting == number).map(|(_, ms)| *ms);
                let lessons = learned.iter().find(|(known, _)| *known == number).map(|(_, lessons)| lessons.join(", "));
                let bears = (rest, lessons.filter(|lessons| !lessons.is_empty()));
                row(model.id.to_string(), fate, bears, (tried, query.needs.input_tokens))
            })
            .collect();
        // What is left out stays in the order of the catalogue.
        rows.sort_by_key(|(place, _)| *place);
        Self {
            generation: generation.number,
            policy: explanation.policies.clone(),
            by: explanation.by.as_str().to_owned(),
            fault: explanation.fault.as_ref().map(ToString::to_string),
            limit: block.filter(|_| generation.settings.free_mode).map(|block| block.kind.to_string()),
            models: rows.into_iter().map(|(_, row)| row).collect(),
        }
    }

    /// Tells whether somebody stands in for the policy.
    pub fn is_stand_in(&self) -> bool {
        self.by != Rung::Policy.as_str()
    }
}

/// Returns a model's row, and its place among all.
fn row(
    id: String,
    fate: &Fate,
    (rest, lessons): (Option<u64>, Option<String>),
    (tried, tokens): (usize, u32),
) -> (usize, Verdict) {
    let (by, why) = words(fate, tried, tokens);
    let (place, score) = match fate {
        Fate::Tried { place, pick } => (Some(*place), pick.as_ref().map(|(_, score)| *score)),
        _ => (None, None),
    };
    let rest = rest.map(|ms| {
        let rest = humantime::format_duration(Duration::from_secs(ms.div_ceil(1000)));
        let skipped = if place.is_some() { ", and is passed over while another is ready" } else { "" };
        format!("rests {rest} more{skipped}")
    });
    let lessons = lessons.map(|lessons| format!("has taught: {lessons}"));
    let note = [rest, lessons].into_iter().flatten().reduce(|rest, lessons| format!("{rest}; {lessons}"));
    let verdict = place.map_or_else(|| "left out".to_owned(), |place| place.to_string());
    (place.unwrap_or(usize::MAX), Verdict { id, verdict, by, why, score, note })
}

/// Returns who said so, and why.
fn words(fate: &Fate, tried: usize, tokens: u32) -> (String, String) {
    let (host, view) = (|why: String| ("host".to_owned(), why), |why: String| ("view".to_owned(), why));
    match fate {
        Fate::Tried { pick: Some((reason, _)), .. } | Fate::Dropped(reason) => (reason.by.clone(), reason.text.clone()),
        Fate::Tried { pick: None, .. } => view("no policy has an opinion, and so stands the order of the view".into()),
        Fate::Hidden(Some(reason)) => view(format!("{} hides it: {}", reason.by, reason.text)),
        Fate::Hidden(None) => view("a policy does not show it, and says no reason".into()),
        Fate::Neither => host("neither chats nor makes vectors".into()),
        Fate::NotFree => host("not free, and free mode is on".into()),
        Fate::Over => host("its last day is over".into()),
        Fate::OtherKind => host("makes vectors, and does not chat".into()),
        Fate::Lacks(lacks) => {
            let names: Vec<&str> =
                NAMES.iter().filter(|(one, _)| lacks.contains(*one)).map(|(_, name)| *name).collect();
            host(format!("cannot do what is needed: {}", names.join(", ")))
        }
        Fate::TooSmall(room) => host(format!("{room} tokens fit, too few for a prompt of {tokens}")),
        Fate::Refuses => host("has refused such requests lately".into()),
        Fate::OtherAsked => host("vectors are wanted of another model, and nobody can stand in".into()),
        Fate::Unnamed(policy) => (policy.clone(), "not in its order, and it says no reason".into()),
        Fate::Beyond => host(format!("{tried} are tried at most, and others come before it")),
        Fate::Unasked => host("not what was asked for, and without free mode nothing is added that may cost".into()),
        Fate::Denied { by, status, code, message } => {
            (by.clone(), format!("the request is refused with {status} {code}: {message}"))
        }
        Fate::Undecided => host("the policy fails, and policy.on_error is deny".into()),
    }
}
