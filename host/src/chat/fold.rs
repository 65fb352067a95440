//! A streamed reply folded into the whole answer that it spells.
//!
//! Works on the pieces as they came, so that fields the router does not know
//! reach the client too. Text grows, lists with an `index` merge by it, other
//! lists grow, anything else is replaced by what comes later. Pure.

use serde_json::{Map, Value, json};

use crate::chat::{
    chunk::{Chunk, FinishReason},
    thinking,
};

/// Folds the pieces of a reply into one `chat.completion` object.
///
/// The finish reason is the first that was given, in a word that clients know, the
/// id and the model are the first, the usage the last. The thinking has both names
/// that clients look for. A piece that is no object adds nothing. `fresh_id` makes
/// an id for a tool call that has none of its own.
pub fn completion<'a>(chunks: impl IntoIterator<Item = &'a Chunk>, fresh_id: impl FnMut() -> String) -> Value {
    let mut whole = Map::new();
    let mut choice = Map::new();
    let mut message = Map::new();
    let mut reason = None;
    for chunk in chunks {
        reason = reason.or(chunk.finish_reason());
        let Ok(Value::Object(mut piece)) = serde_json::from_slice(&chunk.raw) else { continue };
        if let Some(Value::Array(choices)) = piece.remove("choices")
            && let Some(Value::Object(mut first)) = choices.into_iter().next()
        {
            for name in ["delta", "message"] {
                if let Some(Value::Object(delta)) = first.remove(name) {
                    grow(&mut message, delta);
                }
            }
            if let Some(logprobs) = first.remove("logprobs").filter(|value| !value.is_null()) {
                merge(&mut choice, "logprobs", logprobs);
            }
            for (name, value) in first {
                let empty = choice.get(&name).is_none_or(Value::is_null);
                if empty {
                    choice.insert(name, value);
                }
            }
        }
        for (name, value) in piece {
            let stays = FIRST.contains(&name.as_str()) && whole.get(&name).is_some_and(is_told);
            if !stays && (!value.is_null() || !whole.contains_key(&name)) {
                whole.insert(name, value);
            }
        }
    }
    identify(&mut message, fresh_id);
    thinking::give_both_names(&mut message);
    finish(whole, choice, message, reason)
}

/// Members of which the first is kept, if it says something: what identifies an
/// answer does not change while it comes.
const FIRST: [&str; 3] = ["created", "id", "model"];

fn is_told(value: &Value) -> bool {
    !value.is_null() && value != ""
}

/// Gives every tool call an id of its own, by which its result is told apart, and
/// arguments that are JSON where there are none.
fn identify(message: &mut Map<String, Value>, mut fresh_id: impl FnMut() -> String) {
    let mut seen: Vec<String> = Vec::new();
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(call) = call.as_object_mut() else { continue };
        let id = call.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = if id.is_empty() || seen.contains(&id) { fresh_id() } else { id };
        call.insert("id".to_owned(), id.clone().into());
        seen.push(id);
        if call.get("type").and_then(Value::as_str).is_none_or(str::is_empty) {
            call.insert("type".to_owned(), "function".into());
        }
        let is_blank = |arguments: &Value| arguments.as_str().is_some_and(|text| text.trim().is_empty());
        if let Some(function) = call.get_mut("function").and_then(Value::as_object_mut)
            && function.get("arguments").is_none_or(is_blank)
        {
            function.insert("arguments".to_owned(), "{}".into());
        }
    }
}

fn finish(
    mut whole: Map<String, Value>,
    mut choice: Map<String, Value>,
    mut message: Map<String, Value>,
    reason: Option<FinishReason>,
) -> Value {
    message.insert("role".to_owned(), json!("assistant"));
    let has_calls = message.get("tool_calls").is_some_and(|calls| calls.as_array().is_some_and(|c| !c.is_empty()));
    let content = message.entry("content").or_insert(Value::Null);
    if content.is_null() && !has_calls {
        *content = json!("");
    }
    let reason = match reason {
        // Some say so of calls too, and clients go by this word.
        None | Some(FinishReason::Stop) if has_calls => FinishReason::ToolCalls,
        reason => reason.unwrap_or(FinishReason::Stop),
    };
    choice.insert("finish_reason".to_owned(), reason.as_str().into());
    choice.insert("index".to_owned(), json!(0));
    choice.insert("message".to_owned(), Value::Object(message));
    choice.entry("logprobs").or_insert(Value::Null);
    whole.insert("object".to_owned(), json!("chat.completion"));
    whole.insert("choices".to_owned(), json!([choice]));
    Value::Object(whole)
}

