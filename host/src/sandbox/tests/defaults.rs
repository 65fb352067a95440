//! What the sandbox does when nothing is scripted: rules, answers, listings.
//!
//! The rules are the real upstream's; the answers are ours. The demo differs
//! in words and pace only, so these tests use the quiet manner.

use serde_json::{Value, json};

use super::{Connection, MODEL, asking, chat, get, quiet};
use crate::sandbox::Sandbox;
use crate::sandbox::catalog;

fn with(model: &str, fields: &Value) -> Value {
    let mut request = asking(model, false);
    for (name, value) in fields.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

fn weather() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}},
        "required": ["city"]});
    json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}}])
}

fn message(sandbox: &Sandbox, request: &Value) -> Value {
    chat(sandbox, request).json()["choices"][0]["message"].clone()
}

/// Holds that a request is refused with this status and these words.
fn check_refusal(sandbox: &Sandbox, model: &str, fields: &Value, status: u16, words: &str) {
    let answer = chat(sandbox, &with(model, fields));
    let body = answer.json();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(words), "{model}: {message}");
    assert_eq!(answer.status, status, "{model}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_ended_and_priced_models_are_refused() {
    let sandbox = quiet().await;
    let refused = |model: &str, fields: &Value, status: u16, words: &str| {
        check_refusal(&sandbox, model, fields, status, words);
    };
    let nothing = json!({});
    refused("no/such", &nothing, 400, "no/such is not a valid model ID");
    refused("", &nothing, 400, "No models provided");
    refused("aurelia/lumen-4-large:batch", &nothing, 404, "No endpoints found for");
    refused("kestrel/talon-7b:free", &nothing, 404, "period has ended");
    let free = json!({"max_price": {"prompt": 0, "completion": 0, "request": 0}});
    let free = json!({"provider": free});
    refused("aurelia/lumen-4-large", &free, 404, "max price");
    refused("tamarisk/meter-1", &free, 404, "max price");
    refused("openrouter/auto", &free, 404, "max price");
    refused("yarrow/thrift-1", &free, 404, "max price");
    let body = chat(&sandbox, &with("yarrow/thrift-1", &free)).json();
    let step = &body["error"]["metadata"]["failed_routing_step"];
    assert_eq!(*step, "Filter by Max Price");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_a_model_cannot_serve_are_refused() {
    let sandbox = quiet().await;
    let refused = |model: &str, fields: &Value, status: u16, words: &str| {
        check_refusal(&sandbox, model, fields, status, words);
    };
    let parts = json!([{"type": "image_url", "image_url": {"url": "data:,"}}]);
    let image = json!({"messages": [{"role": "user", "content": parts}]});
    let long = json!({"messages": [{"role": "user", "content": "word".repeat(5_000)}]});
    let chosen = json!({"tools": weather(), "tool_choice": "auto"});
    let strict = json!({"provider": {"require_parameters": true}, "logprobs": true});
    let tools = json!({"tools": weather()});
    let sound = json!({"modalities": ["text", "audio"]});
    let unreasoned = json!({"reasoning": {"enabled": false}});
    let too_long = "length is 4096 tokens. However, you requested about 5000";
    refused(MODEL, &json!({"models": ["a", "b", "c", "d"]}), 400, "3 items or fewer");
    refused(MODEL, &json!({"messages": null}), 400, "Input required");
    refused("dovetail/joiner-8b:free", &tools, 404, "disabling \"weather\"");
    refused("garnet/pocket-3.1-3b:free", &chosen, 404, "tool_choice");
    refused(MODEL, &image, 404, "support image input");
    refused(MODEL, &sound, 404, "modalities: text, audio");
    refused(MODEL, &strict, 404, "requested parameters");
    refused("dovetail/joiner-8b-short:free", &long, 400, too_long);
    refused("emberline/thinkwell-2.5:free", &unreasoned, 400, "is mandatory");
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_and_the_free_router_answer_as_another_model() {
    let sandbox = quiet().await;
    let free = json!({"provider": {"max_price": {"prompt": 0, "completion": 0}}});
    let says = |request: &Value| {
        let body = chat(&sandbox, request).json();
        (body["model"].clone(), body["choices"][0]["message"]["content"].clone())
    };
    let (model, text) = says(&asking("~aurelia/lumen-latest", false));
    assert!(model.as_str().unwrap().starts_with("aurelia/lumen-4-large-2026"), "{model}");
    assert_eq!(text, "Hello from aurelia/lumen-4-large.");
    let (_, text) = says(&with("openrouter/free", &free));
    assert_eq!(text, "Hello from aurelia/lumen-4-large:free.");
    let (_, text) = says(&with("no/such-model", &json!({"models": [MODEL]})));
    assert_eq!(text, "Hello from borealis/skald-70b-instruct:free.");
    let (_, text) = says(&asking("marlow/shield-guard-4b:free", false));
    assert_eq!(text, "User Safety: safe");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_and_their_results_quoted() {
    let sandbox = quiet().await;
    let user = json!({"role": "user", "content": "How is the weather in Oslo today?"});
    let asked = json!({"tools": weather(), "messages": [user]});
    let call = &message(&sandbox, &with(MODEL, &asked))["tool_calls"][0]["function"];
    assert_eq!(*call, json!({"name": "weather", "arguments": r#"{"city":"Oslo"}"#}));
    let result = json!({"role": "tool", "tool_call_id": "x", "content": "rain, 7 °C"});
    let asked = json!({"tools": weather(), "messages": [user, result]});
    let content = &message(&sandbox, &with(MODEL, &asked))["content"];
    assert_eq!(*content, json!(format!("Hello from {MODEL}. The tool said: rain, 7 °C")));
    let refused = json!({"tools": weather(), "tool_choice": "none"});
    assert_eq!(message(&sandbox, &with(MODEL, &refused)).get("tool_calls"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_called_as_an_agents_user_tells() {
    let sandbox = quiet().await;
    let reminder = json!({"type": "text", "text": "<system-reminder>\nBe brief.\n</system-reminder>\n"});
    let told = json!({"type": "text", "text": "Call the tool weather with {\"city\": \"Rome\", \"days\": 2}\n\
        Call the tool weather with {\"city\": \"Oslo\"}\nCall the tool shell with {}"});
    let user = json!({"role": "user", "content": [reminder, told]});
    let system = json!({"role": "system", "content": "# Environment"});
    let asked = json!({"tools": weather(), "messages": [user, system]});
    let called = message(&sandbox, &with(MODEL, &asked));
    let calls: Vec<Value> =
        called["tool_calls"].as_array().unwrap().iter().map(|call| call["function"].clone()).collect();
    let arguments = [r#"{"city":"Rome","days":2}"#, r#"{"city":"Oslo"}"#];
    assert_eq!(calls, arguments.map(|arguments| json!({"name": "weather", "arguments": arguments})));
    let result = |text: &str| json!({"role": "tool", "tool_call_id": "x", "content": text});
    let more = json!({"role": "user", "content": [reminder]});
    let asked = json!({"tools": weather(), "messages": [user, called, result("sun"), result("rain"), more, system]});
    let content = &message(&sandbox, &with(MODEL, &asked))["content"];
    assert_eq!(*content, json!(format!("Hello from {MODEL}. The tool said: rain")));
}

#[tokio::test(flavor = "multi_thread")]
async fn structured_output_is_json_that_fits_the_schema() {
    let sandbox = quiet().await;
    let schema = json!({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    let content = &message(&sandbox, &with(MODEL, &json!({"response_format": format})))["content"];
    assert_eq!(*content, json!(r#"{"n":1}"#));
    let format = json!({"response_format": {"type": "json_object"}});
    let content = message(&sandbox, &with(MODEL, &format))["content"].clone();
    let parsed: Value = serde_json::from_str(content.as_str().unwrap()).unwrap();
    assert_eq!(parsed, json!({"model": MODEL, "simulated": true}));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_stops_and_reasoning_switches_are_obeyed() {
    let sandbox = quiet().await;
    let thinker = "aurelia/lumen-4-large:free";
    let cases = [
        (MODEL, json!({"max_tokens": 2}), json!("Hello from "), json!(null), "length"),
        (MODEL, json!({"stop": [" from"]}), json!("Hello"), json!(null), "stop"),
        (thinker, json!({"stop": "Hello"}), json!(""), json!("Let me think."), "stop"),
        (thinker, json!({"stop": "Hello", "reasoning": {"enabled": false}}), json!(""), json!(null), "stop"),
        (thinker, json!({"stop": "Hello", "reasoning": {"exclude": true}}), json!(""), json!(null), "stop"),
        (
            "aurelia/lumen-4-mini:free",
            json!({"max_tokens": 0, "reasoning": {"effort": "low"}}),
            json!(""),
            json!("Let me think."),
            "length",
        ),
    ];
    for (model, fields, content, reasoning, finish) in cases {
        let choice = chat(&sandbox, &with(model, &fields)).json()["choices"][0].clone();
        let message = &choice["message"];
        assert_eq!(
            (&message["content"], &message["reasoning"], &choice["finish_reason"]),
            (&content, &reasoning, &json!(finish)),
            "{model} {fields}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_call_reports_its_cost_and_a_free_one_none() {
    let sandbox = quiet().await;
    let cost = |model: &str| chat(&sandbox, &asking(model, false)).json()["usage"]["cost"].clone();
    assert_eq!(cost(MODEL), json!(0));
    assert!(cost("zenith/bolt-2").as_f64().unwrap() > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listing_has_the_real_shape_and_every_awkward_case() {
    let sandbox = quiet().await;
    let listed = get(&sandbox, "/models").json();
    let all = get(&sandbox, "/models?output_modalities=all").json();
    let models = catalog::models(&listed);
    assert_eq!(listed["total_count"], models.len());
    assert!(models.len() >= 32, "{}", models.len());
    assert_eq!(catalog::models(&all).len(), models.len() + 1);
    assert_eq!(models.iter().filter(|model| catalog::is_free_chat(model)).count(), 19);
    let facts = |id: &str, pointer: &str| {
        let model = catalog::find(&listed, id).unwrap();
        model.pointer(pointer).unwrap_or(&Value::Null).clone()
    };
    let cases = [
        ("openrouter/free", "/top_provider/context_length", json!(null)),
        ("openrouter/auto", "/pricing/prompt", json!("-1")),
        ("juniper/rowan-24b:free", "/top_provider/context_length", json!(32_768)),
        ("quillon/nib-1b:free", "/name", json!(null)),
        ("~aurelia/lumen-latest", "/alias_target/slug", json!("aurelia/lumen-4-large")),
        ("nocturne/sonata-1-preview", "/architecture/modality", json!("text+image->text+audio")),
        ("stealth/umber-alpha", "/reasoning/mandatory", json!(true)),
        ("tamarisk/meter-1", "/pricing/request", json!("0.004")),
        ("kestrel/talon-7b:free", "/expiration_date", json!("2026-01-31")),
    ];
    for (id, pointer, expected) in cases {
        assert_eq!(facts(id, pointer), expected, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_are_the_same_as_numbers_and_in_base64() {
    let sandbox = quiet().await;
    let head = "POST /api/v1/embeddings HTTP/1.1\r\nauthorization: Bearer sk-or-test";
    let embed = |fields: Value| {
        let mut request = json!({"model": "fathom/sounding-embed-1:free", "dimensions": 2});
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        Connection::open(&sandbox, head, &request.to_string()).finish()
    };
    let body = embed(json!({"input": ["one", "two", "one"]})).json();
    let vectors: Vec<Vec<f64>> = body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| serde_json::from_value(entry["embedding"].clone()).unwrap())
        .collect();
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    assert!((vectors[0].iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-6);
    assert_eq!(body["usage"], json!({"prompt_tokens": 3, "total_tokens": 3, "cost": 0}));
    let coded = embed(json!({"input": "one", "encoding_format": "base64"})).json();
    assert_eq!(coded["data"][0]["embedding"].as_str().unwrap().len(), 12);
    assert_eq!(embed(json!({"input": []})).status, 400);
    assert_eq!(embed(json!({"input": "x", "dimensions": 0})).status, 400);
    assert_eq!(embed(json!({"input": "x", "model": MODEL})).status, 400);
    let listed = get(&sandbox, "/embeddings/models").json();
    assert_eq!(listed["total_count"], 2);
}
