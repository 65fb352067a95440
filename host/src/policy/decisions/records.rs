//! The contract's records in JSON: fields by their names with `_` for `-`, flags as
//! lists of their names.
//!
//! Only the shape; what the fields mean stands in `wit/policy.wit`. A name that is
//! not known makes a line unreadable rather than another question.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::policy::bindings::ollama_router::policy::types;

/// A model of the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct ModelLine(#[serde(with = "Model")] pub(super) types::Model);

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RequestLine(#[serde(with = "Request")] pub(super) types::Request);

/// What is remembered of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct FactLine(#[serde(with = "Fact")] pub(super) types::Fact);

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::Model")]
struct Model {
    id: String,
    name: String,
    vendor: String,
    #[serde(with = "capabilities")]
    capabilities: types::Capabilities,
    #[serde(with = "traits")]
    traits: types::Traits,
    context_tokens: u32,
    max_output_tokens: u32,
    prompt_price: Option<f64>,
    completion_price: Option<f64>,
    created: u64,
    expires: Option<u64>,
    labels: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::Request")]
struct Request {
    #[serde(with = "Target")]
    target: types::Target,
    #[serde(with = "capabilities")]
    needs: types::Capabilities,
    #[serde(with = "capabilities")]
    wishes: types::Capabilities,
    #[serde(with = "ToolMode")]
    tools: types::ToolMode,
    streaming: bool,
    input_tokens: u32,
    output_tokens: u32,
    limit: u32,
    quota_left: Option<u32>,
    now_ms: u64,
    seed: u64,
    explain: bool,
    hints: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::Target", rename_all = "kebab-case")]
enum Target {
    Any,
    Model(u32),
    Gone,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::ToolMode", rename_all = "kebab-case")]
enum ToolMode {
    None,
    Optional,
    Required,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::Fact")]
struct Fact {
    model: u32,
    #[serde(with = "standing")]
    standing: types::Standing,
    cooldown_ms: u32,
    in_flight: u32,
    successes: u32,
    failures: u32,
    #[serde(with = "by_kind")]
    failures_by_kind: Vec<(types::Failure, u32)>,
    tool_failures: u32,
    failures_in_a_row: u32,
    last_failure_ms: u32,
    first_token_ms: u32,
    tokens_per_second: f32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "types::Failure", rename_all = "kebab-case")]
enum Failure {
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

/// Failures by what went wrong, as pairs.
mod by_kind {
    use super::{Deserialize, Deserializer, Failure, Serialize, Serializer, types};

    #[derive(Serialize, Deserialize)]
    struct Pair(#[serde(with = "Failure")] types::Failure, u32);

    pub(super) fn serialize<S: Serializer>(pairs: &[(types::Failure, u32)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pairs.iter().map(|(kind, count)| Pair(*kind, *count)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(types::Failure, u32)>, D::Error> {
        Ok(Vec::<Pair>::deserialize(from)?.into_iter().map(|Pair(kind, count)| (kind, count)).collect())
    }
}

/// Makes a module that writes flags as a list of their names, and reads them.
macro_rules! flags {
    ($module:ident, $of:ident, $($name:literal: $flag:ident),+) => {
        mod $module {
            use super::{Deserialize, Deserializer, Serializer, named, types::$of};

            const NAMES: &[(&str, $of)] = &[$(($name, $of::$flag)),+];

            pub(super) fn serialize<S: Serializer>(flags: &$of, to: S) -> Result<S::Ok, S::Error> {
                to.collect_seq(NAMES.iter().filter(|(_, flag)| flags.contains(*flag)).map(|(name, _)| name))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<$of, D::Error> {
                let names = Vec::<String>::deserialize(from)?;
                names.iter().try_fold($of::empty(), |all, name| Ok(all | named::<_, D>(NAMES, name)?))
            }
        }
    };
}

flags!(
    capabilities, Capabilities,
    "tools": TOOLS, "tool-choice": TOOL_CHOICE, "json-object": JSON_OBJECT, "json-schema": JSON_SCHEMA,
    "vision": VISION, "audio": AUDIO, "files": FILES, "reasoning": REASONING, "logprobs": LOGPROBS,
    "embeddings": EMBEDDINGS
);

flags!(
    traits, Traits,
    "free": FREE, "chat": CHAT, "router": ROUTER, "moderated": MODERATED,
    "reasoning-mandatory": REASONING_MANDATORY
);

flags!(standing, Standing, "cooling": COOLING, "on-trial": ON_TRIAL);

fn named<'de, F: Copy, D: Deserializer<'de>>(names: &[(&str, F)], name: &str) -> Result<F, D::Error> {
    let found = names.iter().find(|(known, _)| *known == name).map(|(_, flag)| *flag);
    found.ok_or_else(|| D::Error::custom(format_args!("unknown name `{name}`")))
}
