//! Whatever pieces come, the events are what OpenAI's libraries can read.

#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::chat::{chunk::Choice, tools::ToolCalls};

fn call() -> impl Strategy<Value = Value> {
    let index = prop::option::of(0..3_u32);
    let text = |texts: &'static [Option<&'static str>]| prop::sample::select(texts);
    let id = text(&[None, Some(""), Some("a"), Some("b")]);
    let name = text(&[None, Some(""), Some("f"), Some("g")]);
    let arguments = text(&[None, Some(""), Some(" "), Some("{"), Some("}")]);
    let kind = text(&[None, Some(""), Some("function")]);
    (index, id, name, arguments, kind).prop_map(|(index, id, name, arguments, kind)| {
        json!({"index": index, "id": id, "type": kind, "function": {"name": name, "arguments": arguments}})
    })
}

fn delta() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![Value::Null, json!(""), json!("Hi"), json!("\"\n\u{1f600}")]);
    let thinking = prop::sample::select(&["reasoning", "reasoning_content", "reasoning_details"][..]);
    prop_oneof![
        3 => text.clone().prop_map(|text| json!({"content": text})),
        1 => (text, thinking).prop_map(|(text, name)| match name {
            "reasoning_details" => json!({"reasoning_details": [{"type": "reasoning.text", "text": text}]}),
            name => json!({"role": "assistant", "content": null, name: text}),
        }),
        2 => prop::collection::vec(call(), 0..3).prop_map(|calls| json!({"tool_calls": calls})),
        1 => Just(json!({})),
    ]
}

fn piece() -> impl Strategy<Value = Value> {
    let reason = prop::sample::select(&[None, None, None, Some(""), Some("stop"), Some("length"), Some("eos")][..]);
    let head =
        prop::sample::select(vec![json!({}), json!({"id": "g", "model": "m", "created": 7}), json!({"id": null})]);
    (delta(), reason, head, any::<[bool; 4]>()).prop_map(|(delta, reason, head, [whole, index, usage, choice])| {
        let mut piece = head;
        let name = if whole { "message" } else { "delta" };
        let mut one = json!({name: delta, "finish_reason": reason});
        if index {
            one["index"] = json!(0);
        }
        piece["object"] = json!("chat.completion.chunk");
        piece["choices"] = if usage && choice { json!([]) } else { json!([one]) };
        piece["usage"] = if usage { json!({"total_tokens": 3}) } else { Value::Null };
        piece
    })
}

fn events(pieces: &[Chunk]) -> Vec<Value> {
    let mut events = Events::new(&ModelId::parse("a/b:free").unwrap(), true);
    let mut frame = BytesMut::new();
    for piece in pieces {
        events.chunk(piece, &mut frame);
    }
    while events.end(&mut frame).unwrap() == End::More {}
    let text = String::from_utf8(frame.to_vec()).unwrap();
    let text = text.strip_suffix("data: [DONE]\n\n").unwrap();
    text.split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

/// Joins all texts of one name.
fn joined<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> String {
    texts.flatten().collect()
}

/// Joins calls by their index, as libraries do, and returns names and arguments in
/// the order of the indices.
fn calls(choices: &[&Value]) -> Vec<(String, String)> {
    let mut calls: std::collections::BTreeMap<u64, (String, String, String)> = std::collections::BTreeMap::new();
    let fragments = choices.iter().flat_map(|choice| choice["delta"]["tool_calls"].as_array().into_iter().flatten());
    for fragment in fragments {
        let call = calls.entry(fragment["index"].as_u64().unwrap()).or_default();
        let is_first = call.0.is_empty();
        assert_eq!(fragment["type"] == "function", is_first, "{fragment}");
        call.0 += fragment["id"].as_str().unwrap_or_default();
        call.1 += fragment["function"]["name"].as_str().unwrap_or_default();
        call.2 += fragment["function"]["arguments"].as_str().unwrap_or_default();
        assert!(!call.0.is_empty(), "{fragment}");
    }
    let ids: std::collections::BTreeSet<&str> = calls.values().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(ids.len(), calls.len(), "{calls:?}");
    calls.into_values().map(|(_, name, arguments)| (name, arguments)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stream_is_wellformed_and_says_what_came(pieces in prop::collection::vec(piece(), 1..8)) {
        let chunks: Vec<Chunk> = pieces.iter().map(|piece| Chunk::parse(Bytes::from(piece.to_string())).unwrap()).collect();
        let events = events(&chunks);
        let head = |piece: &Value| ["id", "object", "created", "model"].map(|name| piece[name].clone());
        prop_assert!(events.iter().all(|event| head(event) == head(&events[0]) && event["id"].is_string()));
        let (choices, counts): (Vec<&Value>, Vec<&Value>) = events.iter().partition(|event| event["choices"] != json!([]));
        prop_assert_eq!(counts.len(), usize::from(chunks.iter().any(|chunk| chunk.usage.is_some())));
        let choices: Vec<&Value> = choices.into_iter().map(|event| &event["choices"][0]).collect();
        prop_assert!(choices.iter().all(|choice| choice["index"] == 0 && choice["delta"].is_object()));
        prop_assert_eq!(&choices[0]["delta"]["role"], "assistant");
        let (last, others) = choices.split_last().unwrap();
        prop_assert!(["stop", "length", "tool_calls"].contains(&last["finish_reason"].as_str().unwrap()));
        prop_assert!(others.iter().all(|choice| choice["finish_reason"].is_null()));

        let deltas = || chunks.iter().filter_map(Chunk::choice).map(Choice::delta);
        let said = |name: &str| joined(choices.iter().map(|choice| choice["delta"][name].as_str()));
        prop_assert_eq!(said("content"), joined(deltas().map(|delta| delta.content.as_deref())));
        let thought = joined(deltas().map(|delta| delta.thinking()));
        prop_assert_eq!((said("reasoning"), said("reasoning_content")), (thought.clone(), thought));
        let mut expected = ToolCalls::default();
        deltas().flat_map(|delta| &delta.tool_calls).for_each(|fragment| expected.add(fragment));
        // Blank arguments are no object to the engine either, and it adds one to them.
        let told = calls(&choices).into_iter().map(|(name, arguments)| (name, arguments.trim().to_owned()));
        let expected = expected.finish(|| "fresh".to_owned()).into_iter();
        let expected = expected.map(|call| (call.name, call.arguments.trim().to_owned()));
        prop_assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}
