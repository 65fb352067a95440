//! The system prompt and the messages: text, pictures, calls, results, thinking.

use serde_json::{Value, json};

use super::{asked, sent};

/// Checks the messages that these messages become.
fn check(messages: &Value, expected: &Value) {
    assert_eq!(sent(&json!({"messages": messages}))["messages"], *expected, "{messages}");
}

fn check_user(blocks: &Value, expected: &Value) {
    check(&json!([{"role": "user", "content": blocks}]), expected);
}

#[test]
fn what_is_said_is_text_alone_or_parts() {
    let cache = json!({"type": "ephemeral"});
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let text = |text: &str| json!({"type": "text", "text": text});
    let rows = [
        (json!("Hi"), json!("Hi")),
        (json!([text("Hi"), text("")]), json!("Hi")),
        (json!([text("a"), text("b")]), json!([text("a"), text("b")])),
        (
            json!([{"type": "text", "text": "a", "cache_control": cache, "citations": null}]),
            json!([{"type": "text", "text": "a", "cache_control": cache}]),
        ),
        (
            json!([{"type": "search_result", "title": "T", "source": "https://a", "content": [text("x"), text("y")]}]),
            json!("T\nhttps://a\nx\ny"),
        ),
    ];
    for (said, expected) in rows {
        check_user(&said, &user(expected));
    }
}

#[test]
fn pictures_and_documents_become_parts() {
    let source = |kind: &str, more: Value| {
        let mut source = json!({"type": kind});
        source.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        source
    };
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let file = |name: &str, data: &str| json!({"type": "file", "file": {"filename": name, "file_data": data}});
    let text = |text: &str| json!({"type": "text", "text": text});
    let rows = [
        (
            json!({"type": "image", "source": source("base64", json!({"media_type": "image/png", "data": "AAAA"}))}),
            json!([image("data:image/png;base64,AAAA")]),
        ),
        (
            json!({"type": "image", "source": source("base64", json!({"data": "data:image/png;base64,AAAA"}))}),
            json!([image("data:image/png;base64,AAAA")]),
        ),
        (
            json!({"type": "image", "source": source("url", json!({"url": "https://a/b.png"}))}),
            json!([image("https://a/b.png")]),
        ),
        (
            json!({"type": "document", "title": "a.pdf", "context": "Old.", "citations": {"enabled": true},
                "source": source("base64", json!({"media_type": "application/pdf", "data": "AAAA"}))}),
            json!([text("Old."), file("a.pdf", "data:application/pdf;base64,AAAA")]),
        ),
        (
            json!({"type": "document", "source": source("url", json!({"url": "https://a/b.pdf"}))}),
            json!([file("document.pdf", "https://a/b.pdf")]),
        ),
        (
            json!({"type": "document", "title": "T", "source": source("text", json!({"media_type": "text/plain", "data": "x"}))}),
            json!("T\n\nx"),
        ),
        (
            json!({"type": "document", "source": source("content", json!({"content": [text("x"), text("y")]}))}),
            json!([text("x"), text("y")]),
        ),
    ];
    for (block, expected) in rows {
        check_user(&json!([block]), &json!([{"role": "user", "content": expected}]));
    }
}

