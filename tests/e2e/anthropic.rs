//! Anthropic's Messages API from the outermost door: what goes upstream, what comes
//! back, and what is told when nothing can.
//!
//! Row by row the conversion is held beside its code; here is that it all hangs
//! together. What comes in pieces is in `pieces`.

mod pieces;

use ollama_router::sandbox::{
    reply::{Reply as Upstream, parts::ToolForm},
    scenario::Scenario,
};
use serde_json::{Value, json};

use crate::support::{
    Host, Reply, Setup,
    models::{catalog, embedder, entry, free},
};

const MODEL: &str = "acme/all:free";
const OTHER: &str = "acme/next:free";
const MESSAGES: &str = "/v1/messages";
const COUNT: &str = "/v1/messages/count_tokens";

/// A model that can do everything, so that nothing is left out for its sake.
async fn start(setup: Setup) -> Host {
    let mut model = entry(MODEL, 200_000);
    model["architecture"]["input_modalities"] = json!(["text", "image", "file"]);
    let abilities = ["tools", "tool_choice", "reasoning", "response_format", "structured_outputs"];
    model["supported_parameters"] = json!(abilities);
    setup.scenario(Scenario::quiet().catalog(catalog([model]))).start().await
}

/// Returns a request that says hello, with these fields beside.
fn hello(more: &Value) -> Value {
    let mut body = json!({"model": "auto", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Checks that an error has Anthropic's shape, and returns its type and words.
fn error(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["request_id"], reply.header("x-router-request-id").unwrap());
    let told = |field: &str| body["error"][field].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    (reply.status, told("type"), told("message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_reaches_the_model_in_its_upstream_form() {
    let host = start(Setup::new()).await;
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let cache = json!({"type": "ephemeral"});
    let body = json!({
        "model": "all:free", "max_tokens": 100, "stream": false,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": cache}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is \"this\"? ä\n\u{1f600}"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "document", "title": "a.pdf",
                 "source": {"type": "base64", "media_type": "application/pdf", "data": "BBBB"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "foreign"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Ulm"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "rain"},
                    {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no city", "is_error": true},
                {"type": "text", "text": "And now?", "cache_control": cache},
            ]},
        ],
        "tools": [{"name": "weather", "description": "Tells it", "input_schema": schema, "cache_control": cache},
                  {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": true},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": schema}},
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop_sequences": ["a", "b", "c", "d", "e"],
        "metadata": {"user_id": "me"}, "service_tier": "auto", "context_management": {"edits": []},
        "provider": {"sort": "latency", "max_price": {"prompt": 9}}, "models": ["x/y"], "a_field_of_tomorrow": [1, null],
    });
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let expected = json!({
        "model": MODEL, "stream": true, "stream_options": {"include_usage": true},
        "provider": {"sort": "latency", "max_price": {"prompt": 0, "completion": 0}},
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": cache}]},
            {"role": "user", "content": [
                text("What is \"this\"? ä\n\u{1f600}"),
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BBBB"}},
            ]},
            {"role": "assistant", "content": "I look.", "reasoning": "Hm.",
             "tool_calls": [call("toolu_1", "{\"city\":\"Ulm\"}"), call("toolu_2", "{}")]},
            {"role": "tool", "tool_call_id": "toolu_1", "content": "rain"},
            {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no city"},
            {"role": "user", "content": [
                text("The result of the call toolu_1:"),
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
                {"type": "text", "text": "And now?", "cache_control": cache},
            ]},
        ],
        "tools": [{"type": "function", "cache_control": cache,
            "function": {"name": "weather", "description": "Tells it", "parameters": schema}}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": false,
        "reasoning": {"max_tokens": 2048}, "max_tokens": 100, "user": "me",
        "response_format": {"type": "json_schema", "json_schema": {"name": "schema", "strict": true, "schema": schema}},
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop": ["a", "b", "c", "d"], "a_field_of_tomorrow": [1, null],
    });
    let answer = host.post(MESSAGES, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(host.last_sent(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_a_message_with_everything() {
    let host = start(Setup::new()).await;
    let city = json!({"city": "Ulm"});
    let reply = Upstream::text("One two").reasoning("Hm. ").usage(11, 3).tool_call("weather", &city);
    host.sandbox.script(MODEL, [reply.tool_call_as(ToolForm::NoArguments, "time", &json!({}))]);
    let answer = host.post(MESSAGES, &hello(&json!({}))).await;
    let mut message = answer.json();
    assert!(message["id"].take().as_str().unwrap().starts_with("msg_"));
    assert!(message["content"][0]["signature"].take().is_string());
    let expected = json!({
        "id": null, "type": "message", "role": "assistant", "model": MODEL,
        "content": [
            {"type": "thinking", "thinking": "Hm. ", "signature": null}, {"type": "text", "text": "One two"},
            {"type": "tool_use", "id": "call_0_weather", "name": "weather", "input": city},
            {"type": "tool_use", "id": "call_1_time", "name": "time", "input": {}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 11, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3},
    });
    assert_eq!(message, expected);
    let header = |name: &str| answer.header(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!([header("x-router-model"), header("content-type")], [MODEL, "application/json"]);
    assert_eq!(header("request-id"), header("x-router-request-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_where_the_client_says_and_says_where() {
    let host = start(Setup::new()).await;
    host.sandbox.always(MODEL, Upstream::chunks(["One <", "/b> two"]));
    let more = json!({"stop_sequences": ["1", "2", "3", "4", "</b>"]});
    let answer = host.post(MESSAGES, &hello(&more)).await.json();
    assert_eq!(answer["content"], json!([{"type": "text", "text": "One "}]));
    assert_eq!([&answer["stop_reason"], &answer["stop_sequence"]], [&json!("stop_sequence"), &json!("</b>")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_counted_without_a_call_and_at_least_one() {
    let host = start(Setup::new()).await;
    let mut body = json!({"model": "all:free", "messages": [{"role": "user", "content": "x".repeat(400)}]});
    let answer = host.post(COUNT, &body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"input_tokens": 100})));
    body["messages"][0]["content"] = json!("x");
    assert_eq!(host.post(COUNT, &body).await.json(), json!({"input_tokens": 1}));
    body["messages"] = json!([]);
    let refused = host.post(COUNT, &body).await;
    let expected = (400, "invalid_request_error".to_owned(), "messages is required".to_owned());
    assert_eq!(error(&refused), expected);
    body = json!({"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(error(&host.post(COUNT, &body).await).0, 404);
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_told_in_anthropics_words() {
    let host = start(Setup::new()).await;
    let tool = json!({"type": "web_search_20250305", "name": "web_search"});
    let forced = json!({"tools": [tool], "tool_choice": {"type": "tool", "name": "web_search"}});
    let rows = [
        (
            hello(&json!({"max_tokens": null})),
            400,
            "invalid_request_error",
            "max_tokens is required and must be positive",
        ),
        (hello(&json!({"model": null})), 400, "invalid_request_error", "model: Field required"),
        (
            hello(&forced),
            400,
            "invalid_request_error",
            "tool_choice: the tool `web_search` is one of Anthropic's servers', and cannot be called here",
        ),
        (
            hello(&json!({"plugins": [{"id": "web"}]})),
            400,
            "invalid_request_error",
            "cannot use `plugins`: the plugin `web` costs money, and free mode is on",
        ),
        (hello(&json!({"model": "claude-sonnet-4-5"})), 404, "not_found_error", "model 'claude-sonnet-4-5' not found"),
    ];
    for stream in [false, true] {
        for (body, status, kind, message) in &rows {
            let mut body = body.clone();
            body["stream"] = json!(stream);
            let answer = host.post(MESSAGES, &body).await;
            assert_eq!(error(&answer), (*status, (*kind).to_owned(), (*message).to_owned()), "{body}");
            assert!(answer.header("request-id").is_some());
        }
    }
    for unreadable in ["", "{", "[]", "\u{feff}{}"] {
        assert_eq!(error(&host.post_text(MESSAGES, unreadable).await).0, 400, "{unreadable}");
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_listed_in_the_protocol_of_who_asks() {
    let scenario = Scenario::quiet().catalog(free(&[MODEL, OTHER]));
    let vectors = catalog([embedder("acme/vectors:free", 8_192)]);
    let host = Setup::new().scenario(scenario.embeddings(vectors)).start().await;
    let version = [("anthropic-version", "2023-06-01")];
    let list = host.get_with("/v1/models", &version).await.json();
    let model = |id: &str, name: &str, context: u32, output: Value| {
        json!({"type": "model", "id": id, "display_name": name, "created_at": "2026-06-01T00:00:00Z",
            "max_input_tokens": context, "max_tokens": output, "lifecycle": "active"})
    };
    let expected = json!({"first_id": "auto", "last_id": "next:free", "has_more": false, "data": [
        model("auto", "auto", 200_000, Value::Null),
        model("all:free", "The model acme/all:free", 200_000, json!(8_192)),
        model("next:free", "The model acme/next:free", 190_000, json!(8_192)),
    ]});
    assert_eq!(list, expected);
    let others = host.get("/v1/models").await.json();
    assert_eq!((&others["object"], others["data"].as_array().unwrap().len()), (&json!("list"), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_claude_mean_any_model_where_the_operator_says_so() {
    let host = start(Setup::new().set("mode.unknown_model", "auto")).await;
    for stream in [false, true] {
        let answer =
            host.post(MESSAGES, &hello(&json!({"model": "claude-sonnet-4-5-20250929", "stream": stream}))).await;
        assert_eq!((answer.status, answer.header("x-router-model")), (200, Some(MODEL)), "{}", answer.text);
        assert!(answer.text.contains(&format!("\"model\":\"{MODEL}\"")), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_as_anthropics_clients_send_them() {
    let host = start(Setup::new().set("server.client_keys", "secret")).await;
    let body = hello(&json!({})).to_string();
    let rows: [(&[(&str, &str)], u16); 4] = [
        (&[("x-api-key", "secret"), ("anthropic-version", "2023-06-01")], 200),
        (&[("authorization", "Bearer secret")], 200),
        (&[("x-api-key", "wrong")], 401),
        (&[], 401),
    ];
    for (headers, status) in rows {
        let answer = host.request("POST", MESSAGES, headers, &body).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
        if status == 401 {
            assert_eq!(error(&answer).1, "authentication_error");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_is_replaced_and_a_limit_says_when_to_come_back() {
    let host = Setup::new().models(&[MODEL, OTHER]).start().await;
    for stream in [false, true] {
        host.sandbox.script(MODEL, [Upstream::error(502, "down")]);
        let answer = host.post(MESSAGES, &hello(&json!({"stream": stream}))).await;
        assert_eq!((answer.status, answer.header("x-router-model")), (200, Some(OTHER)), "{}", answer.text);
        host.request("DELETE", "/router/failures", &[], "").await;
    }
    for model in [MODEL, OTHER] {
        host.sandbox.always(model, Upstream::error(429, "{model} is temporarily rate-limited upstream."));
    }
    let answer = host.post(MESSAGES, &hello(&json!({}))).await;
    let (status, kind, _) = error(&answer);
    assert_eq!((status, kind.as_str()), (429, "rate_limit_error"), "{}", answer.text);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.json()["error"]["attempts"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_wished_for_and_never_stands_in_the_way() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for thinking in [json!({"type": "adaptive"}), json!({"type": "enabled", "budget_tokens": 1024})] {
        let answer = host.post(MESSAGES, &hello(&json!({"thinking": thinking}))).await;
        assert_eq!((answer.status, answer.header("x-router-model")), (200, Some(MODEL)), "{}", answer.text);
    }
    // A model that thinks is tried before a larger one that does not.
    let (large, mut small) = (entry(MODEL, 200_000), entry(OTHER, 100_000));
    small["supported_parameters"].as_array_mut().unwrap().push(json!("reasoning"));
    let host = Setup::new().scenario(Scenario::quiet().catalog(catalog([large, small]))).start().await;
    for (more, expected) in [(json!({}), MODEL), (json!({"thinking": {"type": "adaptive"}}), OTHER)] {
        let answer = host.post(MESSAGES, &hello(&more)).await;
        assert_eq!(answer.header("x-router-model"), Some(expected), "{more}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_a_conversation_kept_is_told_in_the_way_that_libraries_understand() {
    let host = start(Setup::new()).await;
    let answer = host.post(MESSAGES, &hello(&json!({"thread": {"type": "create"}}))).await;
    let details = json!({"error_code": "thread_unsupported_request", "unsupported": ["thread"]});
    assert_eq!((answer.status, &answer.json()["error"]["details"]), (400, &details), "{}", answer.text);
    let answer = host.post(MESSAGES, &hello(&json!({"thread": null}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
