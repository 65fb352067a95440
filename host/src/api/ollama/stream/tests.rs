//! Tests of the lines: whole lines against whole lines, and for any reply at
//! all the rules that no line may break.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::ollama::stream::whole::whole;

fn id() -> ModelId {
    ModelId::parse("vendor/m:free").unwrap()
}

fn reply(kind: Kind, id: &ModelId) -> Reply<'_> {
    let started = "2026-01-02T03:04:05Z".parse().unwrap();
    Reply { kind, model: "m:\"free\"", served_by: id, started, prompt_tokens: 12, stops: &[] }
}

fn chunk(piece: &Value) -> Chunk {
    Chunk::parse(Bytes::from(piece.to_string())).unwrap()
}

fn delta(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Returns the text of a reply whose pieces come 100 ms apart.
fn lines(kind: Kind, pieces: &[Value]) -> Result<String, BadCall> {
    let (id, mut out, mut elapsed) = (id(), BytesMut::new(), 0);
    let mut encoder = Encoder::new(&reply(kind, &id));
    for piece in pieces {
        elapsed += 100;
        encoder.chunk(&chunk(piece), ms(elapsed), &mut out);
    }
    encoder.rest(ms(elapsed), &mut out);
    encoder.calls(ms(elapsed), &mut out)?;
    encoder.finish(ms(elapsed + 50), &mut out);
    Ok(String::from_utf8(out.to_vec()).unwrap())
}

fn conversation() -> Vec<Value> {
    vec![
        delta(&json!({"role": "assistant", "content": ""})),
        delta(
            &json!({"content": "", "reasoning": "Hm \u{1f914}", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}),
        ),
        delta(&json!({"content": "He\n\"l"})),
        json!({"choices": [{"delta": {"content": "lo"}, "logprobs": {"content": [
            {"token": "lo", "logprob": -0.5, "bytes": null, "top_logprobs": [{"token": "x", "logprob": -1.0, "bytes": [120]}]}]}}]}),
        delta(&json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{\"a\":"}}]})),
        delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]})),
        json!({"choices": [{"delta": {"content": ""}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}),
    ]
}

#[test]
fn a_chat_is_told_line_by_line() {
    let expected = [
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.2Z","message":{"role":"assistant","content":"","thinking":"Hm 🤔"},"done":false}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.3Z","message":{"role":"assistant","content":"He\n\"l"},"done":false}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.4Z","message":{"role":"assistant","content":"lo"},"done":false,"logprobs":[{"token":"lo","logprob":-0.5,"top_logprobs":[{"token":"x","logprob":-1.0,"bytes":[120]}]}]}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.8Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"index":0,"name":"f","arguments":{"a":1}}}]},"done":false}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.85Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":850000000,"load_duration":1,"prompt_eval_count":9,"prompt_eval_duration":200000000,"eval_count":3,"eval_duration":650000000,"remote_model":"vendor/m:free","remote_host":"https://openrouter.ai"}"#,
    ];
    assert_eq!(lines(Kind::Chat, &conversation()), Ok(expected.join("\n") + "\n"));
}

#[test]
fn a_generation_is_told_line_by_line_and_estimated_without_counts() {
    let pieces = [
        delta(&json!({"reasoning": "Hm", "content": "Hello "})),
        json!({"choices": [{"message": {"content": "you"}, "finish_reason": "length"}]}),
    ];
    let expected = [
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.1Z","response":"Hello ","thinking":"Hm","done":false}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.2Z","response":"you","done":false}"#,
        r#"{"model":"m:\"free\"","created_at":"2026-01-02T03:04:05.25Z","response":"","done":true,"done_reason":"length","total_duration":250000000,"load_duration":1,"prompt_eval_count":12,"prompt_eval_duration":100000000,"eval_count":3,"eval_duration":150000000,"remote_model":"vendor/m:free","remote_host":"https://openrouter.ai"}"#,
    ];
    assert_eq!(lines(Kind::Generate, &pieces), Ok(expected.join("\n") + "\n"));
}

