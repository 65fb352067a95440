//! Decisions as lines of JSON: what a policy was told, and what came of it.
//!
//! A line of a generation has its policies, their settings and its models; lines of
//! its decisions follow until the next such line, with the contract's records as they
//! were given to the policy, so that they can be replayed. Nothing else is in them: no
//! prompt, no key, no client. Pure; the file is in [`log`], the replay in [`replay`],
//! the contract's records in `records`.

pub mod log;
mod records;
pub mod replay;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::records::{FactLine, ModelLine, RequestLine};
use crate::{
    catalog::Catalog,
    policy::{
        chain::Chain,
        convert,
        generation::{Decision, Settings},
        records::{Outcome, Record},
    },
    routing::plan::Pick,
};

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// What the decisions after it are of.
    Generation(Head),
    /// One decision.
    Decision(Entry),
    /// What a shadow said to one that was made.
    Shadow(Aside),
}

/// What a generation is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// Its number; it counts from 1 in each run of the router.
    pub generation: u64,
    /// When the first decision after it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its policies, in the order in which they are asked.
    pub policies: Vec<Told>,
    /// Its models; their places are their numbers.
    catalog: Vec<ModelLine>,
}

/// A policy, and what it was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// All its settings, the standard ones too.
    pub settings: Map<String, Value>,
}

/// One decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The generation that made it.
    pub generation: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was asked.
    request: RequestLine,
    /// The models that were offered.
    pub candidates: Vec<u32>,
    /// What was remembered of the models.
    facts: Vec<FactLine>,
    /// What came of it.
    pub decision: Came,
    /// Whether no policy had an opinion, so that the order is that of the view.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abstained: bool,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// Who decided: `policy`, `last-good`, `embedded` or `view`.
    pub by: String,
}

/// What a shadow said to a decision that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aside {
    /// The generation that made the decision.
    pub generation: u64,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// The random number of its request, by which it is found.
    pub seed: u64,
    /// Name and version of the shadow.
    pub policy: String,
    /// `same`, `order` (the first model is the same), `first` (it is another, or one of
    /// the two refused the request) or `failed`.
    pub verdict: String,
    /// What it said; none if it has no opinion, or failed.
    pub decision: Option<Came>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Came {
    /// These models, in this order.
    Route(Vec<Picked>),
    /// The request was refused.
    Deny {
        /// HTTP status.
        status: u16,
        /// For programs.
        code: String,
    },
    /// Nobody decided, and the request failed.
    Failed,
}

/// A model that was to be tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Picked {
    /// Its number.
    pub model: u32,
    /// OpenRouter's id, where there is no line of the generation to look it up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why, as a code of the policy's.
    pub why: u16,
    /// How good a choice, on the policy's own scale.
    pub score: f32,
}

/// What the line of a generation is made of, once it is wanted.
#[derive(Debug)]
pub(super) struct Origin {
    number: u64,
    policies: Vec<Told>,
    catalog: Arc<Catalog>,
}

impl Origin {
    /// Notes what a generation is made of.
    pub(super) fn of(number: u64, chain: &Chain, settings: &Settings, catalog: &Arc<Catalog>) -> Self {
        let told = chain.policies().iter().map(|policy| Told {
            name: policy.name.clone(),
            version: policy.version.clone(),
            digest: policy.digest.clone(),
            settings: settings.members(&policy.settings),
        });
        Self { number, policies: told.collect(), catalog: Arc::clone(catalog) }
    }

    fn head(&self, at_ms: u64) -> Head {
        let models = self.catalog.models().iter();
        Head {
            generation: self.number,
            at_ms,
            policies: self.policies.clone(),
            catalog: models.map(|model| ModelLine(convert::model(model))).collect(),
        }
    }
}

impl Entry {
    /// Writes a decision down.
    fn of(record: &Record) -> Self {
        Self {
            generation: record.generation,
            at_ms: record.query.now_ms,
            request: RequestLine(convert::request(&record.query)),
            candidates: record.candidates.clone(),
            facts: record.facts.iter().map(|fact| FactLine(convert::fact(fact))).collect(),
            decision: Came::of(&record.outcome),
            abstained: record.abstained,
            took_us: u64::try_from(record.took.as_micros()).unwrap_or(u64::MAX),
            by: record.by.as_str().to_owned(),
        }
    }

    /// Writes a decision down with the ids of the models that were to be tried.
    pub fn with_ids(record: &Record, catalog: &Catalog) -> Self {
        let mut entry = Self::of(record);
        if let Came::Route(order) = &mut entry.decision {
            for pick in order {
                pick.id = catalog.model(pick.model).map(|model| model.id.to_string());
            }
        }
        entry
    }

    /// Returns what came of it as it was.
    fn outcome(&self) -> Outcome {
        match &self.decision {
            Came::Route(order) => Outcome::Route(
                order.iter().map(|pick| Pick { model: pick.model, why: pick.why, score: pick.score }).collect(),
            ),
            Came::Deny { status, code } => Outcome::Deny { status: *status, code: code.clone() },
            Came::Failed => Outcome::Failed,
        }
    }
}

impl Aside {
    /// Writes down what a shadow said: nothing, if it failed.
    pub(super) fn of(record: &Record, policy: &str, verdict: &str, said: Option<&Decision>) -> Self {
        Self {
            generation: record.generation,
            at_ms: record.query.now_ms,
            seed: record.query.seed,
            policy: policy.to_owned(),
            verdict: verdict.to_owned(),
            decision: said.map(|decision| Came::of(&Outcome::of(decision))),
        }
    }
}

impl Came {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Route(order) => Self::Route(order.iter().map(Picked::of).collect()),
            Outcome::Deny { status, code } => Self::Deny { status: *status, code: code.clone() },
            Outcome::Failed => Self::Failed,
        }
    }
}

impl Picked {
    fn of(pick: &Pick) -> Self {
        Self { model: pick.model, id: None, why: pick.why, score: pick.score }
    }
}
