//! What goes upstream for what a client sends: the whole body, and the headers.
//!
//! Compared whole, so that a field which is dropped, renamed or added shows.
//! What comes back is in `chat`.

use ollama_router::sandbox::scenario::Scenario;
use serde_json::{Value, json};

use crate::support::{
    self, Host, Setup,
    ask::{FORMS, Face, MAX_TOKENS},
    models::{catalog, entry},
};

const MODEL: &str = "acme/all:free";

/// The smallest PNG, so that its kind can be told from its bytes.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A model that can do everything, so that nothing is left out for its sake.
async fn start(setup: Setup) -> Host {
    let mut model = entry(MODEL, 200_000);
    model["architecture"]["input_modalities"] = json!(["text", "image"]);
    model["reasoning"] = json!({"mandatory": false});
    let abilities = ["tools", "tool_choice", "reasoning", "response_format", "structured_outputs", "logprobs"];
    model["supported_parameters"] = json!(abilities);
    setup.scenario(Scenario::quiet().catalog(catalog([model]))).start().await
}

/// What every request carries in free mode, and what is `expected` beside it.
fn with_guards(expected: &Value) -> Value {
    let mut body = json!({
        "model": MODEL, "stream": true, "stream_options": {"include_usage": true},
        "provider": {"max_price": {"prompt": 0, "completion": 0}},
    });
    body.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
    body
}

async fn check(host: &Host, path: &str, sent: &Value, expected: &Value) {
    let answer = host.post(path, sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(host.last_sent(), with_guards(expected), "{path} {sent}");
}

fn tool() -> Value {
    json!({"type": "function", "function": {
        "name": "weather", "description": "Tells the weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_an_openai_request_passes_untouched() {
    let host = start(Setup::new()).await;
    let fields = json!({
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {"role": "user", "content": [
                {"type": "text", "text": "What is \"this\"? ä\n\u{1f600}", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PICTURE}"), "detail": "low"}},
            ]},
            {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Ulm\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ],
        "tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": false, "temperature": 0.1 + 0.2, "top_p": 1, "top_k": 7, "min_p": 0.05,
        "max_tokens": 100, "max_completion_tokens": 90, "seed": 1_234_567_890_123_i64, "stop": ["x", "y"], "n": 1,
        "frequency_penalty": -0.5, "presence_penalty": 0.5, "repetition_penalty": 1.1, "logit_bias": {"50256": -100},
        "logprobs": true, "top_logprobs": 3, "user": "me", "metadata": {"a": "b"}, "store": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object"}}},
        "reasoning_effort": "low", "include_reasoning": true, "service_tier": "auto", "verbosity": "low",
        "prediction": {"type": "content", "content": "x"}, "plugins": [{"id": "response-healing"}],
        "transforms": [], "a_field_of_tomorrow": {"deep": [1, null, {"e": 1e-7}]}, "null_field": null,
    });
    for stream in [json!(false), json!(true), Value::Null] {
        let mut body = fields.clone();
        body["model"] = json!("auto");
        body["stream"] = stream;
        body["provider"] = json!({"sort": "latency", "ignore": ["x"]});
        let mut expected = fields.clone();
        let zero = json!({"prompt": 0, "completion": 0});
        expected["provider"] = json!({"sort": "latency", "ignore": ["x"], "max_price": zero});
        check(&host, "/v1/chat/completions", &body, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ollama_chat_is_mapped_whole() {
    let host = start(Setup::new()).await;
    let sent = json!({
        "model": "all:free", "stream": false, "keep_alive": "5m", "think": "high", "logprobs": true, "top_logprobs": 2,
        "format": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "tools": [tool()],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Look", "images": [PICTURE]},
            {"role": "assistant", "content": "", "thinking": "Hm.", "tool_calls": [
                {"function": {"name": "weather", "arguments": {"city": "Ulm"}}}]},
            {"role": "tool", "content": "rain", "tool_name": "weather"},
        ],
        "options": {
            "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7, "num_predict": 99, "stop": ["x"],
            "repeat_penalty": 1.1, "presence_penalty": 0.2, "frequency_penalty": 0.3,
            "num_ctx": 8192, "num_gpu": 1, "mirostat": 1, "no_such_option": true,
        },
    });
    let answer = host.post("/api/chat", &sent).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = host.last_sent();
    let id = body["messages"][2]["tool_calls"][0]["id"].as_str().unwrap();
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let expected = json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PICTURE}")}},
            ]},
            {"role": "assistant", "content": "", "reasoning": "Hm.", "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Ulm\"}"}}]},
            {"role": "tool", "content": "rain", "tool_call_id": id, "name": "weather"},
        ],
        "tools": [tool()],
        "response_format": {"type": "json_schema", "json_schema": {"name": "schema", "schema": schema}},
        "reasoning": {"effort": "high"}, "logprobs": true, "top_logprobs": 2,
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1, "seed": 7, "max_tokens": 99, "stop": ["x"],
        "repetition_penalty": 1.1, "presence_penalty": 0.2, "frequency_penalty": 0.3,
    });
    assert!(!id.is_empty());
    assert_eq!(body, with_guards(&expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ollama_generate_is_mapped_whole() {
    let host = start(Setup::new()).await;
    let sent = json!({
        "model": "auto", "prompt": "Look", "system": "Be brief.", "images": [PICTURE], "format": "json",
        "think": false, "options": {"temperature": 0, "num_predict": -1, "seed": -1}, "keep_alive": -1, "context": [1, 2],
    });
    let picture = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PICTURE}")}});
    let expected = json!({
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, picture]},
        ],
        "response_format": {"type": "json_object"}, "reasoning": {"enabled": false}, "temperature": 0.0,
    });
    check(&host, "/api/generate", &sent, &expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_least_that_can_be_asked_adds_nothing() {
    let host = start(Setup::new()).await;
    for form in FORMS {
        let mut expected = json!({"messages": [{"role": "user", "content": "Hello"}]});
        if form.face() == Face::Anthropic {
            expected["max_tokens"] = json!(MAX_TOKENS);
            expected["reasoning"] = json!({"exclude": true});
        }
        check(&host, form.path, &form.body("auto", "Hello"), &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_sees_our_key_and_our_names_and_never_the_clients() {
    let setup = Setup::new().set("openrouter.referer", "https://example.org").set("openrouter.title", "My router");
    let host = start(setup).await;
    let client = support::http();
    for form in FORMS {
        let request = client.post(host.url(form.path)).body(form.body("auto", "Hello").to_string());
        let request = request.header("authorization", "Bearer client-secret").header("x-api-key", "client-secret");
        let request = request.header("cookie", "a=client-secret").header("x-title", "client-secret");
        assert_eq!(request.send().await.unwrap().status(), 200);
        let mut sent = host.sandbox.requests().into_iter().filter(|request| request.path == "/chat/completions");
        let seen = sent.next_back().unwrap().headers;
        let header = |name: &str| seen.get(name).map(String::as_str);
        assert_eq!(header("authorization"), Some("Bearer sk-or-v1-test"));
        assert_eq!(header("http-referer"), Some("https://example.org"));
        assert_eq!(header("x-openrouter-title"), Some("My router"));
        assert_eq!(header("content-type"), Some("application/json"));
        assert!(!seen.values().any(|value| value.contains("client-secret")), "{seen:?}");
    }
}