#[test]
fn the_whole_answer_is_one_object_with_everything() {
    let mut pieces = conversation();
    pieces.push(delta(&json!({"images": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]})));
    let (id, chunks) = (id(), pieces.iter().map(chunk).collect::<Vec<Chunk>>());
    let answer = whole(&reply(Kind::Chat, &id), &chunks, ms(200), ms(1000)).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        answer,
        json!({"model": "m:\"free\"", "created_at": "2026-01-02T03:04:06Z",
            "message": {"role": "assistant", "content": "He\n\"llo", "thinking": "Hm \u{1f914}", "images": ["iVBORw0KGgo="],
                "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}}]},
            "done": true, "done_reason": "stop", "total_duration": 1_000_000_000, "load_duration": 1,
            "prompt_eval_count": 9, "prompt_eval_duration": 200_000_000, "eval_count": 3, "eval_duration": 800_000_000,
            "remote_model": "vendor/m:free", "remote_host": "https://openrouter.ai",
            "logprobs": [{"token": "lo", "logprob": -0.5, "top_logprobs": [{"token": "x", "logprob": -1.0, "bytes": [120]}]}]})
    );
}

#[test]
fn a_call_that_cannot_be_told_fails_the_reply() {
    let pieces =
        [delta(&json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"a\":"}}]}))];
    assert_eq!(lines(Kind::Chat, &pieces), Err(BadCall::BadArguments("f".to_owned())));
}

#[test]
fn loads_and_failures_have_their_own_forms() {
    let now = "2026-01-02T03:04:05.000000001Z".parse().unwrap();
    assert_eq!(
        idle(Kind::Chat, "m", Idle::Load, now),
        r#"{"model":"m","created_at":"2026-01-02T03:04:05.000000001Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"load"}"#
    );
    assert_eq!(
        idle(Kind::Generate, "m", Idle::Unload, now),
        r#"{"model":"m","created_at":"2026-01-02T03:04:05.000000001Z","response":"","done":true,"done_reason":"unload"}"#
    );
    assert_eq!(error_line("it \"broke\"\n"), "{\"error\":\"it \\\"broke\\\"\\n\"}\n");
}

fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), Just(json!("")), any::<String>().prop_map(Value::String)]
}

fn any_piece() -> impl Strategy<Value = Value> {
    let call = (0..3_u32, any_text())
        .prop_map(|(index, id)| json!({"index": index, "id": id, "function": {"name": "f", "arguments": "\n"}}));
    let finish = prop_oneof![Just(Value::Null), Just(json!("stop")), Just(json!("length"))];
    let usage =
        prop_oneof![Just(Value::Null), (0..9_u32).prop_map(|n| json!({"prompt_tokens": n, "completion_tokens": n}))];
    (any_text(), any_text(), prop::option::of(prop::collection::vec(call, 0..2)), finish, usage).prop_map(
        |(content, reasoning, calls, finish, usage)| {
            json!({"choices": [{"delta": {"content": content, "reasoning": reasoning, "tool_calls": calls},
                "finish_reason": finish, "logprobs": null}], "usage": usage, "error": null})
        },
    )
}

/// Tells whether there is no `null` and no empty list anywhere.
fn is_clean(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty() && items.iter().all(is_clean),
        Value::Object(members) => members.values().all(is_clean),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

proptest! {
    #[test]
    fn no_reply_makes_a_forbidden_line(pieces in prop::collection::vec(any_piece(), 0..12), generate: bool) {
        let kind = if generate { Kind::Generate } else { Kind::Chat };
        let text = lines(kind, &pieces).unwrap();
        prop_assert!(text.ends_with('\n') && !text.contains("\n\n") && !text.starts_with('\n'));
        let lines: Vec<Value> = text.split_terminator('\n').map(|line| serde_json::from_str(line).unwrap()).collect();
        let (mut content, mut thinking) = (String::new(), String::new());
        for (place, line) in lines.iter().enumerate() {
            prop_assert!(line.get("error").is_none() && line["created_at"].is_string());
            prop_assert!(is_clean(line), "{}", line);
            prop_assert_eq!(&line["done"], &json!(place + 1 == lines.len()));
            let part = if generate { line } else { &line["message"] };
            content += part[if generate { "response" } else { "content" }].as_str().unwrap();
            thinking += part["thinking"].as_str().unwrap_or_default();
        }
        let sent = |name: &str| -> String {
            pieces.iter().filter_map(|piece| piece["choices"][0]["delta"][name].as_str()).collect()
        };
        prop_assert_eq!((content, thinking), (sent("content"), sent("reasoning")));
    }
}