/// Adds the members of a delta to what has come before.
fn grow(whole: &mut Map<String, Value>, delta: Map<String, Value>) {
    for (name, value) in delta {
        merge(whole, &name, value);
    }
}

fn merge(whole: &mut Map<String, Value>, name: &str, new: Value) {
    let Some(old) = whole.get_mut(name) else {
        whole.insert(name.to_owned(), new);
        return;
    };
    match (old, new) {
        (_, Value::Null) => {}
        (Value::String(old), Value::String(new)) if GROWING.contains(&name) => old.push_str(&new),
        (Value::Array(old), Value::Array(new)) if name == "tool_calls" => {
            for item in new {
                add_call(old, item);
            }
        }
        (Value::Array(old), Value::Array(new)) => new.into_iter().for_each(|item| add(old, item)),
        (Value::Object(old), Value::Object(new)) => grow(old, new),
        // An id or a name that comes again empty does not undo the first.
        (old, Value::String(new)) if new.is_empty() && !old.is_null() => {}
        (old, new) => *old = new,
    }
}

/// Members whose text comes in pieces; the text of all others comes whole.
const GROWING: [&str; 9] =
    ["content", "reasoning", "reasoning_content", "refusal", "arguments", "text", "summary", "data", "transcript"];

/// Adds a fragment of a tool call, by the rule of `chat::tools`: by its index, or
/// without one by its id, or without either to the last call.
fn add_call(list: &mut Vec<Value>, item: Value) {
    let id = item.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let place = match (item.get("index").and_then(Value::as_u64), id) {
        (Some(_), _) => return add(list, item),
        (None, Some(id)) => list.iter().rposition(|old| old.get("id").and_then(Value::as_str) == Some(id)),
        (None, None) => list.len().checked_sub(1),
    };
    match (place.and_then(|place| list.get_mut(place)), item) {
        (Some(Value::Object(old)), Value::Object(item)) => grow(old, item),
        (_, item) => list.push(item),
    }
}

