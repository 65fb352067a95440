//! What holds for every command: colours, completions, manual pages; and who is in the
//! way of a start.

use std::net::TcpListener;

use axum::{Json, Router, routing::get};
use insta::assert_snapshot;
use serde_json::json;

use crate::support::{
    program::Program,
    scene::{Scene, varied},
};

const RED_OR_GREEN: &str = "\u{1b}[";

#[tokio::test(flavor = "multi_thread")]
async fn colours_are_for_terminals_and_for_those_who_ask() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    let list = ["list-models", "-p", &port];
    let has_colours = |arguments: &[&str]| scene.program.run(arguments).out.contains(RED_OR_GREEN);
    assert!(!has_colours(&list));
    assert!(has_colours(&[&list[..], &["--color", "always"]].concat()));
    assert!(has_colours(&["--color=always", "--help"]));
    assert!(!has_colours(&["--help"]));
    let on_terminal =
        |arguments: &[&str]| scene.program.terminal(50, 120, arguments).ended().raw.contains(RED_OR_GREEN);
    assert!(on_terminal(&list));
    assert!(!on_terminal(&[&list[..], &["--color", "never"]].concat()));
    let wrong = scene.program.run(&["--color", "sometimes", "status"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_the_environment_decide_on_colours_too() {
    let scene = Scene::of(Program::new().env("CLICOLOR_FORCE", "1"), crate::support::models::free(&["a/a:free"])).await;
    assert!(scene.program.run(&["list-models"]).out.contains(RED_OR_GREEN));
    assert!(!scene.program.run(&["list-models", "--color", "never"]).out.contains(RED_OR_GREEN));
    let program = Program::new().env("NO_COLOR", "1");
    assert!(!program.terminal(60, 100, &["--help"]).ended().raw.contains("\u{1b}[1m"));
    assert!(program.terminal(60, 100, &["--color", "always", "--help"]).ended().raw.contains("\u{1b}[1m"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_key_and_a_demo_say_what_to_do() {
    let scene = Scene::of(Program::new(), varied()).await.set("OLLAMA_ROUTER_OPENROUTER_API_KEY", "");
    assert_snapshot!("start_without_a_key", scene.told(&["start"]));
    let served = Program::new().serve(&["start", "--demo", "-H", "127.0.0.1", "-p", "0"]);
    let port = served.port.to_string();
    served.signal("TERM");
    let ran = served.ended();
    assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{}", ran.err);
    // The log before and after it has times.
    let from = ran.err.find("  DEMO: ").unwrap_or_else(|| panic!("{}", ran.err));
    let to = ran.err.find("  Stop with Ctrl-C.").unwrap_or_else(|| panic!("{}", ran.err));
    assert_snapshot!("start_demo", scene.steady(&ran.err[from..to].replace(&port, "PORT")));
}

/// As with any other file of the configuration.
#[test]
fn a_start_with_a_filter_that_cannot_be_read_is_the_configurations_fault() {
    let program = Program::new().file(".config/ollama-router/models-filter/filter", &"a".repeat(64 * 1024 + 1));
    let ran = program.run(&["start", "--demo", "-p", "0"]);
    let told = "error: no policy can be put in force: read: ~/.config/ollama-router/models-filter/filter: this file is \
                too large: 64 KiB at most\n";
    assert_eq!((ran.code, program.scrubbed(&ran.err)), (Some(2), told.to_owned()));
}

/// A library that the program is built on panics where it gets no further file at a
/// certain point; after how many that is, differs.
#[cfg(target_os = "linux")]
#[test]
fn a_bug_is_told_in_a_line_with_what_to_do_and_ends_with_101() {
    let run = |files| Program::new().open_files(files).run(&["status", "-p", "1"]);
    let ends: Vec<_> = (4..16).map(run).collect();
    let words = "error: the system gives nothing to wait for the network with; see `ulimit -n`: Too many open files";
    assert!(ends.iter().any(|ran| ran.code == Some(1) && ran.err.starts_with(words)), "{ends:?}");
    let bugs: Vec<_> = ends.into_iter().filter(|ran| ran.code == Some(101)).collect();
    assert!(!bugs.is_empty(), "nothing panics");
    for ran in bugs {
        let version = env!("CARGO_PKG_VERSION");
        let begin =
            format!("error: this is a bug in ollama-router {version}, not a mistake of yours: failed to create ");
        let end = concat!(
            "). Please report it at ",
            env!("CARGO_PKG_REPOSITORY"),
            "/issues/new, with this line and with what you did\n"
        );
        assert!(ran.out.is_empty() && ran.err.starts_with(&begin) && ran.err.ends_with(end), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
    }
}

#[test]
fn each_shell_gets_completions_and_only_known_ones() {
    let program = Program::new();
    for (shell, words) in [
        ("bash", "complete -F _ollama__router"),
        ("zsh", "#compdef ollama-router"),
        ("fish", "complete -c ollama-router"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[ollama-router]"),
    ] {
        let ran = program.run(&["completions", shell]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{shell}");
        assert!(ran.out.contains(words) && ran.out.contains("list-models"), "{shell}: {}", ran.out);
    }
    let first = |arguments: &[&str]| program.run(arguments).out.lines().take(12).collect::<Vec<_>>().join("\n");
    assert_snapshot!("completions_bash", first(&["completions", "bash"]));
    assert_snapshot!("man", first(&["man"]).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
    assert_eq!(program.run(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn manual_pages_are_printed_or_written_for_each_command() {
    let program = Program::new().file("taken", "");
    let ran = program.run(&["man"]);
    assert_eq!((ran.code, &*ran.err), (Some(0), ""));
    assert!(ran.out.contains(".TH ollama-router 1") && ran.out.contains("Exit codes:"), "{}", ran.out);
    let ran = program.run(&["man", "--dir", "pages/man1"]);
    assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(0), "", "the pages are in pages/man1\n"));
    for page in ["ollama-router.1", "ollama-router-cache-refresh.1", "ollama-router-policy-list.1"] {
        let text = std::fs::read_to_string(program.path("pages/man1").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
    }
    let ran = program.run(&["man", "--dir", "taken/man1"]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""));
    assert!(ran.err.contains("cannot write manual pages into taken/man1; choose another folder"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_says_who_holds_its_port() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let told = |port: &str| {
        let told = scene.told(&["start", "-H", "127.0.0.1", "-p", port]);
        // The port is in several places, and the error has a number of the system's.
        told.replace(port, "PORT").replace(" (os error 98)", "").replace(" (os error 48)", "")
    };
    assert_snapshot!("port_held_by_a_router", told(&served.port.to_string()));
    let ollama = Router::new()
        .route("/", get(|| async { "Ollama is running" }))
        .route("/api/version", get(|| async { Json(json!({"version": "0.17.4"})) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    #[expect(clippy::disallowed_methods, reason = "a test has no tracker")]
    let serving = tokio::spawn(async move { axum::serve(listener, ollama).await });
    let held = told(&port);
    assert!(held.contains("Ollama itself (version 0.17.4) is running there: stop it, "), "{held}");
    assert!(held.contains("start --port") && held.ends_with("ends with 1"), "{held}");
    let asked = scene.told(&["status", "-p", &port]);
    assert!(asked.contains("Ollama itself (version 0.17.4) is running at"), "{asked}");
    assert!(asked.ends_with("ends with 1"), "{asked}");
    // Who has named no router is told what there is without one.
    let beside = Scene::new().await.set("OLLAMA_ROUTER_SERVER_PORT", &port);
    for command in [&["list-models"][..], &["cache", "refresh"], &["cache", "status"], &["policy", "explain"]] {
        let said = beside.told(command);
        assert!(said.ends_with("ends with 0"), "{command:?}: {said}");
    }
    let said = beside.told(&["list-models"]);
    assert!(said.contains("and no router; name the router's port with `-p`; this list is "), "{said}");
    serving.abort();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let held = told(&silent.local_addr().unwrap().port().to_string());
    assert!(held.contains("Another program is running there"), "{held}");
}

/// Completes what is typed so far, the last word of it, in a real Bash.
const COMPLETE: &str = r#"
. ./completions.bash
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_ollama__router ollama-router "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs it should see that it was left out")]
fn bash_completes_below_the_first_word() {
    if std::process::Command::new("bash").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no bash on this machine, and nothing was completed");
        return;
    }
    let program = Program::new();
    let program = program.file("completions.bash", &Program::new().run(&["completions", "bash"]).out);
    let completed = |words: &[&str]| {
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", COMPLETE, "bash", ""]).args(words).current_dir(program.path(""));
        let shown = bash.env_clear().envs(program.surroundings()).output().unwrap();
        assert!(shown.stderr.is_empty(), "{}", String::from_utf8_lossy(&shown.stderr));
        String::from_utf8(shown.stdout).unwrap().trim().to_owned()
    };
    let of_config = completed(&["ollama-router", "config", ""]);
    assert!(of_config.ends_with(" init show get set edit unset path help"), "{of_config}");
    let rows = [
        (&["ollama-router", "conf"][..], "config"),
        (&["ollama-router", "config", "un"], "unset"),
        (&["ollama-router", "start", "--lo"], "--log-level"),
        (&["ollama-router", "list-models", "--sor"], "--sort"),
        (&["ollama-router", "list-models", "--sort", "con"], "context"),
        (&["ollama-router", "policy", "explain", "--off"], "--offline"),
    ];
    for (words, expected) in rows {
        assert_eq!(completed(words), expected, "{words:?}");
    }
}
