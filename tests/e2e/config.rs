//! The settings file from the command line: looked at, and changed one key at a time.
//!
//! Whole outputs, with the home folder called `~`. The questions of `config init` are in
//! `wizard.rs`; how a text is changed within, the tests beside the code know.

use std::fs;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::support::program::{Program, Ran};

pub const FILE: &str = ".config/ollama-router/config.yaml";

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

const TEXT: &str = "# mine\nserver:\n  port: 8080 # not Ollama's\n\nmode: {tool_use_only: true}\n";

/// What a command said and how it ended, in a form to be compared whole.
pub fn told(program: &Program, arguments: &[&str]) -> String {
    let Ran { code, out, err } = program.run(arguments);
    let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    program.scrubbed(&format!("{out}--- said\n{err}--- ended with {code}"))
}

fn text(program: &Program) -> String {
    fs::read_to_string(program.path(FILE)).unwrap()
}

#[test]
fn all_settings_are_shown_and_who_set_them() {
    let program = Program::new().file(FILE, TEXT).env("OPENROUTER_API_KEY", KEY).env("LOG_LEVEL", "WARN");
    assert_snapshot!(told(&program, &["-v", "config", "show", "--origin"]));
    let shown = program.run(&["config", "show"]);
    assert!(!format!("{shown:?}").contains(KEY), "{shown:?}");
    // What is shown can be a settings file: but for the mask of the key.
    let copy = shown.out.replace("api_key: \"sk-or-…cdef\"", "api_key: null");
    let other = Program::new().file(FILE, &copy).env("OPENROUTER_API_KEY", KEY);
    assert_eq!(other.run(&["config", "show"]).out, shown.out);
}

#[test]
fn what_is_shown_is_json_for_programs() {
    let program = Program::new().file(FILE, TEXT).env("OPENROUTER_API_KEY", KEY);
    let shown: Value = serde_json::from_str(&program.run(&["config", "show", "--json"]).out).unwrap();
    assert_eq!([&shown["server"]["port"], &shown["openrouter"]["api_key"]], [&json!(8080), &json!("sk-or-…cdef")]);
    let ran = program.run(&["config", "show", "--json", "--origin"]);
    let shown: Value = serde_json::from_str(&ran.out).unwrap();
    let path = program.path(FILE);
    let port = json!({"value": 8080, "origin": {"from": "file", "file": path, "line": 3}});
    let key = json!({"value": "sk-or-…cdef", "origin": {"from": "environment", "variable": "OPENROUTER_API_KEY"}});
    assert_eq!([&shown["server.port"], &shown["openrouter.api_key"]], [&port, &key]);
    assert_eq!(shown["cache.ttl_hours"], json!({"value": 24, "origin": {"from": "default"}}));
}

#[test]
fn one_setting_is_printed_for_scripts() {
    let program = Program::new()
        .file(FILE, "server:\n  origins: [https://a, https://b]\npolicy: {settings: {prefer: {vendor: [x, 1]}}}\n")
        .env("OPENROUTER_API_KEY", KEY);
    let get = |arguments: &[&str]| told(&program, &[&["config", "get"], arguments].concat());
    let lines = [
        get(&["server.port"]),
        get(&["server.origins"]),
        get(&["server.origins", "--json"]),
        get(&["policy.limits"]),
        get(&["policy.settings.prefer.vendor"]),
        get(&["openrouter.api_key"]),
        get(&["openrouter.api_key", "--reveal"]),
        get(&["policy.module"]),
        get(&["policy.module", "--json"]),
        get(&["server.prot"]),
        get(&["PORT"]),
        get(&["colour"]),
    ];
    assert_snapshot!(lines.join("\n\n"));
}

#[test]
fn a_key_is_set_and_the_rest_of_the_file_stays() {
    let program = Program::new().file(FILE, TEXT);
    let run = |arguments: &[&str]| told(&program, &[&["config"], arguments].concat());
    let lines = [
        run(&["set", "server.port", "9090"]),
        run(&["set", "server.port", "9090"]),
        run(&["set", "mode.free_mode", "no"]),
        run(&["set", "policy.settings.fallbacks", "[gemma, qwen]"]),
        run(&["set", "server.origins", "https://a.example,https://b.example"]),
        run(&["unset", "mode.tool_use_only"]),
        run(&["unset", "server.max_body"]),
        text(&program),
    ];
    assert_snapshot!(lines.join("\n\n"));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let program = Program::new().file(FILE, TEXT);
    let run = |arguments: &[&str]| told(&program, &[&["config"], arguments].concat());
    let lines = [
        run(&["set", "server.port", "70000"]),
        run(&["set", "server.prot", "1"]),
        run(&["set", "server", "1"]),
        run(&["set", "server.host", ""]),
        run(&["set", "policy.settings", "words"]),
        run(&["set", "policy.settings_file", "none.json"]),
        run(&["set", "openrouter.api_key", "sk-or- secret"]),
        run(&["unset", "server.prot"]),
    ];
    assert_snapshot!(lines.join("\n\n"));
    assert_eq!(text(&program), TEXT);
}

