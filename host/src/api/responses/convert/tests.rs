//! Tests of the conversion: a client's body on one side, the upstream's on the
//! other.

#![expect(clippy::unwrap_used, reason = "tests")]

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
    assert_eq!(asked.unserved, ["web_search", "web_search_preview_2025_03_11", "mcp", "computer_use_preview"]);
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

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let tools = json!([{"type": "function", "name": "f"}]);
    let cases = [
        (json!({"input": null}), "cannot use `input`: it is required"),
        (json!({"input": []}), "cannot use `input`: there is nothing in it to answer"),
        (json!({"input": 3}), "cannot use `input`: expected a text or a list of parts"),
        (json!({"input": [{}]}), "cannot use `input[0]`: `type` is missing"),
        (json!({"input": [{"type": "message", "content": "x"}]}), "cannot use `input[0]`: `role` is missing"),
        (
            json!({"input": [{"role": "tool", "content": "x"}]}),
            "cannot use `input[0]`: the role `tool` is none of user, assistant, system and developer",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "cannot use `input[0]`: the router keeps no items, so there is nothing to refer to; send the item itself",
        ),
        (
            json!({"input": [{"type": "local_shell_call", "call_id": "c"}]}),
            "cannot use `input[0]`: an item of the type `local_shell_call` has no counterpart with OpenRouter's models; leave it \
          out, or say in a message what is in it",
        ),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}),
            "cannot use `input[0]`: there is no tool call with the call_id `c` before its output; the router keeps no state, so \
          send the call too",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
            "cannot use `input[0]`: `call_id` is missing",
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": 3}]}),
            "cannot use `input[0]`: `arguments` must be a text that holds a JSON object",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
            "cannot use `input[0].content[0]`: the router keeps no files, so there is none of this `file_id`; send its content instead",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
            "cannot use `input[0].content[0]`: the router keeps no files, so there is none of this `file_id`; send its content instead",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}),
            "cannot use `input[0].content[0]`: a part cannot be of the type `input_video`: use input_text, input_image, input_file, \
          input_audio, output_text or refusal",
        ),
        (
            json!({"previous_response_id": "resp_1"}),
            "cannot use `previous_response_id`: the router keeps no answers; send the whole conversation in `input`",
        ),
        (
            json!({"conversation": {"id": "c"}}),
            "cannot use `conversation`: the router keeps no conversations; send the whole of it in `input`",
        ),
        (
            json!({"prompt": {"id": "p"}}),
            "cannot use `prompt`: the router keeps no prompts; send its text in `instructions` and `input`",
        ),
        (
            json!({"background": true}),
            "cannot use `background`: the router keeps no answers to ask for later; use `stream` instead",
        ),
        (json!({"moderation": {"model": "m"}}), "cannot use `moderation`: no model here moderates; leave it out"),
        (
            json!({"messages": []}),
            "cannot use `messages`: it belongs to /v1/chat/completions; here it is called `input`",
        ),
        (
            json!({"tools": [{"type": "functoin", "name": "f"}]}),
            "cannot use `tools`: there are no tools of the type `functoin`: use function, custom or namespace",
        ),
        (json!({"tools": [{"type": "function"}]}), "cannot use `tools`: a tool has no `name`"),
        (json!({"tool_choice": "required"}), "cannot use `tool_choice`: a tool must be called, but `tools` has none"),
        (
            json!({"tools": [{"type": "web_search"}], "tool_choice": "required"}),
            "cannot use `tool_choice`: a tool must be called, but the only ones given are such as `web_search`, which no model of \
          OpenRouter's has",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "web_search_preview"}}),
            "cannot use `tool_choice`: no free model has the tool `web_search_preview`; use functions of your own",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "function", "name": "g"}}),
            "cannot use `tool_choice`: there is no tool `g` in `tools`",
        ),
        (
            json!({"tools": tools, "tool_choice": "any"}),
            "cannot use `tool_choice`: `any` is none of auto, none and required",
        ),
        (
            json!({"text": {"format": {"type": "grammar"}}}),
            "cannot use `text.format`: `grammar` is none of text, json_object and json_schema",
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "s"}}}),
            "cannot use `text.format`: `schema` is missing",
        ),
        (json!({"truncation": "middle"}), "cannot use `truncation`: `middle` is none of auto and disabled"),
        (json!({"top_logprobs": 21}), "cannot use `top_logprobs`: it must be between 0 and 20"),
        (
            json!({"max_output_tokens": -1}),
            "cannot use `max_output_tokens`: invalid value: integer `-1`, expected u64 at line 1 column 2",
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(asked(&with(&given)).map(|_| ()), Err(expected.to_owned()), "{given}");
    }
}
