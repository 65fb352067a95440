//! Pieces as they come, and the events that are made of them.

#![expect(clippy::unwrap_used, reason = "tests")]

use bytes::Bytes;

use super::*;

const HEAD: &str = r#""id":"g","object":"chat.completion.chunk","created":7,"model":"m""#;

/// Returns the frames that are made of pieces, one for each write.
fn frames(with_usage: bool, pieces: &[Value]) -> Vec<String> {
    let mut events = Events::new(&ModelId::parse("a/b:free").unwrap(), with_usage);
    let mut frames = Vec::new();
    let mut take = |frame: &mut BytesMut| frames.push(String::from_utf8(frame.split().to_vec()).unwrap());
    let mut frame = BytesMut::new();
    for piece in pieces {
        let raw = piece.as_str().map_or_else(|| piece.to_string(), str::to_owned);
        events.chunk(&Chunk::parse(Bytes::from(raw)).unwrap(), &mut frame);
        take(&mut frame);
    }
    while events.end(&mut frame).unwrap() == End::More {
        take(&mut frame);
    }
    take(&mut frame);
    frames.retain(|frame| !frame.is_empty());
    frames
}

/// Returns the data of the events, without what all pieces must say.
fn told(with_usage: bool, pieces: &[Value]) -> Vec<Value> {
    let mut frames = frames(with_usage, pieces);
    assert_eq!(frames.pop().as_deref(), Some("data: [DONE]\n\n"));
    let data = frames.iter().map(|frame| frame.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap());
    let pieces: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    let bare = |mut piece: Value| {
        let head: Value = serde_json::from_str(&format!("{{{HEAD}}}")).unwrap();
        for (name, value) in head.as_object().unwrap() {
            assert_eq!(piece.as_object_mut().unwrap().remove(name).as_ref(), Some(value), "{name} of {piece}");
        }
        piece
    };
    pieces.into_iter().map(bare).collect()
}

/// Returns a piece with a choice, as the upstream writes it.
fn piece(delta: &Value, reason: Option<&str>) -> Value {
    let mut piece: Value = serde_json::from_str(&format!("{{{HEAD}}}")).unwrap();
    piece["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": reason, "native_finish_reason": reason}]);
    piece
}

fn choice(delta: &Value, reason: Option<&str>) -> Value {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": reason, "native_finish_reason": reason}]})
}

/// What ends an answer for which nothing was said of its end.
fn end(reason: &str) -> Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

#[test]
fn pieces_pass_byte_for_byte_after_the_first() {
    let text = |text: &str| {
        format!(r#"{{ {HEAD},"provider":"P" ,"choices":[{{"delta":{{"content":"{text}"}},"index":0,"n":1.50}}]}}"#)
    };
    let (first, second) = (text("Hi"), text("you \\u00e4"));
    let frames = frames(false, &[json!(first), json!(second)]);
    assert_eq!(frames[1], format!("data: {second}\n\n"));
    let first = r#"data: {"choices":[{"delta":{"content":"Hi","role":"assistant"},"finish_reason":null,"index":0,"n":1.5}],"created":7,"id":"g","model":"m","object":"chat.completion.chunk","provider":"P"}"#;
    assert_eq!(frames[0], format!("{first}\n\n"));
}

#[test]
fn the_end_is_told_once_and_what_comes_after_it_without_saying_anything_is_not() {
    let role = json!({"role": "assistant", "content": ""});
    let hi = json!({"role": "assistant", "content": "Hi"});
    let twice = [piece(&hi, None), piece(&role, Some("stop")), piece(&role, Some("stop")), piece(&role, None)];
    assert_eq!(told(false, &twice), [choice(&hi, None), choice(&role, Some("stop"))]);
    // The first reason counts, and words are told wherever they come.
    let more = json!({"content": " you"});
    let late = [piece(&hi, Some("length")), piece(&more, Some("stop"))];
    assert_eq!(told(false, &late), [choice(&hi, None), choice(&more, None), choice(&json!({}), Some("length"))]);
    assert_eq!(told(false, &[piece(&hi, None)]), [choice(&hi, None), end("stop")]);
    assert_eq!(
        told(false, &[piece(&json!({}), Some("content_filter"))]),
        [choice(&json!({"role": "assistant"}), Some("content_filter"))]
    );
    let unknown = told(false, &[piece(&hi, None), piece(&json!({}), Some("eos"))]);
    assert_eq!(unknown[1]["choices"][0]["finish_reason"], "stop", "some clients know five words and no other");
}

#[test]
fn usage_comes_once_at_the_end_for_who_asked() {
    let hi = json!({"role": "assistant", "content": "Hi"});
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
    let counted = |mut piece: Value| {
        piece["usage"] = usage.clone();
        piece
    };
    let mut alone = piece(&hi, None);
    alone["choices"] = json!([]);
    let endings = [
        vec![counted(piece(&json!({}), Some("stop")))],
        vec![piece(&json!({}), Some("stop")), counted(piece(&json!({}), Some("stop")))],
        vec![piece(&json!({}), Some("stop")), counted(piece(&json!({}), None))],
        vec![piece(&json!({}), Some("stop")), counted(alone.clone()), counted(alone)],
    ];
    for ending in endings {
        let mut pieces = vec![counted(piece(&hi, None))];
        pieces.extend(ending);
        let expected = [choice(&hi, None), choice(&json!({}), Some("stop"))];
        assert_eq!(told(false, &pieces), expected);
        let last = json!({"choices": [], "usage": usage});
        assert_eq!(told(true, &pieces), [&expected[..], &[last]].concat());
    }
}

#[test]
fn every_piece_has_the_head_of_the_first() {
    let hi = json!({"role": "assistant", "content": "Hi"});
    let mut other = piece(&hi, None);
    other["id"] = json!("other");
    other["model"] = json!("");
    let silent = json!({"choices": [{"delta": {"content": "Hi"}}]});
    let spelled = json!({"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": null}]});
    let expected = [choice(&hi, None), choice(&hi, None), spelled, end("stop")];
    assert_eq!(told(false, &[piece(&hi, None), other, silent]), expected);
}

