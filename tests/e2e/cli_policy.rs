//! What the `policy` commands for operators print, whole, off a terminal and on one.
//! What they do is in `reload.rs`, `rollback.rs`, `explain.rs` and others; the commands
//! for authors are in `cli_authors.rs`.

use std::{fs, time::Instant};

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    guests::Guest,
    support::{
        PATIENCE,
        mask::{digests, micros, timed},
        program::{Program, Served},
        scene::{Scene, varied},
    },
};

const FOLDER: &str = ".config/ollama-router";

/// Runs a command that asks a router, and returns what it said in words that stay the same.
fn told(scene: &Scene, served: &Served, arguments: &[&str]) -> String {
    let port = served.port.to_string();
    micros(&digests(&scene.told(&[&["policy"], arguments, &["-p", &port]].concat())))
}

/// Runs the same in a terminal, and checks that no line is broken.
fn shown(scene: &Scene, served: &Served, columns: u16, arguments: &[&str]) -> String {
    let port = served.port.to_string();
    let arguments = [&["policy"], arguments, &["-p", &port]].concat();
    let shown = scene.program.terminal(40, columns, &arguments).ended();
    assert!(shown.widest() <= columns.into(), "{}", shown.screen);
    micros(&digests(&scene.steady(&shown.screen)))
}

fn write(scene: &Scene, name: &str, content: impl AsRef<[u8]>) {
    fs::write(scene.program.path(FOLDER).join(name), content).unwrap();
}

/// Waits until what a command prints as JSON is so.
fn wait(scene: &Scene, served: &Served, arguments: &[&str], is_so: impl Fn(&Value) -> bool) {
    let port = served.port.to_string();
    let arguments = [&["policy"], arguments, &["--json", "-p", &port]].concat();
    let began = Instant::now();
    loop {
        let ran = scene.program.run(&arguments);
        let said: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        if is_so(&said) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it does not come to be: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_and_was_is_printed_whole() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let told = |arguments: &[&str]| told(&scene, &served, arguments);
    assert_snapshot!("policy_list", told(&["list"]));
    assert_snapshot!("policy_reload", told(&["reload"]));
    assert_snapshot!("policy_reload_dry_run", told(&["reload", "--dry-run"]));
    assert_snapshot!("policy_rollback", told(&["rollback"]));
    assert_snapshot!("policy_history", told(&["history"]));
    assert_snapshot!("policy_explain", told(&["explain", "--vision"]));
    for columns in [120, 80, 60] {
        for command in ["list", "history", "explain"] {
            let shown = shown(&scene, &served, columns, &[command]);
            assert_snapshot!(format!("policy_{command}_{columns}"), shown);
        }
    }
    let port = served.port.to_string();
    let coloured = scene.program.terminal(20, 120, &["policy", "list", "-p", &port]).ended();
    assert!(coloured.raw.contains("\u{1b}[38;5;10mactive"), "states have colours: {:?}", coloured.raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_tried_made_refused_and_taken_back_in_plain_words() {
    let scene = Scene::of(Program::new().file(&format!("{FOLDER}/mine.wasm"), ""), varied()).await;
    write(&scene, "mine.wasm", Guest::sound().component());
    let served = scene.serve();
    write(&scene, "config.yaml", "policy: {module: mine.wasm}\n");
    wait(&scene, &served, &["history"], |past| past[1]["state"] == "in force");
    let run = |arguments: &[&str]| told(&scene, &served, arguments);
    assert_snapshot!("policy_list_on_probation", run(&["list"]));
    assert_snapshot!("policy_rollback_done", run(&["rollback"]));
    assert_snapshot!("policy_history_rolled_back", run(&["history"]));
    assert_snapshot!("policy_history_rolled_back_80", shown(&scene, &served, 80, &["history"]));
    assert_snapshot!("policy_list_rolled_back", run(&["list"]));
    assert_snapshot!("policy_reload_done", run(&["reload"]));
    assert_snapshot!("policy_rollback_unknown", run(&["rollback", "99"]));
    assert_snapshot!("policy_reload_unknown", timed(&run(&["reload", "nobody"])));

    write(&scene, "mine.wasm", "nonsense");
    wait(&scene, &served, &["list"], |policies| policies[0]["refused"].is_object());
    assert_snapshot!("policy_list_refused", run(&["list"]));
    assert_snapshot!("policy_list_refused_80", shown(&scene, &served, 80, &["list"]));
    assert_snapshot!("policy_reload_refused", timed(&run(&["reload"])));
    assert_snapshot!("policy_reload_refused_60", timed(&shown(&scene, &served, 60, &["reload"])));
    assert_snapshot!("policy_reload_dry_run_refused", timed(&run(&["reload", "--dry-run"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_names_the_models_that_would_come_and_go() {
    let scene = Scene::of(Program::new().file(&format!("{FOLDER}/config.yaml"), "{}\n"), varied()).await;
    let served = scene.serve();
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    let answer = crate::support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let tried = || {
        let told = told(&scene, &served, &["reload", "--dry-run"]);
        assert!(told.ends_with("ends with 0"), "{told}");
        told
    };
    // What the files say is held back, so that there is something to try.
    write(&scene, "config.yaml", "mode: {free_mode: false, tool_use_only: true}\n");
    wait(&scene, &served, &["history"], |past| past[1]["state"] == "in force");
    assert!(told(&scene, &served, &["rollback"]).ends_with("ends with 0"));
    assert_snapshot!("policy_reload_dry_run_changes", tried());
    assert_snapshot!("policy_reload_dry_run_changes_60", shown(&scene, &served, 60, &["reload", "--dry-run"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_and_a_chain_are_listed_with_what_they_said() {
    let config =
        json!({"policy": {"chain": ["free-mode", "mine.wasm"], "shadow": {"module": "mine.wasm", "sample": 1}}});
    let program = Program::new().file(&format!("{FOLDER}/config.yaml"), &config.to_string());
    let scene = Scene::of(program, varied()).await;
    write(&scene, "mine.wasm", Guest::sound().component());
    let served = scene.serve();
    assert_snapshot!("policy_list_chain", told(&scene, &served, &["list"]));
    assert_snapshot!("policy_list_chain_80", shown(&scene, &served, 80, &["list"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_or_explained_is_told_with_what_to_do() {
    let scene = Scene::new().await;
    let nobody = |arguments: &[&str]| scene.told(&[&["policy"], arguments, &["-p", "1"]].concat());
    let lines =
        [&["list"][..], &["reload"], &["reload", "--dry-run"], &["rollback"], &["history"], &["explain"]].map(nobody);
    assert_snapshot!("policy_without_a_router", lines.join("\n\n"));
    let served = scene.serve();
    let unknown = [
        told(&scene, &served, &["explain", "--model", "nobody"]),
        scene.told(&["policy", "explain", "--offline", "--model", "nobody"]),
    ];
    assert_snapshot!("policy_explain_unknown", unknown.join("\n\n"));
    assert_snapshot!("policy_explain_offline", scene.told(&["policy", "explain", "--offline", "--tools"]));
    scene.sandbox.script("acme/large-70b:free", [ollama_router::sandbox::reply::Reply::harness_gate()]);
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    let answer = crate::support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_snapshot!("policy_explain_resting", told(&scene, &served, &["explain"]));
}
