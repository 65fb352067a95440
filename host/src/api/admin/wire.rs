//! What the operators' routes say, as types that both ends use; of policies in
//! [`policy`], why they decide as they do in [`explain`], of the list of models in
//! [`catalog`], and what keeps a router from serving well in [`degraded`].

pub mod catalog;
pub mod degraded;
pub mod explain;
pub mod policy;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::{
    api::admin::wire::{catalog::CatalogStatus, degraded::Degraded, policy::PolicyRow},
    catalog::{Capabilities, Model, ModelId, Traits},
    failover::Failover,
    policy::generation::Generation,
    routing::{
        FailureKind,
        health::{Health, Standing},
    },
};

/// What is remembered, by model.
pub type Healths = HashMap<ModelId, Health>;

/// The state of the router.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The router's version.
    pub version: String,
    /// Where OpenRouter is.
    pub upstream: String,
    /// Whether that is the simulated one.
    pub simulated: bool,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether only free models are used.
    pub free_mode: bool,
    /// Whether only models with tools are used.
    pub tool_use_only: bool,
    /// The catalogue.
    pub catalog: CatalogStatus,
    /// The account: its limits, its day, its keys.
    pub account: Account,
    /// The policy; the first of a chain.
    pub policy: PolicyRow,
    /// All policies of the chain, and the shadow.
    #[serde(default)]
    pub policies: Vec<PolicyRow>,
    /// The visible models, in the order of the policy.
    pub models: Vec<ModelRow>,
    /// What keeps it from serving well; nothing if all is well.
    #[serde(default)]
    pub degraded: Vec<Degraded>,
}

/// What is known of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The kind of the limit that is in force, if one is.
    pub limit: Option<String>,
    /// When that ends, in milliseconds since 1970.
    pub until_ms: Option<u64>,
    /// Free requests that a day has, if OpenRouter told it.
    pub daily_requests: Option<u32>,
    /// Those that are left.
    pub remaining: Option<u32>,
    /// When OpenRouter was asked last, in milliseconds since 1970.
    pub as_of_ms: Option<u64>,
    /// Requests that wait for their turn within the minute.
    #[serde(default)]
    pub queued: usize,
    /// Keys.
    pub keys: usize,
    /// Keys that are not refused.
    pub keys_usable: usize,
}

/// What was forgotten of failures and cooldowns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// The ids of the models that had any.
    pub models: Vec<String>,
}

/// A model.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each a column")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    /// The name under which it is listed; the id of one that is not.
    pub name: String,
    /// OpenRouter's id.
    pub id: String,
    /// The name that people read.
    pub title: String,
    /// Tokens that fit; 0 unknown.
    pub context: u32,
    /// The longest answer in tokens; 0 unknown.
    pub max_output: u32,
    /// Whether it calls tools.
    pub tools: bool,
    /// Whether it reads images.
    pub vision: bool,
    /// Whether it shows its thinking.
    pub reasoning: bool,
    /// Whether it turns texts into vectors, and does nothing else.
    #[serde(default)]
    pub embeds: bool,
    /// Whether it costs nothing.
    pub free: bool,
    /// Dollars for a million prompt tokens.
    pub prompt_price: Option<f64>,
    /// Dollars for a million answer tokens.
    pub completion_price: Option<f64>,
    /// When it was listed first, in seconds since 1970.
    pub created: u64,
    /// When it will be gone, in seconds since 1970.
    pub expires: Option<u64>,
    /// What its refusals have taught, such as `no-tools` or `context=8192`.
    #[serde(default)]
    pub learned: Vec<String>,
    /// How it stands.
    pub state: ModelState,
    /// Why clients may not use it, if they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<String>,
}

/// How a model stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelState {
    /// `ready`, `cooling` or `on trial`.
    pub standing: String,
    /// Milliseconds until its rest is over; 0 if it does not rest.
    pub cooldown_ms: u64,
    /// When its rest is over, in milliseconds since 1970, if it rests.
    pub rests_until: Option<u64>,
    /// The kind of failure that it rests for, if it rests.
    pub rests_for: Option<String>,
    /// Failures since the last answer.
    pub failures_in_a_row: u32,
    /// Answers in the last five minutes.
    pub recent_successes: u32,
    /// Failures in the last five minutes.
    pub recent_failures: u32,
    /// Requests that it is answering now.
    pub in_flight: u32,
    /// Milliseconds to the first token, on average; 0 unknown.
    pub first_token_ms: f32,
    /// Tokens a second, on average; 0 unknown.
    pub tokens_per_second: f32,
    /// Answers since it is known.
    #[serde(default)]
    pub answers: u64,
    /// Failures since it is known, by kind.
    #[serde(default)]
    pub failures: BTreeMap<String, u64>,
    /// Answers with tool calls that nobody can read, since it is known.
    #[serde(default)]
    pub bad_calls: u64,
    /// The last failure's kind.
    pub last_failure: Option<String>,
    /// The last failure's words.
    pub last_message: Option<String>,
    /// When the last failure was, in milliseconds since 1970.
    pub last_failure_at: Option<u64>,
    /// When it answered last, in milliseconds since 1970.
    pub last_success_at: Option<u64>,
}

