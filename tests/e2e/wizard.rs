//! `config init`: the questions at a terminal, and the flags without one.
//!
//! The upstream is simulated. Whole screens; the home folder is called `~`.

use std::fs;

use insta::assert_snapshot;
use ollama_router::sandbox::{Sandbox, reply::Reply, scenario::Scenario};
use serde_json::json;

use crate::{
    config::{FILE, told},
    support::program::Program,
};

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1/api/v1";

fn before(upstream: &str) -> Program {
    Program::new().env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", upstream)
}

async fn sandbox() -> Sandbox {
    Sandbox::start(Scenario::quiet().per_day(50)).await.unwrap()
}

fn text(program: &Program) -> String {
    fs::read_to_string(program.path(FILE)).unwrap()
}

/// Answers all questions after the key with what is offered.
fn agree(terminal: &mut crate::support::terminal::Terminal) {
    for question in ["Port to listen on:", "Use free models alone?", "Use only models that can call tools?"] {
        terminal.shows(question);
        terminal.types("\r");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_few_answers_make_a_file() {
    let sandbox = sandbox().await;
    let program = before(&sandbox.base_url());
    // Wide enough for the path of any home.
    let mut terminal = program.terminal(60, 300, &["config", "init"]);
    terminal.shows("OpenRouter API key:");
    terminal.types(&format!("{KEY}\r"));
    terminal.shows("Port to listen on:");
    terminal.types("61873\r");
    terminal.shows("Use free models alone?");
    terminal.types("\r");
    terminal.shows("Use only models that can call tools?");
    terminal.types("y\r");
    let shown = terminal.ended();
    assert_eq!(shown.code, Some(0), "{}", shown.screen);
    assert!(!shown.raw.contains(KEY), "the key was shown: {}", shown.raw);
    assert_snapshot!("wizard_screen", program.scrubbed(&shown.screen));
    assert_snapshot!("wizard_file", text(&program));
    let filter = fs::read_to_string(program.path(".config/ollama-router/models-filter/filter")).unwrap();
    assert_snapshot!("wizard_filter", filter);
    let shown = program.run(&["config", "get", "openrouter.api_key", "--reveal"]);
    assert_eq!(shown.out, format!("{KEY}\n"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox().await;
    let program = before(&sandbox.base_url());
    assert_eq!(program.run(&["config", "init", "-k", KEY]).code, Some(0));
    let mode = |path: &str| fs::metadata(program.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!([mode(FILE), mode(".config/ollama-router")], [0o600, 0o700]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_asked_for_again() {
    let sandbox = sandbox().await;
    sandbox.script("/key", [Reply::user_not_found()]);
    let program = before(&sandbox.base_url());
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("OpenRouter API key:");
    terminal.types("sk-or-v1-wrong\r");
    terminal.shows("OpenRouter refuses this key: User not found");
    terminal.types(&format!("{KEY}\r"));
    agree(&mut terminal);
    let shown = terminal.ended();
    assert_eq!(shown.code, Some(0), "{}", shown.screen);
    assert!(text(&program).contains(&format!("api_key: {KEY}\n")), "{}", text(&program));
    let keys: Vec<_> = sandbox.requests().into_iter().map(|sent| sent.headers["authorization"].clone()).collect();
    assert_eq!(keys, ["Bearer sk-or-v1-wrong".to_owned(), format!("Bearer {KEY}")]);
}

#[test]
fn an_upstream_that_is_down_is_a_warning() {
    let program = before(NOBODY);
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("OpenRouter API key:");
    terminal.types(&format!("{KEY}\r"));
    terminal.shows("The key could not be checked: cannot reach OpenRouter");
    terminal.shows("Keep it anyway?");
    terminal.types("\r");
    agree(&mut terminal);
    assert_eq!(terminal.ended().code, Some(0));
    assert!(text(&program).contains(KEY));
}

#[test]
fn ctrl_c_leaves_everything_as_it_was() {
    let program = before(NOBODY).file(FILE, "# mine\n");
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("Go on?");
    terminal.types("y\r");
    terminal.shows("OpenRouter API key:");
    terminal.types("\r");
    terminal.shows("Port to listen on:");
    terminal.types("\x03");
    let shown = terminal.ended();
    assert_eq!((shown.code, text(&program).as_str()), (Some(130), "# mine\n"), "{}", shown.screen);
    assert!(shown.screen.ends_with("nothing was written"), "{}", shown.screen);
    assert!(!program.path(".config/ollama-router/models-filter").exists());

    let program = before(NOBODY);
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("OpenRouter API key:");
    terminal.types("sk-or-\x03");
    assert_eq!(terminal.ended().code, Some(130));
    assert!(!program.path(".config").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_keeps_all_that_is_not_answered() {
    let sandbox = sandbox().await;
    let before_text = format!("# mine\nopenrouter:\n  api_key: {KEY} # the key\nlogging: {{level: warn}}\n");
    let program = before(&sandbox.base_url()).file(FILE, &before_text);
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("Go on?");
    terminal.types("\r");
    terminal.shows("Keep the key sk-or-…cdef of the file?");
    terminal.types("\r");
    agree(&mut terminal);
    assert_eq!(terminal.ended().code, Some(0));
    assert_eq!(text(&program), before_text);

    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("Go on?");
    terminal.types("n\r");
    let shown = terminal.ended();
    assert!(shown.code == Some(1) && shown.screen.ends_with("nothing was written"), "{}", shown.screen);
    for leaves in ["\x03", "\x1b", "\x04"] {
        let mut terminal = program.terminal(60, 120, &["config", "init"]);
        terminal.shows("Go on?");
        terminal.types(leaves);
        assert_eq!(terminal.ended().code, Some(130), "{leaves:?}");
    }
}

#[test]
fn a_key_that_is_not_kept_goes_with_an_empty_answer() {
    let file = format!("openrouter:\n  api_key: {KEY} # the key\n");
    let program = before(NOBODY).file(FILE, &file);
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("Go on?");
    terminal.types("\r");
    terminal.shows("Keep the key sk-or-…cdef of the file?");
    terminal.types("n\r");
    terminal.shows("OpenRouter API key:");
    terminal.types("\r");
    agree(&mut terminal);
    let shown = terminal.ended();
    assert!(shown.code == Some(0) && shown.screen.contains("There is no key yet"), "{}", shown.screen);
    assert_eq!(text(&program), "openrouter:\n  api_key: null # the key\n");
}

#[test]
fn what_is_answered_is_written_even_if_a_variable_says_the_same() {
    let program = before(NOBODY).file(FILE, "# mine\n").env("PORT", "61873").env("TOOL_USE_ONLY", "true");
    let mut terminal = program.terminal(60, 200, &["config", "init"]);
    terminal.shows("Go on?");
    terminal.types("\r");
    terminal.shows("OpenRouter API key:");
    terminal.types("\r");
    // What is offered is what holds without the variables.
    terminal.shows("(11434)");
    terminal.types("61873\r");
    terminal.shows("Use free models alone?");
    terminal.types("\r");
    terminal.shows("Use only models that can call tools?");
    terminal.types("y\r");
    let shown = terminal.ended();
    assert!(shown.code == Some(0) && !shown.screen.contains("warning"), "{}", shown.screen);
    assert_eq!(text(&program), "# mine\nserver:\n  port: 61873\nmode:\n  tool_use_only: true\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_environment_is_offered_and_not_written_unasked() {
    let sandbox = sandbox().await;
    let program = before(&sandbox.base_url()).env("OPENROUTER_API_KEY", KEY);
    let mut terminal = program.terminal(60, 120, &["config", "init"]);
    terminal.shows("Write the key sk-or-…cdef of the variable OPENROUTER_API_KEY into the file?");
    terminal.types("\r");
    agree(&mut terminal);
    assert_eq!(terminal.ended().code, Some(0));
    assert!(!text(&program).contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_flags_answer() {
    let sandbox = sandbox().await;
    let program = before(&sandbox.base_url());
    let flags = ["config", "init", "--yes", "-k", KEY, "--port", "61873", "--free-mode=false", "-H", "127.0.0.1"];
    let first = told(&program, &flags);
    let again = told(&program, &["config", "init"]);
    let port = told(&program, &["config", "init", "--yes", "--port", "9000", "--tool-use-only"]);
    assert_snapshot!("wizard_flags", [first, again, port, text(&program)].join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_a_refused_key_writes_nothing() {
    let sandbox = sandbox().await;
    sandbox.always("/key", Reply::user_not_found());
    let program = before(&sandbox.base_url());
    assert_snapshot!(told(&program, &["config", "init", "--yes", "-k", KEY]), @r"
    --- said
    error: OpenRouter refuses the key sk-or-…cdef: User not found. Nothing was written; see https://openrouter.ai/keys
    --- ended with 1
    ");
    assert!(!program.path(".config").exists());
    sandbox.always("/key", Reply::json(200, json!({"data": {"is_provisioning_key": true}})));
    assert_eq!(program.run(&["config", "init", "--yes", "-k", KEY]).code, Some(1));
}

#[test]
fn without_a_terminal_and_a_key_the_file_is_begun_without_one() {
    let program = before(NOBODY);
    assert_snapshot!("wizard_without_a_key", told(&program, &["config", "init", "--yes"]));
    assert!(text(&program).contains("api_key: null"));
}

#[test]
fn a_variable_that_wins_is_told_and_so_is_where_a_start_would_serve() {
    let init = |program: &Program, flags: &[&str]| told(program, &[&["config", "init", "--yes"], flags].concat());
    let beaten = init(&before(NOBODY).env("PORT", "3000").env("FREE_MODE", "true"), &["-p", "18819"]);
    let elsewhere = init(&before(NOBODY), &["-H", "192.168.1.5"]);
    let chosen = init(&before(NOBODY), &["-H", "::1", "-p", "0"]);
    assert_snapshot!([beaten, elsewhere, chosen].join("\n\n"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_a_file_that_others_can_read_is_told_of() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = sandbox().await;
    let program = before(&sandbox.base_url()).file(FILE, "# mine\n");
    fs::set_permissions(program.path(FILE), fs::Permissions::from_mode(0o644)).unwrap();
    let said = told(&program, &["config", "init", "--yes", "-k", KEY]);
    let warning = "\nwarning: others can read the file: chmod 600 ~/.config/ollama-router/config.yaml\n";
    assert!(said.contains(warning), "{said}");
}
