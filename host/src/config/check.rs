//! What must hold between settings, and of single ones that their type leaves open.
//!
//! Pure: a `Config` in, all its problems out. It must not know where a value came from;
//! `config/load.rs` adds the file, the variable or the flag to what is said here.

use std::time::Duration;

use super::value::quantity::{Size, Span};
use super::{Config, Failover, Policy, Server, Store, module::Module};

/// The most attempts for one request: each failed one counts against the account's daily
/// quota, so more is surely a slip of the pen.
const MOST_ATTEMPTS: u32 = 100;

/// The least memory of a policy: below it not even the catalogue of 400 models fits.
const LEAST_POLICY_MEMORY: Size = Size::mebibytes(1);

/// The most memory of a policy: 32-bit WASM can address no more.
const MOST_POLICY_MEMORY: Size = Size::mebibytes(4096);

/// The longest time of one decision: a client waits for it before every answer.
const LONGEST_DECISION: Span = Span::new(Duration::from_secs(10));

/// The longest header text: upstreams commonly refuse headers of 8 KiB in all.
const HEADER_LEN: usize = 1024;

/// Tells of settings that do not go together, or of one that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keys to look at, the likeliest culprit first; never empty.
    pub keys: Vec<&'static str>,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Config {
    /// Returns every problem between settings, in the order of the sections.
    pub fn check(&self) -> Vec<Problem> {
        let Self { openrouter, server, policy, failover, store, .. } = self;
        let found = [
            header("openrouter.referer", openrouter.referer.as_deref()),
            header("openrouter.title", openrouter.title.as_deref()),
            version(server),
            admin_key(server),
            origins(server),
            hash_form("policy.sha256", policy.sha256.as_deref()),
            hash_use(policy),
            chain_alone(policy),
            policy_time("policy.limits.time", policy.limits.time),
            policy_memory("policy.limits.memory", policy.limits.memory),
            attempts(failover),
            database(store),
        ];
        let modules = policy.chain.iter().map(|module| ("policy.chain", module));
        let modules = modules.chain(policy.shadow.iter().map(|shadow| ("policy.shadow", &shadow.module)));
        found.into_iter().flatten().chain(modules.flat_map(|(key, module)| of_module(key, module))).collect()
    }
}

/// Returns the problems of one module of several.
fn of_module(key: &'static str, module: &Module) -> Vec<Problem> {
    let pinless = module.sha256.is_some() && module.file.is_none();
    let found = [
        hash_form(key, module.sha256.as_deref()),
        pinless.then(|| Problem {
            keys: vec![key],
            message: "`sha256` pins a file, and the policy in the program has none: remove it".to_owned(),
        }),
        module.limits.as_ref().and_then(|limits| policy_time(key, limits.time)),
        module.limits.as_ref().and_then(|limits| policy_memory(key, limits.memory)),
    ];
    found.into_iter().flatten().collect()
}

/// The most policies that are asked for one request: each may take its time limit.
const LONGEST_CHAIN: usize = 8;

fn chain_alone(policy: &Policy) -> Option<Problem> {
    let beside = [
        ("policy.module", policy.module.is_some()),
        ("policy.sha256", policy.sha256.is_some()),
        ("policy.settings", !policy.settings.is_empty()),
        ("policy.settings_file", policy.settings_file.is_some()),
    ];
    let taken = beside.into_iter().find(|(_, is_set)| *is_set && !policy.chain.is_empty());
    if let Some((key, _)) = taken {
        let name = key.trim_start_matches("policy.");
        let message = format!("with `policy.chain` each module has its own: write `{name}` there, and remove this");
        return Some(Problem { keys: vec![key, "policy.chain"], message });
    }
    (policy.chain.len() > LONGEST_CHAIN).then(|| Problem {
        keys: vec!["policy.chain"],
        message: format!("{} policies are too many for one request: use {LONGEST_CHAIN} at most", policy.chain.len()),
    })
}

fn header(key: &'static str, text: Option<&str>) -> Option<Problem> {
    let text = text?;
    let is_plain = text.chars().all(|sign| sign == ' ' || sign.is_ascii_graphic());
    (!is_plain || text.len() > HEADER_LEN).then(|| Problem {
        keys: vec![key],
        message: format!("it travels in a header: use plain ASCII, {HEADER_LEN} letters at most"),
    })
}

fn version(server: &Server) -> Option<Problem> {
    let parts: Vec<&str> = server.version.split('.').collect();
    let is_number = |part: &&str| part.parse::<u32>().is_ok() && !part.starts_with('+');
    (parts.len() != 3 || !parts.iter().all(is_number)).then(|| Problem {
        keys: vec!["server.version"],
        message: format!("`{}` is not a version: use three numbers as in `0.20.0`", server.version),
    })
}

fn admin_key(server: &Server) -> Option<Problem> {
    let admin_key = server.admin_key.as_ref()?;
    server.client_keys.contains(admin_key).then(|| Problem {
        keys: vec!["server.admin_key", "server.client_keys"],
        message: "it is also a client key, so every client could administer: choose another".to_owned(),
    })
}

fn origins(server: &Server) -> Option<Problem> {
    let origin = server.origins.iter().find(|origin| origin.matches('*').count() > 1)?;
    Some(Problem {
        keys: vec!["server.origins"],
        message: format!("`{origin}` has more than one `*`: use one at most in each, or several origins"),
    })
}

fn hash_form(key: &'static str, hash: Option<&str>) -> Option<Problem> {
    let hash = hash?;
    let is_hash = hash.len() == 64 && hash.chars().all(|sign| sign.is_ascii_hexdigit());
    (!is_hash).then(|| Problem {
        keys: vec![key],
        message: format!("`{hash}` is not a SHA-256: use the 64 hex digits that `sha256sum` prints"),
    })
}