#[test]
fn a_loop_of_calls_becomes_messages_of_their_own() {
    let messages = json!([
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCg"},
            {"type": "redacted_thinking", "data": "abc"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": [1, 2.0]}, "caller": {"type": "direct"}},
            {"type": "tool_use", "id": "toolu_2", "name": "wait", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "text", "text": "And now?"},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "too late", "is_error": true},
        ]},
    ]);
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let expected = json!([
        {"role": "user", "content": "Look"},
        {"role": "assistant", "content": "I look.", "reasoning": "Hm.",
         "tool_calls": [call("toolu_1", "look", r#"{"at":[1,2.0]}"#), call("toolu_2", "wait", "{}")]},
        {"role": "tool", "tool_call_id": "toolu_1", "content": "a\nb"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: too late"},
        {"role": "user", "content": [
            {"type": "text", "text": "The result of the call toolu_1:"},
            {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
            {"type": "text", "text": "And now?"},
        ]},
    ]);
    check(&messages, &expected);
    assert_eq!(asked(&json!({"messages": messages})).unwrap().calls, ["toolu_1", "toolu_2"]);
}

#[test]
fn results_are_told_whatever_they_hold() {
    let rows = [
        (json!({"content": null}), "", 0),
        (json!({"content": [], "is_error": true}), "Error", 0),
        (json!({"content": [{"type": "tool_reference", "tool_name": "look"}]}), "The tool `look` can be called.", 0),
        (
            json!({"content": [{"type": "image", "source": {"type": "url", "url": "https://a"}}]}),
            "The result is shown in the next message.",
            1,
        ),
    ];
    for (mut block, text, shown) in rows {
        block["type"] = json!("tool_result");
        block["tool_use_id"] = json!("t");
        let sent = sent(&json!({"messages": [{"role": "user", "content": [block]}]}));
        let messages = sent["messages"].as_array().unwrap();
        assert_eq!(messages[0], json!({"role": "tool", "tool_call_id": "t", "content": text}), "{block}");
        assert_eq!(messages.len(), 1 + shown, "{block}");
    }
}

#[test]
fn sealed_thinking_goes_back_to_the_model_that_thought_it() {
    let detail = json!({"type": "reasoning.encrypted", "data": "x", "index": 0});
    let details = || vec![serde_json::from_value(detail.clone()).unwrap()];
    let rows = [("acme/all:free", json!([detail])), ("acme/other:free", Value::Null)];
    for (model, expected) in rows {
        let signature = crate::api::anthropic::signature::sealed(model, details());
        let thinking = json!({"type": "thinking", "thinking": "Hm.", "signature": signature});
        let sent = sent(&json!({"messages": [{"role": "assistant", "content": [thinking]}]}));
        let message = &sent["messages"][0];
        assert_eq!([&message["reasoning_details"], &message["reasoning"]], [&expected, &json!("Hm.")], "{model}");
    }
}

#[test]
fn what_anthropics_servers_did_is_left_out_and_so_is_who_pays_for_it() {
    let theirs = json!([
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result"}]},
        {"type": "mcp_tool_use", "id": "m", "name": "f", "server_name": "s", "input": {}},
        {"type": "compaction", "content": "x"},
    ]);
    let messages = json!([
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": theirs}, {"role": "user", "content": []},
    ]);
    let system = json!([{"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"}, {"type": "text", "text": "Be good."}]);
    let expected = json!([
        {"role": "system", "content": "Be good."}, {"role": "user", "content": "Hi"},
    ]);
    assert_eq!(sent(&json!({"messages": messages, "system": system}))["messages"], expected);
    let text = json!([{"role": "system", "content": "Be good."}, {"role": "user", "content": "Hi"}]);
    assert_eq!(sent(&json!({"system": "Be good."}))["messages"], text);
    let joined = "x-anthropic-billing-header: cc_version=2;\nBe good.";
    assert_eq!(sent(&json!({"system": joined}))["messages"], text);
    for nothing in [json!(null), json!(""), json!([])] {
        assert_eq!(sent(&json!({"system": nothing}))["messages"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn what_the_program_says_in_the_middle_is_said_with_the_user() {
    let system = |text: &str| json!({"role": "system", "content": text});
    let reminder = |text: &str| format!("<system-reminder>\n{text}\n</system-reminder>");
    let part = |text: String| json!({"type": "text", "text": text});
    let cache = json!({"type": "ephemeral"});
    let messages = json!([
        system("Be good."), {"role": "user", "content": "Hi"}, system("Be brief."),
        {"role": "assistant", "content": "Hello"},
        {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": cache}]},
    ]);
    let mut cached = part(reminder("a\nb"));
    cached["cache_control"] = cache;
    let expected = json!([
        system("Be good."), {"role": "user", "content": [part("Hi".to_owned()), part(reminder("Be brief."))]},
        {"role": "assistant", "content": "Hello"}, {"role": "user", "content": [cached]},
    ]);
    check(&messages, &expected);
}
