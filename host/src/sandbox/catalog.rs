//! The simulated catalogue: its bodies, and how the sandbox reads any one.
//!
//! Bodies have the shape of the real `/models`, so that a saved real one can
//! take their place; readers take any JSON and never fail. Vendors and models
//! are invented. The table of models is in `catalog/models.rs` and
//! `catalog/others.rs`, its columns in `catalog/entry.rs`.

use std::time::{Duration, UNIX_EPOCH};

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::sandbox::catalog::entry::Entry;

mod entry;
mod models;
mod others;

/// The router that sends a call to some free model that fits it.
pub const FREE_ROUTER: &str = "openrouter/free";

/// The free model that the demo refuses to plain API clients.
pub const GATED_MODEL: &str = "larkspur/harness-48b:free";

const DAY: Duration = Duration::from_hours(24);

/// Returns the body of `/models` with the built-in models.
///
/// One model's end lies a few days after the present day; all else is fixed.
pub fn demo() -> Value {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    let soon = date((now + 4 * DAY).as_secs());
    let entries = [models::FREE_CHAT, others::SPECIAL, others::PAID].concat();
    body(&entries, &soon)
}

/// Returns the body of `/embeddings/models` with the built-in models.
pub fn embeddings() -> Value {
    body(others::EMBEDDING, "")
}

/// Returns a list of no models.
pub(super) fn none() -> Value {
    body(&[], "")
}

/// Returns what `/models` lists: without `every_output` only models that write text.
pub(super) fn listing(catalog: &Value, every_output: bool) -> Value {
    let mut listing = catalog.clone();
    let Some(models) = listing["data"].as_array_mut() else {
        // Not a catalogue: a test serves it to see what becomes of it.
        return listing;
    };
    let writes_text = |model: &Value| {
        let outputs = &model["architecture"]["output_modalities"];
        outputs.is_null() || lists(outputs, "text")
    };
    models.retain(|model| every_output || writes_text(model));
    let count = models.len();
    if !listing["total_count"].is_null() {
        listing["total_count"] = json!(count);
    }
    listing
}

/// Returns the models of a `/models` body.
pub(super) fn models(catalog: &Value) -> &[Value] {
    catalog["data"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns the model with this id.
pub(super) fn find<'a>(catalog: &'a Value, id: &str) -> Option<&'a Value> {
    models(catalog).iter().find(|model| model["id"] == id)
}

/// Returns the name that answers carry, which often differs from the id.
pub(super) fn slug(model: &Value) -> Option<&str> {
    model["canonical_slug"].as_str().or_else(|| model["id"].as_str())
}

/// Returns one price in dollars; none where there is none or it is no number.
pub(super) fn price(model: &Value, kind: &str) -> Option<f64> {
    model["pricing"][kind].as_str()?.parse().ok()
}

/// Returns the smaller of the model's and its provider's context.
pub(super) fn context_tokens(model: &Value) -> Option<u64> {
    let own = model["context_length"].as_u64();
    let provider = model["top_provider"]["context_length"].as_u64();
    own.into_iter().chain(provider).min()
}

/// Returns whether the model is one that a free router would pick for a chat.
pub(super) fn is_free_chat(model: &Value) -> bool {
    let prices = model["pricing"].as_object().into_iter().flatten();
    let mut prices = prices.filter_map(|(kind, _)| price(model, kind));
    let is_router = model["architecture"]["tokenizer"] == "Router";
    let writes_only_text = model["architecture"]["output_modalities"] == json!(["text"]);
    let reads_pages = model["id"].as_str().is_some_and(|id| id.contains("ocr"));
    let chats = writes_only_text && !is_router && !reads_pages && !is_classifier(model);
    chats && prices.all(|price| price == 0.0)
}

/// Returns whether the model only judges texts instead of answering.
pub(super) fn is_classifier(model: &Value) -> bool {
    let id = model["id"].as_str().unwrap_or_default();
    ["guard", "safety", "moderation"].iter().any(|word| id.contains(word))
}

/// Returns whether a list of texts holds `name`.
pub(super) fn lists(list: &Value, name: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|entry| entry == name))
}

/// Returns the UTC date of an epoch second as `YYYY-MM-DD`.
pub(super) fn date(unix_seconds: u64) -> String {
    let seconds = i64::try_from(unix_seconds).unwrap_or_default();
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    TimeZone::UTC.to_datetime(moment).date().to_string()
}

fn body(entries: &[Entry], soon: &str) -> Value {
    let data: Vec<Value> = entries.iter().map(|entry| entry.model(soon)).collect();
    json!({"total_count": data.len(), "data": data, "links": {"next": null}})
}
