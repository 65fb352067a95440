//! OpenAI's Responses API from the client's side: what is asked, what comes back.
//!
//! Whole bodies both ways. Every single form of a field is in the tables beside
//! the conversion; what goes wrong in every protocol alike, in `fault_matrix`.

use async_compression::tokio::write::ZstdEncoder;
use ollama_router::sandbox::{
    reply::{Reply as Answer, step::Step},
    scenario::Scenario,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::support::{
    self, Host, Reply, Setup,
    models::{catalog, entry},
};

const MODEL: &str = "acme/all:free";
const SECOND: &str = "acme/second:free";
const PATH: &str = "/v1/responses";

/// The smallest PNG.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A model that can do everything, so that nothing is left out for its sake.
async fn able() -> Host {
    let mut model = entry(MODEL, 200_000);
    model["architecture"]["input_modalities"] = json!(["text", "image", "file", "audio"]);
    model["reasoning"] = json!({"mandatory": false});
    let abilities = ["tools", "tool_choice", "reasoning", "response_format", "structured_outputs", "logprobs"];
    model["supported_parameters"] = json!(abilities);
    Setup::new().scenario(Scenario::quiet().catalog(catalog([model]))).start().await
}

/// Returns the events of a stream, in good order for certain.
fn events(reply: &Reply) -> Vec<Value> {
    let read = |(number, event): (usize, &str)| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
        event
    };
    reply.text.split_terminator("\n\n").enumerate().map(read).collect()
}

/// Returns the last event of a stream.
fn last(reply: &Reply) -> Value {
    events(reply).pop().unwrap()
}

/// Returns the answer in either form.
async fn answer(host: &Host, mut body: Value, streaming: bool) -> Value {
    body["stream"] = json!(streaming);
    let reply = host.post(PATH, &body).await;
    assert_eq!((reply.status, reply.complete), (200, true), "{}", reply.text);
    if streaming { last(&reply)["response"].take() } else { reply.json() }
}

fn ask(text: &str) -> Value {
    json!({"model": "auto", "input": text})
}

