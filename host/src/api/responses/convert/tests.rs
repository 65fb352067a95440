//! Tests of the conversion: a client's body on one side, the upstream's on the
//! other. What is refused is in [`refused`].

#![expect(clippy::unwrap_used, reason = "tests")]

mod refused;

use serde_json::json;

use super::*;

fn asked(body: &Value) -> Result<Asked, String> {
    let fields: Fields = serde_json::from_str(&body.to_string()).unwrap();
    response_request("m".to_owned(), fields).map_err(|unreadable| unreadable.to_string())
}

fn sent(body: &Value) -> Value {
    let Asked { request, .. } = asked(body).unwrap();
    let field = |(name, value): (&str, &RawValue)| (name.to_owned(), serde_json::from_str(value.get()).unwrap());
    Value::Object(request.fields.iter().map(field).collect())
}

/// Returns what an input becomes.
fn messages(input: &Value) -> Value {
    sent(&json!({"input": input}))["messages"].take()
}

/// Returns what a request with these further fields becomes, but the messages.
fn settings(extra: &Value) -> Value {
    let mut fields = sent(&with(extra));
    fields.as_object_mut().unwrap().remove("messages");
    fields
}

fn with(extra: &Value) -> Value {
    let mut body = json!({"input": "Hi"});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

#[test]
fn the_least_that_can_be_asked_has_nothing_but_its_message() {
    let asked = asked(&json!({"input": "Hi", "instructions": "", "tools": [], "text": null, "store": true})).unwrap();
    assert_eq!((&*asked.request.model, asked.request.streaming), ("m", false));
    let fields: Vec<(&str, &str)> = asked.request.fields.iter().map(|(name, value)| (name, value.get())).collect();
    assert_eq!(fields, [("messages", r#"[{"role":"user","content":"Hi"}]"#)]);
    let body = json!({"input": "Hi", "instructions": "Be brief.", "stream": true, "tools": null});
    assert_eq!(
        sent(&body),
        json!({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]})
    );
}

#[test]
fn messages_are_read_with_and_without_their_type_and_in_parts() {
    let input = json!([
        {"role": "developer", "content": "Be brief."},
        {"type": "message", "id": "msg_1", "status": "completed", "role": "user", "content": [
            {"type": "input_text", "text": "What \"is\" this?"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "original"},
            {"type": "input_image", "image_url": {"url": "https://a/b.png"}, "detail": "low", "file_id": null},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            {"type": "input_file", "file_url": "https://a/b.pdf"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
        {"type": "message", "role": "assistant", "phase": "commentary", "content": [
            {"type": "output_text", "text": "A ", "annotations": [], "logprobs": []},
            {"type": "output_text", "text": "cat."}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "system", "content": [{"type": "input_text", "text": "Go on."}]},
        {"role": "user", "content": null},
    ]);
    assert_eq!(
        messages(&input),
        json!([
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What \"is\" this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "https://a/b.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
                {"type": "file", "file": {"filename": "file", "file_data": "https://a/b.pdf"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]},
            {"role": "assistant", "content": [{"type": "text", "text": "A "}, {"type": "text", "text": "cat."}]},
            {"role": "assistant", "content": "", "refusal": "No."},
            {"role": "system", "content": "Go on."},
            {"role": "user", "content": ""},
        ])
    );
}

#[test]
fn what_was_thought_said_and_called_is_one_message() {
    let input = json!([
        {"role": "user", "content": "Look."},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
        {"type": "function_call", "call_id": "c2", "name": "close", "namespace": "agents", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "c3", "name": "apply_patch", "input": "*** \"a\""},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "function_call_output", "call_id": "c2", "output": [
            {"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "three"},
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "In full."}], "summary": [{"type": "summary_text", "text": "Short."}]},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAforeign"},
        {"type": "function_call", "call_id": "c4", "name": "g", "arguments": {"b": 2}},
        {"type": "message", "role": "assistant", "content": "After it."},
        {"type": "function_call_output", "call_id": "c4", "output": null},
    ]);
    assert_eq!(
        messages(&input),
        json!([
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": "I look.", "reasoning": "Hm.", "tool_calls": [
                call("c1", "f", "{\"a\":1}"), call("c2", "agents__close", "{}"),
                call("c3", "apply_patch", "{\"input\":\"*** \\\"a\\\"\"}")]},
            {"role": "tool", "content": "one", "tool_call_id": "c1"},
            {"role": "tool", "tool_call_id": "c2", "content": [
                {"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            {"role": "tool", "content": "three", "tool_call_id": "c3"},
            {"role": "assistant", "content": "After it.", "reasoning": "In full.", "tool_calls": [call("c4", "g", "{\"b\":2}")]},
            {"role": "tool", "content": "", "tool_call_id": "c4"},
        ])
    );
}

#[test]
fn sealed_thinking_is_opened_and_stays_with_its_message() {
    use crate::api::responses::thinking::Thinking;
    let details = json!([{"type": "reasoning.text", "text": "Hm", "signature": "s"}]);
    let signed = Thinking::of("Hm", details.as_array().unwrap()).sealed();
    let plain = Thinking::of("Hm.", &[]).sealed();
    let input = json!([
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": signed},
        {"role": "assistant", "content": "A."},
        {"type": "reasoning", "summary": [], "encrypted_content": plain},
        {"role": "assistant", "content": "B."},
        {"type": "reasoning", "summary": [], "encrypted_content": signed},
        {"role": "user", "content": "Go on."},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "It led to nothing."}]},
    ]);
    assert_eq!(
        messages(&input),
        json!([
            {"role": "assistant", "content": "A.", "reasoning_details": details},
            {"role": "assistant", "content": "B.", "reasoning": "Hm.", "reasoning_details": details},
            {"role": "user", "content": "Go on."},
        ])
    );
}

#[test]
fn tools_become_one_flat_list_and_those_without_counterpart_are_noted() {
    let parameters = json!({"type": "object", "properties": {"b": {}, "a": {"type": ["string", "null"]}}});
    let tools = json!([
        {"type": "function", "name": "f", "description": "Does f.", "parameters": parameters, "strict": true},
        {"type": "function", "name": "g", "parameters": null, "strict": null, "defer_loading": true},
        {"type": "function", "function": {"name": "h", "description": "As in chats.", "parameters": {}}},
        {"type": "web_search", "external_web_access": true},
        {"type": "namespace", "name": "agents", "description": "About agents.", "tools": [
            {"type": "function", "name": "close", "description": "Closes one.", "strict": false},
            {"type": "custom", "name": "tell"}]},
        {"type": "custom", "name": "apply_patch", "description": "Patches.", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
        {"type": "custom", "name": "say", "format": {"type": "text"}},
        {"type": "web_search_preview_2025_03_11"}, {"type": "mcp", "server_label": "x"}, {"type": "computer_use_preview"},
    ]);
    let asked = asked(&with(&json!({"tools": tools, "tool_choice": "auto"}))).unwrap();
    assert_eq!(Vec::from_iter(asked.unserved), ["computer", "mcp", "web_search"]);
    assert!(asked.form.tools.has("agents__tell"));
    let input = json!({
        "type": "object", "additionalProperties": false, "required": ["input"],
        "properties": {"input": {"type": "string", "description": "The whole input of the tool."}},
    });
    let function = |function: Value| json!({"type": "function", "function": function});
    let grammar = "Patches.\n\nThe input must follow this lark grammar:\nstart: x";
    assert_eq!(
        settings(&json!({"tools": tools, "tool_choice": "auto", "parallel_tool_calls": false})),
        json!({"tool_choice": "auto", "parallel_tool_calls": false, "tools": [
            function(json!({"name": "f", "description": "Does f.", "parameters": parameters, "strict": true})),
            function(json!({"name": "g"})),
            function(json!({"name": "h", "description": "As in chats.", "parameters": {}})),
            function(json!({"name": "agents__close", "description": "About agents.\n\nCloses one.", "strict": false})),
            function(json!({"name": "agents__tell", "description": "About agents.", "parameters": input})),
            function(json!({"name": "apply_patch", "description": grammar, "parameters": input})),
            function(json!({"name": "say", "parameters": input}))]})
    );
    let later = json!([{"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]},
        {"role": "user", "content": "Hi"}]);
    let body = json!({"input": later, "tools": [{"type": "openrouter:web_search", "x": 1}]});
    assert_eq!(
        sent(&body)["tools"],
        json!([{"type": "openrouter:web_search", "x": 1}, function(json!({"name": "late"}))]),
        "what the upstream has is passed on, and judged where its price is known"
    );
}

#[test]
fn a_choice_is_told_in_the_upstreams_words() {
    let tools = json!([{"type": "function", "name": "f"}, {"type": "function", "name": "g"}, {"type": "custom", "name": "c"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}, {"type": "web_search"}]);
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    let cases = [
        (json!("none"), json!("none"), 4),
        (json!("required"), json!("required"), 4),
        (json!({"type": "function", "name": "g"}), named("g"), 4),
        (named("g"), named("g"), 4),
        (json!({"type": "custom", "name": "c"}), named("c"), 4),
        (json!({"type": "function", "name": "f", "namespace": "n"}), named("n__f"), 4),
        (
            json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}, {"type": "mcp"}]}),
            json!("required"),
            1,
        ),
        (
            json!({"type": "allowed_tools", "mode": "auto", "tools": [named("f"), {"type": "custom", "name": "c"}]}),
            json!("auto"),
            2,
        ),
    ];
    for (choice, expected, count) in cases {
        let fields = settings(&json!({"tools": tools, "tool_choice": choice}));
        assert_eq!((&fields["tool_choice"], fields["tools"].as_array().unwrap().len()), (&expected, count), "{choice}");
    }
    let group = json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "namespace", "name": "n"}]});
    let fields = settings(&json!({"tools": tools, "tool_choice": group}));
    assert_eq!(fields["tools"], json!([{"type": "function", "function": {"name": "n__f"}}]));
    // With nothing to choose from there is no choice.
    let nothing = json!({"tools": [{"type": "web_search"}], "tool_choice": "auto", "parallel_tool_calls": true});
    assert_eq!(settings(&nothing), json!({}));
    let none_allowed = json!({"tools": tools, "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}});
    assert_eq!(settings(&none_allowed), json!({}));
}

#[test]
fn settings_go_under_the_upstreams_names() {
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    let format = json!({"type": "json_schema", "name": "s", "description": "d", "strict": true, "schema": schema});
    let compressed = json!([{"id": "context-compression", "enabled": true}]);
    let cases = [
        (json!({"max_output_tokens": 64}), json!({"max_tokens": 64})),
        (json!({"temperature": 0.1, "top_p": 1, "user": "u"}), json!({"temperature": 0.1, "top_p": 1, "user": "u"})),
        (json!({"safety_identifier": "s"}), json!({"user": "s"})),
        (json!({"safety_identifier": "s", "user": "u"}), json!({"user": "u"})),
        (json!({"text": {"format": {"type": "text"}, "verbosity": "low"}}), json!({"verbosity": "low"})),
        (json!({"text": {"format": {"type": "json_object"}}}), json!({"response_format": {"type": "json_object"}})),
        (
            json!({"text": {"format": format}}),
            json!({"response_format": {"type": "json_schema", "json_schema":
                {"name": "s", "description": "d", "strict": true, "schema": schema}}}),
        ),
        (
            json!({"reasoning": {"effort": "xhigh", "summary": null, "generate_summary": "auto"}}),
            json!({"reasoning": {"effort": "xhigh", "summary": "auto"}}),
        ),
        (json!({"reasoning": {"effort": null, "summary": null}}), json!({})),
        (json!({"truncation": "disabled"}), json!({})),
        (json!({"truncation": "auto"}), json!({"plugins": compressed})),
        (
            json!({"truncation": "auto", "plugins": [{"id": "moderation"}]}),
            json!({"plugins": [{"id": "moderation"}, compressed[0]]}),
        ),
        (
            json!({"truncation": "auto", "plugins": [{"id": "context-compression", "enabled": false}]}),
            json!({"plugins": [{"id": "context-compression", "enabled": false}]}),
        ),
        (json!({"top_logprobs": 2}), json!({"logprobs": true, "top_logprobs": 2})),
        (json!({"top_logprobs": 0, "include": ["reasoning.encrypted_content"]}), json!({})),
        (json!({"include": ["message.output_text.logprobs"]}), json!({"logprobs": true})),
        (
            json!({"metadata": {"a": "b"}, "prompt_cache_key": "k", "service_tier": "auto", "seed": 7, "provider": {"sort": "price"},
                   "a_field_of_tomorrow": [null]}),
            json!({"metadata": {"a": "b"}, "prompt_cache_key": "k", "service_tier": "auto", "seed": 7, "provider": {"sort": "price"},
                   "a_field_of_tomorrow": [null]}),
        ),
        (
            json!({"store": true, "background": false, "max_tool_calls": 3, "include": [], "stream_options": {"include_obfuscation": false},
                   "client_metadata": {"a": "b"}, "context_management": [], "prompt_cache_retention": "24h",
                   "prompt_cache_options": {}, "previous_response_id": null, "conversation": null, "prompt": null}),
            json!({}),
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(settings(&given), expected, "{given}");
    }
}
