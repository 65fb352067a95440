//! Answers that come in pieces: events as Anthropic's libraries read them.

use ollama_router::sandbox::reply::{Reply as Upstream, parts::ToolForm, step::Step};
use serde_json::{Value, json};

use super::{MESSAGES, MODEL, OTHER, hello, start};
use crate::support::{Host, Reply, Setup};

/// Returns the events of a stream, each with the name that it came under.
fn events(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.header("content-type"), Some("text/event-stream"), "{}", reply.text);
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    reply.text.split_terminator("\n\n").map(event).collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

/// Returns the pieces of a kind, joined for each block.
fn joined(events: &[Value], field: &str) -> Vec<String> {
    let blocks = events.iter().filter(|event| event["type"] == "content_block_start").count();
    let mut joined = vec![String::new(); blocks];
    for event in events {
        if let Some(piece) = event["delta"][field].as_str() {
            joined[usize::try_from(event["index"].as_u64().unwrap()).unwrap()].push_str(piece);
        }
    }
    joined
}

async fn ask(host: &Host, more: &Value) -> Reply {
    let mut body = hello(more);
    body["stream"] = json!(true);
    host.post(MESSAGES, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_the_order_that_clients_rely_on() {
    let host = start(Setup::new()).await;
    host.sandbox.script(MODEL, [Upstream::text("One two").reasoning("Hm.").usage(11, 3)]);
    let reply = ask(&host, &json!({})).await;
    assert!(reply.complete);
    assert_eq!(reply.header("request-id"), reply.header("x-router-request-id"));
    let events = events(&reply);
    let expected = [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(joined(&events, "thinking"), ["Hm.", ""]);
    assert_eq!(joined(&events, "text"), ["", "One two"]);
    assert_eq!(events[0]["message"]["model"], MODEL);
    assert_eq!(events[0]["message"]["usage"]["input_tokens"], 1, "an estimate");
    let last = &events[events.len() - 2];
    assert_eq!(last["delta"], json!({"stop_reason": "end_turn", "stop_sequence": null}));
    assert_eq!([&last["usage"]["input_tokens"], &last["usage"]["output_tokens"]], [11, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_come_whole_in_every_spelling() {
    let host = start(Setup::new()).await;
    let arguments = json!({"city": "Ulm", "days": [1, 2]});
    for spelling in [ToolForm::Fragments, ToolForm::Repeating, ToolForm::Whole, ToolForm::NoId] {
        let reply = Upstream::text("So").tool_call_as(spelling, "weather", &arguments);
        host.sandbox.script(MODEL, [reply.tool_call_as(ToolForm::NoArguments, "time", &json!({}))]);
        let events = events(&ask(&host, &json!({})).await);
        let json = joined(&events, "partial_json");
        assert_eq!(serde_json::from_str::<Value>(&json[1]).unwrap(), arguments, "{spelling:?}");
        assert_eq!(json[2], "{}", "{spelling:?}");
        assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use", "{spelling:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_mixed_are_taken_apart() {
    let host = start(Setup::new()).await;
    let piece = |index: u32, id: &str, name: &str, arguments: &str| {
        Step::tool(&json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}))
    };
    let steps = [
        piece(0, "a", "f", ""),
        piece(1, "b", "g", ""),
        piece(1, "", "", "{\"y\":"),
        piece(0, "", "", "{\"x\":"),
        piece(0, "", "", "1}"),
        piece(1, "", "", "2}"),
        Step::finish("tool_calls"),
        Step::Done,
    ];
    host.sandbox.script(MODEL, [Upstream::stream(steps)]);
    let events = events(&ask(&host, &json!({})).await);
    assert_eq!(joined(&events, "partial_json"), ["{\"x\":1}", "{\"y\":2}"]);
    let begun: Vec<&Value> = events.iter().filter(|event| event["type"] == "content_block_start").collect();
    assert_eq!([&begun[0]["content_block"]["id"], &begun[1]["content_block"]["id"]], ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_never_gets_the_id_of_an_earlier_one() {
    let host = start(Setup::new()).await;
    host.sandbox.always(MODEL, Upstream::chunks([]).tool_call("weather", &json!({})));
    let old = "call_0_weather";
    let history = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": old, "name": "weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": old, "content": "rain"}]},
    ]);
    for (more, is_kept) in [(json!({}), true), (json!({"messages": history}), false)] {
        let events = events(&ask(&host, &more).await);
        let begun = events.iter().find(|event| event["type"] == "content_block_start").unwrap();
        assert_eq!(begun["content_block"]["id"] == old, is_kept, "{begun}");
        let whole = host.post(MESSAGES, &hello(&more)).await.json();
        assert_eq!(whole["content"][0]["id"] == old, is_kept, "{whole}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_at_a_stop_even_if_the_model_does_not() {
    let host = start(Setup::new()).await;
    let endless = Step::Endless(json!({"choices": [{"index": 0, "delta": {"content": "and on "}}]}));
    host.sandbox.script(MODEL, [Upstream::stream([Step::text("One EN"), Step::text("D two"), endless])]);
    let reply = ask(&host, &json!({"stop_sequences": ["END"]})).await;
    let events = events(&reply);
    assert!(reply.complete);
    assert_eq!(joined(&events, "text"), ["One "]);
    let told = &events[events.len() - 2]["delta"];
    assert_eq!(*told, json!({"stop_reason": "stop_sequence", "stop_sequence": "END"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_told_as_an_error_and_never_as_an_end() {
    let host = Setup::new().models(&[MODEL, OTHER]).start().await;
    let broken = [
        vec![Step::text("One "), Step::Cut],
        vec![Step::text("One "), Step::Data(json!({"choices": [], "error": {"code": 502, "message": "lost"}}))],
        vec![
            Step::tool(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"x"}})),
            Step::finish("tool_calls"),
            Step::Done,
        ],
    ];
    for steps in broken {
        host.sandbox.script(MODEL, [Upstream::stream(steps)]);
        let reply = ask(&host, &json!({})).await;
        let events = events(&reply);
        assert!(!reply.complete, "{events:?}");
        let last = events.last().unwrap();
        assert_eq!([&last["type"], &last["error"]["type"]], ["error", "api_error"], "{events:?}");
        assert_eq!(last["request_id"], reply.header("request-id").unwrap());
        assert!(!kinds(&events).contains(&"message_stop") && !kinds(&events).contains(&"message_delta"), "{events:?}");
        host.request("DELETE", "/router/failures", &[], "").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_thinking_goes_back_to_the_model_as_it_came() {
    let host = start(Setup::new()).await;
    let detail = |more: Value| {
        let mut detail = json!({"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Step::delta(&json!({"content": "", "reasoning": detail["text"], "reasoning_details": [detail]}))
    };
    let call = Step::tool(&json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}));
    let steps = [
        detail(json!({"text": "Hm."})),
        detail(json!({"signature": "abc"})),
        call,
        Step::finish("tool_calls"),
        Step::Done,
    ];
    host.sandbox.script(MODEL, [Upstream::stream(steps)]);
    let events = events(&ask(&host, &json!({})).await);
    let signature = joined(&events, "signature")[0].clone();
    let history = json!([
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": signature},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "done"}]},
    ]);
    assert_eq!(ask(&host, &json!({"messages": history})).await.status, 200);
    let message = host.last_sent()["messages"][1].clone();
    let details = json!([{"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0, "text": "Hm.", "signature": "abc"}]);
    assert_eq!([&message["reasoning_details"], &message["reasoning"]], [&details, &json!("Hm.")]);
}
