//! The `ollama` command: what it reads of each answer, and where it crashes.
//!
//! It is written in Go: a missing field is a zero to it, but a digest is cut
//! without a look at its length, times and numbers have one form, and a line
//! with an `error` ends the call. It sends every field, most as `null`.

#![expect(dead_code, reason = "fields that are only decoded")]

use std::collections::HashSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contracts::{Models, Time, lines, lists, names, read, start, talk};

/// It reads no line that is longer, in its older versions.
const LINE_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize)]
struct Listed {
    name: String,
    digest: String,
    size: i64,
    modified_at: Time,
    remote_model: String,
}

#[derive(Deserialize)]
struct Running {
    name: String,
    digest: String,
    size: i64,
    size_vram: i64,
    context_length: i64,
    expires_at: Time,
}

#[derive(Deserialize)]
struct Shown {
    details: Details,
    model_info: Map<String, Value>,
    capabilities: Vec<String>,
    parameters: String,
    template: String,
    license: String,
    modelfile: String,
    modified_at: Time,
    remote_model: String,
    remote_host: String,
}

#[derive(Deserialize)]
struct Details {
    parent_model: String,
    format: String,
    family: String,
    families: Vec<String>,
    parameter_size: String,
    quantization_level: String,
}

#[derive(Deserialize)]
struct Metrics {
    done_reason: String,
    total_duration: i64,
    load_duration: i64,
    prompt_eval_count: i64,
    prompt_eval_duration: i64,
    eval_count: i64,
    eval_duration: i64,
}

/// Cuts a digest as the command does, which crashes if it is shorter.
fn short(digest: &str) -> &str {
    &digest[..12]
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_list_prints_every_model_with_a_short_digest_of_its_own() {
    let listed: Vec<Listed> = lists().await.list();
    let digests: HashSet<&str> = listed.iter().map(|model| short(&model.digest)).collect();
    assert_eq!(digests.len(), listed.len());
    // Such a name makes it ask people to sign in to Ollama's cloud.
    let clouds = listed.iter().filter(|model| model.name.ends_with(":cloud") || model.name.ends_with("-cloud"));
    assert_eq!(clouds.map(|model| &model.name).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(listed.iter().all(|model| model.name.contains(':') && model.size > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_ps_prints_what_runs_and_until_when() {
    let running: Models<Running> = read(&lists().await.running);
    assert_eq!(running.models.len(), 2);
    for model in &running.models {
        assert_eq!((short(&model.digest).len(), model.size_vram), (12, model.size), "wholly on a GPU");
        assert!(model.expires_at.0 > Timestamp::now(), "{}: it would be stopping", model.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_show_prints_every_model() {
    let host = start().await;
    for name in names(&host.get("/api/tags").await.text) {
        let body = json!({"model": "", "system": "", "template": "", "verbose": false, "options": null, "name": name});
        let shown: Shown = read(&host.post("/api/show", &body).await.text);
        let architecture = shown.model_info["general.architecture"].as_str().unwrap();
        assert!(shown.model_info[&format!("{architecture}.embedding_length")].is_number(), "{name}");
        let context = shown.model_info.get(&format!("{architecture}.context_length"));
        assert_eq!(context.map(Value::is_number), (name != "no-context:free").then_some(true), "{name}");
        assert!(!shown.remote_host.contains("ollama.com") && !shown.remote_model.is_empty(), "{name}");
        assert!(shown.details.families.contains(&shown.details.family), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_run_reads_every_line_of_an_answer() {
    let host = start().await;
    assert_eq!(host.request("HEAD", "/", &[], "").await.status, 200);
    let nulls = json!({
        "suffix": "", "system": "", "template": "", "context": null, "images": null, "format": null,
        "options": {}, "keep_alive": null, "think": null, "raw": false,
    });
    for path in ["/api/generate", "/api/chat"] {
        let reply = talk(&host, path, &nulls).await;
        assert!(reply.text.lines().all(|line| line.len() < LINE_BYTES_MAX));
        let lines: Vec<Map<String, Value>> = lines(&reply);
        assert!(lines.iter().all(|line| !line.contains_key("error")), "{}", reply.text);
        let last: Metrics = read(reply.text.lines().last().unwrap());
        assert_eq!(last.done_reason, "stop");
        // Rates are these, one by the other.
        let figures = [last.prompt_eval_count, last.prompt_eval_duration, last.eval_count, last.eval_duration];
        assert!(figures.iter().all(|figure| *figure > 0), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_run_of_an_unknown_model_tries_to_pull_it_and_says_why_not() {
    #[derive(Deserialize)]
    struct Failed {
        error: String,
    }
    let host = start().await;
    let shown = host.post("/api/show", &json!({"model": "nothing"})).await;
    let told: Failed = read(&shown.text);
    assert_eq!((shown.status, &*told.error), (404, "model 'nothing' not found"));
    let pulled = host.post("/api/pull", &json!({"model": "", "name": "nothing"})).await;
    let [Failed { error }] = &lines::<Failed>(&pulled)[..] else { panic!("{}", pulled.text) };
    // It looks for these words.
    assert!(error.contains("pull model manifest: file does not exist"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_stop_unloads_by_a_prompt_that_is_none() {
    let host = start().await;
    let body = json!({"model": "huge:free", "prompt": "", "keep_alive": "0s", "options": null});
    let answer = host.post("/api/generate", &body).await;
    let expected = (200, json!(true), json!("unload"));
    let told = answer.json();
    assert_eq!((answer.status, told["done"].clone(), told["done_reason"].clone()), expected);
}