fn hash_use(policy: &Policy) -> Option<Problem> {
    (policy.sha256.is_some() && policy.module.is_none()).then(|| Problem {
        keys: vec!["policy.sha256", "policy.module"],
        message: "it pins a module, but `policy.module` names none: set it or remove this".to_owned(),
    })
}

fn policy_time(key: &'static str, time: Span) -> Option<Problem> {
    (time > LONGEST_DECISION).then(|| Problem {
        keys: vec![key],
        message: format!("{time} is too long for one decision: use {LONGEST_DECISION} at most"),
    })
}

fn policy_memory(key: &'static str, memory: Size) -> Option<Problem> {
    let is_out = memory < LEAST_POLICY_MEMORY || memory > MOST_POLICY_MEMORY;
    is_out.then(|| Problem {
        keys: vec![key],
        message: format!("{memory} is out of bounds: use {LEAST_POLICY_MEMORY} to {MOST_POLICY_MEMORY}"),
    })
}

fn attempts(failover: &Failover) -> Option<Problem> {
    let attempts = failover.max_attempts.get();
    (attempts > MOST_ATTEMPTS).then(|| Problem {
        keys: vec!["failover.max_attempts"],
        message: format!("{attempts} is too many for one request: use {MOST_ATTEMPTS} at most"),
    })
}

fn database(store: &Store) -> Option<Problem> {
    let path = store.path()?;
    (path.is_empty() || path == ":memory:" || path.contains("://")).then(|| Problem {
        keys: vec!["store.url"],
        message: format!("`{path}` is not a database: use a path or `sqlite:PATH`"),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn messages(config: Value) -> Vec<(Vec<&'static str>, String)> {
        let config: Config = serde_json::from_value(config).unwrap();
        config.check().into_iter().map(|problem| (problem.keys, problem.message)).collect()
    }

    #[test]
    fn the_defaults_have_no_problem() {
        assert_eq!(Config::default().check(), []);
    }

    #[test]
    fn every_problem_is_found_at_once() {
        let found = messages(json!({
            "openrouter": {"referer": "http://exämple", "title": "a\nb"},
            "server": {"version": "0.20", "client_keys": ["same"], "admin_key": "same", "origins": ["*", "a*://*"]},
            "policy": {"sha256": "12ab", "limits": {"time": "11s", "memory": "5GiB"}},
            "failover": {"max_attempts": 101},
            "store": {"url": "postgres://db"},
        }));
        let keys: Vec<&str> = found.iter().map(|(keys, _)| keys[0]).collect();
        let expected = [
            "openrouter.referer",
            "openrouter.title",
            "server.version",
            "server.admin_key",
            "server.origins",
            "policy.sha256",
            "policy.sha256",
            "policy.limits.time",
            "policy.limits.memory",
            "failover.max_attempts",
            "store.url",
        ];
        assert_eq!(keys, expected);
    }

    #[test]
    fn modules_of_a_chain_are_held_to_the_same_rules_and_stand_alone() {
        let found = |policy: Value| messages(json!({"policy": policy}));
        assert_eq!(found(json!({"chain": ["a.wasm", "free-mode"], "shadow": "b.wasm"})), []);
        let both = found(json!({"chain": ["a.wasm"], "module": "b.wasm"}));
        let message = "with `policy.chain` each module has its own: write `module` there, and remove this";
        assert_eq!(both, [(vec!["policy.module", "policy.chain"], message.to_owned())]);
        let wrong = found(
            json!({"chain": [{"module": "free-mode", "sha256": "12"}, {"module": "a", "limits": {"time": "1h"}}],
            "shadow": {"module": "b", "limits": {"memory": "1KiB"}}}),
        );
        let keys: Vec<&str> = wrong.iter().map(|(keys, _)| keys[0]).collect();
        assert_eq!(keys, ["policy.chain", "policy.chain", "policy.chain", "policy.shadow"]);
        assert_eq!(found(json!({"chain": ["a", "a", "a", "a", "a", "a", "a", "a", "a"]})).len(), 1);
    }

    #[test]
    fn a_problem_of_two_settings_names_both() {
        let found = messages(json!({"server": {"client_keys": ["same"], "admin_key": "same"}}));
        let message = "it is also a client key, so every client could administer: choose another";
        assert_eq!(found, [(vec!["server.admin_key", "server.client_keys"], message.to_owned())]);
    }

    #[test]
    fn a_version_is_three_numbers() {
        let is_fine = |text: &str| messages(json!({"server": {"version": text}})).is_empty();
        let fine = ["0.20.0", "1.2.3"].map(is_fine);
        let wrong = ["0.20", "v0.20.0", "1.2.3.4", "1.2.x", "1.2.3-rc1", "1..2", "+1.2.3", ""].map(is_fine);
        assert_eq!((fine, wrong), ([true; 2], [false; 8]));
    }

    #[test]
    fn a_policy_has_room_to_work_in_and_no_more_than_wasm_can_use() {
        let is_fine = |text: &str| messages(json!({"policy": {"limits": {"memory": text}}})).is_empty();
        assert_eq!(["1MiB", "4GiB", "1KiB", "4097MiB"].map(is_fine), [true, true, false, false]);
    }

    #[test]
    fn the_database_is_a_path_or_a_sqlite_url() {
        let is_fine = |text: &str| messages(json!({"store": {"url": text}})).is_empty();
        let fine = ["f.db", "/var/f.db", "sqlite:f.db", "sqlite:///var/f.db", "C:\\f.db"].map(is_fine);
        let wrong = ["mysql://a/b", "sqlite:", "sqlite::memory:"].map(is_fine);
        assert_eq!((fine, wrong), ([true; 5], [false; 3]));
    }
}
