//! A request of the Responses API, turned into the neutral chat request.
//!
//! Pure, and the only place that knows both spellings. What a client asks for
//! either has a form upstream, or is refused in words, or has none: the tables of
//! `host/RESPONSES.md` tell which, and change with this file. Messages are in
//! `messages`, their contents in `parts`, tools in `offered`. Fields that the
//! Responses API does not have pass as they came.

mod messages;
mod offered;
mod parts;

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    api::responses::{
        convert::{offered::Offered, parts::unreadable},
        object::Echo,
        tools::Tools,
        wire::{Format, Text},
    },
    chat::{Fields, Request, Unreadable},
};

/// What a call asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The request for the engine.
    pub(super) request: Request,
    /// What the answer is told with.
    pub(super) form: Form,
    /// The types of tools that no model here has.
    pub(super) unserved: BTreeSet<&'static str>,
}

/// What of a request its answer needs.
#[derive(Debug)]
pub(super) struct Form {
    /// What the answer repeats.
    pub(super) echo: Echo,
    /// The client's tools.
    pub(super) tools: Tools,
    /// Whether token probabilities are wanted.
    pub(super) logprobs: bool,
    /// Whether its items may be kept for a while.
    pub(super) keeps: bool,
}

/// Fields that have no counterpart upstream and change no word of an answer.
const WITHOUT_EFFECT: [&str; 8] = [
    "client_metadata",
    "context_management",
    "include",
    "max_tool_calls",
    "prompt_cache_options",
    "prompt_cache_retention",
    "store",
    "stream_options",
];

/// Returns what a call asks of a model, from its other fields.
pub(super) fn response_request(model: String, mut fields: Fields) -> Result<Asked, Unreadable> {
    refuse_state(&mut fields)?;
    let echo = Echo::of(&fields);
    let keeps = fields.read("store")?.unwrap_or(true);
    let streaming = take(&mut fields, "stream")?.unwrap_or(false);
    let instructions: Option<String> = take(&mut fields, "instructions")?;
    let mut offered = Offered::default();
    if let Some(tools) = fields.take("tools") {
        offered.read(&tools)?;
    }
    let input = fields.take("input").ok_or_else(|| unreadable("input", "it is required"))?;
    let messages = messages::messages(instructions.as_deref(), &input, &mut offered)?;
    if messages.is_empty() {
        return Err(unreadable("input", "there is nothing in it to answer"));
    }
    fields.set("messages", &messages);
    let choice = fields.take("tool_choice");
    offered.write(choice.as_deref(), &mut fields)?;
    let logprobs = write_settings(&mut fields)?;
    for name in WITHOUT_EFFECT {
        drop(fields.take(name));
    }
    let request = Request::new(model, streaming, fields)?;
    let Offered { tools, unserved, .. } = offered;
    Ok(Asked { request, form: Form { echo, tools, logprobs, keeps }, unserved })
}

/// Refuses what only a server with a memory can do, and what is not ours to judge.
fn refuse_state(fields: &mut Fields) -> Result<(), Unreadable> {
    let refused = [
        ("previous_response_id", "the router keeps no answers; send the whole conversation in `input`"),
        ("conversation", "the router keeps no conversations; send the whole of it in `input`"),
        ("prompt", "the router keeps no prompts; send its text in `instructions` and `input`"),
        ("moderation", "no model here moderates; leave it out"),
        ("messages", "it belongs to /v1/chat/completions; here it is called `input`"),
    ];
    for (name, reason) in refused {
        if fields.take(name).is_some() {
            return Err(unreadable(name, reason));
        }
    }
    if take(fields, "background")?.unwrap_or(false) {
        let reason = "the router keeps no answers to ask for later; use `stream` instead";
        return Err(unreadable("background", reason));
    }
    Ok(())
}

/// Writes what is said beside the conversation under the upstream's names, and
/// tells whether token probabilities are wanted.
fn write_settings(fields: &mut Fields) -> Result<bool, Unreadable> {
    if let Some(limit) = take::<u64>(fields, "max_output_tokens")? {
        fields.set("max_tokens", &limit);
    }
    if let Some(text) = fields.take("text") {
        write_text(&text, fields)?;
    }
    if let Some(reasoning) = take::<Map<String, Value>>(fields, "reasoning")? {
        write_reasoning(reasoning, fields);
    }
    // The newer name of the same; an operator at the upstream sees one.
    if let Some(identifier) = fields.take("safety_identifier")
        && fields.get("user").is_none()
    {
        fields.set_raw("user", identifier);
    }
    write_truncation(fields)?;
    write_probabilities(fields)
}

