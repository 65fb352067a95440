//! Variables that name a file: what is read, whom it wins over, and what is said of a bad one.

use super::*;
use crate::config::value::Secret;

#[test]
fn a_variable_may_name_a_file_with_its_value_and_ranks_as_it_would() {
    let home = Home::with("openrouter:\n  api_key: file\n");
    let path = |name: &str| home.folder.path().join(name).display().to_string();
    for (name, text) in [("seed", "seed\n"), ("ours", "ours\r\n"), ("keys", "a,b"), ("port", " 8080 \n\n")] {
        fs::write(path(name), text).unwrap();
    }
    let (seed, ours) = (path("seed"), path("ours"));
    let key = |environment: &[(&str, &str)]| {
        let loaded = home.load(environment, &[]).unwrap();
        let key = loaded.config.openrouter.api_key.unwrap().expose().to_owned();
        (key, loaded.origins["openrouter.api_key"].to_string())
    };
    let seed_file = ("OPENROUTER_API_KEY_FILE", &*seed);
    let ours_file = ("OLLAMA_ROUTER_OPENROUTER_API_KEY_FILE", &*ours);
    let read = [
        key(&[seed_file]),
        key(&[seed_file, ours_file]),
        key(&[("OPENROUTER_API_KEY", "direct"), ours_file]),
        key(&[seed_file, ("OLLAMA_ROUTER_OPENROUTER_API_KEY", "direct")]),
        key(&[("OPENROUTER_API_KEY_FILE", "seed"), ("OPENROUTER_API_KEY", " ")]),
        key(&[("OPENROUTER_API_KEY_FILE", "~/seed"), ("HOME", &path("")), ("USERPROFILE", &path(""))]),
        key(&[("OPENROUTER_API_KEY_FILE", "")]),
    ];
    let (from_seed, from_ours) =
        ("environment, OPENROUTER_API_KEY_FILE", "environment, OLLAMA_ROUTER_OPENROUTER_API_KEY_FILE");
    let expected = [
        ("seed", from_seed),
        ("ours", from_ours),
        ("ours", from_ours),
        ("direct", "environment, OLLAMA_ROUTER_OPENROUTER_API_KEY"),
        ("seed", from_seed),
        ("seed", from_seed),
        ("file", "file, line 2"),
    ];
    assert_eq!(read, expected.map(|(key, origin)| (key.to_owned(), origin.to_owned())));
    let more =
        [("OLLAMA_ROUTER_SERVER_CLIENT_KEYS_FILE", &*path("keys")), ("OLLAMA_ROUTER_SERVER_PORT_FILE", &*path("port"))];
    let server = home.load(&more, &[]).unwrap().config.server;
    let keys: Vec<&str> = server.client_keys.iter().map(Secret::expose).collect();
    assert_eq!((keys, server.port), (vec!["a", "b"], 8080));
}

#[test]
fn a_variable_that_is_a_setting_itself_names_no_other() {
    let home = Home::empty();
    fs::write(home.folder.path().join("more.json"), "{\"a\": 1}").unwrap();
    let environment =
        [("OLLAMA_ROUTER_POLICY_SETTINGS_FILE", "more.json"), ("OLLAMA_ROUTER_POLICY_SETTINGS", "{\"b\": 2}")];
    let policy = home.load(&environment, &[]).unwrap().config.policy;
    assert_eq!(policy.settings_file, Some(home.folder.path().join("more.json")));
    assert_eq!(Value::Object(policy.settings), json!({"a": 1, "b": 2}));
}

#[test]
fn a_name_that_other_programs_may_have_names_no_file() {
    let environment = ["PORT", "LOG_LEVEL", "FREE_MODE", "OLLAMA_ORIGINS"].map(|name| format!("{name}_FILE"));
    let environment: Vec<(&str, &str)> = environment.iter().map(|name| (name.as_str(), "nowhere")).collect();
    assert_eq!(Home::empty().load(&environment, &[]).unwrap().config, Config::default());
}

#[test]
fn a_variable_whose_file_is_of_no_use_is_told_with_both() {
    let home = Home::empty();
    let folder = home.folder.path();
    fs::write(folder.join("empty"), " \n").unwrap();
    fs::write(folder.join("bad"), "sk-or secret\nsecret").unwrap();
    fs::write(folder.join("binary"), b"secret\xff").unwrap();
    let environment = [
        ("OPENROUTER_API_KEY_FILE", "nowhere"),
        ("OLLAMA_ROUTER_OPENROUTER_API_KEY_FILE", "empty"),
        ("OLLAMA_ROUTER_SERVER_ADMIN_KEY_FILE", "bad"),
        ("OLLAMA_ROUTER_SERVER_CLIENT_KEYS_FILE", "binary"),
        ("OLLAMA_ROUTER_SERVER_PORT_FILE", "port"),
        ("OLLAMA_ROUTER_SERVER_PORT", "1"),
        ("OLLAMA_ROUTER_SERVER_ADMIN_KYE_FILE", "bad"),
    ];
    let expected = [
        "environment variable OLLAMA_ROUTER_SERVER_ADMIN_KYE_FILE: no setting has this name; did you mean \
         `OLLAMA_ROUTER_SERVER_ADMIN_KEY_FILE`?",
        "environment variable OPENROUTER_API_KEY_FILE: ~/nowhere: there is no such file: check the path, and that it is \
         mounted here",
        "environment variable OLLAMA_ROUTER_OPENROUTER_API_KEY_FILE: ~/empty: this file is empty: write the value into \
         it, or unset the variable",
        "environment variable OLLAMA_ROUTER_SERVER_CLIENT_KEYS_FILE: ~/binary: line 1 is not UTF-8: save this file as \
         UTF-8 text",
        "environment variable OLLAMA_ROUTER_SERVER_PORT_FILE: OLLAMA_ROUTER_SERVER_PORT is set too: unset one of them",
        "environment variable OLLAMA_ROUTER_SERVER_ADMIN_KEY_FILE: server.admin_key: the key holds a space or a letter \
         outside ASCII: copy it again, whole",
    ];
    assert_eq!(home.problems(&environment, &[]), expected);
}
