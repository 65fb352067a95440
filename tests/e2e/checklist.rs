//! The ten points by which one accepts a server for Ollama's, one test each.
//!
//! Short on purpose: each point is asserted in full where its subject is
//! (`chat`, `bad_input`, `models`, `origin`, `stream_table`), and here once in
//! the words in which it would be tried by hand.

use ollama_router::sandbox::{
    reply::{Reply, step::Step},
    scenario::Scenario,
};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    ask::FORMS,
    models::{catalog, entry},
};

const MODEL: &str = "acme/m:free";

/// The smallest PNG.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A router before one model that can do everything.
async fn start() -> Host {
    let mut model = entry(MODEL, 200_000);
    model["architecture"]["input_modalities"] = json!(["text", "image"]);
    model["reasoning"] = json!({"mandatory": false});
    model["supported_parameters"] =
        json!(["tools", "tool_choice", "reasoning", "response_format", "structured_outputs"]);
    Setup::new().scenario(Scenario::quiet().catalog(catalog([model]))).start().await
}

fn chat(fields: &Value) -> Value {
    let mut body = json!({"model": "m:free", "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn point_1_a_chat_with_the_content_type_of_a_form_streams_lines() {
    let host = start().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let reply = host.request("POST", "/api/chat", &form, &chat(&json!({})).to_string()).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/x-ndjson")));
    let lines = reply.lines();
    let done: Vec<&Value> = lines.iter().map(|line| &line["done"]).collect();
    assert!(done.len() > 1 && *done[done.len() - 1] == json!(true), "{}", reply.text);
    assert!(done[..done.len() - 1].iter().all(|done| **done == json!(false)), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_2_a_call_without_words_loads_or_unloads_and_goes_nowhere() {
    let host = start().await;
    for path in ["/api/chat", "/api/generate"] {
        for (keep_alive, reason) in [(Value::Null, "load"), (json!(0), "unload"), (json!("0s"), "unload")] {
            let reply = host.post(path, &json!({"model": "m:free", "keep_alive": keep_alive})).await;
            assert_eq!((reply.status, &reply.json()["done_reason"]), (200, &json!(reason)), "{path} {keep_alive}");
        }
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn point_3_a_model_is_shown_by_either_field() {
    let host = start().await;
    let by_name = host.post("/api/show", &json!({"name": "m:free", "model": ""})).await;
    let by_model = host.post("/api/show", &json!({"model": "m:free", "verbose": true, "options": null})).await;
    assert_eq!((by_name.status, by_name.json()), (200, by_model.json()));
    let shown = by_name.json();
    assert!(shown["model_info"].is_object() && shown["capabilities"].is_array() && shown["modified_at"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn point_4_an_unknown_model_is_404_in_each_protocols_words() {
    let host = start().await;
    for form in FORMS {
        let reply = host.ask(form, "nothing").await;
        let told = reply.json();
        assert_eq!(reply.status, 404, "{form:?}: {told}");
        if form.is_ollama() {
            assert_eq!(told, json!({"error": "model 'nothing' not found"}));
        } else {
            assert_eq!(told["error"]["type"], "not_found_error", "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_5_no_body_no_such_method_no_such_path() {
    let host = start().await;
    for path in ["/api/chat", "/api/generate", "/api/show", "/api/pull"] {
        let empty = host.post_text(path, "").await;
        assert_eq!((empty.status, empty.json()), (400, json!({"error": "missing request body"})), "{path}");
        let wrong = host.request("PUT", path, &[], "{}").await;
        assert_eq!((wrong.status, &*wrong.text), (405, "405 method not allowed"), "{path}");
    }
    let unknown = host.get("/api/nothing").await;
    assert_eq!((unknown.status, &*unknown.text), (404, "404 page not found"));
    assert!(unknown.header("content-type").unwrap().starts_with("text/plain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn point_6_arguments_are_an_object_here_and_a_text_there() {
    let host = start().await;
    host.sandbox.always(MODEL, Reply::chunks([]).tool_call("f", &json!({"a": 1})));
    for path in ["/api/chat", "/v1/chat/completions"] {
        let answer = host.post(path, &chat(&json!({"stream": false}))).await.json();
        let (place, expected) = match path {
            "/api/chat" => ("/message/tool_calls/0/function/arguments", json!({"a": 1})),
            _ => ("/choices/0/message/tool_calls/0/function/arguments", json!("{\"a\":1}")),
        };
        assert_eq!(answer.pointer(place), Some(&expected), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_7_a_failure_in_mid_stream_is_a_line_and_no_end() {
    let host = start().await;
    host.sandbox.script(MODEL, [Reply::stream([Step::text("One"), Step::Cut])]);
    let reply = host.post("/api/chat", &chat(&json!({}))).await;
    let lines = reply.lines();
    assert!(lines.last().unwrap()["error"].is_string() && !reply.complete, "{}", reply.text);
    assert!(lines.iter().all(|line| line["done"] != true), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn point_8_a_preflight_of_this_machine_is_let_in_and_a_strangers_is_not() {
    let host = start().await;
    for (origin, status) in [("http://localhost:3000", 204), ("https://evil.example", 403)] {
        let asks = [("origin", origin), ("access-control-request-method", "POST")];
        let reply = host.request("OPTIONS", "/api/chat", &asks, "").await;
        let told = [
            "access-control-allow-origin",
            "access-control-allow-methods",
            "access-control-allow-headers",
            "access-control-max-age",
        ];
        assert_eq!(reply.status, status, "{origin}");
        assert!(told.iter().all(|name| reply.header(name).is_some() == (status == 204)), "{origin}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_9_format_think_and_images_reach_the_model() {
    let host = start().await;
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let picture = json!([{"role": "user", "content": "Look", "images": [PICTURE]}]);
    let url = format!("data:image/png;base64,{PICTURE}");
    let rows = [
        (json!({"format": "json"}), "/response_format", json!({"type": "json_object"})),
        (json!({"format": schema}), "/response_format/json_schema/schema", schema),
        (json!({"think": true}), "/reasoning", json!({"enabled": true})),
        (json!({"think": false}), "/reasoning", json!({"enabled": false})),
        (json!({"think": "low"}), "/reasoning", json!({"effort": "low"})),
        (json!({"messages": picture}), "/messages/0/content/1/image_url/url", json!(url)),
    ];
    for (fields, place, expected) in rows {
        let reply = host.post("/api/chat", &chat(&fields)).await;
        assert_eq!(reply.status, 200, "{fields}: {}", reply.text);
        assert_eq!(host.last_sent().pointer(place), Some(&expected), "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn point_10_lists_digests_names_and_the_version_are_what_clients_parse() {
    let host = start().await;
    assert_eq!(host.get("/api/ps").await.json(), json!({"models": []}));
    let tags = host.get("/api/tags").await.json();
    let models = tags["models"].as_array().unwrap();
    assert_eq!(models.len(), 2, "{tags}");
    for model in models {
        assert!(model["digest"].as_str().unwrap().len() >= 12, "{model}");
        assert!(model["name"].as_str().unwrap().split_once(':').is_some_and(|(_, tag)| !tag.is_empty()), "{model}");
    }
    let version = host.get("/api/version").await.json()["version"].as_str().unwrap().to_owned();
    let parts: Vec<u64> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![0, 6, 4], "{version}");
    // Without a single model the lists are still lists.
    let empty = Setup::new().scenario(Scenario::quiet().catalog(catalog([]))).start().await;
    for (path, list) in [("/api/tags", "models"), ("/api/ps", "models"), ("/v1/models", "data")] {
        assert!(empty.get(path).await.json()[list].is_array(), "{path}");
    }
}
