//! Programs to chat in: Enchanted, Raycast's, Msty and oterm.
//!
//! Enchanted reads through `OllamaKit`, where Swift decides what is missing and
//! a date has one form. Msty is closed: only that it asks what others ask is
//! known of it. oterm reads by ollama-python, which runs in `tests/clients`.

#![expect(dead_code, reason = "fields that are only decoded")]

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contracts::{Models, Time, lines, lists, names, pull, read, start, talk};

#[derive(Deserialize)]
struct EnchantedModel {
    name: String,
    model: String,
    digest: String,
    size: i64,
    modified_at: SwiftDate,
    details: EnchantedDetails,
}

#[derive(Deserialize)]
struct EnchantedDetails {
    parent_model: String,
    format: String,
    family: String,
    families: Option<Vec<String>>,
    parameter_size: Option<String>,
    quantization_level: Option<String>,
}

#[derive(Deserialize)]
struct EnchantedLine {
    model: String,
    created_at: SwiftDate,
    message: Option<EnchantedMessage>,
    done: bool,
    total_duration: Option<i64>,
    eval_count: Option<i64>,
}

#[derive(Deserialize)]
struct EnchantedMessage {
    role: EnchantedRole,
    content: String,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum EnchantedRole {
    System,
    Assistant,
    User,
}

/// A date for the format `yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSZZZZZ`, which
/// `OllamaKit` has for all of them: without a fraction of a second it is none.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct SwiftDate(Timestamp);

impl TryFrom<String> for SwiftDate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fraction = text.get(19..).and_then(|rest| rest.strip_prefix('.')).and_then(|rest| rest.strip_suffix('Z'));
        let is_number = |digits: &str| (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !fraction.is_some_and(is_number) {
            return Err(format!("{text:?} has no fraction of a second"));
        }
        text.parse().map(Self).map_err(|error| format!("{text:?}: {error}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enchanted_lists_every_model_and_shows_pictures_to_those_that_see() {
    let models: Vec<EnchantedModel> = lists().await.list();
    let sees = |model: &&EnchantedModel| {
        model.details.families.iter().flatten().any(|family| family == "clip" || family == "mllama")
    };
    let mut seeing: Vec<&str> = models.iter().filter(sees).map(|model| &*model.name).collect();
    seeing.sort_unstable();
    assert_eq!(seeing, ["auto:latest", "free:latest", "only-eyes-8x7b:free"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn enchanted_looks_whether_it_is_there_and_reads_an_answer_without_a_key() {
    let host = start().await;
    let there = host.request("HEAD", "/", &[("authorization", "Bearer ")], "").await;
    assert_eq!((there.status, &*there.text), (200, ""));
    let tags = host.get_with("/api/tags", &[("authorization", "Bearer okki")]).await;
    assert_eq!(tags.status, 200);
    let lines: Vec<EnchantedLine> = lines(&talk(&host, "/api/chat", &json!({})).await);
    let roles = lines.iter().flat_map(|line| &line.message).map(|message| &message.role);
    assert!(roles.clone().all(|role| *role == EnchantedRole::Assistant) && roles.count() == lines.len());
}

#[derive(Deserialize)]
struct RaycastVersion {
    version: String,
}

#[derive(Deserialize)]
struct RaycastModel {
    name: String,
    model: String,
    modified_at: String,
    size: u64,
    digest: String,
    details: RaycastDetails,
}

#[derive(Deserialize)]
struct RaycastDetails {
    format: String,
    family: String,
    families: Option<Vec<String>>,
    parameter_size: String,
    quantization_level: String,
}

#[derive(Deserialize)]
struct RaycastShow {
    modelfile: String,
    parameters: String,
    template: String,
    details: RaycastDetails,
    capabilities: Vec<String>,
    model_info: Map<String, Value>,
}

#[derive(Deserialize)]
struct RaycastRunning {
    name: String,
    model: String,
    size: u64,
    size_vram: u64,
    digest: String,
    details: RaycastDetails,
    expires_at: Time,
}

#[derive(Deserialize)]
struct RaycastLine {
    model: String,
    created_at: String,
    response: String,
    done: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn raycast_finds_every_model_with_what_it_can_do() {
    let host = start().await;
    assert!(!read::<RaycastVersion>(&host.get("/api/version").await.text).version.is_empty());
    let lists = lists().await;
    let listed: Vec<RaycastModel> = lists.list();
    for model in &listed {
        let show: RaycastShow = read(&host.post("/api/show", &json!({"name": model.name})).await.text);
        assert!(show.capabilities.iter().any(|capability| capability == "completion"), "{}", model.name);
        let contexts = show.model_info.keys().filter(|key| key.ends_with(".context_length"));
        assert_eq!(contexts.count(), usize::from(model.name != "no-context:free"), "{}", model.name);
    }
    assert_eq!(read::<Models<RaycastRunning>>(&lists.running).models.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn raycast_reads_a_generation_pulls_and_is_told_why_nothing_is_deleted() {
    #[derive(Deserialize)]
    struct Failed {
        error: String,
    }
    let host = start().await;
    let lines: Vec<RaycastLine> = lines(&talk(&host, "/api/generate", &json!({})).await);
    let text: String = lines.iter().map(|line| &*line.response).collect();
    assert_eq!((text.as_str(), lines.last().unwrap().done), ("So be it.", true));
    assert_eq!(pull(&host, "huge:free").await, ["pulling manifest", "success"]);
    let deleted = host.request("DELETE", "/api/delete", &[], r#"{"name":"huge:free"}"#).await;
    assert!(deleted.status >= 400 && !read::<Failed>(&deleted.text).error.is_empty(), "{deleted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn msty_gets_an_answer_wherever_others_do() {
    let host = start().await;
    for path in ["/", "/api/version", "/api/tags", "/api/ps", "/v1/models"] {
        assert_eq!(host.get(path).await.status, 200, "{path}");
    }
    assert_eq!(host.post("/api/show", &json!({"model": "huge:free"})).await.status, 200);
    for path in ["/api/chat", "/v1/chat/completions"] {
        assert_eq!(talk(&host, path, &json!({})).await.status, 200, "{path}");
    }
}

/// What ollama-python insists on; `null` is a time and a name to it, `""` is none.
#[derive(Deserialize)]
struct OtermModel {
    model: Option<String>,
    modified_at: Option<Time>,
    size: Option<u64>,
    details: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
struct OtermShow {
    #[serde(rename = "model_info")]
    figures: Option<Map<String, Value>>,
    modified_at: Option<Time>,
    capabilities: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct OtermRunning {
    expires_at: Option<Time>,
    size_vram: Option<u64>,
    context_length: Option<i64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn oterm_lists_and_shows_every_model() {
    let lists = lists().await;
    assert!(lists.list::<OtermModel>().iter().all(|model| model.model.is_some()));
    for (name, show) in lists.shown::<OtermShow>() {
        let thinks = show.capabilities.iter().flatten().any(|capability| capability == "thinking");
        assert_eq!(thinks, name == "thinker:free", "{name}");
    }
    assert_eq!(read::<Models<OtermRunning>>(&lists.running).models.len(), 2);
    let host = start().await;
    assert_eq!(names(&host.get("/api/tags").await.text).len(), lists.shows.len());
}
