//! The names of the settings: dotted in files and flags, in capitals in the environment.
//!
//! All names come from the `Config` type itself, so a new field is a key and a variable at
//! once. It must not read anything. Read `config/load.rs` next for who wins over whom.

use serde_json::Value;

use crate::config::Config;

/// The start of every variable of ours.
pub const PREFIX: &str = "OLLAMA_ROUTER_";

/// The variables that came first, each with its key.
///
/// What `variable` gives for the key wins over it.
pub const SHORT_VARIABLES: [(&str, &str); 9] = [
    ("OPENROUTER_API_KEY", "openrouter.api_key"),
    ("FREE_MODE", "mode.free_mode"),
    ("TOOL_USE_ONLY", "mode.tool_use_only"),
    ("LOG_LEVEL", "logging.level"),
    ("PORT", "server.port"),
    ("OLLAMA_ORIGINS", "server.origins"),
    ("FAILURE_COOLDOWN_MINUTES", "failover.failure_cooldown_minutes"),
    ("RATELIMIT_COOLDOWN_MINUTES", "failover.ratelimit_cooldown_minutes"),
    ("CACHE_TTL_HOURS", "cache.ttl_hours"),
];

/// How alike two names are, of 1, before one is offered for the other: `prot` and `port`
/// are at 0.92, names of unlike meaning stay below 0.7.
const ALIKE: f64 = 0.8;

/// How much likelier a name of the section that was typed is than one elsewhere.
const HOME: f64 = 0.1;

/// How near a name of that section is that ends with what was typed: nearer than any elsewhere
/// that is merely alike.
const TAIL: f64 = 0.95;

/// Returns every key, dotted, in alphabetical order.
pub fn all() -> Vec<String> {
    let mut keys = Vec::new();
    if let Ok(tree) = serde_json::to_value(Config::default()) {
        collect(&tree, "", &mut keys);
    }
    keys.sort();
    keys
}

/// The setting below which a policy has names of its own.
pub const FREE: &str = "policy.settings";

/// Says what a dotted name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A setting.
    Setting,
    /// Several settings.
    Section,
    /// A name of a policy's own.
    Free,
}

/// Tells what a dotted name is, or else which was probably meant.
pub fn kind(name: &str) -> Result<Kind, String> {
    let known = all();
    let is_below = |key: &str, section: &str| key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    if known.iter().any(|key| key == name) {
        return Ok(Kind::Setting);
    }
    if known.iter().any(|key| is_below(key, name)) {
        return Ok(Kind::Section);
    }
    if is_below(name, FREE) && name.split('.').all(|part| !part.is_empty()) {
        return Ok(Kind::Free);
    }
    Err(match nearest(&name.to_lowercase()) {
        Some(nearest) => format!("no setting is called `{name}`: did you mean `{nearest}`?"),
        None => format!("no setting is called `{name}`: `ollama-router config show` has them all"),
    })
}

/// Returns the variable of a key: `OLLAMA_ROUTER_SERVER_PORT` for `server.port`.
pub fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Tells whether this is the variable of a setting, be it a long or a short one.
pub fn is_variable(name: &str) -> bool {
    SHORT_VARIABLES.iter().any(|(short, _)| *short == name) || all().iter().any(|key| variable(key) == name)
}

/// Tells whether a container platform set a variable for some service.
///
/// A service named `ollama-router` or `ollama-router-server` makes Kubernetes set
/// `OLLAMA_ROUTER_SERVICE_HOST`, `OLLAMA_ROUTER_SERVER_PORT=tcp://…`, `OLLAMA_ROUTER_PORT_80_TCP`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
pub fn is_from_platform(name: &str, text: &str) -> bool {
    let is_ours = name.starts_with(PREFIX);
    let is_url = name.ends_with("_PORT") && text.contains("://");
    let is_service = name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT");
    let port = name.split_once("_PORT_").map(|(_, rest)| rest.starts_with(|sign: char| sign.is_ascii_digit()));
    is_ours && (is_url || is_service || port.unwrap_or(false))
}

/// Returns the key that an unknown dotted name was probably meant to be.
///
/// A name in the wrong section is found too: `port` alone gives `server.port`.
pub fn nearest(wrong: &str) -> Option<String> {
    let mut known = all();
    let sections: Vec<String> = known.iter().filter_map(|key| parent(key)).map(str::to_owned).collect();
    known.extend(sections);
    let score = |key: &str| {
        let alike = strsim::jaro_winkler(last(wrong), last(key));
        // The own section goes first, so that `failover.deadlin` stays in it; there a name that
        // ends so is near enough, such as `idle_timeout` for `timeout`.
        let is_home = parent(wrong).is_some() && parent(wrong) == parent(key);
        let is_tail = last(key).strip_suffix(last(wrong)).is_some_and(|head| head.ends_with('_'));
        match (is_home, alike >= ALIKE) {
            (true, true) => alike + HOME,
            (true, false) if is_tail => TAIL,
            (false, true) => alike,
            (true | false, false) => 0.0,
        }
    };
    best(known, score)
}

