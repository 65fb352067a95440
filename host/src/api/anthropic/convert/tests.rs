//! What goes upstream for what Anthropic's clients write, row by row.

#![expect(clippy::unwrap_used, reason = "tests")]

mod conversation;

use serde_json::{Value, json};

use super::*;
use crate::routing::needs::ToolMode;

/// Returns the request for these fields beside the least that every one has.
fn asked(more: &Value) -> Result<Asked, Refused> {
    let mut body = json!({"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (model, fields) = read(body.to_string().as_bytes())?;
    message(model, fields, Some("acme/all:free"))
}

/// Returns the fields that go upstream, without the limit.
fn sent(more: &Value) -> Value {
    let asked = asked(more).unwrap_or_else(|refused| panic!("{more}: {refused}"));
    let members = asked.request.fields.iter().map(|(name, value)| {
        (name.to_owned(), serde_json::from_str(value.get()).unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    let mut sent: serde_json::Map<String, Value> = members.collect();
    assert_eq!(sent.remove("max_tokens"), Some(json!(9)));
    Value::Object(sent)
}

/// Checks the fields that these fields become, the message apart. Who does not speak
/// of thinking gets none to see.
fn check_fields(more: &Value, expected: &Value) {
    let mut sent = sent(more);
    sent.as_object_mut().unwrap().remove("messages");
    let mut expected = expected.clone();
    if expected.get("reasoning").is_none() {
        expected["reasoning"] = json!({"exclude": true});
    }
    assert_eq!(sent, expected, "{more}");
}

fn refusal(more: &Value) -> String {
    asked(more).err().unwrap_or_else(|| panic!("{more} is not refused")).0
}

#[test]
fn tools_become_functions() {
    let schema = json!({"type": "object", "properties": {"b": {}, "a": {}}});
    let tools = json!([
        {"name": "f", "description": "Does it.", "input_schema": schema, "strict": true,
         "cache_control": {"type": "ephemeral"}, "input_examples": [{}], "eager_input_streaming": true},
        {"type": "custom", "name": "g", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 8},
        {"type": "mcp_toolset", "mcp_server_name": "s"},
    ]);
    let expected = json!({"tools": [
        {"type": "function", "cache_control": {"type": "ephemeral"},
         "function": {"name": "f", "description": "Does it.", "parameters": schema, "strict": true}},
        {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}},
    ]});
    check_fields(&json!({"tools": tools}), &expected);
    let request = asked(&json!({"tools": tools})).unwrap().request;
    assert_eq!(request.needs.tools, ToolMode::Optional);
}

#[test]
fn anthropics_tools_that_the_client_carries_out_get_their_schema() {
    let rows = [
        (json!({"type": "bash_20250124", "name": "bash"}), "command"),
        (
            json!({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9}),
            "old_str",
        ),
        (json!({"type": "memory_20250818", "name": "memory"}), "old_path"),
        (
            json!({"type": "computer_20250124", "name": "computer", "display_width_px": 80, "display_height_px": 60}),
            "action",
        ),
    ];
    for (tool, property) in rows {
        let sent = sent(&json!({"tools": [tool]}));
        let function = &sent["tools"][0]["function"];
        assert_eq!(function["name"], tool["name"]);
        assert!(function["parameters"]["properties"][property].is_object(), "{function}");
        assert!(!function["description"].as_str().unwrap().is_empty());
    }
    let computer = sent(
        &json!({"tools": [{"type": "computer_20250124", "name": "computer", "display_width_px": 80, "display_height_px": 60}]}),
    );
    assert!(computer.to_string().contains("It is 80 pixels wide and 60 high."), "{computer}");
}

#[test]
fn the_choice_among_tools_is_told() {
    let rows = [
        (json!({"type": "auto"}), json!({"tool_choice": "auto"})),
        (json!({"type": "any"}), json!({"tool_choice": "required"})),
        (json!({"type": "none"}), json!({"tool_choice": "none"})),
        (json!({"type": "tool", "name": "f"}), json!({"tool_choice": {"type": "function", "function": {"name": "f"}}})),
        (
            json!({"type": "auto", "disable_parallel_tool_use": true}),
            json!({"tool_choice": "auto", "parallel_tool_calls": false}),
        ),
        (json!({"type": "auto", "disable_parallel_tool_use": false}), json!({"tool_choice": "auto"})),
    ];
    for (choice, mut expected) in rows {
        let tools = json!([{"name": "f", "input_schema": {}}]);
        expected["tools"] = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
        check_fields(&json!({"tools": tools, "tool_choice": choice}), &expected);
    }
    check_fields(
        &json!({"tool_choice": {"type": "none", "disable_parallel_tool_use": true}, "tools": null}),
        &json!({}),
    );
}

#[test]
fn thinking_becomes_reasoning_and_is_a_wish() {
    let wish = Capabilities::REASONING;
    let rows = [
        (json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}), json!({"max_tokens": 2048}), wish),
        (json!({"thinking": {"type": "enabled"}}), json!({"enabled": true}), wish),
        (json!({"thinking": {"type": "adaptive"}}), json!({"enabled": true}), wish),
        (json!({"thinking": {"type": "between_tools"}}), json!({"enabled": true}), wish),
        (
            json!({"thinking": {"type": "adaptive", "display": "omitted"}}),
            json!({"enabled": true, "exclude": true}),
            wish,
        ),
        (
            json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
            json!({"effort": "xhigh"}),
            wish,
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "low"}}),
            json!({"max_tokens": 2048}),
            wish,
        ),
        (
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}),
            json!({"enabled": false}),
            Capabilities::empty(),
        ),
        (json!({"output_config": {"effort": "low"}}), json!({"effort": "low", "exclude": true}), Capabilities::empty()),
        (json!({"reasoning": {"enabled": true}}), json!({"enabled": true}), Capabilities::empty()),
    ];
    for (more, reasoning, wishes) in rows {
        check_fields(&more, &json!({"reasoning": reasoning}));
        let request = asked(&more).unwrap().request;
        assert_eq!((request.wishes, request.needs.capabilities), (wishes, Capabilities::empty()), "{more}");
    }
}