#[test]
fn a_secret_is_masked_in_what_is_said_of_its_change() {
    let program = Program::new().file(FILE, "openrouter: {api_keys: [one-secret-key]}\n");
    let lines = [
        told(&program, &["config", "set", "openrouter.api_key", KEY]),
        told(&program, &["config", "set", "openrouter.api_keys", "other-secret-key"]),
        told(&program, &["config", "unset", "openrouter"]),
    ]
    .join("\n\n");
    assert!(!lines.contains(KEY) && !lines.contains("secret-key"), "{lines}");
    assert_snapshot!(lines);
}

#[test]
fn what_wins_over_the_file_is_told() {
    let program = Program::new().env("PORT", "7070");
    assert_snapshot!(told(&program, &["config", "set", "server.port", "9090"]), @r"
    --- said
    server.port: 11434 (default) -> 9090, in ~/.config/ollama-router/config.yaml (a new file)
    warning: the environment variable PORT wins over the file where it is set, as it is here
    a running router takes it over at its next start
    --- ended with 0
    ");
    assert_eq!(text(&program), "server:\n  port: 9090\n");
}

#[test]
fn a_broken_file_is_mended_by_the_command() {
    let program = Program::new().file(FILE, "server:\n  port: x\n");
    assert_eq!(program.run(&["config", "show"]).code, Some(2));
    assert_snapshot!(told(&program, &["config", "set", "server.port", "1"]), @r"
    --- said
    server.port: x -> 1, in ~/.config/ollama-router/config.yaml
    a running router takes it over at its next start
    --- ended with 0
    ");
    assert_snapshot!(told(&Program::new().file(FILE, "server: [\n"), &["config", "set", "server.port", "1"]));
}

#[test]
fn the_path_is_told_whether_there_is_a_file_or_not() {
    assert_snapshot!(told(&Program::new(), &["config", "path"]), @r"
    ~/.config/ollama-router/config.yaml
    --- said
    there is no such file yet: `ollama-router config init` makes it
    --- ended with 0
    ");
    let program = Program::new().file(FILE, "broken: [");
    assert_snapshot!(told(&program, &["config", "path"]), @r"
    ~/.config/ollama-router/config.yaml
    --- said
    --- ended with 0
    ");
}

#[cfg(unix)]
#[test]
fn a_file_is_replaced_whole_and_keeps_its_permissions_and_links() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let mode = |program: &Program, path: &str| fs::metadata(program.path(path)).unwrap().permissions().mode() & 0o777;
    let set = |program: &Program| assert_eq!(program.run(&["config", "set", "server.port", "1"]).code, Some(0));

    let program = Program::new();
    set(&program);
    let modes = [mode(&program, FILE), mode(&program, ".config/ollama-router")];
    assert_eq!(modes, [0o600, 0o700]);

    let program = Program::new().file("dotfiles/router.yaml", TEXT).file(".config/ollama-router/x", "");
    fs::set_permissions(program.path("dotfiles/router.yaml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("../../dotfiles/router.yaml", program.path(FILE)).unwrap();
    let before = fs::metadata(program.path(FILE)).unwrap().ino();
    set(&program);
    assert!(fs::symlink_metadata(program.path(FILE)).unwrap().is_symlink());
    assert_eq!((mode(&program, "dotfiles/router.yaml"), text(&program)), (0o640, TEXT.replace("8080", "1")));
    assert_ne!(fs::metadata(program.path(FILE)).unwrap().ino(), before, "written over, and not replaced");
    let names = fs::read_dir(program.path("dotfiles")).unwrap().count();
    assert_eq!(names, 1, "something is left beside it");
}

#[test]
fn a_value_may_come_from_standard_input() {
    let program = Program::new();
    let ran = program.run_with_input(&["config", "set", "openrouter.api_key", "-"], &format!("{KEY}\n"));
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(program.run(&["config", "get", "openrouter.api_key", "--reveal"]).out, format!("{KEY}\n"));
}
