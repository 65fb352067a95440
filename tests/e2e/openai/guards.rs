//! Free mode cannot be widened by a client, however it goes about it.

use ollama_router::sandbox::scenario::Scenario;
use serde_json::{Value, json};

use crate::{
    openai::{MODEL, refused},
    support::{
        Host, Setup,
        models::{catalog, embedder, entry, paid},
    },
};

const ROUTES: [&str; 3] = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];

/// A free model, a paid one, a paid router, and a free model for vectors.
async fn start() -> Host {
    let mut router = paid("openrouter/auto", 2_000_000);
    router["pricing"] = json!({"prompt": "-1", "completion": "-1"});
    let models = [entry(MODEL, 200_000), paid("acme/dear", 1_000_000), router, paid("~acme/dear-latest", 1_000_000)];
    let scenario = Scenario::quiet().catalog(catalog(models));
    Setup::new().scenario(scenario.embeddings(catalog([embedder("acme/vectors:free", 8_192)]))).start().await
}

fn body(path: &str, model: &str) -> Value {
    match path {
        "/v1/completions" => json!({"model": model, "prompt": "Hello"}),
        "/v1/embeddings" => json!({"model": model, "input": "Hello"}),
        _ => json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]}),
    }
}

/// Returns the models that were asked for an answer or for vectors.
fn asked(host: &Host) -> Vec<Value> {
    let calls = host.sandbox.requests().into_iter().filter(|call| !call.body.is_null());
    calls.map(|call| call.body["model"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_to_a_paid_model() {
    let host = start().await;
    let names = [
        "acme/dear",
        "acme/all:free:online",
        "all:free:online",
        "acme/all:online",
        "acme/all:nitro",
        "acme/all:free:nitro",
        "acme/all:floor",
        "acme/all:exacto",
        "acme/all:batch",
        "acme/all:thinking",
        "openrouter/auto",
        "openrouter/auto:free:online",
        "openrouter/auto-beta",
        "openrouter/fusion",
        "openrouter/pareto-code",
        "@preset/mine",
        "acme/all:free@preset/mine",
        "~acme/dear-latest",
    ];
    for name in names {
        for path in ROUTES {
            let answer = host.post(path, &body(path, name)).await;
            let told = refused(&answer);
            assert!([400, 404].contains(&answer.status), "{path} {name}: {} {told}", answer.status);
        }
    }
    assert_eq!(asked(&host), Vec::<Value>::new());
    // These look like free models that are gone, so that a free one answers.
    for name in ["acme/all:online:free", "acme/dear:free"] {
        let path = ROUTES[0];
        assert_eq!(host.post(path, &body(path, name)).await.status, 200, "{name}");
    }
    assert_eq!(asked(&host), [MODEL, MODEL]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_field_adds_what_is_paid() {
    let host = start().await;
    let fields = [
        ("plugins", json!([{"id": "web"}])),
        ("plugins", json!([{"id": "web", "enabled": true}])),
        ("plugins", json!([{"id": "WEB"}])),
        ("plugins", json!([{"id": "response-healing"}, {"id": "file-parser", "pdf": {"engine": "mistral-ocr"}}])),
        ("plugins", json!([{"id": "fusion"}])),
        ("plugins", json!([{}])),
        ("plugins", json!([{"id": null}])),
        ("plugins", json!([{"id": ["web"]}])),
        ("plugins", json!(["web"])),
        ("plugins", json!({"id": "web"})),
        ("plugins", json!("web")),
        ("tools", json!([{"type": "openrouter:web_search"}])),
        ("tools", json!([{"type": "function", "function": {"name": "f"}}, {"type": "openrouter:datetime"}])),
        ("tools", json!([{"type": "web_search"}])),
        ("tools", json!([{"type": "web_search_preview"}])),
        ("tools", json!([{"type": "OPENROUTER:web_search"}])),
        ("tools", json!([{"type": 7}])),
        ("tools", json!({"type": "openrouter:web_search"})),
        ("web_search_options", json!({})),
        ("preset", json!("mine")),
        ("provider", json!("acme")),
        ("provider", json!([{"max_price": {"prompt": 9}}])),
        ("service_tier", json!("priority")),
    ];
    for (name, value) in fields {
        for path in ROUTES {
            let mut body = body(path, if path == "/v1/embeddings" { "vectors:free" } else { "auto" });
            body[name] = value.clone();
            let answer = host.post(path, &body).await;
            let told = refused(&answer);
            assert_eq!(answer.status, 400, "{path} {name} {value}: {told}");
            assert!(told.starts_with(&format!("cannot use `{name}`: ")), "{path} {name} {value}: {told}");
        }
    }
    assert_eq!(asked(&host), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_prices_beside_the_model_are_left_out_or_capped() {
    let host = start().await;
    for path in ROUTES {
        let mut body = body(path, if path == "/v1/embeddings" { "vectors:free" } else { "auto" });
        body["models"] = json!(["acme/dear", "openrouter/auto"]);
        body["route"] = json!("fallback");
        body["provider"] = json!({"max_price": {"prompt": 9, "completion": 9, "request": 9}, "order": ["acme"]});
        // A name can be written in more ways than one.
        let text = body.to_string().replace("\"models\"", "\"mod\\u0065ls\"");
        let answer = host.post_text(path, text).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        let sent = host.sandbox.requests().pop().unwrap().body;
        let capped = json!({"max_price": {"prompt": 0, "completion": 0}, "order": ["acme"]});
        assert_eq!((&sent["provider"], sent.get("models"), sent.get("route")), (&capped, None, None), "{path}");
    }
}
