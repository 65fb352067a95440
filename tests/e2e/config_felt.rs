//! What is said of a change of the settings file, and whether it is true; and what may not be
//! changed.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    config::{FILE, told},
    support::program::Program,
};

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
    let writes = format!("echo 'server: {{port: 4}}' > '{pipe}'");
    let mut writer = Command::new("sh").args(["-c", &writes]).spawn().unwrap();
    assert_eq!(program.run(&["-c", pipe, "config", "get", "server.port"]).out, "4\n");
    assert!(writer.wait().unwrap().success());
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

