//! Tests of the conversion: a client's body on one side, the upstream's on the
//! other. What is not asserted here is asserted beside the code: ids in
//! `pairing`, pictures in `images`, forms of values in `wire`.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Map, Value, json};

use super::*;
use crate::api::ollama::lenient::decode;

fn chat(body: &Value) -> Result<Asked, String> {
    let body = body.to_string();
    let request: ChatRequest<'_> = decode(body.as_bytes()).map_err(|refused| refused.0)?;
    chat_request(&request).map_err(|refused| refused.0)
}

fn generate(body: &Value) -> Result<Asked, String> {
    let body = body.to_string();
    let request: GenerateRequest<'_> = decode(body.as_bytes()).map_err(|refused| refused.0)?;
    generate_request(&request).map_err(|refused| refused.0)
}

fn fields(asked: Result<Asked, String>) -> Value {
    let Ok(Asked::Answer(request, _)) = asked else { panic!("no answer is asked for: {asked:?}") };
    let fields: Map<String, Value> = request
        .fields
        .iter()
        .map(|(name, value)| (name.to_owned(), serde_json::from_str(value.get()).unwrap()))
        .collect();
    Value::Object(fields)
}

/// Returns what a chat with these further fields becomes, but the messages.
fn settings(extra: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let mut fields = fields(chat(&body));
    fields.as_object_mut().unwrap().remove("messages");
    fields
}

#[test]
fn a_plain_chat_streams_and_has_nothing_but_its_messages() {
    let body = json!({"model": "m:free", "messages": [{"role": "System", "content": "Be brief."}, {"content": "Hi"}],
        "tools": [], "think": null, "keep_alive": -1, "format": ""});
    let Ok(Asked::Answer(request, _)) = chat(&body) else { panic!("an answer is asked for") };
    assert_eq!((&*request.model, request.streaming), ("m:free", true));
    assert_eq!(
        fields(Ok(Asked::Answer(request, Vec::new()))),
        json!({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn a_tool_loop_becomes_openais() {
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"$defs": {"X": null}}}}]);
    let body = json!({"model": "m", "stream": false, "tools": tools, "messages": [
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "thinking": "Hm", "tool_calls": [
            {"function": {"name": "f", "arguments": {"a": [1, 2]}}},
            {"id": "own", "function": {"index": 1, "name": "g", "arguments": "{\"b\":1}"}},
            {"function": {"name": "h"}}]},
        {"role": "tool", "content": "one", "tool_name": "f"},
        {"role": "tool", "content": "two", "tool_call_id": "own"},
        {"role": "tool", "content": "three"}]});
    let Ok(Asked::Answer(request, _)) = chat(&body) else { panic!("an answer is asked for") };
    assert!(!request.streaming);
    assert_eq!(request.needs.capabilities, Capabilities::TOOLS);
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(
        fields(Ok(Asked::Answer(request, Vec::new()))),
        json!({"tools": tools, "messages": [
            {"role": "user", "content": "What is it?"},
            {"role": "assistant", "content": "", "reasoning": "Hm", "tool_calls": [
                call("call00001", "f", "{\"a\":[1,2]}"), call("own", "g", "{\"b\":1}"), call("call00002", "h", "{}")]},
            {"role": "tool", "content": "one", "tool_call_id": "call00001", "name": "f"},
            {"role": "tool", "content": "two", "tool_call_id": "own"},
            {"role": "tool", "content": "three", "tool_call_id": "call00002"}]})
    );
}

#[test]
fn pictures_become_parts_and_a_need() {
    let body =
        json!({"model": "m", "messages": [{"role": "user", "content": "What is this?", "images": ["R0lGODlh"]}]});
    let Ok(Asked::Answer(request, _)) = chat(&body) else { panic!("an answer is asked for") };
    assert_eq!(request.needs.capabilities, Capabilities::VISION);
    assert_eq!(
        fields(Ok(Asked::Answer(request, Vec::new())))["messages"][0]["content"],
        json!([{"type": "text", "text": "What is this?"},
               {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}}])
    );
}

#[test]
fn options_go_under_the_upstreams_names() {
    let options = json!({"temperature": 0.5, "top_p": 0.9, "top_k": -1, "min_p": 0.05, "seed": 7, "stop": "END",
        "num_predict": 64, "repeat_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": -0.5,
        "num_ctx": 8192, "mirostat": 1});
    assert_eq!(
        settings(&json!({"options": options})),
        json!({"temperature": 0.5, "top_p": 0.9, "top_k": 0, "min_p": 0.05, "seed": 7, "stop": ["END"],
               "max_tokens": 64, "repetition_penalty": 1.1, "presence_penalty": 0.5, "frequency_penalty": -0.5})
    );
    assert_eq!(settings(&json!({"options": {"seed": -1, "num_predict": -2, "stop": []}})), json!({}));
}

