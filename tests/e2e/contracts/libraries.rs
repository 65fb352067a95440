//! Libraries of other languages: Spring AI, OllamaSharp and Semantic Kernel.
//!
//! Java and .NET fail on a `null` where a value is wanted, and OllamaSharp reads
//! the words of one error. Libraries that run in CI are in `tests/clients`.

#![expect(dead_code, reason = "fields that are only decoded")]

use ollama_router::sandbox::scenario::Scenario;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    contracts::{Models, Time, lines, lists, names, pull, read, start, talk, tool},
    support::{
        Setup,
        models::{catalog, entry},
    },
};

#[derive(Deserialize)]
struct SpringModel {
    name: String,
    model: String,
    modified_at: Time,
    size: i64,
    digest: String,
    details: SpringDetails,
}

#[derive(Deserialize)]
struct SpringDetails {
    parent_model: String,
    format: String,
    family: String,
    families: Vec<String>,
    parameter_size: String,
    quantization_level: String,
}

#[derive(Deserialize)]
struct SpringLine {
    model: String,
    created_at: Time,
    message: SpringMessage,
    done: bool,
    done_reason: Option<String>,
    total_duration: Option<i64>,
    load_duration: Option<i64>,
    prompt_eval_count: Option<i32>,
    prompt_eval_duration: Option<i64>,
    eval_count: Option<i32>,
    eval_duration: Option<i64>,
}

#[derive(Deserialize)]
struct SpringMessage {
    role: SpringRole,
    content: String,
    #[serde(default)]
    tool_calls: Vec<SpringCall>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SpringRole {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Deserialize)]
struct SpringCall {
    function: SpringFunction,
}

#[derive(Deserialize)]
struct SpringFunction {
    name: String,
    arguments: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn spring_ai_finds_a_model_by_its_name_with_a_tag_or_pulls_it() {
    let host = start().await;
    let lists = lists().await;
    let listed: Vec<String> = lists.list::<SpringModel>().into_iter().map(|model| model.name).collect();
    // A name without a tag gets one, and is then looked for letter by letter.
    for asked in ["auto", "thunder-cloud", "huge:free"] {
        let name = if asked.contains(':') { asked.to_owned() } else { format!("{asked}:latest") };
        assert!(listed.contains(&name), "{name} in {listed:?}");
        assert_eq!(pull(&host, &name).await.last().map(String::as_str), Some("success"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spring_ai_finds_a_reason_on_the_last_chunk_with_tools() {
    let host = start().await;
    let lines: Vec<SpringLine> = lines(&talk(&host, "/api/chat", &json!({})).await);
    let (last, before) = lines.split_last().unwrap();
    assert_eq!((last.done, last.done_reason.as_deref()), (true, Some("stop")), "it is looked at without a check");
    assert!(last.total_duration.is_some() && last.eval_count.is_some() && last.prompt_eval_count.is_some());
    assert!(before.iter().all(|line| !line.done && line.eval_count.is_none()), "counts are summed");
    assert_eq!(before.iter().flat_map(|line| &line.message.tool_calls).count(), 1);
}

#[derive(Deserialize)]
struct SharpModel {
    name: String,
    modified_at: Time,
    size: i64,
    digest: String,
    details: SharpDetails,
}

#[derive(Deserialize)]
struct SharpDetails {
    parent_model: Option<String>,
    format: String,
    family: String,
    families: Option<Vec<String>>,
    parameter_size: String,
    quantization_level: String,
}

#[derive(Deserialize)]
struct SharpRunning {
    size_vram: i64,
    expires_at: Time,
}

#[derive(Deserialize)]
struct SharpShow {
    license: Option<String>,
    modelfile: Option<String>,
    parameters: Option<String>,
    template: Option<String>,
    details: SharpDetails,
    model_info: SharpFigures,
    capabilities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct SharpFigures {
    #[serde(rename = "general.architecture")]
    architecture: String,
    #[serde(rename = "general.parameter_count", default)]
    parameter_count: i64,
}

#[derive(Deserialize)]
struct SharpLine {
    model: String,
    created_at: Time,
    #[serde(default)]
    done: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn ollamasharp_reads_every_list() {
    let host = start().await;
    assert!(!host.get("/").await.text.is_empty(), "it takes an empty page for a server that is down");
    let version = host.get("/api/version").await.json()["version"].as_str().unwrap().to_owned();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!((2..=4).contains(&parts.len()), "{version}");
    let lists = lists().await;
    assert!(lists.list::<SharpModel>().iter().all(|model| !model.name.is_empty()));
    assert!(lists.shown::<SharpShow>().iter().all(|(_, show)| !show.model_info.architecture.is_empty()));
    assert_eq!(read::<Models<SharpRunning>>(&lists.running).models.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ollamasharp_reads_every_line_and_the_words_for_a_model_without_tools() {
    let host = start().await;
    for path in ["/api/chat", "/api/generate"] {
        let lines: Vec<SharpLine> = lines(&talk(&host, path, &json!({})).await);
        assert!(lines.last().unwrap().done, "{path}");
    }
    let mut plain = entry("acme/plain:free", 32_768);
    plain["supported_parameters"] = json!([]);
    let host = Setup::new().scenario(Scenario::quiet().catalog(catalog([plain]))).start().await;
    let question =
        json!({"model": "plain:free", "tools": [tool()], "messages": [{"role": "user", "content": "Hello"}]});
    let refused = host.post("/api/chat", &question).await;
    let told = refused.json()["error"].as_str().unwrap().to_owned();
    assert!(refused.status == 400 && told.contains("does not support tools"), "{told}");
}

/// Semantic Kernel for Python reads by ollama-python, where a message must be.
#[derive(Deserialize)]
struct KernelLine {
    message: KernelMessage,
}

#[derive(Deserialize)]
struct KernelMessage {
    role: String,
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<SpringCall>,
}

#[tokio::test(flavor = "multi_thread")]
async fn semantic_kernel_finds_a_message_in_every_line() {
    let host = start().await;
    assert!(!names(&host.get("/api/tags").await.text).is_empty());
    let streamed: Vec<KernelLine> = lines(&talk(&host, "/api/chat", &json!({})).await);
    assert!(streamed.iter().all(|line| line.message.role == "assistant"));
    let whole: KernelLine = read(&talk(&host, "/api/chat", &json!({"stream": false})).await.text);
    assert_eq!(whole.message.content.as_deref(), Some("So be it."));
    assert_eq!(whole.message.tool_calls[0].function.name, "weather");
}
