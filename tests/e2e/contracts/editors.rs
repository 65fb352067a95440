//! Editors: Zed, VS Code's Copilot Chat, JetBrains' assistant, Continue, and
//! the plugins of Obsidian.
//!
//! Zed is the strictest reader of all: one bad entry empties its list, one bad
//! line breaks its answer. JetBrains' assistant is closed; its contract is what
//! the proxies serve that are known to work with it.

#![expect(dead_code, reason = "fields that are only decoded")]

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contracts::{lines, lists, names, read, start, talk};

#[derive(Deserialize)]
struct ZedModel {
    name: String,
    modified_at: String,
    size: u64,
    digest: String,
    details: ZedDetails,
}

#[derive(Deserialize)]
struct ZedDetails {
    format: String,
    family: String,
    parameter_size: String,
    quantization_level: String,
}

#[derive(Deserialize)]
struct ZedShow {
    model_info: Map<String, Value>,
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
struct ZedLine {
    model: String,
    created_at: String,
    message: ZedMessage,
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum ZedMessage {
    Assistant {
        content: String,
        #[serde(default)]
        thinking: Option<String>,
        #[serde(default)]
        tool_calls: Vec<ZedCall>,
    },
}

#[derive(Deserialize)]
struct ZedCall {
    id: String,
    function: ZedFunction,
}

#[derive(Deserialize)]
struct ZedFunction {
    name: String,
    arguments: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn zed_reads_every_model_and_its_context() {
    let lists = lists().await;
    let models: Vec<ZedModel> = lists.list();
    // It takes names with these letters for models that make vectors.
    assert!(models.iter().all(|model| !model.name.contains("-embed")));
    for (name, show) in lists.shown::<ZedShow>() {
        let architecture = show.model_info["general.architecture"].as_str().unwrap();
        let context = show.model_info.get(&format!("{architecture}.context_length"));
        let known = context.map(|context| context.as_u64().unwrap() > 0);
        assert_eq!(known, (name != "no-context:free").then_some(true), "{name}");
        assert!(show.capabilities.iter().any(|capability| capability == "completion"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zed_reads_every_line_of_an_answer() {
    let host = start().await;
    for wish in [json!({"think": null, "keep_alive": -1}), json!({"tools": [], "options": {"num_ctx": 4096}})] {
        let lines: Vec<ZedLine> = lines(&talk(&host, "/api/chat", &wish).await);
        let calls = lines.iter().flat_map(|line| {
            let ZedMessage::Assistant { tool_calls, .. } = &line.message;
            tool_calls
        });
        let calls: Vec<_> = calls.map(|call| (call.id.is_empty(), &*call.function.name)).collect();
        assert_eq!(calls, [(false, "weather")], "{wish}");
        let last = lines.last().unwrap();
        assert!(
            last.done && last.done_reason.is_some() && last.eval_count.is_some() && last.prompt_eval_count.is_some()
        );
    }
}

#[derive(Deserialize)]
struct CopilotModel {
    model: String,
}

#[derive(Deserialize)]
struct CopilotShow {
    capabilities: Vec<String>,
    model_info: Map<String, Value>,
    remote_model: String,
}

#[derive(Deserialize)]
struct CopilotEvent {
    choices: Vec<CopilotChoice>,
}

#[derive(Deserialize)]
struct CopilotChoice {
    delta: Map<String, Value>,
    finish_reason: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn copilot_takes_the_version_and_shows_every_model_under_a_name_of_its_own() {
    let host = start().await;
    let version = host.get("/api/version").await.json()["version"].as_str().unwrap().to_owned();
    let parts: Vec<u64> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts.len() == 3 && parts >= vec![0, 6, 4], "{version}");
    let lists = lists().await;
    assert!(lists.list::<CopilotModel>().iter().all(|entry| !entry.model.is_empty()));
    let shows = lists.shown::<CopilotShow>();
    let basename = |show: &CopilotShow| show.model_info["general.basename"].as_str().unwrap().to_lowercase();
    let names: HashSet<String> = shows.iter().map(|(_, show)| basename(show)).collect();
    assert_eq!(names.len(), shows.len(), "two models look the same: {names:?}");
    assert!(!names.contains("") && shows.iter().all(|(_, show)| !show.remote_model.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn copilot_talks_in_openais_protocol() {
    let host = start().await;
    let reply = talk(&host, "/v1/chat/completions", &json!({"model": "huge:free", "stream": true})).await;
    let mut events: Vec<&str> = reply.text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(events.pop(), Some("[DONE]"), "{}", reply.text);
    let events: Vec<CopilotEvent> = events.into_iter().map(read).collect();
    let choices: Vec<&CopilotChoice> = events.iter().flat_map(|event| &event.choices).collect();
    let ends: Vec<&str> = choices.iter().filter_map(|choice| choice.finish_reason.as_deref()).collect();
    assert!(!ends.is_empty() && ends.iter().all(|end| *end == "tool_calls"), "{}", reply.text);
    assert!(choices.iter().any(|choice| choice.delta.contains_key("tool_calls")));
}

#[derive(Deserialize)]
struct JetBrainsModel {
    name: String,
    model: String,
    details: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn jetbrains_finds_what_working_proxies_serve() {
    let host = start().await;
    assert_eq!(host.get("/").await.text, "Ollama is running");
    let lists = lists().await;
    for model in lists.list::<JetBrainsModel>() {
        assert!(model.name == model.model && !model.details.is_empty(), "{}", model.name);
    }
    assert!(lists.shown::<Map<String, Value>>().iter().all(|(_, show)| show.contains_key("details")));
    for path in ["/api/chat", "/api/generate"] {
        let reply = talk(&host, path, &json!({})).await;
        assert_eq!(reply.header("content-type"), Some("application/x-ndjson"), "{path}");
        assert_eq!(lines::<Map<String, Value>>(&reply).last().unwrap()["done"], true, "{path}");
    }
}

#[derive(Deserialize)]
struct ContinueShow {
    parameters: String,
    template: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn continue_reads_the_parameters_line_by_line() {
    let host = start().await;
    for name in names(&host.get("/api/tags").await.text) {
        let show: ContinueShow = read(&host.post("/api/show", &json!({"name": name})).await.text);
        for line in show.parameters.lines() {
            let (key, value) = line.split_once(' ').unwrap();
            assert_eq!((key, value.trim().parse::<u64>().is_ok()), ("num_ctx", true), "{name}: {line}");
        }
        // With it, Continue would ask to fill gaps, which no model here can.
        assert!(!show.template.contains(".Suffix"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn continue_finds_no_key_that_it_takes_for_something_else() {
    let host = start().await;
    for path in ["/api/chat", "/api/generate"] {
        for line in lines::<Map<String, Value>>(&talk(&host, path, &json!({})).await) {
            assert!(!line.contains_key("error") && !line.contains_key("type"), "{path}: {line:?}");
        }
    }
}

/// Obsidian's plugins run in Electron, from an origin of their own.
#[tokio::test(flavor = "multi_thread")]
async fn the_plugins_of_obsidian_may_ask_and_read_their_answers() {
    let host = start().await;
    let origin = ("origin", "app://obsidian.md");
    let asks = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    let allowed = host.request("OPTIONS", "/api/chat", &asks, "").await;
    assert_eq!((allowed.status, allowed.header("access-control-allow-origin")), (204, Some(origin.1)));
    let told = allowed.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
    assert!(told.contains("authorization") && told.contains("content-type"), "{told}");
    let tags = host.get_with("/api/tags", &[origin]).await;
    assert_eq!((tags.status, tags.header("access-control-allow-origin")), (200, Some(origin.1)));
    // Copilot reads by ollama-js, to which a key `error` is one, whatever it holds.
    let reply = talk(&host, "/api/chat", &json!({})).await;
    let lines: Vec<Map<String, Value>> = lines(&reply);
    assert!(lines.iter().all(|line| !line.contains_key("error")));
    assert_eq!(lines.iter().filter(|line| line["done"] == true).count(), 1);
}
