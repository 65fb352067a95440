//! What is said of a change of the settings file, and whether it is true: of the policy that
//! follows from it, of variables, of who can read the file; and what may not be changed.

use std::{fs, process::Command};

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    config::{FILE, told},
    support::program::Program,
};

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1/api/v1";

/// Takes a line as a shell does, as far as the examples need it: words, and texts between '.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (place, part) in line.split('\'').enumerate() {
        if place % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_example_of_config_set_can_be_followed() {
    let program = Program::new().env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", NOBODY);
    let help = program.run(&["config", "set", "--help"]).out;
    let examples = help.lines().filter_map(|line| line.strip_prefix("  ollama-router config set "));
    let mut followed = 0;
    for example in examples {
        // What an example is for stands after some space.
        let typed = example.split("   ").next().unwrap();
        let words = words(typed);
        let arguments: Vec<&str> = ["config", "set"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let ran = program.run_with_input(&arguments, KEY);
        assert!(ran.code == Some(0) && !ran.err.contains("warning"), "{example}: {}", ran.err);
        followed += 1;
    }
    assert_eq!(followed, 5, "{help}");
    let doctor: Value = serde_json::from_str(&program.run(&["doctor", "--json"]).out).unwrap();
    let policy = doctor.as_array().unwrap().iter().find(|finding| finding["check"] == "policy").unwrap();
    assert_eq!(policy["verdict"], "ok", "{policy}");
}

#[test]
fn a_policy_that_would_be_refused_is_warned_of() {
    let program = Program::new();
    let run = |arguments: &[&str]| told(&program, &[&["config"], arguments].concat());
    let lines = [
        run(&["set", "policy.settings.prefer", "[gemma, qwen]"]),
        run(&["set", "policy.limits.time", "100ms"]),
        run(&["unset", "policy.settings.prefer"]),
        run(&["set", "policy.module", "none.wasm"]),
        run(&["set", "server.port", "1"]),
    ];
    assert_snapshot!(lines.join("\n\n").replace(" (os error 2)", ""));
}

#[test]
fn an_edited_text_is_warned_of_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let script = format!("#!/bin/sh\necho 'openrouter: {{api_key: {KEY}}}\npolicy: {{module: none.wasm}}' > \"$1\"\n");
    let program = Program::new().file("editor", &script).file(FILE, "# mine\n");
    fs::set_permissions(program.path("editor"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(program.path(FILE), fs::Permissions::from_mode(0o644)).unwrap();
    let editor = program.path("editor").display().to_string();
    let program = program.env("EDITOR", &editor);
    let told = told(&program, &["config", "edit"]).replace(" (os error 2)", "");
    assert_snapshot!(told);
}

#[test]
fn what_is_no_file_is_read_but_neither_waited_for_nor_replaced() {
    let program = Program::new();
    let pipe = program.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    let program = program.env("EDITOR", "true");
    for change in [
        &["set", "server.port", "4"][..],
        &["unset", "server.port"],
        &["edit"],
        &["init", "--yes"],
        &["init", "--yes", "--port", "4"],
    ] {
        let arguments = [&["-c", pipe, "config"], change].concat();
        assert_eq!(
            told(&program, &arguments),
            "--- said\nerror: ~/pipe: this is a device, a pipe or a socket, which can be read but not changed: name a \
             file with -c\n--- ended with 2",
            "{change:?}"
        );
    }
    let is_pipe = std::os::unix::fs::FileTypeExt::is_fifo(&fs::metadata(pipe).unwrap().file_type());
    assert!(is_pipe && !program.path("models-filter").exists());
    // Somebody writes while it is read.
    let script = format!("echo 'server: {{port: 4}}' > '{pipe}'");
    let mut writer = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    let ran = program.run(&["-c", pipe, "config", "get", "server.port"]);
    // Who was not read would wait for ever.
    writer.kill().ok();
    writer.wait().unwrap();
    assert_eq!(ran.out, "4\n", "{}", ran.err);
}

#[test]
fn a_text_that_no_reader_would_take_is_not_saved() {
    let program = Program::new();
    let long = "x".repeat(300 * 1024);
    let ran = program.run_with_input(&["config", "set", "policy.settings.a", "-"], &long);
    assert!(ran.code == Some(2) && ran.err.contains("too large for a setting: 256 KiB at most"), "{}", ran.err);
    let near = "x".repeat(256 * 1024);
    let ran = program.run_with_input(&["config", "set", "policy.settings.a", "-"], &near);
    assert!(ran.code == Some(2) && ran.err.contains("with this the file is too large: 256 KiB at most"), "{}", ran.err);
    assert!(!program.path(FILE).exists());
}

#[test]
fn a_list_may_be_given_one_item_a_line() {
    let program = Program::new().file("keys", "sk-one\nsk-two\r\n\n");
    let ran = program.run_with_input(&["config", "set", "server.client_keys", "-"], "one\ntwo\r\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(program.run(&["config", "get", "server.client_keys", "--reveal"]).out, "one\ntwo\n");
    let keys = program.path("keys").display().to_string();
    let program = program.env("OLLAMA_ROUTER_OPENROUTER_API_KEYS_FILE", &keys);
    assert_eq!(program.run(&["config", "get", "openrouter.api_keys", "--reveal"]).out, "sk-one\nsk-two\n");
}

#[test]
fn settings_that_another_file_gave_are_told_as_such() {
    let text = "policy: {settings_file: more.json}\n";
    let program = Program::new().file(FILE, text).file(".config/ollama-router/more.json", "{\"fallbacks\": [\"a\"]}");
    let shown = program.scrubbed(&program.run(&["config", "show", "--origin"]).out);
    let line = shown.lines().find(|line| line.starts_with("  settings:")).unwrap();
    assert_eq!(line.split_once(" # ").unwrap().1, "policy.settings_file, ~/.config/ollama-router/more.json");
    let shown: Value = serde_json::from_str(&program.run(&["config", "show", "--origin", "--json"]).out).unwrap();
    let origin = &shown["policy.settings"]["origin"];
    assert_eq!(
        *origin,
        serde_json::json!({"from": "settings_file", "file": program.path(".config/ollama-router/more.json")})
    );
}

#[test]
fn hints_name_the_file_that_was_given_as_a_shell_reads_it() {
    let program = Program::new().file("my file.yaml", "server: {port: x}\n");
    let run = |arguments: &[&str]| told(&program, &[&["-c", "my file.yaml", "config"], arguments].concat());
    let broken = run(&["show"]);
    fs::remove_file(program.path("my file.yaml")).unwrap();
    let lines = [broken, run(&["path"]), run(&["init"]), run(&["init"])];
    assert_snapshot!(lines.join("\n\n"));
}

#[test]
fn a_value_that_is_no_secret_is_seen_while_it_is_typed() {
    let program = Program::new();
    let mut terminal = program.terminal(24, 120, &["config", "set", "server.port", "-"]);
    terminal.shows("server.port:");
    terminal.types("18119");
    terminal.shows("18119");
    terminal.types("\r");
    assert_eq!(terminal.ended().code, Some(0));
    let mut terminal = program.terminal(24, 120, &["config", "set", "openrouter.api_key", "-"]);
    terminal.shows("openrouter.api_key:");
    terminal.types("18119\r");
    let shown = terminal.ended();
    assert!(shown.code == Some(0) && !shown.raw.contains("18119"), "{}", shown.raw);
}
