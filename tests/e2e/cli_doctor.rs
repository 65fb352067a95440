//! `doctor`: every check, well and failing, and the remedy of each.

use std::{net::TcpListener, os::unix::fs::PermissionsExt as _};

use axum::{Json, Router, routing::get};
use insta::assert_snapshot;
use ollama_router::sandbox::reply::Reply;
use serde_json::{Value, json};

use crate::support::{
    models::{catalog, entry},
    program::Program,
    scene::{Scene, varied},
};

const CONFIG: &str = ".config/ollama-router/config.yaml";
const FILTER: &str = ".config/ollama-router/models-filter/filter";
const LIST: &str = ".config/ollama-router/models.json";

/// Returns the code, and the findings of a check that are not ok, each with its remedy.
fn found(scene: &Scene, check: &str) -> (Option<i32>, Vec<[String; 3]>) {
    let ran = scene.program.run(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |row: &Value, key: &str| scene.steady(row[key].as_str().unwrap_or_default());
    let rows = findings.iter().filter(|row| row["check"] == check);
    (ran.code, rows.map(|row| ["verdict", "what", "remedy"].map(|key| text(row, key))).collect())
}

/// Asserts that a check comes out so, says this, and advises that.
fn check(scene: &Scene, check: &str, verdict: &str, what: &str, remedy: &str) {
    let (code, rows) = found(scene, check);
    let fits = |row: &&[String; 3]| row[0] == verdict && row[1].contains(what) && row[2].contains(remedy);
    assert!(rows.iter().any(|row| fits(&row)), "{check} is not {verdict} with {what:?} and {remedy:?}: {rows:?}");
    if verdict == "failed" {
        assert_eq!(code, Some(1), "{rows:?}");
    }
}

async fn with(program: Program) -> Scene {
    Scene::of(program.env("PORT", "1"), varied()).await
}

/// Returns a scene in which nothing at all is wrong: the system chooses the port.
async fn sound(program: Program) -> Scene {
    Scene::of(program, varied()).await.set("PORT", "0")
}

#[tokio::test(flavor = "multi_thread")]
async fn when_all_is_well_it_says_so_on_any_width() {
    let scene = sound(Program::new()).await;
    let told = scene.told(&["doctor"]);
    // How long the answer took is another each time.
    let quick = |text: &str| {
        let lines = text.lines().map(|line| match line.split_once(" answers in ") {
            Some((before, _)) => format!("{before} answers in SPAN"),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!("doctor_piped", quick(&told));
    for columns in [140, 80] {
        let shown = scene.program.terminal(30, columns, &["doctor"]).ended();
        assert_eq!(shown.code, Some(0), "{}", shown.screen);
        assert!(shown.screen.lines().all(|line| line.chars().count() <= columns.into()), "{}", shown.screen);
    }
    // Wide enough for the path of any home.
    let shown = scene.program.terminal(30, 300, &["doctor"]).ended();
    assert_snapshot!("doctor_300", quick(&scene.steady(&shown.screen)));
    let spent = scene.sandbox.requests().iter().filter(|request| request.path.ends_with("/completions")).count();
    assert_eq!(spent, 0, "nothing is spent");
    let folder = scene.program.path(".config");
    assert!(!folder.exists(), "nothing is changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_told_with_its_place_and_nothing_else_is_checked() {
    let scene = with(Program::new().file(CONFIG, "server:\n  prot: 1\n")).await;
    check(&scene, "configuration", "failed", "config.yaml:2:3: server.prot: unknown key", "mend what it names");
    assert_eq!(found(&scene, "upstream").1, Vec::<[String; 3]>::new());
    assert!(scene.sandbox.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_fails() {
    let scene = with(Program::new().file(".config/ollama-router/settings.yaml", "")).await;
    // The owner of all files is refused nothing, so the folder is none.
    let scene = scene.set("OLLAMA_ROUTER_LOGGING_LEVEL", "info");
    let refused = scene.program.path(".config/ollama-router");
    std::fs::set_permissions(&refused, std::fs::Permissions::from_mode(0o500)).unwrap();
    let is_refused = std::fs::write(refused.join("trial"), "").is_err();
    if is_refused {
        check(&scene, "data folder", "failed", "~/.config/ollama-router cannot be written", "chmod u+rwx");
    } else {
        check(&scene, "data folder", "ok", "can be written", "");
    }
    std::fs::set_permissions(&refused, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_others_can_read_are_warned_of() {
    let scene = with(Program::new().file(CONFIG, "openrouter:\n  api_key: sk-or-v1-secret\n")).await;
    let scene = scene.set("OLLAMA_ROUTER_OPENROUTER_API_KEY", "");
    let config = scene.program.path(CONFIG);
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    check(&scene, "secrets", "warning", "others can read ~/.config/ollama-router/config.yaml", "chmod 600 ~/.config");
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    check(&scene, "secrets", "ok", "no file with secrets", "");
    assert!(!scene.told(&["doctor"]).contains("sk-or-v1-secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_the_filter_and_the_list_are_checked() {
    let scene = with(Program::new().file(CONFIG, "policy:\n  module: mine.wasm\n")).await;
    check(&scene, "policy", "failed", "mine.wasm cannot be put in force", "ollama-router policy check FILE");
    let scene = with(
        Program::new()
            .file(".config/ollama-router/mine.wasm", "nonsense")
            .file(CONFIG, "policy:\n  module: mine.wasm\n"),
    )
    .await;
    check(&scene, "policy", "failed", "mine.wasm cannot be put in force", "ollama-router policy check FILE");

    let scene = with(Program::new().file(FILTER, "# words\nacme:latest  # all of theirs\nnonsense\n\nGEMINI\n")).await;
    check(&scene, "filter", "ok", "3 patterns", "");
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    check(
        &scene,
        "filter",
        "warning",
        "no model has these patterns of ~/.config/ollama-router/models-filter/filter: nonsense, GEMINI",
        "list-models --all",
    );
    let scene = with(Program::new().file(FILTER, "nonsense\n")).await;
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    check(&scene, "filter", "failed", "leaves no model that can be used", "list-models --all");

    let scene = with(Program::new().file(LIST, "nonsense")).await;
    check(&scene, "list of models", "warning", "models.json is damaged", "cache refresh");
    assert!(scene.program.path(LIST).is_file(), "who only looks sets nothing aside");
    let scene = with(Program::new().env("CACHE_TTL_HOURS", "0.0001")).await;
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    let old = std::fs::read_to_string(scene.program.path(LIST)).unwrap();
    let fetched = old.split("\"fetched\":").nth(1).unwrap().split(',').next().unwrap();
    std::fs::write(scene.program.path(LIST), old.replace(fetched, "1700000000")).unwrap();
    check(&scene, "list of models", "warning", "4 models, ", "cache refresh");
    let elsewhere = scene.set("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://127.0.0.1:1/api/v1");
    check(&elsewhere, "list of models", "warning", "it is of another upstream", "cache refresh");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_cannot_be_reached_is_told_by_how_far_it_came() {
    let scene = with(Program::new()).await.set("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://nowhere.invalid/api/v1");
    check(&scene, "upstream", "failed", "the name nowhere.invalid is not found", "check the network, the name server");
    // What is known without it is told all the same.
    let scene = scene.set("OLLAMA_ROUTER_OPENROUTER_API_KEY", "");
    check(&scene, "key", "failed", "there is no OpenRouter API key", "https://openrouter.ai/keys");
    let scene = with(Program::new()).await.set("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://127.0.0.1:1/api/v1");
    check(&scene, "upstream", "failed", "127.0.0.1:1 takes no connection", "check firewalls");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let hang_up = std::thread::spawn(move || while silent.accept().is_ok_and(|(stream, _)| drop_it(stream)) {});
    let scene =
        with(Program::new()).await.set("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &format!("http://{address}/api/v1"));
    check(&scene, "upstream", "failed", "takes connections, but ", "certificates and clock");
    drop(hang_up);
}

fn drop_it(stream: std::net::TcpStream) -> bool {
    drop(stream);
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_what_they_have_left_are_checked() {
    let key = |data: Value| Reply::json(200, json!({"data": data}));
    let scene = with(Program::new()).await.set("OLLAMA_ROUTER_OPENROUTER_API_KEY", "");
    check(&scene, "key", "failed", "there is no OpenRouter API key", "https://openrouter.ai/keys");
    let scene = with(Program::new()).await.set("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-bad");
    check(&scene, "key", "failed", "key 1 is refused: User not found", "make another");
    assert_eq!(found(&scene, "quota").1, Vec::<[String; 3]>::new());
    let scene = with(Program::new().env("OLLAMA_ROUTER_OPENROUTER_API_KEYS", "sk-or-bad")).await;
    check(&scene, "key", "ok", "key 1 (…cdef) is accepted", "");
    check(&scene, "key", "failed", "key 2 is refused", "make another");
    let scene = with(Program::new()).await;
    let day = |remaining: u32| json!({"limit": 50, "remaining": remaining});
    scene.sandbox.always("/key", key(json!({"is_management_key": true})));
    check(&scene, "key", "failed", "only manages other keys", "make another");
    scene.sandbox.always("/key", key(json!({"limit": 5, "limit_remaining": 0})));
    check(&scene, "key", "warning", "the limit of its own is used up", "raise it");
    scene.sandbox.always("/key", Reply::html(502));
    check(&scene, "key", "warning", "could not be checked", "try again");
    scene.sandbox.always("/key", key(json!({"free_model_daily_requests": day(0)})));
    check(&scene, "quota", "failed", "0 of 50 free requests are left today", "wait for the next day");
    scene.sandbox.always("/key", key(json!({"free_model_daily_requests": day(3)})));
    check(&scene, "quota", "warning", "3 of 50 free requests are left today", "wait for the next day");
    scene
        .sandbox
        .always("/key", key(json!({"free_model_daily_requests": day(47), "expires_at": "2090-01-01T00:00:00Z"})));
    check(&scene, "quota", "ok", "47 of 50", "");
    check(&scene, "key", "ok", "is accepted, until MOMENT", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_privacy_is_seen_by_what_it_leaves() {
    let scene = with(Program::new()).await;
    check(&scene, "privacy", "ok", "leave all 3 free models", "");
    let left = catalog([entry("acme/large-70b:free", 200_000)]);
    scene.sandbox.always("/models/user", Reply::json(200, left));
    check(&scene, "privacy", "warning", "close 2 of 3 free models", "https://openrouter.ai/settings/privacy");
    scene.sandbox.always("/models/user", Reply::json(200, catalog([])));
    check(&scene, "privacy", "failed", "leave none of 3 free models", "https://openrouter.ai/settings/privacy");
    scene.sandbox.always("/models/user", Reply::error(404, "Not Found"));
    check(&scene, "privacy", "warning", "does not tell", "https://openrouter.ai/settings/privacy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_warned_of() {
    let scene = with(Program::new()).await;
    check(&scene, "clock", "ok", "it agrees", "");
    let reply = Reply::json(200, json!({"data": {}}));
    scene.sandbox.always("/key", reply.clone().header("date", "Thu, 01 Jan 2026 00:00:00 GMT"));
    check(&scene, "clock", "warning", "ahead of the upstream's", "timedatectl");
    scene.sandbox.always("/key", reply.header("date", "Sun, 01 Jan 2090 00:00:00 GMT"));
    check(&scene, "clock", "warning", "behind the upstream's", "timedatectl");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_and_the_router_there_are_checked() {
    let scene = sound(Program::new()).await;
    check(&scene, "port", "ok", "is free, and no router runs there", "");
    let served = scene.serve();
    let scene = scene.set("PORT", &served.port.to_string());
    check(&scene, "port", "ok", "is held by a router", "");
    check(&scene, "router", "ok", concat!("version ", env!("CARGO_PKG_VERSION")), "");
    let serve = async |version: &'static str, is_router: bool| {
        let status = move || async move { ([("x-router-request-id", "1")], Json(json!({"version": version}))) };
        let routes = Router::new().route("/api/version", get(move || async move { Json(json!({"version": version})) }));
        let routes = if is_router { routes.route("/router/status", get(status)) } else { routes };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        #[expect(clippy::disallowed_methods, reason = "a test has no tracker")]
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
        (port, serving)
    };
    let (port, serving) = serve("0.0.1", true).await;
    let scene = scene.set("PORT", &port);
    check(&scene, "router", "warning", "version 0.0.1 is running, and this program is", "start the router again");
    serving.abort();
    let (port, serving) = serve("0.17.4", false).await;
    let scene = scene.set("PORT", &port);
    check(&scene, "port", "failed", "is held by Ollama itself (version 0.17.4)", "stop it, ");
    serving.abort();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let scene = scene.set("PORT", &other.local_addr().unwrap().port().to_string());
    check(&scene, "port", "failed", "is held by another program", "see which with `lsof");
}
