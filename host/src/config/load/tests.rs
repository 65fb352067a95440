//! Who wins over whom, what is refused and in which words: files, variables, flags.
//!
//! Every case reads real files in a folder of its own; the process environment is not touched.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::config::value::quantity::{Minutes, Span};
use crate::config::value::{Level, OnError, UnknownModel};

mod files;
mod paths;

const EXAMPLE: &str = include_str!("../../../config.example.yaml");

/// A data folder with or without a settings file.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn with(text: &str) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(home.file(), text).unwrap();
        home
    }

    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn load(&self, environment: &[(&str, &str)], flags: &[(&str, &str, &'static str)]) -> Result<Loaded, Error> {
        load(&Sources { file: Some(self.file()), environment: variables(environment), overrides: overrides(flags) })
    }

    /// Loads and returns the problems, the data folder written `~`.
    fn problems(&self, environment: &[(&str, &str)], flags: &[(&str, &str, &'static str)]) -> Vec<String> {
        let error = self.load(environment, flags).unwrap_err();
        let folder = format!("{}/", self.folder.path().display());
        error.to_string().lines().map(|line| line.replace(&folder, "~/")).collect()
    }
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn overrides(flags: &[(&str, &str, &'static str)]) -> Vec<Override> {
    let one = |(key, text, flag): &(&str, &str, &'static str)| {
        let (key, text) = ((*key).to_owned(), (*text).to_owned());
        Override { key, text, flag }
    };
    flags.iter().map(one).collect()
}

#[test]
fn the_example_lists_every_key_with_its_default() {
    let home = Home::with(EXAMPLE);
    assert_eq!(home.load(&[], &[]).unwrap().config, Config::default());
    for key in keys::all() {
        let path: Vec<&str> = key.split('.').collect();
        assert!(yaml::position(EXAMPLE, &path).is_some(), "{key} is not in config.example.yaml");
    }
}

#[test]
fn the_seeds_example_is_read() {
    let home = Home::with(
        "openrouter:\n  api_key: \"your-api-key\"\n\nserver:\n  port: \"11434\"\n  host: \"0.0.0.0\"\n\nmode:\n  \
         free_mode: true\n  tool_use_only: false\n\nlogging:\n  level: \"info\"\n",
    );
    let config = home.load(&[], &[]).unwrap().config;
    assert_eq!(config.openrouter.api_key.as_ref().unwrap().expose(), "your-api-key");
    let mut expected = Config::default();
    expected.openrouter.api_key = config.openrouter.api_key.clone();
    assert_eq!(config, expected);
}

#[test]
fn no_file_an_empty_one_and_empty_sections_give_the_defaults() {
    let texts = ["", "# nothing\n", "---\n", "server:\nmode:\n  free_mode:\n", "openrouter:\n  api_key: \"\"\n"];
    for text in texts {
        let loaded = Home::with(text).load(&[], &[]).unwrap();
        assert_eq!((loaded.config, loaded.file_exists), (Config::default(), true), "{text}");
    }
    let home = Home::empty();
    let loaded = home.load(&[], &[]).unwrap();
    let origins = keys::all().into_iter().map(|key| (key, Origin::Default)).collect();
    let folder = home.folder.path().to_owned();
    let (config, database, file) = (Config::default(), folder.join("failures.db"), home.file());
    let expected = Loaded { config, origins, state: folder.clone(), folder, database, file, file_exists: false };
    assert_eq!(loaded, expected);
}

#[test]
fn a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default() {
    let home = Home::with("server:\n  port: 1\n");
    let environment = [("PORT", "2")];
    let both = [("PORT", "2"), ("OLLAMA_ROUTER_SERVER_PORT", "3")];
    let flag = [("server.port", "4", "--port")];
    let variable = |name: &str| Origin::Environment { variable: name.to_owned() };
    let seen = |home: &Home, environment: &[(&str, &str)], flags: &[(&str, &str, &'static str)]| {
        let loaded = home.load(environment, flags).unwrap();
        (loaded.config.server.port, loaded.origins["server.port"].clone())
    };
    assert_eq!(seen(&Home::empty(), &[], &[]), (11434, Origin::Default));
    assert_eq!(seen(&home, &[], &[]), (1, Origin::File { line: 2 }));
    assert_eq!(seen(&home, &environment, &[]), (2, variable("PORT")));
    assert_eq!(seen(&home, &both, &[]), (3, variable("OLLAMA_ROUTER_SERVER_PORT")));
    assert_eq!(seen(&home, &both, &flag), (4, Origin::Flag { flag: "--port".to_owned() }));
    assert_eq!(seen(&home, &[("PORT", " ")], &[]), (1, Origin::File { line: 2 }));
}

#[test]
fn the_api_key_has_the_seeds_precedence() {
    let home = Home::with("openrouter:\n  api_key: file\n");
    let seed = ("OPENROUTER_API_KEY", "seed");
    let ours = ("OLLAMA_ROUTER_OPENROUTER_API_KEY", "ours");
    let key = |environment: &[(&str, &str)], flags: &[(&str, &str, &'static str)]| {
        home.load(environment, flags).unwrap().config.openrouter.api_key.unwrap().expose().to_owned()
    };
    let flag = [("openrouter.api_key", "flag", "--api-key")];
    let keys = [key(&[], &[]), key(&[seed], &[]), key(&[ours, seed], &[]), key(&[seed, ours], &flag)];
    assert_eq!(keys, ["file", "seed", "ours", "flag"]);
}

#[test]
fn every_variable_of_the_seed_is_read() {
    let loaded = Home::empty().load(
        &[
            ("OPENROUTER_API_KEY", "k"),
            ("FREE_MODE", "False"),
            ("TOOL_USE_ONLY", "1"),
            ("LOG_LEVEL", "DEBUG"),
            ("PORT", "8080"),
            ("FAILURE_COOLDOWN_MINUTES", "0.1"),
            ("RATELIMIT_COOLDOWN_MINUTES", "2"),
            ("CACHE_TTL_HOURS", "0.5"),
        ],
        &[],
    );
    let config = loaded.unwrap().config;
    let mut expected = Config::default();
    expected.openrouter.api_key = config.openrouter.api_key.clone();
    (expected.mode.free_mode, expected.mode.tool_use_only) = (false, true);
    (expected.logging.level, expected.server.port) = (Level::Debug, 8080);
    expected.failover.failure_cooldown_minutes = Minutes::parse("0.1").unwrap();
    expected.failover.ratelimit_cooldown_minutes = Minutes::new(2);
    expected.cache.ttl_hours = serde_json::from_value(json!(0.5)).unwrap();
    assert_eq!(config, expected);
}

#[test]
fn a_value_means_the_same_in_the_environment_as_in_the_file() {
    let file = Home::with(
        "server: {allow: [private, 203.0.113.0/24], client_keys: [a, b], max_body: 1000}\nmode: {unknown_model: auto}\n\
         policy: {on_error: deny, settings: {order: [x], n: 1}, limits: {time: 0.2}}\n\
         failover: {max_attempts: 2, first_token_timeout: 1s, requests_per_minute: 0}\n",
    );
    let environment = [
        ("OLLAMA_ROUTER_SERVER_ALLOW", "private, 203.0.113.0/24"),
        ("OLLAMA_ROUTER_SERVER_CLIENT_KEYS", "a,b"),
        ("OLLAMA_ROUTER_SERVER_MAX_BODY", "1000"),
        ("OLLAMA_ROUTER_MODE_UNKNOWN_MODEL", "AUTO"),
        ("OLLAMA_ROUTER_POLICY_ON_ERROR", "deny"),
        ("OLLAMA_ROUTER_POLICY_SETTINGS", r#"{"order": ["x"], "n": 1}"#),
        ("OLLAMA_ROUTER_POLICY_LIMITS_TIME", "200ms"),
        ("OLLAMA_ROUTER_FAILOVER_MAX_ATTEMPTS", "2"),
        ("OLLAMA_ROUTER_FAILOVER_FIRST_TOKEN_TIMEOUT", "1"),
        ("OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE", "0"),
    ];
    let from_file = file.load(&[], &[]).unwrap().config;
    let from_environment = Home::empty().load(&environment, &[]).unwrap().config;
    assert_eq!(from_file, from_environment);
    let Config { mode, policy, failover, server, .. } = from_file;
    assert_eq!((mode.unknown_model, policy.on_error), (UnknownModel::Auto, OnError::Deny));
    assert_eq!(failover.max_attempts, NonZeroU32::new(2).unwrap());
    assert_eq!(failover.first_token_timeout, Span::new(Duration::from_secs(1)));
    assert!(server.allow.permits("203.0.113.9".parse().unwrap()));
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place_and_remedy() {
    let home = Home::with("server:\n  prot: 1\n  host: a:1\nmode: true\nfailover:\n  idle_timeout: soon\ncolour: x\n");
    let environment = [("PORT", "70000"), ("OLLAMA_ROUTER_SERVER_PROT", "1"), ("LOG_LEVEL", "loud")];
    let flags = [("server.host", "http://x", "--host")];
    let host = "is not a host: use an address or a host name alone; the port is `server.port`";
    let mut expected = vec![
        "~/config.yaml:7:1: colour: unknown key: remove it, or see `config show` for all keys".to_owned(),
        "~/config.yaml:4:1: mode: it is a section: put its keys below it, indented".to_owned(),
        "~/config.yaml:2:3: server.prot: unknown key, did you mean `server.port`?".to_owned(),
        "environment variable OLLAMA_ROUTER_SERVER_PROT: no setting has this name; \
         did you mean `OLLAMA_ROUTER_SERVER_PORT`?"
            .to_owned(),
        "~/config.yaml:6:3: failover.idle_timeout: `soon` is not a time: \
         use a number with a unit, such as `20s`, `500ms` or `2m`"
            .to_owned(),
        format!("~/config.yaml:3:3: server.host: `a:1` {host}"),
        "environment variable PORT: server.port: `70000` is not a port: use a number from 0 to 65535".to_owned(),
        "environment variable LOG_LEVEL: logging.level: `loud` is not one of \
         `error`, `warn`, `info`, `debug`, `trace`"
            .to_owned(),
        format!("--host: server.host: `http://x` {host}"),
    ];
    let mut problems = home.problems(&environment, &flags);
    problems.sort();
    expected.sort();
    assert_eq!(problems, expected);
}

#[test]
fn further_keys_come_after_the_first_and_each_once() {
    let home = Home::with("openrouter: {api_key: one, api_keys: [two, one, three]}\n");
    let keys = |environment: &[(&str, &str)]| -> Vec<String> {
        let config = home.load(environment, &[]).unwrap().config;
        config.openrouter.keys().iter().map(|key| key.expose().to_owned()).collect()
    };
    assert_eq!(keys(&[]), ["one", "two", "three"]);
    assert_eq!(keys(&[("OLLAMA_ROUTER_OPENROUTER_API_KEYS", "four, five")]), ["one", "four", "five"]);
}

#[test]
fn a_file_that_is_no_list_of_keys_is_refused_with_its_place() {
    let root = "~/config.yaml: the file must be made of keys, as in `server:` and below it `port: 11434`";
    let dotted = "~/config.yaml:1:1: server.port: a key has no dots here: put `port: 1` below `server:`, indented";
    let table = [
        ("server.port: 1\n", dotted),
        ("- a\n", root),
        ("words\n", root),
        ("mode:\n  free_mode: true\n  free_mode: false\n", "~/config.yaml:3:3: `free_mode` is given twice: remove one"),
        ("mode:\n\tfree_mode: true\n", "~/config.yaml:2:1: indent with spaces, not with tabs"),
    ];
    for (text, expected) in table {
        assert_eq!(Home::with(text).problems(&[], &[]), [expected], "{text}");
    }
}

#[test]
fn a_file_of_something_else_is_not_told_of_line_by_line() {
    let lines: Vec<String> = (0..1000).map(|number| format!("line{number}: x")).collect();
    assert_eq!(Home::with(&lines.join("\n")).problems(&[], &[]).len(), 20);
}

#[test]
fn no_error_holds_a_secret() {
    let secret = "sk-or-v1-secret secret";
    let home = Home::with(&format!("openrouter: {{api_key: '{secret}'}}\nserver: {{client_keys: [1234567]}}\n"));
    let environment = [("OPENROUTER_API_KEY", secret), ("OLLAMA_ROUTER_SERVER_ADMIN_KEY", secret)];
    let flags = [("openrouter.api_key", secret, "--api-key")];
    let problems = home.problems(&environment, &flags);
    assert_eq!(problems.len(), 5, "{problems:?}");
    assert!(!problems.iter().any(|problem| problem.contains("secret") || problem.contains("1234567")));
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let key = "sk-or-v1-0123456789abcdef0123456789abcdef";
    let loaded = Home::empty().load(&[("OPENROUTER_API_KEY", key), ("OLLAMA_ROUTER_SERVER_CLIENT_KEYS", "k1,k2")], &[]);
    let loaded = loaded.unwrap();
    assert!(!format!("{loaded:?}").contains("0123456789"));
    assert_eq!(loaded.config.value("openrouter.api_key"), Some(json!("sk-or-…cdef")));
    assert_eq!(loaded.config.value("server.client_keys"), Some(json!(["[redacted]", "[redacted]"])));
    assert_eq!(loaded.config.value("policy.limits"), Some(json!({"time": "50ms", "memory": "64MiB"})));
    assert_eq!(loaded.config.value("server.prot"), None);
}

#[test]
fn a_problem_between_settings_is_told_where_a_person_set_one() {
    let home = Home::with("server:\n  version: 0.20\n  client_keys: [same]\n  admin_key: same\n");
    let expected = [
        "~/config.yaml:2:3: server.version: `0.2` is not a version: use three numbers as in `0.20.0`".to_owned(),
        "~/config.yaml:4:3: server.admin_key: it is also a client key, so every client could administer: choose another"
            .to_owned(),
    ];
    assert_eq!(home.problems(&[], &[]), expected);
}

#[test]
fn variables_of_a_container_platform_are_not_taken_for_settings() {
    let environment = [
        ("OLLAMA_ROUTER_PORT", "tcp://10.0.0.1:11434"),
        ("OLLAMA_ROUTER_PORT_11434_TCP", "tcp://10.0.0.1:11434"),
        ("OLLAMA_ROUTER_SERVER_PORT", "tcp://10.0.0.1:11434"),
        ("OLLAMA_ROUTER_SERVICE_HOST", "10.0.0.1"),
    ];
    assert_eq!(Home::empty().load(&environment, &[]).unwrap().config, Config::default());
}

#[test]
#[cfg(unix)]
fn a_variable_that_is_no_text_matters_only_if_it_is_a_setting() {
    use std::os::unix::ffi::OsStringExt as _;
    let broken = || OsString::from_vec(vec![b'a', 0xff]);
    let other = [("LANG".into(), broken()), ("PORT".into(), "1".into()), (broken(), "x".into())];
    assert_eq!(decode(other.into_iter()).unwrap(), variables(&[("PORT", "1")]));
    let ours = [("PORT".into(), broken()), ("OLLAMA_ROUTER_CACHE_TTL_HOURS".into(), broken())];
    let error = decode(ours.into_iter()).unwrap_err().to_string();
    let expected = "environment variable PORT: not UTF-8: set it anew\n\
                    environment variable OLLAMA_ROUTER_CACHE_TTL_HOURS: not UTF-8: set it anew";
    assert_eq!(error, expected);
}
