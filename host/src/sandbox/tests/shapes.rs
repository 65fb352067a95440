//! The shapes of scripted answers: chunks, tool calls, endings, bytes.
//!
//! Whole events are compared, less the fields that differ from run to run.
//! How answers break is in `errors.rs`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{MODEL, asking, chat, quiet, streamed, whole};
use crate::sandbox::reply::Reply;
use crate::sandbox::reply::parts::{Tail, ToolForm};
use crate::sandbox::reply::step::Step;

fn usage(prompt: u64, completion: u64, reasoning: u64) -> Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": 0,
        "is_byok": false,
        "prompt_tokens_details":
            {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
        "completion_tokens_details":
            {"reasoning_tokens": reasoning, "image_tokens": 0, "audio_tokens": 0},
        "cost_details": {
            "upstream_inference_cost": 0,
            "upstream_inference_prompt_cost": 0,
            "upstream_inference_completions_cost": 0,
        },
    })
}

fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({"choices":
        [{"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}]})
}

fn text(text: &str) -> Value {
    chunk(&json!({"role": "assistant", "content": text}), None)
}

fn finish(reason: &str) -> Value {
    chunk(&json!({"role": "assistant", "content": ""}), Some(reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_answer_has_text_chunks_two_finish_chunks_usage_and_done() {
    let answer = streamed(Reply::text("Hello there.").reasoning("Hm.").usage(9, 4)).await;
    let thinking = json!({"role": "assistant", "content": "", "reasoning": "Hm.",
        "reasoning_details":
            [{"type": "reasoning.text", "text": "Hm.", "format": "unknown", "index": 0}]});
    let mut last = finish("stop");
    last["usage"] = usage(9, 4, 1);
    let expected = [chunk(&thinking, None), text("Hello "), text("there."), finish("stop"), last];
    assert_eq!(answer.events(), expected);
    assert!(answer.body.ends_with("data: [DONE]\n\n") && answer.is_complete);
    assert!(answer.headers.contains("content-type: text/event-stream"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_carries_id_creation_and_the_canonical_slug() {
    let answer = streamed(Reply::text("Hi")).await;
    let line = answer.body.lines().next().unwrap().strip_prefix("data: ").unwrap();
    let event: Value = serde_json::from_str(line).unwrap();
    let id: Vec<&str> = event["id"].as_str().unwrap().split('-').collect();
    assert_eq!((id[0], id[1].parse().ok(), id[2].len()), ("gen", event["created"].as_u64(), 20));
    assert_eq!(event["object"], "chat.completion.chunk");
    let slug = event["model"].as_str().unwrap();
    assert!(slug.starts_with("borealis/skald-70b-instruct-2026"), "{slug}");
    assert!(answer.headers.contains(&format!("x-generation-id: {}", id.join("-"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_stream_the_same_reply_is_one_json_body() {
    let reply = Reply::text("Hello there.").reasoning("Hm, hm.").usage(9, 4);
    let answer = whole(reply.padding(3)).await;
    assert!(answer.body.starts_with("\n         \n         \n         {"));
    let mut body = answer.json();
    body.as_object_mut().unwrap().retain(|key, _| key != "id" && key != "created");
    let expected = json!({
        "object": "chat.completion",
        "model": "borealis/skald-70b-instruct-20260616",
        "provider": "Sandbox",
        "choices": [{
            "index": 0,
            "logprobs": null,
            "finish_reason": "stop",
            "native_finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "Hello there.",
                "refusal": null,
                "reasoning": "Hm, hm.",
                "reasoning_details":
                    [{"type": "reasoning.text", "text": "Hm, hm.", "format": "unknown", "index": 0}],
            },
        }],
        "usage": usage(9, 4, 2),
    });
    assert_eq!(body, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_come_in_every_form() {
    let arguments = json!({"city": "Oslo"});
    let named = |id: &str, text: &str| {
        json!({"index": 0, "id": id, "type": "function",
            "function": {"name": "weather", "arguments": text}})
    };
    let more = |text: &str| json!({"index": 0, "function": {"arguments": text}});
    let id = "call_0_weather";
    let all = r#"{"city":"Oslo"}"#;
    let (start, end) = (r#"{"city":"#, r#""Oslo"}"#);
    let cases = [
        (ToolForm::Fragments, vec![named(id, ""), more(start), more(end)]),
        (ToolForm::Repeating, vec![named(id, start), named(id, end)]),
        (ToolForm::Whole, vec![named(id, all)]),
        (ToolForm::NoId, vec![named("", all)]),
        (ToolForm::NoArguments, vec![named(id, "")]),
    ];
    for (form, fragments) in cases {
        let reply = Reply::chunks([]).tool_call_as(form, "weather", &arguments);
        let answer = streamed(reply.tail(Tail::NoUsage)).await;
        let delta = |fragment| json!({"role": "assistant", "content": null, "tool_calls": [fragment]});
        let mut expected: Vec<Value> = fragments.into_iter().map(|fragment| chunk(&delta(fragment), None)).collect();
        expected.push(finish("tool_calls"));
        assert_eq!(answer.events(), expected, "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tool_calls_are_folded_by_index() {
    let reply = Reply::chunks([]).tool_call("first", &json!({"a": "long enough to be split"}));
    let answer = whole(reply.tool_call("second", &json!({}))).await;
    let call = |index, name: &str, arguments: &str| {
        json!({"type": "function", "index": index, "id": format!("call_{index}_{name}"),
            "function": {"name": name, "arguments": arguments}})
    };
    let choice = &answer.json()["choices"][0];
    let calls = json!([call(0, "first", r#"{"a":"long enough to be split"}"#), call(1, "second", "{}")]);
    assert_eq!(choice["message"]["tool_calls"], calls);
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usage_stands_where_the_tail_puts_it() {
    // Each event as: number of choices, finish reason, whether it has usage.
    let stop = json!("stop");
    let none = Value::Null;
    let cases = [
        (Tail::FinishTwice, vec![(1, &none, false), (1, &stop, false), (1, &stop, true)]),
        (Tail::UsageAlone, vec![(1, &none, false), (1, &stop, false), (0, &none, true)]),
        (Tail::UsageUnfinished, vec![(1, &none, false), (1, &stop, false), (1, &none, true)]),
        (Tail::FinishOnLast, vec![(1, &stop, false), (0, &none, true)]),
        (Tail::NoUsage, vec![(1, &none, false), (1, &stop, false)]),
    ];
    for (tail, expected) in cases {
        let events = streamed(Reply::text("Hi").tail(tail)).await.events();
        let seen = events.iter().map(|event| {
            let choices = event["choices"].as_array().unwrap();
            let reason = choices.first().map_or(&none, |choice| &choice["finish_reason"]);
            (choices.len(), reason, event.get("usage").is_some())
        });
        assert_eq!(seen.collect::<Vec<_>>(), expected, "{tail:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_line_ends_and_splits_change_bytes_but_not_events() {
    let plain = || Reply::chunks(["Grüße ", "aus Köln"]).usage(1, 2);
    let events = streamed(plain()).await.events();
    let comments = streamed(plain().comments(3).comment_after_each()).await;
    assert_eq!(comments.events(), events);
    assert_eq!(comments.body.matches(": OPENROUTER PROCESSING\n\n").count(), 3 + events.len());
    assert!(comments.body.starts_with(&": OPENROUTER PROCESSING\n\n".repeat(3)));
    let crlf = streamed(plain().crlf()).await;
    assert_eq!(crlf.events(), events);
    assert_eq!(crlf.body.matches('\n').count(), crlf.body.matches("\r\n").count());
    let split = streamed(plain().split_every(1)).await;
    assert_eq!(split.events(), events);
    assert_eq!(split.pieces, split.body.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn log_probabilities_accompany_each_chunk_of_text() {
    let answer = whole(Reply::chunks(["a", "b"]).logprobs().finish("length")).await;
    let choice = &answer.json()["choices"][0];
    let token = |text: &str, byte| json!({"token": text, "logprob": -0.25, "bytes": [byte], "top_logprobs": []});
    let expected = json!({"content": [token("a", 97), token("b", 98)], "refusal": null});
    assert_eq!((&choice["logprobs"], &choice["finish_reason"]), (&expected, &json!("length")));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_sent_as_they_are_written() {
    let steps = [
        Step::Comment,
        Step::role(),
        Step::Repeat(json!({"choices": [], "note": 1}), 2),
        Step::Raw(Bytes::from_static(b"data: {\"odd\":\n\n")),
        Step::finish("stop"),
        Step::usage(1, 2),
        Step::Done,
    ];
    let answer = streamed(Reply::stream(steps)).await;
    let lines: Vec<&str> = answer.body.split("\n\n").collect();
    assert_eq!(lines[0], ": OPENROUTER PROCESSING");
    assert_eq!(lines[2], lines[3]);
    assert_eq!((lines[4], lines[7]), ("data: {\"odd\":", "data: [DONE]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_number_of_chunks_arrives_whole() {
    let Step::Data(chunk) = Step::text("x") else {
        panic!("a text step is a data event");
    };
    let steps = [Step::Repeat(chunk, 20_000), Step::finish("stop"), Step::Done];
    let sandbox = quiet().await;
    sandbox.always(MODEL, Reply::stream(steps));
    let answer = chat(&sandbox, &asking(MODEL, true));
    assert_eq!(answer.content().len(), 20_000);
    let answer = chat(&sandbox, &asking(MODEL, false));
    let content = &answer.json()["choices"][0]["message"]["content"];
    assert_eq!(content.as_str().map(str::len), Some(20_000));
}
