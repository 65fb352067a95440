//! Tests of answers: chunks of the upstream on one side, events and the object on
//! the other.

#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{api::responses::convert, chat::Fields};

fn head(request: &Value) -> Head {
    let fields: Fields = serde_json::from_str(&request.to_string()).unwrap();
    let form = convert::response_request("m".to_owned(), fields).unwrap().form;
    Head { seed: 1, created_at: 100, now: || 101, model: "a/b:free".to_owned(), prompt_tokens: 7, form, recall: None }
}

fn plain() -> Value {
    json!({"input": "Hi"})
}

fn chunks(pieces: &[Value]) -> Vec<Chunk> {
    pieces.iter().map(|piece| Chunk::parse(Bytes::from(piece.to_string())).unwrap()).collect()
}

/// Returns the events of an answer, in good order for certain.
fn events(request: &Value, pieces: &[Value], breaks_off: bool) -> Vec<Value> {
    let mut answer = Answer::streamed(head(request));
    let mut frame = BytesMut::new();
    for chunk in chunks(pieces) {
        answer.chunk(&chunk, &mut frame);
    }
    if breaks_off {
        answer.error("it broke off", &mut frame);
    } else {
        assert_eq!(answer.end(&mut frame), Ok(End::Last));
    }
    let text = std::str::from_utf8(&frame).unwrap();
    let read = |(number, event): (usize, &str)| {
        let (name, line) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let mut event: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
        event.as_object_mut().unwrap().remove("sequence_number");
        event
    };
    text.split_terminator("\n\n").enumerate().map(read).collect()
}

fn whole(request: &Value, pieces: &[Value]) -> Value {
    serde_json::from_str(&Answer::whole(head(request), &chunks(pieces))).unwrap()
}

fn delta(delta: &Value) -> Value {
    json!({"choices": [{"index": 0, "delta": delta}]})
}

fn finish(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": reason}]})
}

/// Returns the answer's items without what is the same in all.
fn output(request: &Value, pieces: &[Value]) -> Vec<Value> {
    let mut items = whole(request, pieces)["output"].take();
    for item in items.as_array_mut().unwrap() {
        item.as_object_mut().unwrap().remove("encrypted_content");
    }
    items.as_array().unwrap().clone()
}

