//! `config set` while a router runs: what it says of the change, and what the router
//! does about it.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{
    self, PATIENCE,
    program::{Program, Served},
    scene::{Scene, varied},
};

const FILE: &str = ".config/ollama-router/config.yaml";

/// Sets a key, and returns the last line that was said.
fn set(scene: &Scene, key: &str, value: &str) -> String {
    let ran = scene.program.run(&["config", "set", key, value]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    ran.err.lines().last().unwrap().to_owned()
}

/// Waits until the router answers so.
async fn until(served: &Served, path: &str, is_so: impl Fn(&Value) -> bool) {
    let (client, began) = (support::http(), Instant::now());
    loop {
        let answer = client.get(served.url(path)).send().await.unwrap();
        let answer = support::Reply::read(answer).await.json();
        if is_so(&answer) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "the router does not take it over: {answer}");
        tokio::task::yield_now().await;
    }
}

async fn generate(served: &Served, model: &str) -> u16 {
    let body = json!({"model": model, "prompt": "Hello", "stream": false}).to_string();
    support::http().post(served.url("/api/generate")).body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_is_taken_over_at_once_as_it_says() {
    const AT_ONCE: &str = "a running router takes it over at once";
    // It is asked again and again.
    let program = Program::new().file(FILE, "# mine\n").env("OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE", "0");
    let scene = Scene::of(program, varied()).await;
    let mut served = scene.serve();

    assert_eq!(set(&scene, "mode.tool_use_only", "true"), AT_ONCE);
    until(&served, "/router/status", |status| status["tool_use_only"] == true).await;
    until(&served, "/router/status", |status| status["catalog"]["visible"] == 2).await;
    assert_eq!(set(&scene, "mode.free_mode", "false"), AT_ONCE);
    until(&served, "/router/status", |status| status["free_mode"] == false).await;
    assert_eq!(scene.program.run(&["config", "unset", "mode"]).code, Some(0));
    until(&served, "/router/status", |status| status["free_mode"] == true && status["tool_use_only"] == false).await;

    assert_eq!(generate(&served, "no-such-model").await, 404);
    assert_eq!(set(&scene, "mode.unknown_model", "auto"), AT_ONCE);
    let began = Instant::now();
    while generate(&served, "no-such-model").await != 200 {
        assert!(began.elapsed() < PATIENCE, "mode.unknown_model is not taken over");
    }

    assert_eq!(set(&scene, "policy.settings.fallbacks", "[acme/seer-12b:free]"), AT_ONCE);
    let (client, began) = (support::http(), Instant::now());
    loop {
        let answer = client.post(served.url("/router/policy/explain")).body("{}").send().await.unwrap();
        let answer = support::Reply::read(answer).await.json();
        if answer["models"][0]["id"] == "acme/seer-12b:free" {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "policy.settings is not taken over: {answer}");
    }

    assert_eq!(set(&scene, "policy.decision_log", "log.jsonl"), AT_ONCE);
    let began = Instant::now();
    while !scene.program.path(".config/ollama-router/log.jsonl").is_file() {
        assert_eq!(generate(&served, "auto").await, 200);
        assert!(began.elapsed() < PATIENCE, "policy.decision_log is not taken over");
    }
    assert!(!served.has_said("takes effect at the next start"), "nothing of this waits for a start");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_counts_at_the_next_start_is_said_by_both() {
    let rows = [
        ("openrouter.title", "Mine"),
        ("server.version", "0.21.0"),
        ("failover.max_attempts", "2"),
        ("cache.ttl_hours", "12"),
        ("store.url", "other.db"),
        ("logging.format", "json"),
    ];
    let scene = Scene::of(Program::new().file(FILE, "# mine\n"), varied()).await;
    let mut served = scene.serve();
    for (key, value) in rows {
        assert_eq!(set(&scene, key, value), "a running router takes it over at its next start", "{key}");
        let section = key.split('.').next().unwrap();
        let warning =
            format!("the section `{section}` of the configuration has changed; it takes effect at the next start");
        let began = Instant::now();
        while !served.has_said(&warning) {
            assert!(began.elapsed() < PATIENCE, "the router does not say so of {key}");
            tokio::task::yield_now().await;
        }
    }
    until(&served, "/api/version", |told| told["version"] == "0.20.0").await;
}