#[test]
fn formats_thinking_probabilities_and_truncation_have_their_fields() {
    let schema = json!({"type": "object", "properties": {"B": {}, "a": {"type": ["string", "null"]}}});
    let cases = [
        (json!({"format": "json"}), json!({"response_format": {"type": "json_object"}})),
        (
            json!({"format": schema}),
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "schema", "schema": schema}}}),
        ),
        (json!({"think": true}), json!({"reasoning": {"enabled": true}})),
        (json!({"think": false}), json!({"reasoning": {"enabled": false}})),
        (json!({"think": "max"}), json!({"reasoning": {"effort": "max"}})),
        (json!({"logprobs": true, "top_logprobs": 3}), json!({"logprobs": true, "top_logprobs": 3})),
        (json!({"logprobs": true}), json!({"logprobs": true})),
        (json!({"top_logprobs": 3}), json!({})),
        (json!({"truncate": false}), json!({"plugins": [{"id": "context-compression", "enabled": false}]})),
    ];
    for (extra, expected) in cases {
        assert_eq!(settings(&extra), expected, "{extra}");
    }
}

#[test]
fn a_prompt_becomes_a_conversation() {
    let body = json!({"model": "m", "prompt": "Hi", "system": "Be brief.", "images": ["R0lGODlh"], "context": [1, 2],
        "template": "", "suffix": "", "stream": false, "options": {"seed": 1}});
    assert_eq!(
        fields(generate(&body)),
        json!({"seed": 1, "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": "data:image/gif;base64,R0lGODlh"}}]}]})
    );
    assert_eq!(
        fields(generate(&json!({"prompt": "Hi", "raw": true}))),
        json!({"messages": [{"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn calls_without_anything_to_answer_load_or_unload() {
    let loads = |asked: Result<Asked, String>| matches!(asked, Ok(Asked::Load));
    let unloads = |asked: Result<Asked, String>| matches!(asked, Ok(Asked::Unload));
    assert!(loads(chat(&json!({"model": "m"}))));
    assert!(loads(chat(&json!({"model": "m", "messages": null, "keep_alive": "5m"}))));
    assert!(unloads(chat(&json!({"model": "m", "messages": [], "keep_alive": 0}))));
    assert!(loads(generate(&json!({"model": "m", "prompt": ""}))));
    assert!(unloads(generate(&json!({"model": "m", "prompt": "", "keep_alive": "0s"}))));
}

#[test]
fn what_cannot_be_honoured_is_refused_in_ollamas_words() {
    let hi = json!([{"role": "user", "content": "Hi"}]);
    let call = |arguments: Value| {
        json!({"model": "m", "messages": [{"role": "assistant",
            "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]})
    };
    let chats = [
        (json!({"messages": hi}), "model is required"),
        (json!({"model": "m", "messages": hi, "top_logprobs": 21}), "top_logprobs must be between 0 and 20"),
        (
            json!({"model": "m", "messages": hi, "tools": {}}),
            "json: cannot unmarshal value into field tools: expected a list",
        ),
        (
            json!({"model": "m", "messages": [{"role": "user", "images": ["not base64!"]}]}),
            "illegal base64 data at input byte 3",
        ),
        (call(json!([1])), "invalid tool call arguments of \"f\": expected an object"),
        (call(json!("{broken")), "invalid tool call arguments of \"f\": expected an object"),
        (json!({"model": "m", "options": {"top_k": "x"}}), "option \"top_k\" must be of type integer"),
        (json!({"model": "m", "keep_alive": "300"}), "time: missing unit in duration \"300\""),
        (
            json!({"model": "m", "think": "very"}),
            "invalid think value: \"very\" (must be \"high\", \"medium\", \"low\", \"max\", true, or false)",
        ),
    ];
    for (body, expected) in chats {
        assert_eq!(chat(&body).map(|_| ()), Err(expected.to_owned()), "{body}");
    }
    let prompts = [
        (json!({"model": "m", "raw": true, "system": "s"}), "raw mode does not support template, system, or context"),
        (json!({"model": "m", "raw": true, "context": [1]}), "raw mode does not support template, system, or context"),
        (json!({"model": "m", "prompt": "a", "suffix": "b"}), "\"m\" does not support insert"),
        (
            json!({"model": "m", "prompt": "a", "template": "{{ .Prompt }}"}),
            "\"m\" does not support template: its own is always used, send none",
        ),
    ];
    for (body, expected) in prompts {
        assert_eq!(generate(&body).map(|_| ()), Err(expected.to_owned()), "{body}");
    }
}
