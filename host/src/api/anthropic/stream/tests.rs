//! Events for chunks, and the message that they spell: the same as the whole answer.

#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::api::anthropic::whole;

fn answer(stops: &[&str]) -> Answer {
    let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
    Answer {
        id: "msg_1".to_owned(),
        model: "a/b:free".to_owned(),
        prompt_tokens: 7,
        stops,
        taken: vec!["taken".to_owned()],
    }
}

fn chunks(chunks: &[Value]) -> Vec<Chunk> {
    chunks.iter().map(|chunk| Chunk::parse(Bytes::from(chunk.to_string())).unwrap()).collect()
}

fn delta(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn text(text: &str) -> Value {
    delta(&json!({"content": text}))
}

fn thinking(text: &str) -> Value {
    delta(&json!({"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]}))
}

fn call(index: u32, id: &str, name: &str, arguments: &str) -> Value {
    let function = json!({"name": name, "arguments": arguments});
    delta(&json!({"content": null, "tool_calls": [{"index": index, "id": id, "function": function}]}))
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"delta": {}, "finish_reason": reason}], "usage": {"prompt_tokens": 11, "completion_tokens": 3}})
}

/// Returns the events of each chunk and of the end.
fn frames(stops: &[&str], given: &[Value]) -> Vec<Vec<Value>> {
    let mut events = Events::new(answer(stops), RequestId::default());
    let mut frames = Vec::new();
    for chunk in chunks(given) {
        if events.is_over() {
            break;
        }
        let mut frame = BytesMut::new();
        events.chunk(&chunk, &mut frame);
        frames.push(read(&frame));
    }
    let mut frame = BytesMut::new();
    assert_eq!(events.end(&mut frame), Ok(End::Last));
    frames.push(read(&frame));
    frames
}

/// Reads a frame; the name of each event must be its type.
fn read(frame: &[u8]) -> Vec<Value> {
    let events = std::str::from_utf8(frame).unwrap().split_terminator("\n\n");
    let event = |event: &str| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    };
    events.map(event).collect()
}

