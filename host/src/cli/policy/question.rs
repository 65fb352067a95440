//! A request and what is remembered of the models, as authors of policies write
//! them: JSON with the names of `wit/policy.wit`, models by their ids.
//!
//! What is not given has a default; what is not known is refused by name.

use anyhow::anyhow;
use serde::Deserialize;

use crate::{
    catalog::{Capabilities, Catalog, ModelId},
    cli::Failed,
    routing::{
        FailureKind,
        health::Standing,
        needs::{Needs, ToolMode},
        plan::{Fact, Query, Target},
    },
};

/// A request.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Request {
    target: String,
    needs: Vec<String>,
    wishes: Vec<String>,
    tools: Tools,
    streaming: bool,
    input_tokens: u32,
    output_tokens: u32,
    limit: u32,
    quota_left: Option<u32>,
    now_ms: Option<u64>,
    seed: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Tools {
    None,
    Optional,
    Required,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            target: "auto".to_owned(),
            needs: Vec::new(),
            wishes: Vec::new(),
            tools: Tools::None,
            streaming: true,
            input_tokens: 100,
            output_tokens: 0,
            limit: 4,
            quota_left: None,
            now_ms: None,
            seed: 1,
        }
    }
}

impl Request {
    /// Returns what a policy is asked; the clock is the catalogue's if none is given.
    pub(super) fn query(&self, catalog: &Catalog) -> Result<Query, Failed> {
        let (tools, implied) = match self.tools {
            Tools::None => (ToolMode::None, Capabilities::empty()),
            Tools::Optional => (ToolMode::Optional, Capabilities::TOOLS),
            Tools::Required => (ToolMode::Required, Capabilities::TOOLS | Capabilities::TOOL_CHOICE),
        };
        Ok(Query {
            target: match &*self.target {
                "auto" => Target::Any,
                "gone" => Target::Gone,
                id => Target::Model(number(catalog, id, "target")?),
            },
            needs: Needs {
                capabilities: capabilities(&self.needs, "needs")? | implied,
                tools,
                input_tokens: self.input_tokens,
                output_tokens: self.output_tokens,
            },
            wishes: capabilities(&self.wishes, "wishes")?,
            streaming: self.streaming,
            limit: self.limit,
            quota_left: self.quota_left,
            now_ms: self.now_ms.unwrap_or_else(|| catalog.fetched().saturating_mul(1000)),
            seed: self.seed,
            explain: true,
        })
    }
}

/// What is remembered of a model.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    model: String,
    #[serde(default)]
    cooldown_ms: u32,
    #[serde(default)]
    on_trial: bool,
    #[serde(default)]
    in_flight: u32,
    #[serde(default)]
    successes: u32,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    failures_by_kind: Vec<(Kind, u32)>,
    #[serde(default)]
    tool_failures: u32,
    #[serde(default)]
    failures_in_a_row: u32,
    #[serde(default)]
    last_failure_ms: Option<u32>,
    #[serde(default)]
    first_token_ms: u16,
    #[serde(default)]
    tokens_per_second: f32,
}

/// What went wrong, by the contract's names.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Connection,
    Timeout,
    RateLimited,
    ServerError,
    Unavailable,
    Unsupported,
    ContextOverflow,
    BadAnswer,
    Refused,
}

impl Kind {
    /// Returns a kind of ours that policies are told as this one.
    fn ours(self) -> FailureKind {
        match self {
            Self::Connection => FailureKind::Connect,
            Self::Timeout => FailureKind::TimedOut,
            Self::RateLimited => FailureKind::RateLimitedModel,
            Self::ServerError => FailureKind::ServerError,
            Self::Unavailable => FailureKind::Gone,
            Self::Unsupported => FailureKind::Unsupported,
            Self::ContextOverflow => FailureKind::ContextOverflow,
            Self::BadAnswer => FailureKind::BadAnswer,
            Self::Refused => FailureKind::Refused,
        }
    }
}

impl Remembered {
    /// Returns the fact that policies are told.
    pub(super) fn fact(&self, catalog: &Catalog) -> Result<Fact, Failed> {
        Ok(Fact {
            model: number(catalog, &self.model, "facts")?,
            standing: match (self.cooldown_ms, self.on_trial) {
                (0, false) => Standing::Ready,
                (0, true) => Standing::OnTrial,
                (ms, _) => Standing::Cooling(ms.into()),
            },
            unfit: false,
            in_flight: self.in_flight,
            successes: self.successes,
            failures: self.failures,
            by_kind: self.failures_by_kind.iter().map(|(kind, count)| (kind.ours(), *count)).collect(),
            bad_calls: self.tool_failures,
            failures_in_a_row: self.failures_in_a_row,
            last_failure_ms: self.last_failure_ms.map(u64::from),
            first_token_ms: f32::from(self.first_token_ms),
            tokens_per_second: self.tokens_per_second,
        })
    }
}

fn number(catalog: &Catalog, id: &str, field: &str) -> Result<u32, Failed> {
    let found = ModelId::parse(id).and_then(|id| catalog.number(&id));
    found.ok_or_else(|| {
        let some: Vec<&str> = catalog.models().iter().take(5).map(|model| model.id.as_str()).collect();
        Failed::usage(anyhow!("{field}: the catalogue has no model {id:?}; it begins with {}", some.join(", ")))
    })
}

fn capabilities(names: &[String], field: &str) -> Result<Capabilities, Failed> {
    names.iter().try_fold(Capabilities::empty(), |all, name| {
        let known = Capabilities::all().iter_names().find(|(ours, _)| spelled(ours) == *name);
        let Some((_, capability)) = known else {
            let names: Vec<String> = Capabilities::all().iter_names().map(|(ours, _)| spelled(ours)).collect();
            return Err(Failed::usage(anyhow!("{field}: there is no capability {name:?}, only {}", names.join(", "))));
        };
        Ok(all | capability)
    })
}

/// The contract's spelling of a capability.
fn spelled(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}