/// Returns an input with items of all kinds, and the messages that it becomes.
fn conversation() -> (Value, Value) {
    let picture = format!("data:image/png;base64,{PICTURE}");
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let input = json!([
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "No jokes."}]},
        {"role": "user", "content": [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": picture, "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
         "content": [{"type": "output_text", "text": "I ask.", "annotations": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{\"city\": \"Ulm\"}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "***"},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
    ]);
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": "No jokes."},
        {"role": "user", "content": [
            {"type": "text", "text": "Look"},
            {"type": "image_url", "image_url": {"url": picture, "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
        {"role": "assistant", "content": "I ask.", "reasoning": "Hm.", "tool_calls": [
            call("c1", "weather", "{\"city\": \"Ulm\"}"), call("c2", "apply_patch", "{\"input\":\"***\"}")]},
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
        {"role": "tool", "content": "done", "tool_call_id": "c2"},
    ]);
    (input, messages)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_a_request_goes_upstream_or_is_known_to_have_no_effect() {
    let host = able().await;
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let (input, messages) = conversation();
    let sent = json!({
        "model": "all:free", "stream": false, "instructions": "Be brief.",
        "input": input,
        "tools": [
            {"type": "function", "name": "weather", "description": "Tells it", "parameters": parameters, "strict": true},
            {"type": "custom", "name": "apply_patch"}, {"type": "web_search"},
        ],
        "tool_choice": {"type": "function", "name": "weather"}, "parallel_tool_calls": false,
        "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 99, "max_tool_calls": 3, "top_logprobs": 2,
        "text": {"format": {"type": "json_schema", "name": "s", "strict": true, "schema": schema}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto"}, "metadata": {"a": "b"}, "user": "me", "safety_identifier": "me",
        "prompt_cache_key": "k", "prompt_cache_retention": "24h", "service_tier": "auto", "store": true, "background": false,
        "truncation": "auto", "include": ["reasoning.encrypted_content"], "stream_options": {"include_obfuscation": false},
        "client_metadata": {"x": "y"}, "context_management": null, "previous_response_id": null,
        "seed": 7, "provider": {"sort": "latency"}, "a_field_of_tomorrow": {"deep": [1, null]},
    });
    let text = json!({
        "type": "object", "additionalProperties": false, "required": ["input"],
        "properties": {"input": {"type": "string", "description": "The whole input of the tool."}},
    });
    let zero = json!({"prompt": 0, "completion": 0});
    let expected = json!({
        "model": MODEL, "stream": true, "stream_options": {"include_usage": true},
        "messages": messages,
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": parameters, "strict": true}},
            {"type": "function", "function": {"name": "apply_patch", "parameters": text}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}}, "parallel_tool_calls": false,
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 99, "logprobs": true, "top_logprobs": 2,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": schema}},
        "verbosity": "low", "reasoning": {"effort": "high", "summary": "auto"}, "metadata": {"a": "b"}, "user": "me",
        "prompt_cache_key": "k", "service_tier": "auto", "plugins": [{"id": "context-compression", "enabled": true}],
        "seed": 7, "provider": {"sort": "latency", "max_price": zero}, "a_field_of_tomorrow": {"deep": [1, null]},
    });
    let reply = host.post(PATH, &sent).await;
    assert_eq!((reply.status, host.last_sent()), (200, expected), "{}", reply.text);
    let echoed = ["instructions", "tools", "tool_choice", "text", "reasoning", "metadata", "temperature", "truncation"];
    let answer = reply.json();
    assert_eq!(echoed.map(|name| &answer[name]), echoed.map(|name| &sent[name]));
    assert_eq!((&answer["store"], &answer["model"]), (&json!(false), &json!(MODEL)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_whole_and_streamed() {
    let host = Setup::new().models(&[MODEL]).start().await;
    host.sandbox.always(MODEL, Answer::text("One two").reasoning("Hm. ").usage(11, 3));
    for streaming in [false, true] {
        let answer = answer(&host, ask("Hello"), streaming).await;
        let [thought, message] = &answer["output"].as_array().unwrap()[..] else { panic!("{answer}") };
        assert_eq!(thought["summary"], json!([{"type": "summary_text", "text": "Hm. "}]));
        let text = json!({"type": "output_text", "text": "One two", "annotations": [], "logprobs": []});
        assert_eq!((&message["role"], &message["content"]), (&json!("assistant"), &json!([text])));
        let told = ["object", "status", "model", "error"].map(|name| &answer[name]);
        assert_eq!(told, [&json!("response"), &json!("completed"), &json!(MODEL), &Value::Null]);
        let counts = ["input_tokens", "output_tokens", "total_tokens"].map(|name| &answer["usage"][name]);
        assert_eq!(counts, [11, 3, 14]);
    }
    let mut body = ask("Hello");
    body["stream"] = json!(true);
    let reply = host.post(PATH, &body).await;
    assert_eq!(reply.header("content-type"), Some("text/event-stream"));
    assert_eq!((reply.header("x-router-model"), reply.header("x-router-attempts")), (Some(MODEL), Some("1")));
    let kinds: Vec<String> =
        events(&reply).iter().map(|event| event["type"].as_str().unwrap()["response.".len()..].to_owned()).collect();
    let expected = "created in_progress output_item.added reasoning_summary_part.added reasoning_summary_text.delta \
        reasoning_summary_text.done reasoning_summary_part.done output_item.done output_item.added content_part.added \
        output_text.delta output_text.delta output_text.done content_part.done output_item.done completed";
    assert_eq!(kinds.join(" "), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_can_be_sent_again_with_the_results_of_tools() {
    let host = able().await;
    let tools = json!([{"type": "custom", "name": "apply_patch"},
        {"type": "namespace", "name": "sky", "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]}]);
    for streaming in [false, true] {
        let reply = Answer::text("I ask.")
            .reasoning("Hm.")
            .tool_call("sky__weather", &json!({"city": "Ulm"}))
            .tool_call("apply_patch", &json!({"input": "*** \"a\"\n"}));
        host.sandbox.script(MODEL, [reply]);
        let body = json!({"model": "auto", "input": "Weather?", "tools": tools});
        let output = answer(&host, body, streaming).await["output"].take();
        let calls = [(2, "function_call"), (3, "custom_tool_call")].map(|(at, kind)| {
            assert_eq!(output[at]["type"], kind, "{output}");
            &output[at]
        });
        assert_eq!((&calls[0]["namespace"], &calls[0]["name"]), (&json!("sky"), &json!("weather")));
        assert_eq!(calls[0]["arguments"], json!({"city": "Ulm"}).to_string());
        assert_eq!((&calls[1]["name"], &calls[1]["input"]), (&json!("apply_patch"), &json!("*** \"a\"\n")));

        let mut input = vec![json!({"role": "user", "content": "Weather?"})];
        input.extend(output.as_array().unwrap().clone());
        input.push(json!({"type": "function_call_output", "call_id": calls[0]["call_id"], "output": "rain"}));
        input.push(json!({"type": "custom_tool_call_output", "call_id": calls[1]["call_id"], "output": "done"}));
        answer(&host, json!({"model": "auto", "input": input, "tools": tools}), streaming).await;
        let ids = calls.map(|call| call["call_id"].clone());
        let call = |id: &Value, name: &str, arguments: Value| {
            json!({"id": id, "type": "function",
            "function": {"name": name, "arguments": arguments.to_string()}})
        };
        assert_eq!(
            host.last_sent()["messages"],
            json!([
                {"role": "user", "content": "Weather?"},
                {"role": "assistant", "content": "I ask.", "reasoning": "Hm.", "tool_calls": [
                    call(&ids[0], "sky__weather", json!({"city": "Ulm"})),
                    call(&ids[1], "apply_patch", json!({"input": "*** \"a\"\n"}))]},
                {"role": "tool", "content": "rain", "tool_call_id": ids[0]},
                {"role": "tool", "content": "done", "tool_call_id": ids[1]},
            ])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_thinking_goes_back_upstream_as_it_came() {
    let host = able().await;
    let detail = |text: &str, signature: Value| {
        json!({"reasoning": text, "reasoning_details": [
        {"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1", "text": text, "signature": signature}]})
    };
    for streaming in [false, true] {
        let steps = [
            Step::delta(&detail("Hm", Value::Null)),
            Step::delta(&detail(".", json!("sig"))),
            Step::text("So be it."),
            Step::finish("stop"),
            Step::Done,
        ];
        host.sandbox.script(MODEL, [Answer::stream(steps)]);
        let mut output = answer(&host, ask("Hello"), streaming).await["output"].take();
        let thought = &mut output[0];
        assert_eq!(thought["summary"][0]["text"], "Hm.");
        // Some clients keep nothing but the seal.
        thought["summary"] = json!([]);
        let mut input = output.as_array().unwrap().clone();
        input.push(json!({"role": "user", "content": "Go on."}));
        answer(&host, json!({"model": "auto", "input": input}), streaming).await;
        let details = &detail("Hm.", json!("sig"))["reasoning_details"];
        let expected = json!({"role": "assistant", "content": "So be it.", "reasoning_details": details});
        assert_eq!(host.last_sent()["messages"][0], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_is_incomplete() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for streaming in [false, true] {
        for (reason, told) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
            host.sandbox.script(MODEL, [Answer::text("One two").finish(reason)]);
            let answer = answer(&host, ask("Hello"), streaming).await;
            assert_eq!(answer["status"], "incomplete");
            assert_eq!(answer["incomplete_details"], json!({"reason": told}));
            assert_eq!(answer["output"][0]["status"], "incomplete");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_before_the_first_word_is_not_seen() {
    for streaming in [false, true] {
        let host = Setup::new().models(&[MODEL, SECOND]).start().await;
        host.sandbox.script(MODEL, [Answer::error(502, "No luck")]);
        let mut body = ask("Hello");
        body["stream"] = json!(streaming);
        let reply = host.post(PATH, &body).await;
        assert_eq!((reply.status, reply.header("x-router-model")), (200, Some(SECOND)), "{}", reply.text);
        assert!(!reply.text.contains("No luck") && !reply.text.contains("failed"), "{}", reply.text);
        let response = if streaming { last(&reply)["response"].take() } else { reply.json() };
        assert_eq!((&response["model"], &response["status"]), (&json!(SECOND), &json!("completed")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_nobody_left_there_is_an_error_and_no_stream() {
    let host = Setup::new().models(&[MODEL, SECOND]).start().await;
    host.sandbox.always(MODEL, Answer::error(502, "No luck"));
    host.sandbox.always(SECOND, Answer::error(502, "No luck"));
    let reply = host.post(PATH, &json!({"model": "auto", "input": "Hello", "stream": true})).await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (502, &json!("api_error")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_after_the_first_word_is_told_and_the_stream_is_cut() {
    let host = Setup::new().models(&[MODEL, SECOND]).start().await;
    host.sandbox.script(MODEL, [Answer::text("One two").then_error_chunk(502, "Lost it")]);
    let reply = host.post(PATH, &json!({"model": "all:free", "input": "Hello", "stream": true})).await;
    assert_eq!((reply.status, reply.complete), (200, false));
    let last = last(&reply);
    let response = &last["response"];
    assert_eq!((&last["type"], &response["status"]), (&json!("response.failed"), &json!("failed")));
    let error = &response["error"];
    assert_eq!(error["code"], "server_error");
    assert!(error["message"].as_str().unwrap().contains("Lost it"), "{error}");
    assert_eq!(response["output"][0]["content"][0]["text"], "One two");
    assert_eq!(response["output"][0]["status"], "incomplete");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_told_in_openais_shape_and_calls_nobody() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let rows = [
        ("", 400, "EOF"),
        ("{", 400, "EOF while parsing an object at line 1 column 1"),
        (r#"{"input": "Hi"}"#, 400, "model is required"),
        (r#"{"model": "auto"}"#, 400, "cannot use `input`: it is required"),
        (
            r#"{"model": "auto", "input": "Hi", "previous_response_id": "resp_1"}"#,
            400,
            "cannot use `previous_response_id`: the router keeps no answers; send the whole conversation in `input`",
        ),
        (
            r#"{"model": "auto", "input": "Hi", "tools": [{"type": "openrouter:web_search"}]}"#,
            400,
            "cannot use `tools`: the server tool `openrouter:web_search` costs money, and free mode is on",
        ),
        (r#"{"model": "nothing", "input": "Hi"}"#, 404, "model 'nothing' not found"),
    ];
    for (body, status, message) in rows {
        let reply = host.post_text(PATH, body).await;
        let kind = if status == 404 { "not_found_error" } else { "invalid_request_error" };
        let told = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
        assert_eq!((reply.status, reply.json()), (status, told), "{body}");
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_read() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let mut packer = ZstdEncoder::new(Vec::new());
    packer.write_all(ask("Hello").to_string().as_bytes()).await.unwrap();
    packer.shutdown().await.unwrap();
    let request = support::http().post(host.url(PATH)).header("content-encoding", "zstd").body(packer.into_inner());
    let reply = Reply::read(request.send().await.unwrap()).await;
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("completed")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_was_told_can_be_named_instead_of_sent_unless_nothing_was_to_be_kept() {
    let host = able().await;
    for (streaming, store, known) in
        [(true, json!(null), true), (false, json!(true), true), (false, json!(false), false)]
    {
        host.sandbox.script(MODEL, [Answer::text("One two").reasoning("Hm.")]);
        let body = json!({"model": MODEL, "input": "Hello", "store": store});
        let told = answer(&host, body, streaming).await;
        let references: Vec<Value> = told["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| json!({"type": "item_reference", "id": item["id"]}))
            .collect();
        assert_eq!(references.len(), 2, "{told}");
        let hello = json!({"role": "user", "content": "Hello"});
        let input: Vec<Value> = std::iter::once(hello.clone()).chain(references).chain([hello.clone()]).collect();
        let reply = host.post(PATH, &json!({"model": MODEL, "input": input})).await;
        if known {
            let said = json!({"role": "assistant", "content": "One two", "reasoning": "Hm."});
            assert_eq!((reply.status, &host.last_sent()["messages"]), (200, &json!([hello, said, hello])), "{store}");
        } else {
            let words = "cannot use `input[1]`: this item is not known here any more, so there is nothing to refer to; send the item itself";
            assert_eq!((reply.status, &reply.json()["error"]["message"]), (400, &json!(words)));
        }
    }
}
