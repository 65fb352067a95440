//! One model by its name.

use ollama_router::sandbox::scenario::Scenario;
use serde_json::{Value, json};

use crate::{
    openai::refused,
    support::{
        Host, Setup,
        models::{catalog, entry, paid},
    },
};

async fn start() -> Host {
    let mut unmeasured = entry("stealth/umber-alpha", 1);
    unmeasured["context_length"] = Value::Null;
    unmeasured["top_provider"]["context_length"] = Value::Null;
    let models = [
        entry("acme/large:free", 200_000),
        entry("one/twin:free", 50_000),
        entry("two/twin:free", 40_000),
        unmeasured,
        paid("acme/dear", 1_000_000),
    ];
    let scenario = Scenario::quiet().catalog(catalog(models));
    Setup::new().scenario(scenario).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_found_by_every_form_of_its_name() {
    let host = start().await;
    let list = host.get("/v1/models").await.json();
    let listed = |id: &str| {
        let entries = list["data"].as_array().unwrap();
        entries.iter().find(|entry| entry["id"] == id).unwrap_or_else(|| panic!("no {id} in {list}")).clone()
    };
    let rows = [
        ("large:free", "large:free"),
        ("acme/large:free", "large:free"),
        ("acme%2Flarge%3Afree", "large:free"),
        ("ACME/Large:free:latest", "large:free"),
        ("two/twin:free", "two/twin:free"),
        ("umber-alpha", "umber-alpha:latest"),
        ("auto", "auto"),
        ("auto:latest", "auto"),
    ];
    for (name, id) in rows {
        let answer = host.get(&format!("/v1/models/{name}")).await;
        assert_eq!((answer.status, answer.json()), (200, listed(id)), "{name}");
    }
    let expected = json!({"id": "large:free", "object": "model", "created": 1_780_272_000, "owned_by": "acme",
        "context_length": 200_000});
    assert_eq!(listed("large:free"), expected);
    assert_eq!(listed("auto")["owned_by"], "ollama-router");
    assert_eq!(listed("umber-alpha:latest").get("context_length"), None, "what is not known is left out");
    // A free model that is gone is answered for by others.
    let gone = host.get("/v1/models/old/gone-model:free").await;
    assert_eq!((gone.status, gone.json()["id"].clone()), (200, json!("old/gone-model:free")));
    let head = host.request("HEAD", "/v1/models/acme/large:free", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_not_served_is_not_found() {
    let host = start().await;
    for (name, status, expected) in [
        ("nothing", 404, "model 'nothing' not found"),
        ("acme/dear", 404, "model 'acme/dear' not found"),
        ("openrouter/auto", 404, "model 'openrouter/auto' not found"),
        ("acme/large:free:online", 400, "invalid model name"),
        ("%FF", 400, "invalid model name"),
        ("twin:free", 400, "model 'twin:free' is ambiguous: one/twin:free, two/twin:free"),
    ] {
        let answer = host.get(&format!("/v1/models/{name}")).await;
        assert_eq!((answer.status, refused(&answer).as_str()), (status, expected), "{name}");
    }
    let wrong = host.request("DELETE", "/v1/models/large:free", &[], "").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET,HEAD")));
}