#[test]
fn every_other_field_has_its_form() {
    let schema = json!({"type": "object", "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "schema", "strict": true, "schema": schema}});
    let given = json!({"type": "json_schema", "schema": schema});
    let rows = [
        (json!({"temperature": 0.5, "top_p": 0.9, "top_k": 7}), json!({"temperature": 0.5, "top_p": 0.9, "top_k": 7})),
        (json!({"metadata": {"user_id": "u"}}), json!({"user": "u"})),
        (json!({"metadata": {"user_id": null}}), json!({})),
        (json!({"stop_sequences": ["a", "", "b", "c", "d", "e"]}), json!({"stop": ["a", "b", "c", "d"]})),
        (json!({"stop_sequences": []}), json!({})),
        (json!({"output_config": {"format": given}}), json!({"response_format": format})),
        (json!({"output_format": given}), json!({"response_format": format})),
        (json!({"cache_control": {"type": "ephemeral"}}), json!({"cache_control": {"type": "ephemeral"}})),
        (json!({"mcp_servers": [], "container": null, "context_management": {"edits": []}, "betas": ["x"]}), json!({})),
        (json!({"service_tier": "auto", "speed": "fast", "inference_geo": "us", "diagnostics": {}}), json!({})),
        (
            json!({"provider": {"sort": "latency"}, "tomorrow": [1, null]}),
            json!({"provider": {"sort": "latency"}, "tomorrow": [1, null]}),
        ),
    ];
    for (more, expected) in rows {
        check_fields(&more, &expected);
    }
    let stops = asked(&json!({"stop_sequences": ["a", "", "b", "c", "d", "e"]})).unwrap().stops;
    assert_eq!(stops, ["a", "b", "c", "d", "e"]);
    assert!(asked(&json!({"stream": true})).unwrap().request.streaming);
    assert!(!asked(&json!({"stream": null})).unwrap().request.streaming);
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_place() {
    let user = |block: Value| json!({"messages": [{"role": "user", "content": [block]}]});
    let assistant = |block: Value| json!({"messages": [{"role": "assistant", "content": [block]}]});
    let rows = [
        (json!({"model": ""}), "model: Field required"),
        (json!({"max_tokens": null}), "max_tokens is required and must be positive"),
        (json!({"max_tokens": 0}), "max_tokens is required and must be positive"),
        (json!({"messages": []}), "messages is required"),
        (json!({"messages": [{"role": "user", "content": ""}]}), "messages: none of them says anything"),
        (
            json!({"messages": [{"role": "tool", "content": "x"}]}),
            "messages.0.role: must be `user` or `assistant`, not `tool`",
        ),
        (user(json!({"text": "x"})), "messages.0.content.0: type: Field required"),
        (
            user(json!({"type": "container_upload"})),
            "messages.0.content.0: a block of the type `container_upload` cannot be used here",
        ),
        (
            user(json!({"type": "tool_use", "id": "a", "name": "f"})),
            "messages.0.content.0: a block of the type `tool_use` cannot be used here",
        ),
        (user(json!({"type": "tool_result"})), "messages.0.content.0: tool_use_id: Field required"),
        (user(json!({"type": "image"})), "messages.0.content.0: source: Field required"),
        (
            user(json!({"type": "image", "source": {"type": "file", "file_id": "x"}})),
            "messages.0.content.0: source: there are no uploaded files here; send it as base64 or by its url",
        ),
        (
            user(json!({"type": "image", "source": {"type": "base64", "data": "AA"}})),
            "messages.0.content.0: source.media_type: Field required",
        ),
        (assistant(json!({"type": "image"})), "messages.0.content.0: a block of the type `image` cannot be used here"),
        (assistant(json!({"type": "tool_use", "name": "f"})), "messages.0.content.0: id: Field required"),
        (
            assistant(json!({"type": "tool_use", "id": "a", "name": "f", "input": []})),
            "messages.0.content.0: input: must be an object",
        ),
        (json!({"system": [{"type": "image"}]}), "system.0: a block of the type `image` cannot be used here"),
    ];
    for (more, expected) in rows {
        assert_eq!(refusal(&more), expected, "{more}");
    }
}

#[test]
fn tools_and_settings_that_cannot_be_meant_are_refused() {
    let tools = json!([{"name": "f", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}]);
    let rows = [
        (json!({"tools": [{"input_schema": {}}]}), "tools.0: name: Field required"),
        (json!({"tools": [{"name": "f"}]}), "tools.0: input_schema: Field required"),
        (
            json!({"tools": [{"type": "computer_toolset_20260801"}]}),
            "tools.0: a tool of the type `computer_toolset_20260801` cannot be used here",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "tool", "name": "g"}}),
            "tool_choice: the tool `g` is not among the tools",
        ),
        (
            json!({"tools": tools, "tool_choice": {"type": "tool", "name": "web_search"}}),
            "tool_choice: the tool `web_search` is one of Anthropic's servers', and cannot be called here",
        ),
        (
            json!({"tools": [tools[1]]}),
            "tools: the tool `web_search` is one of Anthropic's servers', and cannot be called here",
        ),
        (json!({"tool_choice": {"type": "any"}}), "tool_choice: there are no tools to choose from"),
        (json!({"thinking": {"type": "x"}}), "thinking.type: must be `enabled`, `adaptive` or `disabled`, not `x`"),
        (json!({"mcp_servers": [{}]}), "mcp_servers: no servers are called from here; let the client call them"),
        (json!({"container": "c"}), "container: there are no containers here"),
    ];
    for (more, expected) in rows {
        assert_eq!(refusal(&more), expected, "{more}");
    }
    for unreadable in ["", "{", "[]", "null", r#"{"model": 3}"#] {
        assert!(read(unreadable.as_bytes()).is_err(), "{unreadable}");
    }
    for wrong in [
        json!({"messages": "x"}),
        json!({"messages": [null]}),
        json!({"messages": [{"role": "user", "content": 3}]}),
        json!({"tools": {}}),
        json!({"system": 3}),
        json!({"stop_sequences": "x"}),
    ] {
        assert!(asked(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn counting_needs_no_limit() {
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "x".repeat(400)}]});
    let (model, fields) = read(body.to_string().as_bytes()).unwrap();
    assert_eq!(counted(model, fields).unwrap().needs.input_tokens, 100);
}
