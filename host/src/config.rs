//! Every setting: its section, its type and its default.
//!
//! Plain data. It must not read files or the environment (`config/load.rs` does) and starts
//! nothing. Each adapter is given its own section and never sees the whole.
//! `config.example.yaml` lists the same for operators. Read `config/check.rs` next for what
//! must hold between settings, `config/value.rs` for their types.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::module::{Module, Shadow};
use self::value::allow::{Allow, Rule};
use self::value::quantity::{Hours, Minutes, Size, Span};
use self::value::{BaseUrl, Host, Level, LogFormat, OnError, Secret, UnknownModel, scalar};

pub mod check;
pub mod load;
pub mod module;
pub mod sections;
pub mod value;

/// The settings whose values are keys, to be shown by nobody unasked.
const SECRETS: [&str; 4] = ["openrouter.api_key", "openrouter.api_keys", "server.client_keys", "server.admin_key"];

/// Holds all settings; `Default` is what runs without a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The upstream and the account there.
    pub openrouter: OpenRouter,
    /// Where the router listens, and to whom.
    pub server: Server,
    /// Which models clients get.
    pub mode: Mode,
    /// The module that chooses models.
    pub policy: Policy,
    /// Attempts, timeouts and cooldowns.
    pub failover: Failover,
    /// The list of models kept on disk.
    pub cache: Cache,
    /// The database of failures.
    pub store: Store,
    /// The log.
    pub logging: Logging,
}

/// Settings of the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenRouter {
    /// The account's key; without one, models are listed but none answers.
    pub api_key: Option<Secret>,
    /// Further keys, each used when those before it are refused.
    #[serde(deserialize_with = "value::secrets")]
    pub api_keys: Vec<Secret>,
    /// Where the API is: `OpenRouter`, or anything of its shape.
    pub base_url: BaseUrl,
    /// The app's own URL, sent as `HTTP-Referer` for attribution.
    pub referer: Option<String>,
    /// The app's name, sent as `X-OpenRouter-Title` for attribution.
    pub title: Option<String>,
}

/// Settings of the listening side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address or host name to listen on.
    pub host: Host,
    /// The port to listen on; 0 lets the system choose.
    #[serde(deserialize_with = "scalar::port")]
    pub port: u16,
    /// Which peers are served while there are no client keys.
    pub allow: Allow,
    /// Keys of which a client must send one; empty means that none is needed.
    #[serde(deserialize_with = "value::secrets")]
    pub client_keys: Vec<Secret>,
    /// The key of the admin routes; without one they answer loopback peers only.
    pub admin_key: Option<Secret>,
    /// Further web origins that are allowed, each with at most one `*`.
    #[serde(deserialize_with = "value::texts")]
    pub origins: Vec<String>,
    /// The largest request body, in bytes.
    pub max_body: Size,
    /// What `/api/version` says, MAJOR.MINOR.PATCH; clients switch features on by it.
    #[serde(deserialize_with = "scalar::plain_text")]
    pub version: String,
    /// The certificate to serve HTTPS with, a PEM file; none means plain HTTP.
    #[serde(deserialize_with = "scalar::pem_file")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, a PEM file; set together with it.
    #[serde(deserialize_with = "scalar::pem_file")]
    pub tls_key: Option<PathBuf>,
}

/// Settings of which models clients get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mode {
    /// Whether only models without a price are used.
    #[serde(deserialize_with = "scalar::boolean")]
    pub free_mode: bool,
    /// Whether only models that can call tools are used.
    #[serde(deserialize_with = "scalar::boolean")]
    pub tool_use_only: bool,
    /// What a name leads to that no model has.
    pub unknown_model: UnknownModel,
}

/// Settings of the policy module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The module's file; none means the embedded free-mode policy.
    pub module: Option<PathBuf>,
    /// Several modules in its place, asked one after the other.
    #[serde(deserialize_with = "module::list")]
    pub chain: Vec<Module>,
    /// A module that is asked along and never heeded.
    pub shadow: Option<Shadow>,
    /// A file to which every decision is written.
    pub decision_log: Option<PathBuf>,
    /// The module's own settings, which it checks itself.
    #[serde(deserialize_with = "value::object")]
    pub settings: Map<String, Value>,
    /// A JSON or YAML file of more settings, under those of `settings`.
    pub settings_file: Option<PathBuf>,
    /// The SHA-256 that the module must have, in hex.
    pub sha256: Option<String>,
    /// What happens to requests while the policy fails.
    pub on_error: OnError,
    /// What one call of the policy may use.
    pub limits: Limits,
}

/// Bounds of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest time of one decision.
    pub time: Span,
    /// The most memory of one instance, in bytes.
    pub memory: Size,
}