fn write_text(raw: &RawValue, fields: &mut Fields) -> Result<(), Unreadable> {
    let text: Text<'_> = serde_json::from_str(raw.get()).map_err(|error| unreadable("text", error.to_string()))?;
    if let Some(verbosity) = text.verbosity {
        fields.set("verbosity", verbosity);
    }
    let Some(format) = text.format else { return Ok(()) };
    let wrong = |reason: String| Err(unreadable("text.format", reason));
    match format.kind.as_deref().unwrap_or_default() {
        "text" => {}
        "json_object" => fields.set("response_format", &json!({"type": "json_object"})),
        "json_schema" => {
            let Some(schema) = format.schema else { return wrong("`schema` is missing".to_owned()) };
            fields.set(
                "response_format",
                &ResponseFormat { kind: "json_schema", json_schema: JsonSchema::of(&format, schema) },
            );
        }
        kind => return wrong(format!("`{kind}` is none of text, json_object and json_schema")),
    }
    Ok(())
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    schema: &'a RawValue,
}

impl<'a> JsonSchema<'a> {
    fn of(format: &'a Format<'_>, schema: &'a RawValue) -> Self {
        let name = format.name.as_deref().filter(|name| !name.is_empty()).unwrap_or("schema");
        Self { name, description: format.description.as_deref(), strict: format.strict, schema }
    }
}

/// Writes how the model is to think: the upstream's object has the same members,
/// the older name of one apart.
fn write_reasoning(mut reasoning: Map<String, Value>, fields: &mut Fields) {
    reasoning.retain(|_, value| !value.is_null());
    if let Some(summary) = reasoning.remove("generate_summary") {
        reasoning.entry("summary").or_insert(summary);
    }
    if !reasoning.is_empty() {
        fields.set("reasoning", &reasoning);
    }
}

/// The plugin that shortens what is too long.
const COMPRESSION: &str = "context-compression";

fn write_truncation(fields: &mut Fields) -> Result<(), Unreadable> {
    let Some(truncation) = take::<String>(fields, "truncation")? else { return Ok(()) };
    match truncation.as_str() {
        // Left alone, a conversation that is too long is tried with a larger model.
        "disabled" => return Ok(()),
        "auto" => {}
        other => return Err(unreadable("truncation", format!("`{other}` is none of auto and disabled"))),
    }
    let mut plugins: Vec<Value> = fields.read("plugins")?.unwrap_or_default();
    // A client may say it in the upstream's words too, and then knows better.
    if !plugins.iter().any(|plugin| plugin["id"] == COMPRESSION) {
        plugins.push(json!({"id": COMPRESSION, "enabled": true}));
        fields.set("plugins", &plugins);
    }
    Ok(())
}

/// The most alternatives that OpenAI, and the upstream too, shows for a token.
const MAX_TOP_LOGPROBS: i64 = 20;

fn write_probabilities(fields: &mut Fields) -> Result<bool, Unreadable> {
    let include: Vec<String> = fields.read("include")?.unwrap_or_default();
    let top: i64 = take(fields, "top_logprobs")?.unwrap_or(0);
    if !(0..=MAX_TOP_LOGPROBS).contains(&top) {
        return Err(unreadable("top_logprobs", format!("it must be between 0 and {MAX_TOP_LOGPROBS}")));
    }
    let wanted = top > 0 || include.iter().any(|what| what == "message.output_text.logprobs");
    if wanted {
        fields.set("logprobs", &true);
    }
    if top > 0 {
        fields.set("top_logprobs", &top);
    }
    Ok(wanted)
}

/// Takes a field out and reads it; `None` if it is not given or `null`.
fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> Result<Option<T>, Unreadable> {
    let value = fields.read(name)?;
    drop(fields.take(name));
    Ok(value)
}

#[cfg(test)]
mod tests;
