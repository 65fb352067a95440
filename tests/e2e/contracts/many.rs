//! Hundreds of models, and all of them asked for at once.
//!
//! Editors and agents ask for every model in a burst, some before each message.
//! So lists and single models come from memory: nothing here goes upstream but
//! the one call for the catalogue.

#![expect(dead_code, reason = "fields that are only decoded")]

use std::collections::HashSet;

use futures_util::future::join_all;
use ollama_router::sandbox::scenario::Scenario;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    contracts::{Models, Time, awkward, names, read},
    support::{
        Host, Setup,
        models::{catalog, entry},
    },
};

/// As many as OpenRouter lists, paid ones included.
const MANY: u32 = 400;

#[derive(Deserialize)]
struct Strict {
    name: String,
    model: String,
    modified_at: Time,
    size: u64,
    digest: String,
    details: Details,
    capabilities: Vec<String>,
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
struct Shown {
    model_info: Map<String, Value>,
    capabilities: Vec<String>,
    remote_model: String,
}

fn plain(number: u32) -> Value {
    let mut model = entry(&format!("vendor-{}/model-{number}:free", number % 7), context(number));
    model["name"] = json!(format!("Vendor: Model {number} (free)"));
    model
}

fn context(number: u32) -> u32 {
    100_000 + number
}

async fn start(models: impl IntoIterator<Item = Value>) -> Host {
    Setup::new().scenario(Scenario::quiet().catalog(catalog(models))).start().await
}

fn check_only_the_catalogue_was_fetched(host: &Host) {
    let paths = fetched(host);
    assert!(!paths.is_empty() && paths.iter().all(|path| path.ends_with("/models")), "{paths:?}");
}

/// Returns the paths of what went upstream; the question what the account has left is
/// asked beside all else.
fn fetched(host: &Host) -> Vec<String> {
    let paths = host.sandbox.requests().into_iter().map(|request| request.path);
    paths.filter(|path| path != "/key").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_models_shown_at_once_out_of_four_hundred_are_answered_from_memory() {
    let host = start((0..MANY).map(plain)).await;
    let before = fetched(&host).len();
    let asked: Vec<u32> = (0..MANY).step_by(8).collect();
    assert_eq!(asked.len(), 50);
    let host = &host;
    let show = |number: &u32| {
        let body = json!({"model": format!("model-{number}:free")});
        async move { host.post("/api/show", &body).await }
    };
    for (number, reply) in asked.iter().zip(join_all(asked.iter().map(show)).await) {
        let shown: Shown = read(&reply.text);
        let expected = json!({
            "general.architecture": "model", "general.basename": format!("Model {number} (free)"),
            "model.context_length": context(*number), "model.embedding_length": 0,
        });
        assert_eq!(Value::from(shown.model_info), expected);
        assert_eq!(shown.remote_model, format!("vendor-{}/model-{number}:free", number % 7));
        assert_eq!(shown.capabilities, ["completion", "tools"]);
    }
    assert_eq!(fetched(host).len(), before, "a model was shown by a call upstream");
    check_only_the_catalogue_was_fetched(host);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_models_are_listed_whole() {
    let host = start((0..500).map(plain)).await;
    let list: Models<Strict> = read(&host.get("/api/tags").await.text);
    let names: HashSet<&str> = list.models.iter().map(|model| &*model.name).collect();
    let digests: HashSet<&str> = list.models.iter().map(|model| &*model.digest).collect();
    assert_eq!((list.models.len(), names.len(), digests.len()), (501, 501, 501));
    assert!((0..500).all(|number| names.contains(&*format!("model-{number}:free"))));
    check_only_the_catalogue_was_fetched(&host);
}

#[tokio::test(flavor = "multi_thread")]
async fn awkward_models_among_four_hundred_are_all_listed_and_shown() {
    let awkward = awkward::models();
    let rest = MANY - u32::try_from(awkward.len()).unwrap();
    let host = start(awkward.into_iter().chain((0..rest).map(plain))).await;
    let tags = host.get("/api/tags").await.text;
    let list: Models<Strict> = read(&tags);
    // One is over, and there is `auto`.
    assert_eq!(list.models.len(), MANY as usize);
    let host = &host;
    let show = |name: String| async move { host.post("/api/show", &json!({"model": name})).await };
    let replies = join_all(names(&tags).into_iter().map(show)).await;
    let shown: Vec<Shown> = replies.iter().map(|reply| read(&reply.text)).collect();
    for (listed, shown) in list.models.iter().zip(&shown) {
        assert_eq!(listed.capabilities, shown.capabilities, "{}", listed.name);
        let tail = listed.name.trim_end_matches(":latest");
        assert!(shown.remote_model.ends_with(tail), "{} is {}", listed.name, shown.remote_model);
    }
    let basenames: HashSet<String> =
        shown.iter().map(|shown| shown.model_info["general.basename"].to_string().to_lowercase()).collect();
    assert_eq!(basenames.len(), shown.len());
    check_only_the_catalogue_was_fetched(host);
}
