//! Pages to chat in: Open WebUI, AnythingLLM, LibreChat and Page Assist.
//!
//! Servers or extensions of a browser between people and the router. They make
//! sums of what they read, and those fail on other things than types do.

#![expect(dead_code, reason = "fields that are only decoded")]

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    contracts::{Models, Time, awkward, lines, lists, names, read, start, talk},
    support::Setup,
};

#[derive(Deserialize)]
struct OpenWebUiModel {
    model: String,
    name: String,
}

#[derive(Deserialize)]
struct OpenWebUiRunning {
    model: String,
    expires_at: Time,
}

#[derive(Deserialize)]
struct OpenWebUiEnd {
    done: bool,
    prompt_eval_count: u64,
    prompt_eval_duration: u64,
    eval_count: u64,
    eval_duration: u64,
    total_duration: u64,
    load_duration: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn open_webui_makes_numbers_of_every_part_of_the_version() {
    let host = start().await;
    let version = host.get("/api/version").await.json()["version"].as_str().unwrap().to_owned();
    let number = version.trim_start_matches('v').split('-').next().unwrap();
    assert!(number.split('.').all(|part| part.parse::<u64>().is_ok()), "{version}");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_webui_lists_every_model_by_a_name_with_a_tag() {
    let host = start().await;
    let lists = lists().await;
    for OpenWebUiModel { model, name } in lists.list() {
        assert!(model == name && model.contains(':'), "{model}");
    }
    // To a name without a tag older versions add this one, and look for it in the list.
    for name in ["auto", "thunder-cloud"].map(|name| format!("{name}:latest")) {
        assert!(lists.list::<OpenWebUiModel>().iter().any(|listed| listed.model == name), "{name}");
        let question = json!({"model": name, "stream": false, "messages": [{"role": "user", "content": "Hello"}]});
        assert_eq!(host.post("/api/chat", &question).await.status, 200, "{name}");
    }
    assert_eq!(read::<Models<OpenWebUiRunning>>(&lists.running).models.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_webui_divides_by_the_figures_of_an_answer_and_unloads() {
    let host = start().await;
    let reply = talk(&host, "/api/chat", &json!({})).await;
    let end: OpenWebUiEnd = read(reply.text.lines().last().unwrap());
    assert!(end.done && end.prompt_eval_duration > 0 && end.eval_duration > 0, "{}", reply.text);
    let unload = json!({"model": "huge:free", "keep_alive": 0, "prompt": ""});
    assert_eq!(host.post("/api/generate", &unload).await.json()["done_reason"], "unload");
}

#[derive(Deserialize)]
struct AnythingShow {
    capabilities: Vec<String>,
    model_info: Map<String, Value>,
}

#[derive(Deserialize)]
struct AnythingLine {
    message: AnythingMessage,
    done: bool,
    #[serde(default)]
    prompt_eval_count: u64,
    #[serde(default)]
    eval_count: u64,
    #[serde(default)]
    eval_duration: u64,
}

#[derive(Deserialize)]
struct AnythingMessage {
    content: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn anythingllm_asks_for_all_models_at_once_and_none_may_fail() {
    let host = start().await;
    let names = names(&host.get("/api/tags").await.text);
    let show = |name: &String| {
        let body = json!({"model": name});
        let host = &host;
        async move { host.post("/api/show", &body).await }
    };
    for (name, answer) in names.iter().zip(join_all(names.iter().map(show)).await) {
        let show: AnythingShow = read(&answer.text);
        let contexts: Vec<bool> = show
            .model_info
            .iter()
            .filter(|(key, _)| key.ends_with(".context_length"))
            .map(|(_, value)| value.is_u64())
            .collect();
        assert_eq!(contexts, vec![true; usize::from(name != "no-context:free")], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anythingllm_loses_no_word_in_the_last_line() {
    let host = start().await;
    let lines: Vec<AnythingLine> = lines(&talk(&host, "/api/chat", &json!({})).await);
    let (last, before) = lines.split_last().unwrap();
    assert!(last.done && last.message.content.is_empty(), "text beside `done` is thrown away");
    assert!(last.prompt_eval_count > 0 && last.eval_count > 0 && last.eval_duration > 0);
    assert!(before.iter().all(|line| !line.done));
    let text: String = before.iter().map(|line| &*line.message.content).collect();
    assert_eq!(text, "So be it.");
}

#[derive(Deserialize)]
struct LibreModel {
    name: String,
}

#[derive(Deserialize)]
struct LibreList {
    object: String,
    data: Vec<LibreEntry>,
}

#[derive(Deserialize)]
struct LibreEntry {
    id: String,
    created: u64,
    owned_by: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn librechat_reads_the_names_in_either_list() {
    let host = start().await;
    let listed: Vec<LibreModel> = lists().await.list();
    let list: LibreList = read(&host.get("/v1/models").await.text);
    let mut names: Vec<String> = listed.into_iter().map(|model| model.name).collect();
    let tagged = |id: String| if id == "auto" { "auto:latest".to_owned() } else { id };
    let mut ids: Vec<String> = list.data.into_iter().map(|entry| tagged(entry.id)).collect();
    names.sort();
    ids.sort();
    assert_eq!((list.object.as_str(), ids), ("list", names));
}

#[derive(Deserialize)]
struct PageAssistModel {
    name: String,
    details: PageAssistDetails,
}

#[derive(Deserialize)]
struct PageAssistDetails {
    families: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn page_assist_hides_no_model_that_chats() {
    for model in lists().await.list::<PageAssistModel>() {
        assert!(!model.details.families.iter().any(|family| family.contains("bert")), "{}", model.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn page_assist_is_let_in_where_the_operator_names_its_origin() {
    let origin = "chrome-extension://jfgfiigpkhlkbnfnbobbkinehhfdhndo";
    let scenario = awkward::scenario();
    let host = Setup::new().scenario(scenario).set("server.origins", "chrome-extension://*").start().await;
    for path in ["/", "/api/tags"] {
        let reply = host.get_with(path, &[("origin", origin)]).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (200, Some(origin)), "{path}");
    }
}