/// Puts a message together as Anthropic's libraries do, and fails where they do.
fn spelled(events: &[Value]) -> Value {
    let mut message = events[0]["message"].clone();
    let mut content: Vec<Value> = Vec::new();
    let (mut open, mut arguments) = (None, String::new());
    for event in &events[1..] {
        let index = event["index"].as_u64();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!((open, index), (None, Some(content.len() as u64)), "{event}");
                open = index;
                arguments.clear();
                content.push(event["content_block"].clone());
            }
            "content_block_delta" => {
                assert!(open.is_some() && open == index, "{event}");
                let block = content.last_mut().unwrap();
                let grow = |field: &mut Value, more: &Value| {
                    *field = json!(field.as_str().unwrap().to_owned() + more.as_str().unwrap());
                };
                let delta = &event["delta"];
                match delta["type"].as_str().unwrap() {
                    "text_delta" => grow(&mut block["text"], &delta["text"]),
                    "thinking_delta" => grow(&mut block["thinking"], &delta["thinking"]),
                    "signature_delta" => block["signature"] = delta["signature"].clone(),
                    "input_json_delta" => arguments.push_str(delta["partial_json"].as_str().unwrap()),
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => {
                assert!(open.is_some() && open == index, "{event}");
                open = None;
                let block = content.last_mut().unwrap();
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(&arguments).unwrap_or_else(|_| json!(arguments));
                }
            }
            "message_delta" => {
                assert_eq!(open, None);
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                message["stop_sequence"] = event["delta"]["stop_sequence"].clone();
                message["usage"] = event["usage"].clone();
            }
            "ping" | "message_stop" => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(events.last().unwrap()["type"], "message_stop");
    message["content"] = json!(content);
    message
}

/// Checks what chunks spell in both forms; the signature apart, which is opened.
fn check(stops: &[&str], given: &[Value], content: &Value, reason: &str) {
    let streamed = spelled(&frames(stops, given).concat());
    assert_eq!((&streamed["content"], &streamed["stop_reason"]), (content, &json!(reason)), "{given:?}");
    let whole = serde_json::to_value(whole::message(answer(stops), &chunks(given))).unwrap();
    // A stream that ends at a stop is left, and so are its figures.
    let members: Vec<&str> = if reason == "stop_sequence" {
        vec!["content", "stop_reason", "stop_sequence", "model"]
    } else {
        streamed.as_object().unwrap().keys().map(String::as_str).collect()
    };
    for member in members {
        assert_eq!(whole[member], streamed[member], "{member}: {given:?}");
    }
}

/// The signature of thinking that nobody sealed.
fn signature() -> String {
    crate::api::anthropic::signature::sealed("a/b:free", Vec::new())
}

fn tool_use(id: &str, name: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

#[test]
fn events_come_in_anthropics_order() {
    let frames = frames(&[], &[thinking("Hm. "), thinking("So."), text("Hi"), finish("stop"), finish("stop")]);
    let told =
        json!({"input_tokens": 7, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0});
    let message = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "a/b:free", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": told});
    let added = |index: u32, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let ended = |index: u32| json!({"type": "content_block_stop", "index": index});
    let usage =
        json!({"input_tokens": 11, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3});
    let expected = json!([
        [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
            {"type": "ping"},
            added(0, json!({"type": "thinking_delta", "thinking": "Hm. "})),
        ],
        [added(0, json!({"type": "thinking_delta", "thinking": "So."}))],
        [
            added(0, json!({"type": "signature_delta", "signature": signature()})),
            ended(0),
            {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
            added(1, json!({"type": "text_delta", "text": "Hi"})),
        ],
        [],
        [],
        [
            ended(1),
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": usage},
            {"type": "message_stop"},
        ],
    ]);
    assert_eq!(json!(frames), expected);
}

#[test]
fn answers_are_spelled_alike_in_both_forms() {
    let thought = |thinking: &str| json!({"type": "thinking", "thinking": thinking, "signature": signature()});
    let said = |text: &str| json!({"type": "text", "text": text});
    check(&[], &[text("Hel"), text("lo"), finish("stop")], &json!([said("Hello")]), "end_turn");
    check(&[], &[thinking("Hm."), text("Hi"), finish("length")], &json!([thought("Hm."), said("Hi")]), "max_tokens");
    check(&[], &[finish("content_filter")], &json!([]), "refusal");
    check(
        &["END"],
        &[text("One E"), text("ND two"), text("x"), finish("stop")],
        &json!([said("One ")]),
        "stop_sequence",
    );
    check(&["END"], &[text("One EN"), finish("stop")], &json!([said("One EN")]), "end_turn");
    let calls = [
        thinking("Hm."),
        text("I look."),
        call(0, "c", "look", ""),
        call(0, "", "", "{\"a\""),
        call(0, "", "", ": 1}"),
        call(1, "d", "wait", " "),
        finish("tool_calls"),
    ];
    let content = json!([
        thought("Hm."),
        said("I look."),
        tool_use("c", "look", &json!({"a": 1})),
        tool_use("d", "wait", &json!({}))
    ]);
    check(&[], &calls, &content, "tool_use");
    check(&[], &[call(0, "c", "f", "{}"), finish("stop")], &json!([tool_use("c", "f", &json!({}))]), "tool_use");
}

#[test]
fn calls_that_are_mixed_are_told_one_after_the_other() {
    let mixed = [
        call(0, "c", "f", ""),
        call(1, "d", "g", ""),
        call(0, "", "", "{\"a\":"),
        call(1, "", "", "{\"b\":"),
        call(1, "", "", "2}"),
        call(0, "", "", "1}"),
        finish("tool_calls"),
    ];
    let content = json!([tool_use("c", "f", &json!({"a": 1})), tool_use("d", "g", &json!({"b": 2}))]);
    check(&[], &mixed, &content, "tool_use");
    let frames = frames(&[], &mixed);
    let lengths: Vec<usize> = frames.iter().map(Vec::len).collect();
    // The second comes as soon as the first is complete, in one piece.
    assert_eq!(lengths, [3, 0, 1, 0, 0, 4, 0, 3], "{frames:?}");
}

#[test]
fn the_arguments_of_a_call_are_told_as_they_come() {
    let given =
        [call(0, "c", "f", "{\"a\":"), call(0, "", "", "1}"), call(1, "d", "f", "{\"b\":"), call(1, "", "", "2}")];
    let told = |frame: &Vec<Value>| -> Vec<String> {
        frame.iter().filter_map(|event| Some(event["delta"]["partial_json"].as_str()?.to_owned())).collect()
    };
    let frames = frames(&[], &given);
    let expected = [vec!["{\"a\":"], vec!["1}"], vec!["{\"b\":"], vec!["2}"], vec![]];
    assert_eq!(frames.iter().map(told).collect::<Vec<_>>(), expected);
}

#[test]
fn text_beside_a_call_that_is_not_complete_waits_for_it() {
    let given = [
        call(0, "c", "f", "{\"a\":"),
        text("and "),
        thinking("Hm."),
        call(0, "", "", "1}"),
        text("so on"),
        finish("tool_calls"),
    ];
    let streamed = spelled(&frames(&[], &given).concat());
    let content = json!([
        tool_use("c", "f", &json!({"a": 1})), {"type": "text", "text": "and "},
        {"type": "thinking", "thinking": "Hm.", "signature": signature()}, {"type": "text", "text": "so on"},
    ]);
    assert_eq!(streamed["content"], content);
    let given = [call(0, "c", "f", "{}"), text("then"), call(1, "d", "f", "{}"), finish("tool_calls")];
    let streamed = spelled(&frames(&[], &given).concat());
    assert_eq!(
        streamed["content"],
        json!([tool_use("c", "f", &json!({})), {"type": "text", "text": "then"}, tool_use("d", "f", &json!({}))])
    );
}

#[test]
fn a_call_that_a_limit_cut_off_is_not_told_as_one_that_can_be_carried_out() {
    let given = [text("I look."), call(0, "c", "f", "{\"a\": \"x"), call(1, "d", "g", "{\"b\""), finish("length")];
    let streamed = spelled(&frames(&[], &given).concat());
    let said = json!({"type": "text", "text": "I look."});
    assert_eq!(
        streamed["content"],
        json!([said, tool_use("c", "f", &json!("{\"a\": \"x"))]),
        "what was told stays half"
    );
    let whole = serde_json::to_value(whole::message(answer(&[]), &chunks(&given))).unwrap();
    assert_eq!((&whole["content"], &whole["stop_reason"]), (&json!([said]), &json!("max_tokens")));
}

#[test]
fn ids_that_are_missing_double_or_taken_are_mended() {
    let calls = ["", "c", "c", "taken"].into_iter().zip(0..).map(|(id, index)| call(index, id, "f", "{}"));
    let given: Vec<Value> = calls.chain([finish("tool_calls")]).collect();
    let whole = serde_json::to_value(whole::message(answer(&[]), &chunks(&given))).unwrap();
    for message in [spelled(&frames(&[], &given).concat()), whole] {
        let ids: Vec<&str> =
            message["content"].as_array().unwrap().iter().map(|block| block["id"].as_str().unwrap()).collect();
        let [first, "c", third, fourth] = ids[..] else { panic!("{ids:?}") };
        assert!(first != third && third != fourth && first != fourth, "{ids:?}");
        assert!([first, third, fourth].iter().all(|id| id.starts_with("toolu_")), "{ids:?}");
    }
}

#[test]
fn sealed_thinking_is_in_the_signature() {
    let part = |more: Value| {
        let mut part = json!({"type": "reasoning.text", "index": 0});
        part.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        delta(&json!({"reasoning": part["text"], "reasoning_details": [part]}))
    };
    let secret = delta(&json!({"reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "index": 1}]}));
    let given = [
        part(json!({"text": "Hm. "})),
        part(json!({"text": "So."})),
        part(json!({"signature": "abc"})),
        secret.clone(),
        text("Hi"),
    ];
    let details = json!([
        {"type": "reasoning.text", "index": 0, "text": "Hm. So.", "signature": "abc"},
        {"type": "reasoning.encrypted", "data": "x", "index": 1},
    ]);
    let opened = |message: &Value| {
        let signature = message["content"][0]["signature"].as_str().unwrap();
        serde_json::to_value(crate::api::anthropic::signature::opened(signature, Some("a/b:free"))).unwrap()
    };
    let whole = serde_json::to_value(whole::message(answer(&[]), &chunks(&given))).unwrap();
    for message in [spelled(&frames(&[], &given).concat()), whole] {
        assert_eq!((opened(&message), &message["content"][0]["thinking"]), (details.clone(), &json!("Hm. So.")));
    }
    // After the text there is no place for it, unless a call follows.
    let late = json!({"choices": [{"delta": {"reasoning_details": secret["choices"][0]["delta"]["reasoning_details"],
        "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]}}]});
    let kinds = |given: &[Value]| -> Vec<String> {
        let message = spelled(&frames(&[], given).concat());
        message["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&[text("Hi"), secret.clone()]), ["text"]);
    assert_eq!(kinds(&[text("Hi"), late]), ["text", "thinking", "tool_use"]);
    // What only its vendor can read is a block without words.
    let message = spelled(&frames(&[], &[secret, text("Hi")]).concat());
    assert_eq!((opened(&message), &message["content"][0]["thinking"]), (json!([details[1]]), &json!("")));
}

#[test]
fn a_client_that_waits_is_told_that_there_is_still_somebody() {
    let mut given = vec![call(0, "c", "f", ""), call(1, "d", "g", "{\"a\":\"")];
    given.extend((0..2 * QUIET_CHUNKS).map(|_| call(1, "", "", "x")));
    given.extend([call(1, "", "", "\"}"), call(0, "", "", "{}")]);
    let frames = frames(&[], &given);
    let pings = frames[1..].iter().flatten().filter(|event| event["type"] == "ping").count();
    assert_eq!(pings, 2);
}

#[test]
fn an_answer_that_broke_off_is_told_as_an_error_and_what_is_kept_has_a_bound() {
    let mut events = Events::new(answer(&[]), RequestId::default());
    let mut frame = BytesMut::new();
    events.error("it broke off", &mut frame);
    let error = json!({"type": "error", "error": {"type": "api_error", "message": "it broke off"}, "request_id": "req_0000000000000000"});
    assert_eq!(read(&frame), [error]);

    let long = "x".repeat(1 + MAX_LATE_BYTES);
    for chunk in chunks(&[call(0, "c", "f", "{"), text(&long)]) {
        assert!(!events.is_over());
        events.chunk(&chunk, &mut frame);
    }
    assert!(events.is_over() && events.end(&mut frame).is_err());
}
