//! Vectors: what clients insist on who search by meaning.
//!
//! The new route takes one text or many and answers in their order, the old
//! one takes one text and answers with nothing but its vector. Models that make
//! vectors are in the lists, and told from those that chat. Which model answers
//! and what goes upstream is in `embed`.

#![expect(dead_code, reason = "fields that are only decoded")]

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    contracts::{Models, Time, awkward, pull, read},
    support::{
        Host, Setup,
        models::{catalog, embedder},
    },
};

/// The only model that makes vectors, as it is listed.
const MODEL: &str = "text-embed-3:free";

/// Continue, Open WebUI, Page Assist, AnythingLLM and Spring AI.
#[derive(Deserialize)]
struct Embedded {
    model: String,
    embeddings: Vec<Vec<f64>>,
    total_duration: Option<i64>,
    load_duration: Option<i64>,
    prompt_eval_count: Option<i32>,
}

/// Raycast and LangChain's older versions: this key alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbeddedOnce {
    embedding: Vec<f64>,
}

#[derive(Deserialize)]
struct Failed {
    error: String,
}

/// Starts a router before awkward models that chat, and one that makes vectors.
async fn start() -> Host {
    let vectors = catalog([embedder("acme/text-embed-3:free", 8_192)]);
    Setup::new().scenario(awkward::scenario().embeddings(vectors)).start().await
}

async fn embed(host: &Host, input: Value) -> Embedded {
    let reply = host.post("/api/embed", &json!({"model": MODEL, "input": input})).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    read(&reply.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn continue_gets_a_vector_for_each_text_in_their_order() {
    let host = start().await;
    let both = embed(&host, json!(["one", "two"])).await;
    assert_eq!((both.embeddings.len(), both.model.as_str()), (2, MODEL));
    for (text, vector) in ["one", "two"].into_iter().zip(both.embeddings) {
        assert_eq!(embed(&host, json!(text)).await.embeddings, [vector], "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_webui_compares_vectors_of_the_length_one() {
    let host = start().await;
    for vector in embed(&host, json!(["one", "two"])).await.embeddings {
        let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        assert!(!vector.is_empty() && (length - 1.0).abs() < 1e-4, "{length}");
    }
    let cut = host.post("/api/embed", &json!({"model": MODEL, "input": "one", "dimensions": 8})).await;
    assert_eq!(read::<Embedded>(&cut.text).embeddings[0].len(), 8, "{}", cut.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn raycast_reads_one_vector_and_nothing_else() {
    let host = start().await;
    let reply = host.post("/api/embeddings", &json!({"model": MODEL, "prompt": "one"})).await;
    assert!(!read::<EmbeddedOnce>(&reply.text).embedding.is_empty());
    let loaded = host.post("/api/embeddings", &json!({"model": MODEL, "prompt": ""})).await;
    assert_eq!((loaded.status, loaded.json()), (200, json!({"embedding": []})));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_text_is_no_vector_and_a_wrong_one_is_told() {
    let host = start().await;
    assert_eq!(embed(&host, json!([])).await.embeddings, Vec::<Vec<f64>>::new());
    let rows = [
        (json!({"model": MODEL, "input": 7}), 400, "invalid input type"),
        (json!({"model": "nothing", "input": "one"}), 404, "model \"nothing\" not found, try pulling it first"),
    ];
    for (body, status, text) in rows {
        let reply = host.post("/api/embed", &body).await;
        assert_eq!((reply.status, &*read::<Failed>(&reply.text).error), (status, text), "{body}");
    }
}

#[derive(Deserialize)]
struct Listed {
    name: String,
    modified_at: Time,
    size: u64,
    digest: String,
    details: Details,
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
struct Details {
    family: String,
    families: Vec<String>,
    parameter_size: String,
}

#[derive(Deserialize)]
struct Shown {
    model_info: Map<String, Value>,
    capabilities: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn page_assist_and_zed_tell_it_from_models_that_chat() {
    let host = start().await;
    let list: Models<Listed> = read(&host.get("/api/tags").await.text);
    let names = |wanted: fn(&Listed) -> bool| {
        list.models.iter().filter(|model| wanted(model)).map(|model| &*model.name).collect::<Vec<_>>()
    };
    let families = |model: &Listed| model.details.families.iter().any(|family| family.contains("bert"));
    assert_eq!(names(families), [MODEL], "Page Assist keeps those from chats");
    assert_eq!(names(|model| model.name.contains("-embed")), [MODEL], "and Zed those");
    // Roo Code and llm-ollama go by what a model can do.
    assert_eq!(names(|model| !model.capabilities.iter().any(|can| can == "completion")), [MODEL]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ollama_command_and_home_assistant_find_it_like_any_other() {
    let host = start().await;
    let shown: Shown = read(&host.post("/api/show", &json!({"model": MODEL})).await.text);
    // For such a model `ollama run` asks for vectors.
    assert_eq!(shown.capabilities, ["embedding"]);
    assert_eq!(shown.model_info.keys().filter(|key| key.contains("context_length")).count(), 1);
    assert_eq!(pull(&host, MODEL).await, ["pulling manifest", "success"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_for_vectors_does_not_chat() {
    let host = start().await;
    let message = json!([{"role": "user", "content": "Hello"}]);
    let reply = host.post("/api/chat", &json!({"model": MODEL, "messages": message})).await;
    let told: Failed = read(&reply.text);
    assert_eq!((reply.status, told.error.contains("does not support chat")), (400, true), "{}", told.error);
}
