//! Folds the events of a stream into the one JSON body of a non-stream answer.
//!
//! A pure accumulator: it neither waits nor writes. An error among the events
//! becomes the error body inside a 200 that the real one sends then. Read
//! `sandbox/stream.rs` for who feeds it.

use serde_json::{Map, Value, json};

use crate::sandbox::stream::Exchange;

/// The parts of an answer gathered so far.
#[derive(Debug, Default)]
pub(super) struct Folded {
    seen: bool,
    has_choices: bool,
    has_choice: bool,
    content: String,
    reasoning: String,
    details: Vec<Value>,
    tools: Vec<Tool>,
    logprobs: Vec<Value>,
    finish_reason: Value,
    native_finish_reason: Value,
    usage: Option<Value>,
    error: Option<Value>,
    user_id: Option<Value>,
}

#[derive(Debug)]
struct Tool {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl Folded {
    /// Adds one event.
    pub(super) fn add(&mut self, event: &Value) {
        self.seen = true;
        if let Some(usage) = event.get("usage") {
            self.usage = Some(usage.clone());
        }
        if let Some(user_id) = event.get("user_id") {
            self.user_id = Some(user_id.clone());
        }
        // An error after the finish does not undo a complete answer.
        if self.finish_reason.is_null()
            && let Some(error) = event.get("error")
        {
            self.error = Some(error.clone());
        }
        let choices = event.get("choices");
        self.has_choices |= choices.is_some();
        if let Some(choice) = choices.and_then(|choices| choices.get(0)) {
            self.has_choice = true;
            self.add_choice(choice);
        }
    }

    /// Returns the body; nothing when no event came.
    pub(super) fn body(self, exchange: &Exchange) -> Option<Value> {
        if !self.seen {
            return None;
        }
        let mut body = Map::new();
        if let Some(user_id) = self.user_id {
            body.insert("user_id".to_owned(), user_id);
        }
        if let (false, Some(error)) = (self.has_choice, &self.error) {
            body.insert("error".to_owned(), error.clone());
            if self.has_choices {
                body.insert("choices".to_owned(), json!([]));
            }
            return Some(Value::Object(body));
        }
        let mut choice = json!({
            "index": 0,
            "logprobs": null,
            "finish_reason": self.finish_reason,
            "native_finish_reason": self.native_finish_reason,
            "message": {"role": "assistant", "content": self.content, "refusal": null,
                "reasoning": null},
        });
        if !self.logprobs.is_empty() {
            choice["logprobs"] = json!({"content": self.logprobs, "refusal": null});
        }
        if !self.reasoning.is_empty() {
            choice["message"]["reasoning"] = json!(self.reasoning);
            choice["message"]["reasoning_details"] = json!(joined(self.details));
        }
        if !self.tools.is_empty() {
            choice["message"]["content"] = json!(null);
            choice["message"]["tool_calls"] = self.tools.iter().map(Tool::call).collect();
        }
        if let Some(error) = self.error {
            choice["error"] = error;
            choice["finish_reason"] = json!("error");
        }
        body.insert("object".to_owned(), json!("chat.completion"));
        body.insert("choices".to_owned(), json!([choice]));
        if let Some(usage) = self.usage {
            body.insert("usage".to_owned(), usage);
        }
        let mut body = Value::Object(body);
        exchange.complete(&mut body);
        Some(body)
    }

    fn add_choice(&mut self, choice: &Value) {
        let delta = &choice["delta"];
        self.content += delta["content"].as_str().unwrap_or_default();
        self.reasoning += delta["reasoning"].as_str().unwrap_or_default();
        self.details.extend(list(&delta["reasoning_details"]));
        self.logprobs.extend(list(&choice["logprobs"]["content"]));
        for fragment in list(&delta["tool_calls"]) {
            self.add_fragment(&fragment);
        }
        if self.finish_reason.is_null() {
            self.finish_reason = choice["finish_reason"].clone();
            self.native_finish_reason = choice["native_finish_reason"].clone();
        }
    }

    fn add_fragment(&mut self, fragment: &Value) {
        let index = fragment["index"].as_u64().unwrap_or_default();
        let function = &fragment["function"];
        let arguments = function["arguments"].as_str().unwrap_or_default();
        if let Some(tool) = self.tools.iter_mut().find(|tool| tool.index == index) {
            tool.arguments += arguments;
            return;
        }
        self.tools.push(Tool {
            index,
            id: fragment["id"].as_str().unwrap_or_default().to_owned(),
            name: function["name"].as_str().unwrap_or_default().to_owned(),
            arguments: arguments.to_owned(),
        });
    }
}

impl Tool {
    fn call(&self) -> Value {
        json!({
            "type": "function",
            "index": self.index,
            "id": self.id,
            "function": {"name": self.name, "arguments": self.arguments},
        })
    }
}

/// Joins the texts of consecutive details into one, as a whole answer has them.
fn joined(details: Vec<Value>) -> Vec<Value> {
    let mut whole: Vec<Value> = Vec::new();
    for detail in details {
        match (whole.last_mut(), detail["text"].as_str()) {
            (Some(last), Some(text)) if last["index"] == detail["index"] => {
                let before = last["text"].as_str().unwrap_or_default().to_owned();
                last["text"] = json!(before + text);
            }
            _ => whole.push(detail),
        }
    }
    whole
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}