impl Account {
    /// Describes the account as the engine knows it.
    pub fn of(failover: &Failover, now: u64) -> Self {
        let (block, left) = (failover.ledger().account(now), failover.ledger().left(now));
        let keys = failover.keys(now);
        Self {
            limit: block.map(|block| block.kind.to_string()),
            until_ms: block.map(|block| block.until_ms),
            daily_requests: left.map(|left| left.limit),
            remaining: left.map(|left| left.remaining),
            as_of_ms: left.map(|left| left.as_of_ms),
            queued: failover.queued(),
            keys: keys.total,
            keys_usable: keys.usable,
        }
    }
}

/// Returns the visible models of a generation, in the order of the policy.
pub fn rows(generation: &Generation, healths: &Healths, now: u64) -> Vec<ModelRow> {
    let row = |number: &u32| {
        let model = generation.catalog.model(*number)?;
        let name = generation.names.shown(*number)?;
        Some(model_row(model, name, healths.get(&model.id), now))
    };
    generation.visible.iter().filter_map(row).collect()
}

/// Returns the models that clients may not use, in the order of the catalogue.
pub fn hidden_rows(generation: &Generation, healths: &Healths, now: u64) -> Vec<ModelRow> {
    let why = |number: u32| {
        let Some(hidden) = generation.hidden.iter().find(|hidden| hidden.model == number) else {
            return "no policy shows it, and none says why".to_owned();
        };
        let policy = generation.chain.policies().get(hidden.by);
        let reason = policy.and_then(|policy| policy.reason(hidden.why));
        reason.map_or_else(|| format!("reason {}", hidden.why), str::to_owned)
    };
    let row = |(number, model): (u32, &Model)| {
        let row = model_row(model, model.id.as_str(), healths.get(&model.id), now);
        ModelRow { hidden: Some(why(number)), ..row }
    };
    let models = (0..).zip(generation.catalog.models());
    models.filter(|(number, _)| !generation.visible.contains(number)).map(row).collect()
}

fn model_row(model: &Model, name: &str, health: Option<&Health>, now: u64) -> ModelRow {
    ModelRow {
        name: name.to_owned(),
        id: model.id.to_string(),
        title: model.name.clone(),
        context: model.context_tokens,
        max_output: model.max_output_tokens,
        tools: model.capabilities.contains(Capabilities::TOOLS),
        vision: model.capabilities.contains(Capabilities::VISION),
        reasoning: model.capabilities.contains(Capabilities::REASONING),
        embeds: model.embeds(),
        free: model.traits.contains(Traits::FREE),
        prompt_price: model.prompt_price,
        completion_price: model.completion_price,
        created: model.created,
        expires: model.expires,
        learned: health.map_or_else(Vec::new, |health| learned(model, health, now)),
        state: health.map_or_else(ModelState::ready, |health| model_state(health, now)),
        hidden: None,
    }
}

/// Returns what refusals have taught of a model: its lacks, and that it is closed
/// to this account for now.
fn learned(model: &Model, health: &Health, now: u64) -> Vec<String> {
    let mut learned = health.lessons.names(model, now);
    let closed = [FailureKind::Attestation, FailureKind::DataPolicy, FailureKind::Gated, FailureKind::Gone];
    let reason = health.reason().filter(|_| matches!(health.standing(now), Standing::Cooling(_)));
    learned.extend(reason.filter(|kind| closed.contains(kind)).map(|kind| kind.to_string()));
    learned
}

impl ModelState {
    fn ready() -> Self {
        Self { standing: "ready".to_owned(), ..Self::default() }
    }
}

fn model_state(health: &Health, now: u64) -> ModelState {
    let (standing, cooldown_ms) = match health.standing(now) {
        Standing::Ready => ("ready", 0),
        Standing::Cooling(ms) => ("cooling", ms),
        Standing::OnTrial => ("on trial", 0),
    };
    let (recent_successes, recent_failures) = health.recent(now);
    ModelState {
        standing: standing.to_owned(),
        cooldown_ms,
        rests_until: health.rests_until.filter(|_| cooldown_ms > 0),
        rests_for: health.reason().filter(|_| cooldown_ms > 0).map(|kind| kind.to_string()),
        failures_in_a_row: health.in_a_row,
        recent_successes,
        recent_failures,
        in_flight: health.in_flight,
        first_token_ms: health.first_token_ms,
        tokens_per_second: health.tokens_per_second,
        answers: health.tally.answers,
        failures: health.tally.failures().iter().map(|(kind, count)| (kind.to_string(), *count)).collect(),
        bad_calls: health.tally.bad_calls,
        last_failure: health.last_failure.as_ref().map(|last| last.kind.to_string()),
        last_message: health.last_failure.as_ref().map(|last| last.message.clone()),
        last_failure_at: health.last_failure.as_ref().map(|last| last.at),
        last_success_at: health.last_success,
    }
}