/// Settings of attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failover {
    /// The most models tried for one request.
    #[serde(deserialize_with = "scalar::at_least_one")]
    pub max_attempts: NonZeroU32,
    /// The longest time of all attempts together, until one starts to answer.
    pub deadline: Span,
    /// The longest time to connect to the upstream.
    pub connect_timeout: Span,
    /// The longest time of one attempt until its first real token.
    pub first_token_timeout: Span,
    /// The longest pause between two real pieces of an answer.
    pub idle_timeout: Span,
    /// How many upstream calls start in a minute; 0 means that they are not paced.
    #[serde(deserialize_with = "scalar::count")]
    pub requests_per_minute: u32,
    /// How many pieces of an answer in a row may repeat those before them, before it counts
    /// as broken; 0 means any number.
    #[serde(deserialize_with = "scalar::count")]
    pub max_repeats: u32,
    /// How long a model is skipped after its first failure.
    pub failure_cooldown_minutes: Minutes,
    /// How long a model is skipped after a rate limit that names no time.
    pub ratelimit_cooldown_minutes: Minutes,
}

/// Settings of the list of models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// How old the list may grow before it is fetched again.
    pub ttl_hours: Hours,
}

/// Settings of the database of failures.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// A path or `sqlite:PATH`; none means `failures.db` in the data folder.
    pub url: Option<String>,
}

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// The least important line that is written.
    pub level: Level,
    /// The form of a line.
    pub format: LogFormat,
}

impl Config {
    /// Returns the value of a dotted key or section, secrets masked; none if unknown.
    pub fn value(&self, key: &str) -> Option<Value> {
        let tree = serde_json::to_value(self).ok()?;
        at(&tree, key).cloned()
    }

    /// Returns all settings as a tree, keys not masked: only for who asks for them by name.
    pub fn exposed(&self) -> Value {
        let exposed = |keys: &[Secret]| keys.iter().map(Secret::expose).collect::<Value>();
        let mut tree = serde_json::to_value(self).unwrap_or_default();
        let single = |key: &Option<Secret>| key.as_ref().map_or(Value::Null, |key| key.expose().into());
        tree["openrouter"]["api_key"] = single(&self.openrouter.api_key);
        tree["openrouter"]["api_keys"] = exposed(&self.openrouter.api_keys);
        tree["server"]["client_keys"] = exposed(&self.server.client_keys);
        tree["server"]["admin_key"] = single(&self.server.admin_key);
        tree
    }
}

/// Returns what a tree holds at a dotted key.
pub fn at<'a>(tree: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(tree, |tree, name| tree.get(name))
}

/// Tells whether the value of a key is a secret.
pub fn is_secret(key: &str) -> bool {
    SECRETS.contains(&key)
}

impl OpenRouter {
    /// Returns all keys, each once, the one to be used first in front.
    pub fn keys(&self) -> Vec<&Secret> {
        let mut keys: Vec<&Secret> = Vec::new();
        for key in self.api_key.iter().chain(&self.api_keys) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }
}

impl Store {
    /// Returns the path within `url`, as written.
    fn path(&self) -> Option<&str> {
        let url = self.url.as_deref()?;
        let Some(path) = url.strip_prefix("sqlite:") else { return Some(url) };
        Some(path.strip_prefix("//").unwrap_or(path))
    }
}

impl Default for OpenRouter {
    fn default() -> Self {
        let base_url = BaseUrl::official();
        Self { api_key: None, api_keys: Vec::new(), base_url, referer: None, title: None }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: Host::Address(Ipv4Addr::UNSPECIFIED.into()),
            port: 11434,
            allow: Allow::only(Rule::Private),
            client_keys: Vec::new(),
            admin_key: None,
            origins: Vec::new(),
            max_body: Size::mebibytes(64),
            version: "0.20.0".to_owned(),
            tls_cert: None,
            tls_key: None,
        }
    }
}

impl Default for Mode {
    fn default() -> Self {
        Self { free_mode: true, tool_use_only: false, unknown_model: UnknownModel::Gone }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            module: None,
            chain: Vec::new(),
            shadow: None,
            decision_log: None,
            settings: Map::new(),
            settings_file: None,
            sha256: None,
            on_error: OnError::Fallback,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Span::new(Duration::from_millis(50)), memory: Size::mebibytes(64) }
    }
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            max_attempts: const { NonZeroU32::new(4).unwrap() },
            deadline: Span::new(Duration::from_mins(2)),
            connect_timeout: Span::new(Duration::from_secs(5)),
            first_token_timeout: Span::new(Duration::from_secs(20)),
            idle_timeout: Span::new(Duration::from_mins(1)),
            // The limit of free models for every account, as `OpenRouter` documents it.
            requests_per_minute: 20,
            // Sound answers have tables and rows of zeros, but not that many.
            max_repeats: 500,
            failure_cooldown_minutes: Minutes::new(5),
            ratelimit_cooldown_minutes: Minutes::new(1),
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { ttl_hours: Hours::new(24) }
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self { level: Level::Info, format: LogFormat::Text }
    }
}
