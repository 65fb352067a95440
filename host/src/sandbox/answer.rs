//! The default answers: what a model says when nothing is scripted.
//!
//! A tool call when one is told or likely to be meant, words about a tool's result,
//! JSON when that is asked for, a greeting in tests, a plain statement in the demo
//! that the answer is simulated. It decides no failure and sends nothing. Read
//! `answer/turn.rs` for what is answered, `answer/told.rs` for which tools are
//! called, `answer/example.rs` for values made from a schema.

use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::answer::turn::Turn;
use crate::sandbox::catalog;
use crate::sandbox::reply::Reply;
use crate::sandbox::reply::parts::tokens;
use crate::sandbox::rules;
use crate::sandbox::scenario::Manner;
use crate::sandbox::shared::Shared;

mod example;
mod told;
mod turn;

/// About 25 chunks a second, a readable pace.
const DEMO_PACE: Duration = Duration::from_millis(40);

/// The wait for a first token in the demo, in ms: from the quickest on.
const DEMO_FIRST_MS: u64 = 150;

/// The spread of that wait, in ms: the slowest comes after 600.
const DEMO_FIRST_SPREAD_MS: u64 = 450;

/// The longest echo of a prompt or a tool's result, in characters.
const ECHO_CHARS: usize = 240;

/// Returns the answer of `model` to `request`.
pub(super) fn reply(shared: &Shared, request: &Value, model: &Value) -> Reply {
    let turn = Turn::of(request);
    let calls = told::calls(shared.manner(), request, &turn);
    let reply = if calls.is_empty() {
        limited(&text(shared.manner(), request, model, &turn), request, model)
    } else {
        let call = |reply: Reply, (name, arguments): &(String, Value)| reply.tool_call(name, arguments);
        calls.iter().fold(Reply::chunks([]), call)
    };
    let reply = match reasoning(shared.manner(), request, model) {
        Some(text) => reply.reasoning(text),
        None => reply,
    };
    let supported = &model["supported_parameters"];
    let reply =
        if request["logprobs"] == true && catalog::lists(supported, "logprobs") { reply.logprobs() } else { reply };
    match shared.manner() {
        Manner::Quiet => reply,
        Manner::Demo => {
            let first_ms = DEMO_FIRST_MS + shared.chance(DEMO_FIRST_SPREAD_MS);
            let first = Duration::from_millis(first_ms).saturating_sub(DEMO_PACE);
            reply.comments(2).padding(2).first_after(first).pace(DEMO_PACE)
        }
    }
}

/// Estimates the tokens of a request's messages and tools.
pub(super) fn prompt_tokens(request: &Value) -> u64 {
    let messages = request["messages"].as_array().into_iter().flatten();
    let text: u64 = messages.map(|message| tokens(&content(message))).sum();
    let tools = match &request["tools"] {
        Value::Null => 0,
        tools => tokens(&tools.to_string()),
    };
    text + tools
}

fn text(manner: Manner, request: &Value, model: &Value, turn: &Turn) -> String {
    let id = model["id"].as_str().unwrap_or_default();
    // A safety classifier answers with its verdict, whatever was asked.
    if catalog::is_classifier(model) {
        return "User Safety: safe".to_owned();
    }
    let format = &request["response_format"];
    match format["type"].as_str() {
        Some("json_schema") => {
            let schema = &format["json_schema"]["schema"];
            return example::value(schema, &turn.words).to_string();
        }
        Some("json_object") => return json!({"model": id, "simulated": true}).to_string(),
        _ => {}
    }
    let results = if turn.is_asking { &[] } else { turn.results.as_slice() };
    match (manner, results) {
        (Manner::Quiet, [.., last]) => format!("Hello from {id}. The tool said: {}", echo(last)),
        (Manner::Quiet, []) => format!("Hello from {id}."),
        (Manner::Demo, [_, ..]) => {
            let told = |result: &String| format!("The tool answered: {}\n\n", echo(result));
            let told: Vec<String> = results.iter().map(told).collect();
            let told = told.concat();
            format!("{told}This summary is simulated; {id} would have put it into better words.")
        }
        (Manner::Demo, []) => {
            let words = echo(&turn.words);
            let hint = told::hint(request).map(|hint| format!("\n\n{hint}")).unwrap_or_default();
            format!(
                "This answer is simulated: no model was asked. It comes from the sandbox that \
                 stands in for OpenRouter, in the place of {id}. You asked: “{words}” With a key \
                 from openrouter.ai the same request would go to the real model, and the router \
                 would fail over in the same way.{hint}"
            )
        }
    }
}

/// Returns `text` cut at the request's stop words and token limit.
fn limited(text: &str, request: &Value, model: &Value) -> Reply {
    let mut text = text.to_owned();
    if catalog::lists(&model["supported_parameters"], "stop") {
        let listed = request["stop"].as_array().into_iter().flatten();
        let stops = listed.chain([&request["stop"]]).filter_map(Value::as_str);
        let places = stops.filter(|stop| !stop.is_empty());
        if let Some(place) = places.filter_map(|stop| text.find(stop)).min() {
            text.truncate(place);
        }
    }
    let limit = request["max_completion_tokens"].as_u64();
    let limit = limit.or_else(|| request["max_tokens"].as_u64());
    let words: Vec<&str> = text.split_inclusive(' ').collect();
    // One word a chunk, one chunk a token: simple, and seen by the client.
    let kept = limit.map_or(words.len(), |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if kept >= words.len() {
        return Reply::chunks(words);
    }
    Reply::chunks(words.into_iter().take(kept)).finish("length")
}

/// Returns the reasoning to send first, if the model reasons and may show it.
fn reasoning(manner: Manner, request: &Value, model: &Value) -> Option<&'static str> {
    let can = &model["reasoning"];
    let asked = &request["reasoning"];
    let is_wanted = asked["enabled"] == true
        || !asked["effort"].is_null()
        || !asked["max_tokens"].is_null()
        || !request["reasoning_effort"].is_null()
        || request["include_reasoning"] == true;
    let is_usual = can["mandatory"] == true || can["default_enabled"] == true;
    let is_hidden = asked["exclude"] == true || request["include_reasoning"] == false;
    let is_off = rules::is_reasoning_off(request);
    if can.is_null() || is_off || is_hidden || !(is_usual || is_wanted) {
        return None;
    }
    Some(match manner {
        Manner::Quiet => "Let me think.",
        Manner::Demo => "This is simulated reasoning: I read the question, then I answer it. ",
    })
}

/// Returns the text of a message, its text parts joined.
fn content(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn echo(text: &str) -> String {
    if text.chars().count() <= ECHO_CHARS {
        return text.to_owned();
    }
    let start: String = text.chars().take(ECHO_CHARS).collect();
    format!("{start}…")
}