/// Returns the variable that an unknown one of ours was probably meant to be.
pub fn nearest_variable(wrong: &str) -> Option<String> {
    let rest = wrong.strip_prefix(PREFIX).unwrap_or(wrong);
    let score = |name: &str| {
        let name = name.strip_prefix(PREFIX).unwrap_or(name);
        let is_tail = name.strip_suffix(rest).is_some_and(|head| head.ends_with('_'));
        let alike = if is_tail { 1.0 } else { strsim::jaro_winkler(rest, name) };
        if alike >= ALIKE { alike } else { 0.0 }
    };
    best(all().iter().map(|key| variable(key)).collect(), score)
}

fn best(names: Vec<String>, score: impl Fn(&str) -> f64) -> Option<String> {
    let scored = names.into_iter().map(|name| (score(&name), name));
    let fit = scored.filter(|(score, _)| *score > 0.0);
    fit.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

/// An object with something in it is a section; `policy.settings` is empty by default.
fn collect(tree: &Value, prefix: &str, keys: &mut Vec<String>) {
    match tree {
        Value::Object(section) if !section.is_empty() => {
            for (name, below) in section {
                collect(below, &join(prefix, name), keys);
            }
        }
        _ => keys.push(prefix.to_owned()),
    }
}

fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn parent(key: &str) -> Option<&str> {
    key.rsplit_once('.').map(|(section, _)| section)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_has_a_variable_of_its_own() {
        let keys = all();
        let variables: BTreeSet<String> = keys.iter().map(|key| variable(key)).collect();
        assert_eq!(keys.len(), variables.len());
        assert!(!variables.iter().any(|name| is_from_platform(name, "1")));
        assert!(variables.contains("OLLAMA_ROUTER_POLICY_LIMITS_TIME"));
        assert!(variables.contains("OLLAMA_ROUTER_POLICY_SETTINGS"));
    }

    #[test]
    fn every_short_variable_leads_to_a_key() {
        let keys = all();
        assert!(SHORT_VARIABLES.iter().all(|(_, key)| keys.contains(&(*key).to_owned())));
    }

    #[test]
    fn the_nearest_key_is_offered_if_any_is_near() {
        let table = [
            ("server.prot", Some("server.port")),
            ("port", Some("server.port")),
            ("serv", Some("server")),
            ("Server", Some("server")),
            ("servers", Some("server")),
            ("free_mode", Some("mode.free_mode")),
            ("openrouter.apikeys", Some("openrouter.api_keys")),
            ("failover.deadlin", Some("failover.deadline")),
            ("server.apikey", Some("openrouter.api_key")),
            ("policy.limits.timeout", Some("policy.limits.time")),
            ("failover.timeout", Some("failover.idle_timeout")),
            ("server.key", Some("server.tls_key")),
            ("timeout", Some("policy.limits.time")),
            ("server.zzz", None),
            ("colour", None),
        ];
        for (wrong, expected) in table {
            assert_eq!(nearest(wrong).as_deref(), expected, "{wrong}");
        }
    }

    #[test]
    fn the_nearest_variable_is_offered_if_any_is_near() {
        let table = [
            ("OLLAMA_ROUTER_SERVER_PROT", Some("OLLAMA_ROUTER_SERVER_PORT")),
            ("OLLAMA_ROUTER_PORT", Some("OLLAMA_ROUTER_SERVER_PORT")),
            ("OLLAMA_ROUTER_API_KEY", Some("OLLAMA_ROUTER_OPENROUTER_API_KEY")),
            ("OLLAMA_ROUTER_FREE_MODE", Some("OLLAMA_ROUTER_MODE_FREE_MODE")),
            ("OLLAMA_ROUTER_QQQ", None),
        ];
        for (wrong, expected) in table {
            assert_eq!(nearest_variable(wrong).as_deref(), expected, "{wrong}");
        }
    }

    #[test]
    fn what_a_container_platform_sets_is_not_ours() {
        let ours = [("OLLAMA_ROUTER_PORT", "8080"), ("OLLAMA_ROUTER_SERVER_PORT", "1"), ("PORT", "1")];
        let theirs = [
            ("OLLAMA_ROUTER_PORT", "tcp://10.0.0.1:11434"),
            ("OLLAMA_ROUTER_PORT_11434_TCP_ADDR", "10.0.0.1"),
            ("OLLAMA_ROUTER_SERVICE_HOST", "10.0.0.1"),
            ("OLLAMA_ROUTER_SERVER_PORT", "tcp://10.0.0.1:11434"),
        ];
        assert!(!ours.iter().any(|(name, text)| is_from_platform(name, text)));
        assert!(theirs.iter().all(|(name, text)| is_from_platform(name, text)));
    }
}