#[test]
fn a_whole_answer_has_all_members_and_repeats_its_request() {
    let request = json!({"input": "Hi", "instructions": "Be brief.", "temperature": 0.5, "store": true,
        "metadata": {"a": "b"}, "tools": [{"type": "function", "name": "f"}], "text": {"verbosity": "low"}});
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": null}, "completion_tokens_details": {"reasoning_tokens": 2}});
    let mut last = finish("stop");
    last["usage"] = usage;
    let text = json!({"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []});
    assert_eq!(
        whole(&request, &[delta(&json!({"content": "Hel"})), delta(&json!({"content": "lo"})), last]),
        json!({
            "id": "resp_0000000000000001", "object": "response", "created_at": 100, "completed_at": 101,
            "status": "completed", "background": false, "error": null, "incomplete_details": null, "model": "a/b:free",
            "output": [{"type": "message", "id": "msg_00000000000000010000", "role": "assistant", "status": "completed", "content": [text]}],
            "previous_response_id": null, "service_tier": "default", "store": false,
            "usage": {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
                      "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 16},
            "frequency_penalty": 0, "presence_penalty": 0, "instructions": "Be brief.", "max_output_tokens": null,
            "max_tool_calls": null, "metadata": {"a": "b"}, "parallel_tool_calls": true, "prompt_cache_key": null,
            "reasoning": {"effort": null, "summary": null}, "safety_identifier": null, "temperature": 0.5,
            "text": {"format": {"type": "text"}, "verbosity": "low"}, "tool_choice": "auto", "tools": [{"type": "function", "name": "f"}],
            "top_logprobs": 0, "top_p": null, "truncation": "disabled", "user": null,
        })
    );
}

#[test]
fn thinking_words_and_calls_are_told_in_order() {
    let fragment = |index: u32, id: &str, name: &str, arguments: &str| {
        delta(
            &json!({"content": null, "tool_calls": [{"index": index, "id": id, "function": {"name": name, "arguments": arguments}}]}),
        )
    };
    let pieces = [
        delta(
            &json!({"role": "assistant", "content": "", "reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}),
        ),
        delta(&json!({"content": "I look."})),
        fragment(0, "c0", "f", ""),
        fragment(1, "c1", "g", "{\"b\""),
        fragment(0, "", "", "{}"),
        fragment(1, "", "", ":1}"),
        finish("tool_calls"),
    ];
    let all = events(&plain(), &pieces, false);
    let [created, progress, told @ .., completed] = &all[..] else { panic!("{all:?}") };
    assert_eq!([&created["type"], &progress["type"]], ["response.created", "response.in_progress"]);
    assert_eq!((&created["response"]["status"], &created["response"]["usage"]), (&json!("in_progress"), &Value::Null));
    let (rs, msg, fc, fc1) =
        ("rs_00000000000000010000", "msg_00000000000000010001", "fc_00000000000000010002", "fc_00000000000000010003");
    let text = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    let message = |status: &str, content: Value| json!({"type": "message", "id": msg, "role": "assistant", "status": status, "content": content});
    let call = |id: &str, call_id: &str, name: &str, arguments: &str, status: &str| json!({"type": "function_call", "id": id, "call_id": call_id, "name": name, "arguments": arguments, "status": status});
    let summary = |text: &str| json!({"type": "summary_text", "text": text});
    let thought = json!({"type": "reasoning", "id": rs, "status": "completed", "summary": [summary("Hm")],
        "encrypted_content": thinking::Thinking::Text("Hm".to_owned()).sealed()});
    let at = |kind: &str, id: &str, index: usize, rest: Value| {
        let mut event = json!({"type": kind, "item_id": id, "output_index": index});
        event.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        event
    };
    let item = |kind: &str, index: usize, item: Value| json!({"type": kind, "output_index": index, "item": item});
    let (added, done) = ("response.output_item.added", "response.output_item.done");
    let (argued, all_argued) = ("response.function_call_arguments.delta", "response.function_call_arguments.done");
    let expected = [
        item(added, 0, json!({"type": "reasoning", "id": rs, "status": "in_progress", "summary": []})),
        at("response.reasoning_summary_part.added", rs, 0, json!({"summary_index": 0, "part": summary("")})),
        at("response.reasoning_summary_text.delta", rs, 0, json!({"summary_index": 0, "delta": "Hm"})),
        at("response.reasoning_summary_text.done", rs, 0, json!({"summary_index": 0, "text": "Hm"})),
        at("response.reasoning_summary_part.done", rs, 0, json!({"summary_index": 0, "part": summary("Hm")})),
        item(done, 0, thought.clone()),
        item(added, 1, message("in_progress", json!([]))),
        at("response.content_part.added", msg, 1, json!({"content_index": 0, "part": text("")})),
        at("response.output_text.delta", msg, 1, json!({"content_index": 0, "delta": "I look.", "logprobs": []})),
        at("response.output_text.done", msg, 1, json!({"content_index": 0, "text": "I look.", "logprobs": []})),
        at("response.content_part.done", msg, 1, json!({"content_index": 0, "part": text("I look.")})),
        item(done, 1, message("completed", json!([text("I look.")]))),
        item(added, 2, call(fc, "c0", "f", "", "in_progress")),
        item(added, 3, call(fc1, "c1", "g", "", "in_progress")),
        at(argued, fc1, 3, json!({"delta": "{\"b\""})),
        at(argued, fc, 2, json!({"delta": "{}"})),
        at(argued, fc1, 3, json!({"delta": ":1}"})),
        at(all_argued, fc, 2, json!({"arguments": "{}"})),
        item(done, 2, call(fc, "c0", "f", "{}", "completed")),
        at(all_argued, fc1, 3, json!({"arguments": "{\"b\":1}"})),
        item(done, 3, call(fc1, "c1", "g", "{\"b\":1}", "completed")),
    ];
    assert_eq!(told, expected);
    assert_eq!(completed["type"], "response.completed");
    assert_eq!(completed["response"], whole(&plain(), &pieces), "a stream ends with what a whole answer is");
    assert_eq!(completed["response"]["output"][0], thought);
    let usage = &completed["response"]["usage"];
    assert_eq!((&usage["input_tokens"], &usage["output_tokens"]), (&json!(7), &json!(5)), "estimated: none was told");
}

#[test]
fn custom_tools_and_groups_come_back_as_the_client_knows_them() {
    let request = json!({"input": "Hi", "tools": [{"type": "custom", "name": "patch"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "f"}]}]});
    let call = |index: u32, name: &str, arguments: &str| json!({"index": index, "function": {"name": name, "arguments": arguments}});
    let pieces = [
        delta(&json!({"tool_calls": [call(0, "patch", "{\"input\":\"*** a"), call(1, "n__f", " ")]})),
        delta(&json!({"tool_calls": [{"index": 0, "function": {"arguments": "\\n\"}"}}]})),
        finish("tool_calls"),
    ];
    let patch = json!({"type": "custom_tool_call", "id": "ctc_00000000000000010000", "call_id": "call_00000000000000010000",
        "name": "patch", "input": "*** a\n", "status": "completed"});
    let function = json!({"type": "function_call", "id": "fc_00000000000000010001", "call_id": "call_00000000000000010001",
        "name": "f", "namespace": "n", "arguments": " {}", "status": "completed"});
    assert_eq!(output(&request, &pieces), [patch.clone(), function.clone()]);
    let all = events(&request, &pieces, false);
    let of = |kind: &str| -> Vec<&Value> { all.iter().filter(|event| event["type"] == kind).collect() };
    assert_eq!(of("response.custom_tool_call_input.delta")[0]["delta"], "*** a\n");
    assert_eq!(of("response.custom_tool_call_input.done")[0]["input"], "*** a\n");
    let deltas: String =
        of("response.function_call_arguments.delta").iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(deltas, " {}", "what came in pieces is what it is in the end");
}

#[test]
fn refusals_probabilities_pages_and_pictures_have_their_places() {
    let request = json!({"input": "Hi", "top_logprobs": 1});
    let mut first = delta(&json!({"content": "Hi"}));
    first["choices"][0]["logprobs"] = json!({"content": [{"token": "Hi", "logprob": -0.5, "bytes": null,
        "top_logprobs": [{"token": "Ho", "logprob": -1.0, "bytes": [72, 111]}]}], "refusal": null});
    let pieces = [
        first.clone(),
        delta(
            &json!({"content": "", "annotations": [{"type": "url_citation", "url_citation": {"url": "https://a", "title": "A", "end_index": 2}}, 3]}),
        ),
        delta(&json!({"refusal": "No."})),
        delta(
            &json!({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"image_url": {"url": "https://a"}}]}),
        ),
        finish("stop"),
    ];
    let logprobs = json!([{"token": "Hi", "bytes": [72, 105], "logprob": -0.5,
        "top_logprobs": [{"token": "Ho", "bytes": [72, 111], "logprob": -1.0}]}]);
    let annotations =
        json!([{"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 2}]);
    let content = json!([{"type": "output_text", "annotations": annotations, "logprobs": logprobs, "text": "Hi"},
        {"type": "refusal", "refusal": "No."}]);
    assert_eq!(
        output(&request, &pieces),
        [
            json!({"type": "message", "id": "msg_00000000000000010000", "role": "assistant", "status": "completed", "content": content}),
            json!({"type": "image_generation_call", "id": "ig_00000000000000010001", "status": "completed", "result": "AAAA"})
        ]
    );
    let kinds: Vec<Value> =
        events(&request, &pieces, false).into_iter().map(|mut event| event["type"].take()).collect();
    assert!(
        kinds.contains(&json!("response.refusal.done"))
            && kinds.contains(&json!("response.output_text.annotation.added"))
    );
    assert_eq!(output(&plain(), &[first])[0]["content"][0]["logprobs"], json!([]), "nobody asked for them");
}

#[test]
fn thinking_that_comes_again_begins_a_new_item_and_late_signatures_tear_nothing() {
    let signed = |text: &str, signature: &str| json!({"type": "reasoning.text", "index": 0, "text": text, "signature": signature});
    let pieces = [
        delta(&json!({"reasoning": "One", "reasoning_details": [signed("One", "")]})),
        delta(&json!({"reasoning": ".", "reasoning_details": [signed(".", "")]})),
        delta(&json!({"content": "", "reasoning_details": [signed("", "s1")]})),
        delta(&json!({"content": "A"})),
        delta(&json!({"reasoning": "Two."})),
        delta(&json!({"content": "B"})),
        delta(
            &json!({"content": "", "reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}, signed("", "")]}),
        ),
        delta(&json!({"content": "C"})),
        finish("stop"),
    ];
    let answer = whole(&plain(), &pieces);
    let told = |item: &Value| -> String {
        let parts = item.get("summary").or(item.get("content")).unwrap().as_array().unwrap();
        parts.iter().filter_map(|part| part["text"].as_str()).collect()
    };
    let items = answer["output"].as_array().unwrap();
    let kinds: Vec<(&str, String)> = items.iter().map(|item| (item["type"].as_str().unwrap(), told(item))).collect();
    let expected =
        [("reasoning", "One."), ("message", "A"), ("reasoning", "Two."), ("message", "BC"), ("reasoning", "")];
    assert_eq!(kinds, expected.map(|(kind, text)| (kind, text.to_owned())));
    let unsealed = |at: usize| thinking::Thinking::unsealed(items[at]["encrypted_content"].as_str().unwrap()).unwrap();
    assert_eq!(unsealed(0), thinking::Thinking::Details(vec![signed("One.", "s1")]));
    assert_eq!(unsealed(2), thinking::Thinking::Text("Two.".to_owned()));
    assert_eq!(unsealed(4), thinking::Thinking::Details(vec![json!({"type": "reasoning.encrypted", "data": "d"})]));
}

#[test]
fn an_answer_that_was_cut_says_so_and_so_does_its_last_item() {
    for (reason, told) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
        let calls = json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}, {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{\"a"}}]);
        let pieces = [delta(&json!({"content": "Hi"})), delta(&json!({"tool_calls": calls})), finish(reason)];
        let answer = whole(&plain(), &pieces);
        assert_eq!(
            (&answer["status"], &answer["incomplete_details"]),
            (&json!("incomplete"), &json!({"reason": told}))
        );
        assert_eq!(answer["completed_at"], Value::Null);
        let statuses: Vec<&Value> = answer["output"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
        assert_eq!(statuses, ["completed", "completed", "incomplete"]);
        assert_eq!(events(&plain(), &pieces, false).last().unwrap()["type"], "response.incomplete");
    }
    let nothing = whole(&plain(), &[finish("length")]);
    assert_eq!((&nothing["status"], &nothing["output"]), (&json!("incomplete"), &json!([])));
}

#[test]
fn an_answer_that_broke_off_fails_with_what_came_of_it() {
    let calls = json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{\"a"}}]);
    let pieces = [delta(&json!({"content": "Hi"})), delta(&json!({"tool_calls": calls}))];
    let all = events(&plain(), &pieces, true);
    let last = all.last().unwrap();
    let response = &last["response"];
    assert_eq!((&last["type"], &response["status"]), (&json!("response.failed"), &json!("failed")));
    assert_eq!(response["error"], json!({"code": "server_error", "message": "it broke off"}));
    let statuses: Vec<&Value> = response["output"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(
        (statuses, &response["output"][1]["arguments"]),
        (vec![&json!("completed"), &json!("incomplete")], &json!("{\"a"))
    );
    let at_once = events(&plain(), &[], true);
    let kinds: Vec<&Value> = at_once.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["response.created", "response.in_progress", "response.failed"]);
}

