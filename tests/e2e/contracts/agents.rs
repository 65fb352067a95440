//! Agents that write code: Cline, Roo Code, Codex and goose.
//!
//! They ask for every model before each message, leave out what lacks tools,
//! and drop lines that lack a field without a word.

#![expect(dead_code, reason = "fields that are only decoded")]

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contracts::{lines, lists, pull, read, start, talk};

/// Cline reads through a provider that drops a line without one of these.
#[derive(Deserialize)]
struct ClineLine {
    model: String,
    created_at: String,
    message: ClineMessage,
    done: bool,
    #[serde(default)]
    done_reason: String,
    #[serde(default)]
    eval_count: u64,
    #[serde(default)]
    prompt_eval_count: u64,
}

#[derive(Deserialize)]
struct ClineMessage {
    role: String,
    content: String,
    #[serde(default)]
    thinking: String,
    #[serde(default)]
    tool_calls: Vec<ClineCall>,
}

#[derive(Deserialize)]
struct ClineCall {
    #[serde(default)]
    id: String,
    function: ClineFunction,
}

#[derive(Deserialize)]
struct ClineFunction {
    name: String,
    arguments: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn clines_provider_drops_no_line() {
    let host = start().await;
    let lines: Vec<ClineLine> = lines(&talk(&host, "/api/chat", &json!({})).await);
    let joined = |part: fn(&ClineMessage) -> &str| lines.iter().map(|line| part(&line.message)).collect::<String>();
    let told = [joined(|message| &message.thinking), joined(|message| &message.content)];
    assert_eq!(told, ["Let me think.", "So be it."]);
    let calls: Vec<_> = lines.iter().flat_map(|line| &line.message.tool_calls).collect();
    let [call] = calls[..] else { panic!("one call") };
    assert_eq!((&*call.function.name, &call.function.arguments["city"]), ("weather", &json!("Ulm")));
    let (last, before) = lines.split_last().unwrap();
    assert_eq!((last.done, &*last.done_reason, last.prompt_eval_count, last.eval_count), (true, "stop", 11, 3));
    assert!(before.iter().all(|line| !line.done && line.done_reason.is_empty() && line.eval_count == 0));
}

/// Roo Code's schema: what may be missing must not be `null`.
#[derive(Deserialize)]
struct RooModel {
    name: String,
    model: String,
    details: RooDetails,
    #[serde(default)]
    size: f64,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    modified_at: String,
}

#[derive(Deserialize)]
struct RooDetails {
    family: String,
    families: Option<Vec<String>>,
    #[serde(default)]
    format: String,
    parameter_size: String,
    #[serde(default)]
    parent_model: String,
    #[serde(default)]
    quantization_level: String,
}

#[derive(Deserialize)]
struct RooShow {
    #[serde(default)]
    modelfile: String,
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    template: String,
    details: RooDetails,
    model_info: Map<String, Value>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn roo_code_reads_every_model_and_hides_only_what_calls_no_tools() {
    let lists = lists().await;
    assert!(lists.list::<RooModel>().iter().all(|model| model.name == model.model));
    let mut hidden = Vec::new();
    for (name, show) in lists.shown::<RooShow>() {
        let contexts: Vec<&Value> =
            show.model_info.iter().filter(|(key, _)| key.contains("context_length")).map(|(_, value)| value).collect();
        assert_eq!(contexts.len(), usize::from(name != "no-context:free"), "{name}: the first it meets is taken");
        assert!(contexts.iter().all(|context| context.as_u64() > Some(0)), "{name}: {contexts:?}");
        if !show.capabilities.iter().any(|capability| capability == "tools") {
            hidden.push(name);
        }
    }
    hidden.sort_unstable();
    assert_eq!(hidden, ["hears:free", "only-eyes-8x7b:free"]);
}

#[derive(Deserialize)]
struct CodexModel {
    name: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_finds_a_server_that_is_new_enough_and_pulls_what_it_names() {
    let host = start().await;
    assert_eq!(host.get("/v1/models").await.status, 200, "its probe");
    let version = host.get("/api/version").await.json()["version"].as_str().unwrap().to_owned();
    let parts: Vec<u64> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts.len() == 3 && parts >= vec![0, 13, 4], "{version}");
    for CodexModel { name } in lists().await.list() {
        assert_eq!(pull(&host, &name).await.last().map(String::as_str), Some("success"), "{name}");
    }
}

#[derive(Deserialize)]
struct GooseEvent {
    choices: Vec<GooseChoice>,
}

#[derive(Deserialize)]
struct GooseChoice {
    delta: GooseDelta,
}

#[derive(Deserialize)]
struct GooseDelta {
    content: Option<String>,
    tool_calls: Option<Vec<GooseCall>>,
}

#[derive(Deserialize)]
struct GooseCall {
    index: u32,
    id: Option<String>,
    function: GooseFunction,
}

#[derive(Deserialize)]
struct GooseFunction {
    name: Option<String>,
    #[serde(default)]
    arguments: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn goose_lists_models_and_reads_events_to_their_end() {
    let host = start().await;
    assert!(lists().await.list::<CodexModel>().iter().all(|model| !model.name.is_empty()));
    let fields = json!({"stream": true, "options": {"num_ctx": 65_536}, "stream_options": {"include_usage": true}});
    let reply = talk(&host, "/v1/chat/completions", &fields).await;
    let data = reply.text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let events: Vec<GooseEvent> = data.clone().filter(|data| *data != "[DONE]").map(read).collect();
    assert_eq!(data.last(), Some("[DONE]"), "{}", reply.text);
    let calls =
        events.iter().flat_map(|event| &event.choices).flat_map(|choice| choice.delta.tool_calls.iter().flatten());
    let arguments: String = calls.map(|call| &*call.function.arguments).collect();
    assert_eq!(read::<Value>(&arguments), json!({"city": "Ulm"}));
}
