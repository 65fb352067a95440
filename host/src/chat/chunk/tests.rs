//! Pieces as upstreams spell them, and what is read in them.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn parse(json: &'static str) -> Chunk {
    Chunk::parse(Bytes::from_static(json.as_bytes())).unwrap()
}

#[test]
fn only_content_thinking_calls_and_pictures_are_substance() {
    let cases = [
        (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, false),
        (r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":null}}]}"#, false),
        (r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#, false),
        (r#"{"choices":null}"#, false),
        (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, false),
        (r#"{"choices":[{"delta":{"content":" "}}]}"#, true),
        (r#"{"choices":[{"delta":{"content":"","reasoning":"Hm"}}]}"#, true),
        (r#"{"choices":[{"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm"}]}}]}"#, true),
        (r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}}]}"#, true),
        (r#"{"choices":[{"message":{"content":"whole"}}]}"#, true),
        (r#"{"choices":[{"delta":{"reasoning":"a","reasoning_content":"a"}}]}"#, true),
    ];
    for (json, expected) in cases {
        assert_eq!(parse(json).has_substance(), expected, "{json}");
    }
}

#[test]
fn an_error_is_found_at_the_top_and_in_the_choice_and_null_is_none() {
    let error = |json| parse(json).error().map(|error| error.get().to_owned());
    assert_eq!(error(r#"{"error":{"code":502},"choices":[]}"#), Some(r#"{"code":502}"#.to_owned()));
    assert_eq!(error(r#"{"choices":[{"error":{"code":1},"delta":{}}]}"#), Some(r#"{"code":1}"#.to_owned()));
    assert_eq!(error(r#"{"error":null,"choices":[{"delta":{"content":"a"}}]}"#), None);
}

#[test]
fn finish_reasons_are_read_and_new_words_mean_that_it_is_over() {
    let finish = |json| parse(json).finish_reason();
    assert_eq!(finish(r#"{"choices":[{"finish_reason":null}]}"#), None);
    assert_eq!(finish(r#"{"choices":[{"finish_reason":""}]}"#), None);
    assert_eq!(finish(r#"{"choices":[{"finish_reason":"length"}]}"#), Some(FinishReason::Length));
    assert_eq!(finish(r#"{"choices":[{"finish_reason":"error"}]}"#), Some(FinishReason::Error));
    assert_eq!(finish(r#"{"choices":[{"finish_reason":"eos"}]}"#), Some(FinishReason::Stop));
}

#[test]
fn pieces_of_one_answer_are_known_by_what_they_say_of_it() {
    let first = parse(r#"{"id":"g","object":"o","created":1,"model":"m","choices":[]}"#);
    let same = [r#"{"choices":[{"delta":{}}], "model" : "m","created":1,"object":"o","id":"g"}"#];
    let others = [
        r#"{"id":"h","object":"o","created":1,"model":"m","choices":[]}"#,
        r#"{"id":"g","object":"o","created":1,"choices":[]}"#,
        r#"{"id":"g","object":"o","created":"1","model":"m","choices":[]}"#,
        r#"{"id":"g","object":"o","created":1,"model":null,"choices":[]}"#,
    ];
    assert!(same.iter().all(|json| parse(json).head() == first.head()));
    assert!(others.iter().all(|json| parse(json).head() != first.head()));
}

#[test]
fn a_plain_choice_has_an_index_a_delta_and_no_word_on_the_end() {
    let is_plain = |json| parse(json).choice().is_some_and(Choice::is_plain);
    assert!(is_plain(r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#));
    for odd in [
        r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"message":{"content":"a"}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}"#,
    ] {
        assert!(!is_plain(odd), "{odd}");
    }
}

#[test]
fn the_names_of_the_thinking_are_told() {
    let cases = [
        (r#"{"content":"a","reasoning":"","reasoning_content":null}"#, ThinkingNames::None),
        (r#"{"reasoning":"a","reasoning_content":"a"}"#, ThinkingNames::Both),
        (r#"{"reasoning":"a"}"#, ThinkingNames::FirstAlone),
        (r#"{"reasoning":"a","reasoning_content":null}"#, ThinkingNames::Otherwise),
        (r#"{"reasoning_content":"a"}"#, ThinkingNames::Otherwise),
        (r#"{"reasoning":null,"reasoning_details":[{"text":"a"}]}"#, ThinkingNames::Otherwise),
    ];
    for (delta, expected) in cases {
        let delta: Delta = serde_json::from_str(delta).unwrap();
        assert_eq!(delta.thinking_names(), expected, "{delta:?}");
    }
}

#[test]
fn parts_of_the_thinking_are_read_however_odd_they_are() {
    let odd = r#"{"choices":[{"delta":{"reasoning_details":[
        {"type":"reasoning.text","text":"Hm","index":-1,"id":7,"format":null,"signature":{},"data":[1]}]}}]}"#;
    let chunk = parse(odd);
    let text = ReasoningDetail {
        kind: Some("reasoning.text".to_owned()),
        text: Some("Hm".to_owned()),
        ..ReasoningDetail::default()
    };
    assert_eq!(chunk.choice().unwrap().delta().reasoning_details, [text]);
}