#[test]
fn line_breaks_in_a_request_stay_out_of_the_events() {
    let body = "{\"input\":\"Hi\",\"tools\":[\r\n{\"type\":\"function\",\n\"name\":\"a\\nb\"}]}";
    let form = convert::response_request("m".to_owned(), serde_json::from_str(body).unwrap()).unwrap().form;
    let mut answer = Answer::streamed(Head { form, ..head(&plain()) });
    let mut frame = BytesMut::new();
    assert_eq!(answer.end(&mut frame), Ok(End::Last));
    let text = std::str::from_utf8(&frame).unwrap();
    assert!(!text.contains('\r') && text.lines().all(|line| line.is_empty() || line.contains(": ")), "{text}");
    assert!(text.contains(r"a\nb"));
}

/// Any piece of an answer, awkward ones too.
fn any_piece() -> impl Strategy<Value = Value> {
    let text = || prop::option::of("[a-c\n ]{0,3}");
    let fragment = (prop::option::of(0_u32..3), prop::option::of("[ab]?"), prop::option::of("[fp]?"), text());
    let call = fragment.prop_map(|(index, id, name, arguments)| json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}));
    let calls = prop::collection::vec(call, 0..3);
    let detail = (text(), text())
        .prop_map(|(text, signature)| json!({"type": "reasoning.text", "text": text, "signature": signature}));
    let details = prop::collection::vec(detail, 0..2);
    let reasons = prop::option::of(prop::sample::select(vec!["stop", "length", "tool_calls"]));
    (text(), text(), text(), calls, details, reasons).prop_map(|(content, refusal, reasoning, calls, details, reason)| {
        json!({"choices": [{"delta": {"content": content, "refusal": refusal, "reasoning": reasoning, "tool_calls": calls,
            "reasoning_details": details}, "finish_reason": reason}]})
    })
}

