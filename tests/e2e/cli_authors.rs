//! What the `policy` commands for authors print, whole, off a terminal and on one, and
//! `policy replay`. What they do is in `authors.rs`, `new_policy.rs` and `decisions.rs`.

use std::fs;

use insta::assert_snapshot;
use ollama_router::policy::EMBEDDED;

use crate::{
    config::told,
    guests::Guest,
    support::{
        mask::{digests, sizes, timed},
        program::Program,
        scene::Scene,
    },
};

/// A home with a sound policy, the one in the program, one whose contract is unknown, and
/// one that is none.
fn home() -> Program {
    let foreign = Guest::sound().contract("0.1.0", "0.2.0").replace("0.1.0#", "0.2.0#").module();
    let program = Program::new().file("none.wasm", "nonsense");
    for (name, policy) in
        [("mine.wasm", Guest::sound().component()), ("free.wasm", EMBEDDED.to_vec()), ("foreign.wasm", foreign)]
    {
        fs::write(program.path(name), policy).unwrap();
    }
    program
}

/// Runs a command in a terminal, and checks that no line is broken.
fn shown(program: &Program, columns: u16, arguments: &[&str]) -> String {
    let shown = program.terminal(100, columns, arguments).ended();
    assert!(shown.widest() <= columns.into(), "{}", shown.screen);
    shown.screen
}

/// All of it, on one terminal and off, with what was typed before each.
fn all(program: &Program, commands: &[&[&str]]) -> String {
    let lines = commands.iter().map(|arguments| {
        let arguments = [&["policy"], *arguments].concat();
        format!("$ ollama-router {}\n{}", arguments.join(" "), told(program, &arguments))
    });
    lines.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_check_is_printed_phase_by_phase() {
    let program = home();
    let commands: [&[&str]; 4] = [
        &["check", "mine.wasm"],
        &["check", "free.wasm", "--settings", r#"{"fallbaks": []}"#],
        &["check", "none.wasm"],
        &["check", "nowhere.wasm"],
    ];
    assert_snapshot!("check", timed(&all(&program, &commands)));
    let shown = shown(&program, 60, &["policy", "check", "free.wasm", "--settings", r#"{"fallbaks": []}"#]);
    assert_snapshot!("check_60", timed(&shown));
}

#[test]
fn a_decision_is_printed_model_by_model() {
    let program = home();
    let commands: [&[&str]; 5] = [
        &["run", "free.wasm"],
        &["run", "free.wasm", "--request", r#"{"target": "cedar/lens-12b:free", "needs": ["vision"]}"#],
        &["run", "free.wasm", "--request", r#"{"target": "alder/oak"}"#],
        &["run", "none.wasm"],
        &["run", "free.wasm", "--catalog", "nowhere.json"],
    ];
    assert_snapshot!("run", all(&program, &commands));
    let abstain = "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))";
    fs::write(program.path("silent.wasm"), Guest::sound().put("select", abstain).component()).unwrap();
    assert_snapshot!("run_abstains", all(&program, &[&["run", "silent.wasm"]]));
    for columns in [120, 80, 60] {
        assert_snapshot!(format!("run_{columns}"), shown(&program, columns, &["policy", "run", "free.wasm"]));
    }
}

#[test]
fn what_a_policy_is_and_says_of_itself_is_printed_whole() {
    let program = home();
    let commands: [&[&str]; 4] =
        [&["inspect", "free.wasm"], &["inspect", "mine.wasm"], &["inspect", "foreign.wasm"], &["inspect", "none.wasm"]];
    assert_snapshot!("inspect", sizes(&digests(&all(&program, &commands))));
    for columns in [80, 60] {
        let shown = program.terminal(100, columns, &["policy", "inspect", "free.wasm"]).ended().screen;
        assert_snapshot!(format!("inspect_{columns}"), sizes(&digests(&shown)));
    }
}

#[test]
fn a_measurement_is_printed_step_by_step() {
    let program = home();
    let bench = ["policy", "bench", "mine.wasm", "--models", "40", "--candidates", "5"];
    // How it was built stands at the end.
    let figures = |text: &str| sizes(&timed(text.split_once("figures of this machine").unwrap().0));
    assert_snapshot!("bench", figures(&told(&program, &bench)));
    assert_snapshot!("bench_60", figures(&shown(&program, 60, &bench)));
    assert_snapshot!("bench_refused", all(&program, &[&["bench", "none.wasm"], &["bench", "nowhere.wasm"]]));
}

#[test]
fn what_is_made_and_wrapped_is_told() {
    let program = home();
    fs::write(program.path("module.wasm"), Guest::sound().module()).unwrap();
    fs::write(program.path("empty.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let commands: [&[&str]; 7] = [
        &["new", "my-policy", "--lang", "rust"],
        &["new", "my-policy", "--lang", "rust"],
        &["new", "My_policy", "--lang", "rust"],
        &["wrap", "module.wasm", "-o", "wrapped.wasm"],
        &["wrap", "empty.wasm", "-o", "other.wasm"],
        &["wrap", "none.wasm", "-o", "wrapped.wasm"],
        &["wrap", "nowhere.wasm", "-o", "wrapped.wasm"],
    ];
    assert_snapshot!("new_and_wrap", all(&program, &commands));
    assert_eq!(program.run(&["policy", "check", "wrapped.wasm"]).code, Some(0));
    assert!(!program.path("other.wasm").exists(), "what is no policy is not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_decisions_is_replayed_in_a_sentence() {
    let program = home().file(".config/ollama-router/config.yaml", "policy: {decision_log: log.jsonl}\n");
    let scene = Scene::of(program, crate::support::scene::varied()).await;
    let served = scene.serve();
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    for _ in 0..2 {
        let answer = crate::support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    served.signal("TERM");
    assert_eq!(served.ended().code, Some(0));
    let log = ".config/ollama-router/log.jsonl";
    let commands: [&[&str]; 4] = [
        &["replay", "free-mode", "--log", log],
        &["replay", "mine.wasm", "--log", log],
        &["replay", "none.wasm", "--log", log],
        &["replay", "free-mode", "--log", "nowhere.jsonl"],
    ];
    assert_snapshot!("replay", all(&scene.program, &commands));
}
