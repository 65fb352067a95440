//! The program from its command line: exit codes, words, signals.
//!
//! The real binary, in a home folder of its own. Only what cannot be seen in
//! process is here: what is printed where, and how it ends.

use std::net::TcpListener;

use ollama_router::sandbox::{
    Sandbox,
    reply::{Reply, step::Gate},
    scenario::Scenario,
};
use serde_json::{Value, json};

use crate::support::{
    self,
    program::{Program, Ran, Served},
};

const CONFIG: &str = ".config/ollama-router/config.yaml";

/// A port at which nothing listens, nor ever will: a free one could be taken by
/// another test just then.
const NOBODY: &str = "1";

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn without_a_key_it_ends_with_2_and_tells_the_four_ways() {
    let program = Program::new();
    let ran = program.run(&["start", "-p", "0"]);
    assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{}", ran.err);
    let config = program.path(CONFIG);
    for way in [
        "-k KEY",
        "OLLAMA_ROUTER_OPENROUTER_API_KEY",
        "\n  3. the environment variable OPENROUTER_API_KEY",
        "api_key:",
        "start --demo",
        config.to_str().unwrap(),
    ] {
        assert!(ran.err.contains(way), "{way} is not in: {}", ran.err);
    }
}

#[test]
fn a_bad_configuration_names_file_line_and_key_and_ends_with_2() {
    let rows = [
        ("server:\n  prot: 1\n", ":2:3: server.prot: unknown key, did you mean `server.port`?"),
        ("# words\n\nfailover:\n  deadline: soon\n", ":4:"),
        ("mode:\n  free_mode: perhaps\n", ":2:"),
        ("server:\n  port: 70000\n", ":2:"),
        ("server: [\n", ":"),
        ("server:\n  port: 1\n  port: 2\n", ":3:"),
    ];
    for (text, expected) in rows {
        let program = Program::new().file(CONFIG, text);
        let place = format!("{}{expected}", program.path(CONFIG).display());
        for command in [&["start", "--demo", "-p", "0"][..], &["list-models"], &["status"], &["policy", "list"]] {
            let ran = program.run(command);
            assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{command:?}: {}", ran.err);
            assert!(ran.err.contains(&place), "{place} is not in: {}", ran.err);
            let remedy = "\n`ollama-router config edit` opens this file, and saves only what is sound\n";
            assert!(ran.err.ends_with(remedy), "{}", ran.err);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_none_or_no_text_ends_with_2_and_says_what_to_do() {
    let told = |program: &Program, arguments: &[&str]| {
        let ran = program.run(&[arguments, &["start", "--demo", "-p", "0"]].concat());
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{}", ran.err);
        program.scrubbed(&ran.err)
    };
    let program = Program::new().file("folder/file", "");
    let home = program.path("folder");
    let folder =
        "cannot read this file: Is a directory (os error 21); it is a folder: name a file in it, or move it away";
    assert_eq!(told(&program, &["-c", home.to_str().unwrap()]), format!("error: ~/folder: {folder}\n"));
    let below = "cannot read this file: Not a directory (os error 20); a part of its path is no folder: check the path";
    let below_file = program.path("folder/file/config.yaml");
    assert_eq!(
        told(&program, &["-c", below_file.to_str().unwrap()]),
        format!("error: ~/folder/file/config.yaml: {below}\n")
    );
}

#[test]
fn every_problem_is_told_at_once_and_no_secret_with_it() {
    let text = "openrouter:\n  api_key: [sk-or-v1-secret]\nserver:\n  prot: 1\nmode:\n  tool_use: 1\n";
    let ran = Program::new().file(CONFIG, text).env("OLLAMA_ROUTER_SERVER_PROT", "1").run(&["start", "-p", "x"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    let ran = Program::new().file(CONFIG, text).env("OLLAMA_ROUTER_SERVER_PROT", "1").run(&["start", "-p", "0"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    for key in ["server.prot", "mode.tool_use", "openrouter.api_key", "OLLAMA_ROUTER_SERVER_PROT"] {
        assert!(ran.err.contains(key), "{key} is not in: {}", ran.err);
    }
    assert!(!ran.err.contains("sk-or-v1-secret"), "{}", ran.err);
}

#[test]
fn a_variable_whose_file_is_missing_ends_with_2_and_names_both() {
    let ran = Program::new().env("OPENROUTER_API_KEY_FILE", "/nowhere/key").run(&["start", "-p", "0"]);
    let told = "error: environment variable OPENROUTER_API_KEY_FILE: /nowhere/key: there is no such file: check the \
                path, and that it is mounted here\n";
    assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(2), "", told));
}

#[test]
fn a_port_in_use_ends_with_1_and_says_what_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = Program::new().run(&["start", "--demo", "-H", "127.0.0.1", "-p", &port]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{}", ran.err);
    for words in [&*format!("cannot listen on 127.0.0.1:{port}"), "start --port", "PORT", "server.port"] {
        assert!(ran.err.contains(words), "{words} is not in: {}", ran.err);
    }
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_what_is_asked_for_with_0() {
    let program = Program::new();
    for wrong in [&["strat"][..], &["start", "--no-such-flag"], &["start", "-p", "99999"], &[]] {
        assert_eq!(program.run(wrong).code, Some(2), "{wrong:?}");
    }
    let version = program.run(&["--version"]);
    assert_eq!((version.code, version.out), (Some(0), format!("ollama-router {}\n", env!("CARGO_PKG_VERSION"))));
    for help in [&["--help"][..], &["start", "--help"], &["policy", "reload", "--help"]] {
        let ran = program.run(help);
        assert!(ran.code == Some(0) && ran.out.contains("Usage: ollama-router"), "{ran:?}");
    }
}

#[test]
fn without_a_router_the_commands_say_so_and_end_with_1() {
    let program = Program::new();
    for command in [&["status"][..], &["list-models"], &["policy", "list"], &["policy", "reload"]] {
        let ran = program.run(&[command, &["-p", NOBODY]].concat());
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{command:?}");
        assert!(ran.err.contains(&format!("no router is running at http://127.0.0.1:{NOBODY}")), "{}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_served_looked_at_reloaded_and_stopped() {
    let program = Program::new();
    let served = program.serve(&["start", "--demo", "-H", "127.0.0.1", "-p", "0"]);
    let port = served.port.to_string();
    let run = |arguments: &[&str]| {
        let ran = program.run(&[arguments, &["-p", &port]].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        ran
    };

    let models = parsed(&run(&["list-models", "--json"]));
    let models = models.as_array().unwrap();
    assert_eq!((models.len(), &models[0]["id"]), (20, &json!("cinderworks/ember-coder-30b-a3b:free")));
    let ids = |ran: &Ran| parsed(ran).as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    let lumen = ["aurelia/lumen-4-large:free", "aurelia/lumen-4-mini:free"];
    assert_eq!(ids(&run(&["list-models", "--json", "--filter", " LuMeN "])), lumen);
    let joiner = ["dovetail/joiner-8b:free", "dovetail/joiner-8b-short:free"];
    assert_eq!(ids(&run(&["list-models", "--json", "--filter", "joiner"])), joiner);
    assert_eq!(ids(&run(&["list-models", "--json", "--tool-use-only", "--filter", "joiner"])), Vec::<Value>::new());
    let with_tools = parsed(&run(&["list-models", "--json", "--tool-use-only"]));
    assert!(with_tools.as_array().unwrap().iter().all(|row| row["tools"] == true));
    assert!(run(&["list-models"]).out.contains("lumen-4-large:free"));

    let status = parsed(&run(&["status", "--json"]));
    assert_eq!([&status["simulated"], &status["catalog"]["visible"]], [&json!(true), &json!(20)]);
    assert!(run(&["status"]).out.contains("SIMULATED"));
    let policies = parsed(&run(&["policy", "list", "--json"]));
    assert_eq!([&policies[0]["name"], &policies[0]["state"]], [&json!("free-mode"), &json!("active")]);
    assert!(run(&["policy", "list"]).out.contains("free-mode"));
    assert!(run(&["policy", "reload"]).out.contains("nothing has changed, generation 1"));
    let reloaded = parsed(&run(&["policy", "reload", "--json"]));
    assert_eq!([&reloaded["changed"], &reloaded["refused"]], [&json!(false), &Value::Null]);

    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let client = support::http();
    let answer = client.post(served.url("/api/chat")).body(body).send().await.unwrap();
    let answer = support::Reply::read(answer).await;
    assert!(answer.complete && answer.content().contains("simulated"), "{}", answer.text);

    served.signal("TERM");
    let ran = served.ended();
    assert_eq!((ran.code, &*ran.out), (Some(0), ""), "standard output is for data");
    assert!(ran.err.contains("DEMO") && ran.err.contains("SIMULATED"), "{}", ran.err);
    assert!(ran.err.contains(&format!("http://localhost:{port}")), "{}", ran.err);
}

/// Starts a router before a simulated upstream, given as an operator would.
fn serve(program: Program, sandbox: &Sandbox, arguments: &[&str]) -> (Program, Served) {
    let program = program.env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url());
    let served = program.serve(&[arguments, &["start", "-H", "127.0.0.1", "-p", "0", "-v"]].concat());
    (program, served)
}

async fn hello(served: &Served) -> support::Reply {
    let client = support::http();
    let request = client.post(served.url("/api/generate"));
    support::Reply::read(request.body(r#"{"model": "auto", "prompt": "Hello"}"#).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_give_the_key_reaches_the_upstream_and_the_log_never() {
    let file = "openrouter:\n  api_key: \"sk-or-v1-0123456789abcdef\"\n";
    let key = "sk-or-v1-0123456789abcdef";
    let with_file = |variable: &str| Program::new().file("secret", &format!("{key}\n")).env(variable, "~/secret");
    let ways: [(Program, &[&str]); 6] = [
        (Program::new(), &["-k", key]),
        (Program::new().env("OLLAMA_ROUTER_OPENROUTER_API_KEY", key), &[]),
        (Program::new().env("OPENROUTER_API_KEY", key), &[]),
        (with_file("OLLAMA_ROUTER_OPENROUTER_API_KEY_FILE"), &[]),
        (with_file("OPENROUTER_API_KEY_FILE"), &[]),
        (Program::new().file(CONFIG, file), &[]),
    ];
    for (program, arguments) in ways {
        let sandbox = Sandbox::start(Scenario::quiet()).await.unwrap();
        sandbox.script("*", [Reply::user_not_found(), Reply::overloaded()]);
        let (_program, served) = serve(program, &sandbox, arguments);
        for expected in [502, 200] {
            assert_eq!(hello(&served).await.status, expected, "{arguments:?}");
        }
        let sent = sandbox.requests().pop().unwrap();
        assert_eq!(sent.headers["authorization"], format!("Bearer {key}"), "{arguments:?}");
        served.signal("INT");
        let ran = served.ended();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(!format!("{ran:?}").contains("0123456789abcdef"), "the key is in the log: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "server:\n  version: 0.1.1\n  port: 1\nmode:\n  tool_use_only: false\nlogging:\n  level: error\n";
    let program = Program::new()
        .file(CONFIG, file)
        .env("OLLAMA_ROUTER_SERVER_VERSION", "0.2.2")
        .env("TOOL_USE_ONLY", "false")
        .env("PORT", "2")
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-any");
    let sandbox = Sandbox::start(Scenario::quiet()).await.unwrap();
    let program = program.env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url());
    let flags = ["--log-level", "info", "--tool-use-only", "-H", "127.0.0.1"];
    let served = program.serve(&[&["start", "-p", "0"][..], &flags].concat());
    let get = async |path: &str| support::http().get(served.url(path)).send().await.unwrap().text().await.unwrap();
    assert_eq!(get("/api/version").await, r#"{"version":"0.2.2"}"#);
    let status: Value = serde_json::from_str(&get("/router/status").await).unwrap();
    assert_eq!(status["tool_use_only"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_outlasts_the_grace_is_cut_and_the_program_ends_well() {
    let sandbox = Sandbox::start(Scenario::quiet()).await.unwrap();
    sandbox.always("*", Reply::chunks(["One ", "two"]).gate_rest(&Gate::new()));
    let (_program, served) = serve(Program::new(), &sandbox, &["-k", "sk-or-v1-any"]);
    let client = support::http();
    let request = client.post(served.url("/api/generate")).body(r#"{"model": "auto", "prompt": "Hello"}"#);
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    served.signal("TERM");
    let rest = support::Reply::read(response).await;
    assert!(!rest.complete && !rest.text.contains("\"done\":true"), "{}", rest.text);
    let ran = served.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("some answers were not finished"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_models_needs_no_running_router() {
    let sandbox = Sandbox::start(Scenario::quiet()).await.unwrap();
    let program = Program::new().env("PORT", NOBODY).env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url());
    let ran = program.run(&["list-models", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(parsed(&ran).as_array().unwrap().len(), 20);
    assert!(ran.err.contains("no router is running"), "{}", ran.err);
    sandbox.fail_catalog(&Reply::html(502));
    let again = program.run(&["list-models", "--json"]);
    assert_eq!((again.code, again.out), (Some(0), ran.out), "the copy serves");
}

#[test]
fn a_saved_list_that_is_none_ends_with_2() {
    let program = Program::new().file("list.json", "{\"models\": []}").file("junk.json", "nonsense");
    for (name, words) in
        [("list.json", "no list named `data`"), ("junk.json", "is no JSON"), ("none.json", "cannot read")]
    {
        let ran = program.run(&["start", "--demo", "-p", "0", "--demo-catalog", name]);
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains(words) && ran.err.contains(name), "{}", ran.err);
    }
}