#[test]
fn thinking_has_both_names() {
    let hm = json!({"role": "assistant", "content": "", "reasoning": "H\"m", "reasoning_details": [{"text": "H\"m"}]});
    let both = json!({"role": "assistant", "content": "", "reasoning": "H\"m", "reasoning_content": "H\"m",
                      "reasoning_details": [{"text": "H\"m"}]});
    let parts = json!({"reasoning": null, "reasoning_details": [{"summary": "a"}]});
    let mended = json!({"reasoning": "a", "reasoning_content": "a", "reasoning_details": [{"summary": "a"}]});
    let pieces = [piece(&hm, None), piece(&hm, None), piece(&both, None), piece(&parts, None)];
    let expected = [choice(&both, None), choice(&both, None), choice(&both, None), choice(&mended, None), end("stop")];
    assert_eq!(told(false, &pieces), expected);
}

#[test]
fn calls_are_told_as_openais_libraries_join_them() {
    let call = |call: Value| json!({"tool_calls": [call]});
    let pieces = [
        piece(&call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}})), None),
        piece(&call(json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}})), None),
        piece(&call(json!({"index": 1, "id": "b", "function": {"name": "g"}})), None),
        piece(&json!({}), Some("stop")),
    ];
    let first = json!({"role": "assistant", "tool_calls": [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]});
    let second = call(json!({"index": 0, "function": {"arguments": "{}"}}));
    let third = call(json!({"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}}));
    let closing = call(json!({"index": 1, "function": {"arguments": "{}"}}));
    let expected = [
        choice(&first, None),
        choice(&second, None),
        choice(&third, None),
        json!({"choices": [{"index": 0, "delta": closing, "finish_reason": null}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls", "native_finish_reason": "stop"}]}),
    ];
    assert_eq!(told(false, &pieces), expected);
}

#[test]
fn a_message_in_place_of_a_delta_is_one_and_pieces_without_a_choice_are_not_told() {
    let mut whole = piece(&json!({}), Some("stop"));
    let message = json!({"role": "assistant", "content": "Hi", "annotations": [{"a": 1}]});
    whole["choices"] = json!([{"message": message, "finish_reason": "stop"}]);
    let mut empty = piece(&json!({}), None);
    empty["choices"] = json!([]);
    let mut debug = empty.clone();
    debug["debug"] = json!({"echo": 1});
    let expected = [
        json!({"choices": [], "debug": {"echo": 1}}),
        json!({"choices": [{"index": 0, "delta": message, "finish_reason": null}]}),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ];
    assert_eq!(told(false, &[debug, empty, whole]), expected);
}
