//! The tool calls of a stream, fragment by fragment, as OpenAI's libraries put
//! them together.
//!
//! They join by index and add up every text they meet, so a call needs an index in
//! each fragment, and id, type and name in the first and in no other. Which
//! fragment belongs to which call follows the rule of `chat::tools`. Judges
//! nothing: the engine does.

use serde_json::{Map, Value, json};

use crate::{api::openai::call_id, chat::chunk::ToolCallDelta};

/// A message holds no more calls than this, as in `chat::tools`.
const MAX_CALLS: usize = 256;

/// The calls of one answer that were told so far.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    /// The upstream's index, or one of our own.
    index: u32,
    /// The upstream's id; empty before it gives one.
    id: String,
    /// The id that the client knows.
    told: String,
    is_named: bool,
    /// Whether an argument was told.
    has_arguments: bool,
}

impl Calls {
    /// Tells whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes fragments that may pass as they came, and tells whether they may: each
    /// goes on with a call that the client knows and says nothing twice.
    pub(super) fn go_on(&mut self, fragments: &[ToolCallDelta]) -> bool {
        fragments.iter().all(|fragment| {
            let index = fragment.index;
            let Some(call) = self.0.iter_mut().find(|call| Some(call.index) == index) else { return false };
            let is_empty = |text: &Option<String>| text.as_ref().is_none_or(String::is_empty);
            call.has_arguments |= has_arguments(fragment);
            is_empty(&fragment.id) && is_empty(&fragment.function.name)
        })
    }

    /// Writes a fragment as clients need it; `None` for a call too many.
    pub(super) fn mended(&mut self, fragment: &ToolCallDelta, raw: &Value) -> Option<Value> {
        let (place, is_new) = match self.place(fragment) {
            Some(place) => (place, false),
            None => (self.begin(fragment)?, true),
        };
        let call = self.0.get_mut(place)?;
        let mut told: Map<String, Value> = raw.as_object().cloned().unwrap_or_default();
        let mut function = match told.remove("function") {
            Some(Value::Object(function)) => function,
            Some(_) | None => Map::new(),
        };
        told.insert("index".to_owned(), call.index.into());
        if is_new {
            told.insert("id".to_owned(), call.told.clone().into());
            told.insert("type".to_owned(), "function".into());
        } else {
            drop((told.remove("id"), told.remove("type")));
            if let (true, Some(id)) = (call.id.is_empty(), &fragment.id) {
                id.clone_into(&mut call.id);
            }
        }
        if call.is_named {
            drop(function.remove("name"));
        }
        call.is_named |= function.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
        call.has_arguments |= has_arguments(fragment);
        if !function.get("arguments").is_some_and(Value::is_string) {
            function.insert("arguments".to_owned(), "".into());
        }
        told.insert("function".to_owned(), Value::Object(function));
        Some(Value::Object(told))
    }

    /// Returns a fragment for each call without any argument, so that what clients
    /// have is JSON.
    pub(super) fn closing(&self) -> Vec<Value> {
        let blank = self.0.iter().filter(|call| !call.has_arguments);
        blank.map(|call| json!({"index": call.index, "function": {"arguments": "{}"}})).collect()
    }

    /// Returns the place of the call that a fragment goes on with.
    fn place(&self, fragment: &ToolCallDelta) -> Option<usize> {
        let id = fragment.id.as_deref().filter(|id| !id.is_empty());
        match (fragment.index, id) {
            (Some(index), _) => self.0.iter().rposition(|call| call.index == index),
            (None, Some(id)) => self.0.iter().rposition(|call| call.id == id),
            (None, None) => self.0.len().checked_sub(1),
        }
    }

    fn begin(&mut self, fragment: &ToolCallDelta) -> Option<usize> {
        if self.0.len() >= MAX_CALLS {
            return None;
        }
        let next = self.0.iter().map(|call| call.index.saturating_add(1)).max().unwrap_or(0);
        let id = fragment.id.clone().unwrap_or_default();
        let is_taken = id.is_empty() || self.0.iter().any(|call| call.told == id);
        self.0.push(Call {
            index: fragment.index.unwrap_or(next),
            told: if is_taken { call_id() } else { id.clone() },
            id,
            is_named: false,
            has_arguments: false,
        });
        Some(self.0.len() - 1)
    }
}

fn has_arguments(fragment: &ToolCallDelta) -> bool {
    fragment.function.arguments.as_ref().is_some_and(|text| !text.trim().is_empty())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Returns what is told of fragments; ids that were made are `fresh`.
    fn told(fragments: &Value) -> Value {
        let mut calls = Calls::default();
        let mended = |raw: &Value| {
            let fragment: ToolCallDelta = serde_json::from_value(raw.clone()).unwrap();
            if calls.go_on(std::slice::from_ref(&fragment)) {
                return Some(raw.clone());
            }
            let mut told = calls.mended(&fragment, raw)?;
            if told["id"].as_str().is_some_and(|id| id.starts_with("call_") && id.len() == 21) {
                told["id"] = json!("fresh");
            }
            Some(told)
        };
        let mut all: Vec<Value> = fragments.as_array().unwrap().iter().filter_map(mended).collect();
        all.extend(calls.closing());
        Value::Array(all)
    }

    #[test]
    fn fragments_as_openai_sends_them_stay() {
        let fragments = json!([
            {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
            {"index": 0, "function": {"arguments": "{\"x\":"}},
            {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            {"index": 0, "function": {"arguments": "1}"}},
        ]);
        assert_eq!(told(&fragments), fragments);
    }

    #[test]
    fn a_call_is_introduced_once_and_has_an_index_in_each_fragment() {
        let cases = [
            (
                json!([{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
                       {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "}"}}]),
                json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
                       {"index": 0, "function": {"arguments": "}"}}]),
            ),
            (
                json!([{"id": "a", "function": {"name": "f", "arguments": "{"}}, {"function": {"arguments": "}"}},
                       {"id": "b", "function": {"name": "g", "arguments": "{}"}}, {"id": "a", "function": {"arguments": " "}}]),
                json!([{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}},
                       {"index": 0, "function": {"arguments": "}"}},
                       {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                       {"index": 0, "function": {"arguments": " "}}]),
            ),
            (
                json!([{"index": 3, "id": "", "type": "", "function": {"name": "f"}}, {"index": 3, "id": "late", "function": {"arguments": "{}"}},
                       {"index": 4, "id": "x", "function": {"name": "g", "arguments": null}},
                       {"index": 5, "id": "x", "function": {"name": "h", "arguments": "{}"}}]),
                json!([{"index": 3, "id": "fresh", "type": "function", "function": {"name": "f", "arguments": ""}},
                       {"index": 3, "function": {"arguments": "{}"}},
                       {"index": 4, "id": "x", "type": "function", "function": {"name": "g", "arguments": ""}},
                       {"index": 5, "id": "fresh", "type": "function", "function": {"name": "h", "arguments": "{}"}},
                       {"index": 4, "function": {"arguments": "{}"}}]),
            ),
        ];
        for (fragments, expected) in cases {
            assert_eq!(told(&fragments), expected, "{fragments}");
        }
    }

    #[test]
    fn calls_are_bounded() {
        let many: Vec<Value> = (0..300).map(|index| json!({"index": index, "id": index.to_string()})).collect();
        let told = told(&Value::Array(many));
        assert_eq!(told.as_array().unwrap().len(), 2 * MAX_CALLS, "each begun and closed");
    }
}