proptest! {
    #[test]
    fn every_stream_is_in_order_and_its_pieces_make_its_end(pieces in prop::collection::vec(any_piece(), 0..12), breaks_off: bool) {
        let request = json!({"input": "Hi", "tools": [{"type": "custom", "name": "p"}]});
        let all = events(&request, &pieces, breaks_off);
        let last = &all.last().unwrap()["response"];
        let items = last["output"].as_array().unwrap();
        if !breaks_off {
            prop_assert_eq!(last, &whole(&request, &pieces));
        }
        for (index, item) in items.iter().enumerate() {
            let own: Vec<&Value> = all.iter().filter(|event| event["output_index"] == index).collect();
            prop_assert_eq!(&own[0]["type"], "response.output_item.added");
            prop_assert!(own.iter().all(|event| event["item_id"] == item["id"] || event["item"]["id"] == item["id"]));
            let ended = own.iter().filter(|event| event["type"] == "response.output_item.done").count();
            prop_assert_eq!(ended, usize::from(!breaks_off || item["status"] == "completed"));
            if ended == 1 {
                prop_assert_eq!(&own[own.len() - 1]["item"], item);
            }
            let deltas: String = own.iter().filter_map(|event| event["delta"].as_str()).collect();
            let parts = item.get("summary").or(item.get("content")).and_then(Value::as_array);
            let text: String = match parts {
                Some(parts) => parts.iter().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str())).collect(),
                None => item.get("arguments").or(item.get("input")).unwrap().as_str().unwrap().to_owned(),
            };
            prop_assert!(deltas == text || (breaks_off && item["type"] == "custom_tool_call"), "{} {}", deltas, text);
        }
    }
}
