//! `cache status`, `refresh` and `clear`: with a router and without, files and all.

use insta::assert_snapshot;
use ollama_router::sandbox::reply::Reply;
use serde_json::{Value, json};

use crate::support::{
    self,
    models::{catalog, entry},
    program::{Program, Served},
    scene::{Scene, varied},
};

const FOLDER: &str = ".config/ollama-router";

fn port(served: &Served) -> String {
    served.port.to_string()
}

fn json(scene: &Scene, arguments: &[&str]) -> Value {
    let ran = scene.program.run(&[arguments, &["--json"]].concat());
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Returns the names of files below the data folder.
fn files(scene: &Scene, below: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(scene.program.path(FOLDER).join(below)) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Puts a name in place of the digest of a compiled policy.
fn without_digest(text: &str) -> String {
    let is_digest = |part: &&str| part.len() > 60 && part.contains(".cwasm");
    let digests: Vec<&str> = text.split(['/', ' ']).filter(is_digest).collect();
    digests.iter().fold(text.to_owned(), |text, digest| text.replace(digest, "DIGEST.cwasm"))
}

/// Returns a list in which one model is gone, and another new.
fn other() -> Value {
    let mut models = varied();
    let list = models["data"].as_array_mut().unwrap();
    list.remove(2);
    list.push(entry("new/comer-9b:free", 16_384));
    models
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_router_it_is_fetched_looked_at_and_cleared() {
    let scene = Scene::new().await;
    assert_snapshot!("cache_status_nothing", scene.told(&["cache", "status"]));
    assert_snapshot!("cache_refresh_first", scene.told(&["cache", "refresh"]));
    assert_eq!(files(&scene, ""), ["free-models", "models.json"]);
    assert_snapshot!("cache_status_fetched", scene.told(&["cache", "status"]));
    scene.sandbox.set_catalog(other());
    assert_snapshot!("cache_refresh_changed", scene.told(&["cache", "refresh"]));
    assert_snapshot!("cache_status_changed", scene.told(&["cache", "status"]));
    let again = json(&scene, &["cache", "refresh"]);
    assert_eq!([&again["new"], &again["gone"]], [&json!([]), &json!([])]);
    let kept = json(&scene, &["cache", "status"]);
    assert_eq!(kept["changed"]["new"], json!(["new/comer-9b:free"]), "what changed last is remembered: {kept}");
    assert_eq!(kept["changed"]["gone"], json!(["zeta/a-model-whose-name-takes-a-lot-of-room-8b:free"]));
    assert_eq!(kept["counts"], json!({"models": 4, "free": 3, "chat": 4, "tools": 4, "free_chat": 3}));
    assert_snapshot!("cache_clear", scene.told(&["cache", "clear"]));
    assert_eq!(files(&scene, ""), Vec::<String>::new());
    assert_snapshot!("cache_clear_nothing", scene.told(&["cache", "clear"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_needs_no_key_and_a_failed_one_keeps_the_list() {
    let scene = Scene::of(Program::new().env("OPENROUTER_API_KEY", ""), varied()).await;
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    let list = std::fs::read(scene.program.path(FOLDER).join("models.json")).unwrap();
    scene.sandbox.fail_catalog(&Reply::html(502));
    assert_snapshot!("cache_refresh_failed", scene.told(&["cache", "refresh"]));
    assert_eq!(std::fs::read(scene.program.path(FOLDER).join("models.json")).unwrap(), list);
    scene.sandbox.restore_catalog();
    scene.sandbox.set_catalog(catalog([]));
    let told = scene.told(&["cache", "refresh"]);
    assert!(told.contains("the list of models is empty") && told.ends_with("ends with 1"), "{told}");
    assert_eq!(std::fs::read(scene.program.path(FOLDER).join("models.json")).unwrap(), list);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_kept_is_no_success() {
    let scene = Scene::of(Program::new().file_limit_kib(1), varied()).await;
    let told = scene.told(&["cache", "refresh"]);
    assert!(told.contains("the list cannot be kept in ~/.config/ollama-router: "), "{told}");
    assert!(told.contains("make the folder writable, or free some space") && told.ends_with("ends with 1"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_router_refreshes_and_puts_it_in_force() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = port(&served);
    scene.sandbox.set_catalog(other());
    assert_snapshot!("cache_refresh_router", scene.told(&["cache", "refresh", "-p", &port]));
    let ran = scene.program.run(&["list-models", "-p", &port]);
    assert!(ran.out.contains("comer-9b:free") && !ran.out.contains("takes-a-lot"), "{}", ran.out);
    assert_snapshot!("cache_status_router", without_digest(&scene.told(&["cache", "status", "-p", &port])));
    let status = support::http().get(served.url("/router/status")).send().await.unwrap();
    let status = support::Reply::read(status).await.json();
    assert_eq!(status["catalog"]["changed"]["new"], json!(["new/comer-9b:free"]), "{status}");
    assert!(status["catalog"]["due"].is_u64() && status["degraded"] == json!([]), "{status}");

    scene.sandbox.fail_catalog(&Reply::html(502));
    let told = scene.told(&["cache", "refresh", "-p", &port]);
    assert!(told.contains("the last list of models stays") && told.ends_with("ends with 1"), "{told}");
    let told = scene.told(&["cache", "status", "-p", &port]);
    assert!(told.contains("the last fetch failed SPAN ago: "), "{told}");
    let told = scene.told(&["status", "-p", &port]);
    assert!(told.contains("DEGRADED: the list of models could not be fetched"), "{told}");
    assert!(told.ends_with("ends with 2"), "{told}");
    scene.sandbox.restore_catalog();
    assert!(scene.told(&["cache", "refresh", "-p", &port]).ends_with("ends with 0"));
    assert!(scene.told(&["status", "-p", &port]).ends_with("ends with 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_touches_no_failure_unless_it_is_told_to() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let own = port(&served);
    scene.sandbox.script("acme/large-70b:free", [Reply::harness_gate()]);
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    let answer = support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let cooling = |arguments: &[&str]| {
        let rows = json(&scene, arguments);
        let rows = rows.as_array().unwrap();
        rows.iter().filter(|row| row["state"]["standing"] == "cooling").count()
    };
    assert_snapshot!("cache_clear_running", without_digest(&scene.told(&["cache", "clear", "--yes", "-p", &own])));
    assert_eq!(cooling(&["list-models", "-p", &own]), 1, "it serves on, and remembers");
    assert!(files(&scene, "").contains(&"failures.db".to_owned()));
    assert_eq!(files(&scene, "cache"), ["key"]);
    served.signal("TERM");
    assert_eq!(served.ended().code, Some(0));

    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    assert_eq!(cooling(&["list-models", "--offline"]), 1);
    assert!(scene.told(&["cache", "clear"]).ends_with("ends with 0"));
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    assert_eq!(cooling(&["list-models", "--offline"]), 1, "failures are no cache");
    let told = scene.told(&["cache", "clear", "--failures"]);
    let want = "error: there is no terminal to ask on: add --yes to forget all failures\n--- ends with 2";
    assert!(told.ends_with(want), "{told}");
    let told = scene.told(&["cache", "clear", "--policies", "--failures", "--yes"]);
    assert!(told.contains("forgot the failures of ") && told.ends_with("ends with 0"), "{told}");
    assert_eq!(files(&scene, "")[..2], ["cache", "failures.db"][..]);
    assert_eq!(cooling(&["list-models", "--offline"]), 0);

    let served = scene.serve();
    let own = port(&served);
    scene.sandbox.script("acme/large-70b:free", [Reply::harness_gate()]);
    let answer = support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let told = scene.told(&["cache", "clear", "--failures", "--models", "--yes", "-p", &own]);
    assert!(told.contains("forgot the failures of 1 model\n"), "{told}");
    assert_eq!(cooling(&["list-models", "-p", &own]), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_clearing_asks_first() {
    let scene = Scene::new().await;
    assert!(scene.told(&["cache", "refresh"]).ends_with("ends with 0"));
    let rows = [
        ("no", "n\r", Some(1), 2),
        ("default", "\r", Some(1), 2),
        ("ctrl_c", "\u{3}", Some(130), 2),
        ("escape", "\u{1b}", Some(130), 2),
        ("yes", "y\r", Some(0), 0),
    ];
    for (name, typed, code, left) in rows {
        // Wide enough for the path of any home.
        let mut terminal = scene.program.terminal(20, 300, &["cache", "clear"]);
        terminal.shows("Remove 2 files (");
        terminal.types(typed);
        let shown = terminal.ended();
        assert_eq!((shown.code, files(&scene, "").len()), (code, left), "{typed:?}: {}", shown.screen);
        assert_snapshot!(format!("cache_clear_asked_{name}"), scene.steady(&shown.screen));
    }
    let told: Vec<String> =
        ["status", "refresh", "clear"].map(|command| scene.told(&["cache", command, "-p", "1"])).into();
    assert_snapshot!("cache_without_that_router", told.join("\n\n"));
    let shown = scene.program.terminal(20, 120, &["cache", "clear"]).ended();
    assert_eq!((shown.code, &*shown.screen), (Some(0), "there was nothing to remove"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_the_state_fits_and_work_is_shown() {
    let scene = Scene::new().await;
    let shown = scene.program.terminal(20, 80, &["cache", "refresh"]).ended();
    assert!(shown.raw.contains("fetching the list of models"), "{}", shown.raw);
    assert!(!shown.screen.contains("fetching"), "it is wiped out in the end: {}", shown.screen);
    let shown = scene.program.terminal(20, 140, &["cache", "status"]).ended();
    assert_eq!(shown.code, Some(0));
    assert_snapshot!("cache_status_140", scene.steady(&shown.screen));
    // Where it is wrapped depends on the home folder's name.
    let shown = scene.program.terminal(20, 80, &["cache", "status"]).ended();
    assert!(shown.code == Some(0) && shown.screen.lines().all(|line| line.chars().count() <= 80), "{}", shown.screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_or_elsewhere_is_told_with_what_to_do() {
    let list = format!("{FOLDER}/models.json");
    let scene = Scene::of(Program::new().file(&list, "nonsense"), varied()).await;
    let told = scene.told(&["cache", "status"]);
    assert!(told.contains("the list of models is damaged: "), "{told}");
    assert!(told.contains("`ollama-router cache clear` and then `cache refresh` make another"), "{told}");
    assert!(told.ends_with("ends with 1"), "{told}");
    assert!(scene.program.path(&list).is_file(), "who only looks sets nothing aside");
    for command in ["status", "refresh", "clear"] {
        let told = scene.told(&["cache", command, "-p", "1"]);
        assert!(told.contains("no router is running at http://127.0.0.1:1; start one with"), "{told}");
        assert!(told.ends_with("ends with 1"), "{told}");
    }
}
