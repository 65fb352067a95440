//! `status`: what degrades a router, and the live view. What it says of failures, and
//! how it forgets them, is in `status.rs`.

use std::time::{Duration, Instant};

use insta::assert_snapshot;
use ollama_router::{clock::now_ms, sandbox::reply::Reply};
use serde_json::{Value, json};

use crate::support::{
    self, PATIENCE,
    models::{catalog, free, paid},
    program::{Program, Served},
    scene::Scene,
};

const CONFIG: &str = ".config/ollama-router/config.yaml";

async fn ask(served: &Served) {
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
}

/// Returns the reasons why a router is degraded, once there are any.
async fn reasons(scene: &Scene, served: &Served) -> (Option<i32>, Value) {
    let began = Instant::now();
    loop {
        let ran = scene.program.run(&["status", "--json", "-p", &served.port.to_string()]);
        let state: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let degraded = state["degraded"].as_array().unwrap();
        if !degraded.is_empty() {
            assert!(degraded.iter().all(|row| row["what"].is_string() && row["remedy"].is_string()), "{state}");
            return (ran.code, degraded.iter().map(|row| row["reason"].clone()).collect());
        }
        assert!(began.elapsed() < PATIENCE, "it is never degraded: {state}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_to_be_degraded_is_named_and_ends_with_2() {
    let scene = Scene::of(Program::new(), catalog([paid("acme/pro-1", 8192)])).await;
    let served = scene.serve();
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["no-models"])));

    let scene = Scene::of(Program::new(), free(&["a/a:free", "a/b:free"])).await;
    let served = scene.serve();
    scene.sandbox.always("*", Reply::harness_gate());
    ask(&served).await;
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["models-resting"])));

    let scene = Scene::new().await;
    let served = scene.serve();
    scene.sandbox.script("*", [Reply::daily_limit(50, now_ms() + 3_600_000)]);
    ask(&served).await;
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["account-limit"])));

    let scene = Scene::new().await;
    let day = json!({"used": 50, "limit": 50, "remaining": 0});
    scene.sandbox.always("/key", Reply::json(200, json!({"data": {"free_model_daily_requests": day}})));
    let served = scene.serve();
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["account-limit"])));

    let scene = Scene::new().await;
    scene.sandbox.always("/key", Reply::user_not_found());
    let served = scene.serve();
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["keys-refused"])));

    let config = "policy:\n  module: none.wasm\n";
    let scene = Scene::of(Program::new().file(CONFIG, config), free(&["a/a:free"])).await;
    let served = scene.serve();
    assert_eq!(reasons(&scene, &served).await, (Some(2), json!(["policy-refused"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_is_shown_whole_off_a_terminal_and_fits_on_one() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    assert_snapshot!("status_piped", scene.told(&["status", "-p", &port]));
    for columns in [140, 80] {
        let shown = scene.program.terminal(30, columns, &["status", "-p", &port]).ended();
        assert_eq!(shown.code, Some(0));
        assert!(shown.screen.lines().all(|line| line.chars().count() <= columns.into()), "{}", shown.screen);
        assert_snapshot!(format!("status_{columns}"), scene.steady(&shown.screen));
    }
    assert_snapshot!(scene.told(&["status"]), @r"
    --- standard error
    no router is running at http://127.0.0.1:1; start one with `ollama-router start -p 1`
    --- ends with 1
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_forgotten_is_told_before_the_state() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    scene.sandbox.script("acme/large-70b:free", [Reply::harness_gate()]);
    ask(&served).await;
    let told = |arguments: &[&str]| scene.told(&[&["status", "-p", &port], arguments].concat());
    let talk = |told: &str| told.split_once("--- standard error").unwrap().1.to_owned();
    let lines = [talk(&told(&["--clear", "large-70b:free"])), talk(&told(&["--clear"])), told(&["--clear", "nobody"])];
    assert_snapshot!("status_clear", lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_degraded_router_says_what_to_do_on_any_width() {
    let config = "policy:\n  module: none.wasm\n";
    let scene = Scene::of(Program::new().file(CONFIG, config), free(&["a/a:free"])).await;
    let served = scene.serve();
    let shown = scene.program.terminal(30, 80, &["status", "-p", &served.port.to_string()]).ended();
    assert_eq!(shown.code, Some(2));
    assert!(shown.screen.contains("state     DEGRADED: a change was refused at read: "), "{}", shown.screen);
    assert!(
        shown.screen.contains("→ mend it; `ollama-router policy reload` tells how far it comes"),
        "{}",
        shown.screen
    );
    assert!(shown.screen.lines().all(|line| line.chars().count() <= 80), "{}", shown.screen);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_view_goes_on_until_it_is_left_and_gives_the_terminal_back() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    for key in ["q", "\u{3}", "\u{1b}"] {
        let mut terminal = scene.program.terminal(20, 100, &["status", "--watch", "1", "-p", &port]);
        let page = terminal.shows("large-70b:free");
        assert!(page.starts_with("every 1 s, ") && page.contains("state     up"), "{page}");
        terminal.types(key);
        let shown = terminal.ended();
        assert_eq!((shown.code, &*shown.screen), (Some(0), ""), "the page is gone: {}", shown.screen);
        for given_back in ["\u{1b}[?1049l", "\u{1b}[?25h", "\u{1b}[?7h"] {
            assert!(shown.raw.contains(given_back), "{given_back:?} is not in {:?}", shown.raw);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_view_tells_of_a_router_that_goes() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    let mut terminal = scene.program.terminal(5, 60, &["status", "--watch", "1", "-p", &port]);
    terminal.shows("… ");
    served.signal("TERM");
    assert_eq!(served.ended().code, Some(0));
    terminal.shows("no router is running at");
    terminal.types("q");
    assert_eq!(terminal.ended().code, Some(1), "what was seen last");
}

#[tokio::test(flavor = "multi_thread")]
async fn off_a_terminal_it_is_a_block_or_a_line_of_json_each_time() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    let lines = scene.program.lines(&["status", "--watch", "1", "--json", "-p", &port], 2);
    for line in lines {
        let state: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(state["catalog"]["models"], 4, "{line}");
    }
    let lines = scene.program.lines(&["status", "--watch", "1", "-p", &port], 20);
    let blocks = lines.iter().filter(|line| line.starts_with("router    http://")).count();
    assert_eq!(blocks, 2, "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains('\u{1b}')), "{lines:?}");
    let left = |arguments: &[&str]| scene.program.left_after(&[&["status", "--watch", "1"], arguments].concat(), 1);
    let codes = [&["-p", &port][..], &["--json", "-p", &port], &["-p", "1"], &["--json", "-p", "1"]].map(left);
    assert_eq!(codes, [Some(0), Some(0), Some(1), Some(1)], "Ctrl-C ends it with what it saw last");
    let began = Instant::now();
    let lines = scene.program.lines(&["status", "--watch", "1", "--json", "-p", "1"], 2);
    assert!(lines.iter().all(|line| line.starts_with(r#"{"error":"no router is running"#)), "{lines:?}");
    assert!(began.elapsed() >= Duration::from_secs(1), "it pauses");
}