/// Adds an item to a list: to the item of the same `index`, or at the end.
pub fn add(list: &mut Vec<Value>, item: Value) {
    let index = item.get("index").and_then(Value::as_u64);
    let same = index.and_then(|index| {
        list.iter_mut().rfind(|old| {
            old.get("index").and_then(Value::as_u64) == Some(index)
                && old.get("type").or(item.get("type")) == item.get("type").or(old.get("type"))
        })
    });
    match (same, item) {
        (Some(Value::Object(old)), Value::Object(item)) => grow(old, item),
        (_, item) => list.push(item),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn fold(pieces: &[Value]) -> Value {
        let chunks: Vec<Chunk> =
            pieces.iter().map(|piece| Chunk::parse(Bytes::from(piece.to_string())).unwrap()).collect();
        completion(&chunks, || "fresh".to_owned())
    }

    #[test]
    fn text_thinking_and_unknown_fields_come_together() {
        let whole = fold(&[
            json!({"id": "gen-1", "object": "chat.completion.chunk", "model": "m", "provider": "P",
                   "choices": [{"index": 0, "delta": {"role": "assistant", "content": "", "reasoning": "Hm"}, "finish_reason": null}]}),
            json!({"id": "gen-1", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hel"},
                   "logprobs": {"content": [{"token": "Hel"}]}}]}),
            json!({"id": "gen-1", "model": "m", "choices": [{"index": 0, "delta": {"content": "lo", "annotations": [{"a": 1}]},
                   "logprobs": {"content": [{"token": "lo"}]}, "finish_reason": "stop", "native_finish_reason": "STOP"}]}),
            json!({"id": "gen-1", "model": "m", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "length"}],
                   "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
        ]);
        assert_eq!(
            whole,
            json!({"id": "gen-1", "object": "chat.completion", "model": "m", "provider": "P",
                   "choices": [{"index": 0, "finish_reason": "stop", "native_finish_reason": "STOP",
                     "logprobs": {"content": [{"token": "Hel"}, {"token": "lo"}]},
                     "message": {"role": "assistant", "content": "Hello", "reasoning": "Hm", "reasoning_content": "Hm",
                                 "annotations": [{"a": 1}]}}],
                   "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
        );
    }

    #[test]
    fn calls_and_thinking_parts_merge_by_index() {
        let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
        let whole = fold(&[
            delta(json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a"}]})),
            delta(json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "b"},
                                               {"type": "reasoning.encrypted", "index": 0, "data": "x"}]})),
            delta(
                json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
            ),
            delta(json!({"tool_calls": [{"index": 0, "id": "", "function": {"arguments": "{\"a\":"}},
                                        {"index": 1, "id": "d", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})),
            delta(json!({"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "1}"}}]})),
        ]);
        assert_eq!(
            whole["choices"][0]["message"],
            json!({"role": "assistant", "content": null, "reasoning": "ab", "reasoning_content": "ab",
                   "reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "ab"},
                                         {"type": "reasoning.encrypted", "index": 0, "data": "x"}],
                   "tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
                                  {"index": 1, "id": "d", "type": "function", "function": {"name": "f", "arguments": "{}"}}]})
        );
    }

    #[test]
    fn fragments_without_an_index_go_to_the_call_of_their_id_or_to_the_last() {
        let delta = |call: Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]});
        let whole = fold(&[
            delta(json!({"id": "a", "function": {"name": "f", "arguments": "{\"x\""}})),
            delta(json!({"function": {"arguments": ":1"}})),
            delta(json!({"id": "a", "function": {"arguments": "}"}})),
            delta(json!({"id": "b", "function": {"name": "g", "arguments": "{}"}})),
        ]);
        let calls = whole["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        assert!(calls.iter().all(|call| call["type"] == "function"));
        let told: Vec<&Value> = calls.iter().map(|call| &call["function"]).collect();
        assert_eq!(told, [&json!({"name": "f", "arguments": "{\"x\":1}"}), &json!({"name": "g", "arguments": "{}"})]);
    }

    #[test]
    fn calls_without_an_id_of_their_own_get_one() {
        let call = |index: u32, id: &str| json!({"index": index, "id": id, "function": {"name": "f", "arguments": ""}});
        let whole = fold(&[json!({"choices": [{"delta": {"tool_calls": [call(0, ""), call(1, "a"), call(2, "a")]}}]})]);
        let calls = whole["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        assert!(calls.iter().all(|call| call["function"]["arguments"] == "{}"));
        let ids: Vec<&str> = calls.iter().filter_map(|call| call["id"].as_str()).collect();
        assert_eq!(ids, ["fresh", "a", "fresh"]);
    }

    #[test]
    fn a_whole_answer_stays_what_it_is() {
        let whole = fold(&[json!({"id": "g", "object": "chat.completion", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}]})]);
        assert_eq!(whole["choices"][0]["message"], json!({"role": "assistant", "content": "Hi"}));
        assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    }

    #[test]
    fn the_reason_is_one_that_clients_know_and_what_identifies_an_answer_is_the_first() {
        let call = json!([{"index": 0, "id": "c", "function": {"name": "f"}}]);
        let cases = [
            (json!({"content": "a"}), json!("eos"), "stop"),
            (json!({"content": "a"}), json!(null), "stop"),
            (json!({"content": "a"}), json!("length"), "length"),
            (json!({"tool_calls": call}), json!("stop"), "tool_calls"),
            (json!({"tool_calls": call}), json!(null), "tool_calls"),
            (json!({"tool_calls": call}), json!("length"), "length"),
        ];
        for (delta, reason, expected) in cases {
            let whole = fold(&[
                json!({"id": "", "model": "m", "choices": [{"delta": delta}]}),
                json!({"id": "g", "model": "", "choices": [{"delta": {}, "finish_reason": reason}]}),
                json!({"id": "h", "model": "other", "choices": []}),
            ]);
            assert_eq!(whole["choices"][0]["finish_reason"], expected, "{delta} {reason}");
            assert_eq!([&whole["id"], &whole["model"]], ["g", "m"]);
        }
    }
}
