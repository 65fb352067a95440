//! A catalogue in which every model is awkward in its own way.
//!
//! Each case has been seen in OpenRouter's list or is allowed by it. One entry
//! one case, and the id says which. What is listed of it is here too, so that
//! no contract is kept by a list that happens to be empty.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use ollama_router::sandbox::scenario::Scenario;
use serde_json::{Value, json};

use crate::{
    contracts::{names, start},
    support::models::{catalog, entry},
};

/// An id of the greatest length that is read, 200 bytes.
pub fn longest() -> String {
    format!("acme/{}:free", "l".repeat(190))
}

/// Returns an upstream that serves these models.
pub fn scenario() -> Scenario {
    Scenario::quiet().catalog(catalog(models()))
}

/// Returns the models, one of which is over.
pub fn models() -> Vec<Value> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let day = |days: i64| today.checked_add(days.days()).unwrap().to_string();
    let mut models: Vec<Value> = vec![
        with(
            "acme/no-context:free",
            &[("/context_length", Value::Null), ("/top_provider/context_length", Value::Null)],
        ),
        without("acme/no-name:free", "name"),
        with("acme/empty-name:free", &[("/name", json!(""))]),
        with("one/twin:free", &[("/name", json!("One: Twin"))]),
        with("two/twin:free", &[("/name", json!("Two: Twin"))]),
        entry("acme/dots-1.5.2-pro.x:free", 32_768),
        entry("acme/colons:beta:free", 32_768),
        entry("Acme/LOUD-7B:free", 32_768),
        entry("acme/deep/er:free", 32_768),
        with("acme/over:free", &[("/expiration_date", json!(day(-1)))]),
        with("acme/ending:free", &[("/expiration_date", json!(day(1)))]),
        entry("acme/huge:free", 10_000_000),
        entry(&longest(), 32_768),
        entry("acme/-dash:free", 32_768),
        entry("acme/4-real:free", 32_768),
        entry("acme/bert-chat:free", 32_768),
        with("acme/same-a:free", &[("/name", json!("The Same"))]),
        with("acme/same-b:free", &[("/name", json!("The Same"))]),
        with("acme/namesake:free", &[("/name", json!("Auto"))]),
        entry("stealth/thunder-cloud", 32_768),
        without("acme/timeless:free", "created"),
        with("acme/year-10000:free", &[("/created", json!(253_402_300_800_u64))]),
    ];
    models.extend(abilities());
    models
}

/// The models that can do other things than most.
fn abilities() -> Vec<Value> {
    let inputs = "/architecture/input_modalities";
    let parameters = "/supported_parameters";
    vec![
        with("acme/only-eyes-8x7b:free", &[(inputs, json!(["text", "image"])), (parameters, json!(["max_tokens"]))]),
        with("acme/hears:free", &[(inputs, json!(["text", "audio"])), (parameters, json!([]))]),
        with(
            "acme/thinker:free",
            &[(parameters, json!(["tools", "reasoning"])), ("/reasoning", json!({"mandatory": true}))],
        ),
        with(
            "openrouter/free",
            &[
                ("/name", json!("Free Models Router")),
                ("/architecture/tokenizer", json!("Router")),
                ("/top_provider/context_length", Value::Null),
                (inputs, json!(["text", "image"])),
            ],
        ),
    ]
}

/// Returns a model of which these fields are otherwise.
fn with(id: &str, fields: &[(&str, Value)]) -> Value {
    let mut model = entry(id, 32_768);
    for (path, value) in fields {
        match model.pointer_mut(path) {
            Some(field) => *field = value.clone(),
            None => model[path.trim_start_matches('/')] = value.clone(),
        }
    }
    model
}

fn without(id: &str, field: &str) -> Value {
    let mut model = entry(id, 32_768);
    model.as_object_mut().unwrap().remove(field);
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn every_awkward_model_is_listed_but_the_one_that_is_over() {
    let mut listed = names(&start().await.get("/api/tags").await.text);
    listed.sort();
    let longest = longest();
    let mut expected = vec![
        "-dash:free",
        "4-real:free",
        "LOUD-7B:free",
        "auto:latest",
        "bert-chat:free",
        "colons:beta:free",
        "deep/er:free",
        "dots-1.5.2-pro.x:free",
        "empty-name:free",
        "ending:free",
        "free:latest",
        "hears:free",
        "huge:free",
        longest.strip_prefix("acme/").unwrap(),
        "namesake:free",
        "no-context:free",
        "no-name:free",
        "one/twin:free",
        "only-eyes-8x7b:free",
        "same-a:free",
        "same-b:free",
        "thinker:free",
        "thunder-cloud:latest",
        "timeless:free",
        "two/twin:free",
        "year-10000:free",
    ];
    expected.sort_unstable();
    assert_eq!(listed, expected);
}
