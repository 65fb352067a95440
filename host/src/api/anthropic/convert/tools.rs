//! The tools of a request, as functions of the upstream.
//!
//! A client's own tools pass as they are. Of Anthropic's, those that the client
//! carries out become functions with the schema that Claude was taught, see
//! `known`; those that Anthropic's servers carry out can be called by nobody here.
//! They are left out beside others; a request that has no others is there for their
//! sake, and an answer without them would be made up. Knows no message.

mod known;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    api::anthropic::wire::{Refused, Tool, ToolChoice},
    chat::Fields,
};

/// How the types of tools begin that Anthropic's servers carry out.
const OF_THEIR_SERVERS: [&str; 6] =
    ["advisor_", "code_execution_", "mcp_toolset", "tool_search_tool_", "web_fetch_", "web_search_"];

/// Writes the tools and the choice among them.
pub(super) fn write(fields: &mut Fields) -> Result<(), Refused> {
    let given = fields.take("tools");
    let raw: Vec<&RawValue> = match &given {
        Some(given) => serde_json::from_str(given.get()).map_err(|error| Refused(format!("tools: {error}")))?,
        None => Vec::new(),
    };
    let mut offered = Offered::default();
    for (at, tool) in raw.into_iter().enumerate() {
        offered.add(tool).map_err(|words| Refused(format!("tools.{at}: {words}")))?;
    }
    choose(fields, &offered)?;
    if let ([], [name, ..]) = (offered.tools.as_slice(), offered.left_out.as_slice()) {
        return Err(Refused(format!("tools: {}", theirs(name))));
    }
    if !offered.tools.is_empty() {
        fields.set("tools", &offered.tools);
    }
    Ok(())
}

/// What the model may call, and what it could not.
#[derive(Default)]
struct Offered<'a> {
    tools: Vec<Outgoing<'a>>,
    names: Vec<String>,
    left_out: Vec<String>,
}

/// A tool for the upstream.
#[derive(Serialize)]
#[serde(untagged)]
enum Outgoing<'a> {
    /// One in the upstream's own form.
    AsItIs(&'a RawValue),
    Function(Function<'a>),
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "function")]
    declared: Declared<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Declared<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: Cow<'a, str>,
    parameters: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'a> {
    Given(&'a RawValue),
    Known(Value),
}

impl<'a> Offered<'a> {
    fn add(&mut self, raw: &'a RawValue) -> Result<(), String> {
        let tool: Tool<'a> = serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
        if tool.kind == "function" || tool.kind.starts_with("openrouter:") {
            self.tools.push(Outgoing::AsItIs(raw));
            return Ok(());
        }
        if OF_THEIR_SERVERS.iter().any(|kind| tool.kind.starts_with(kind)) {
            self.left_out.push(tool.name.into_owned());
            return Ok(());
        }
        if tool.name.is_empty() && !tool.kind.contains("_toolset_") {
            return Err("name: Field required".to_owned());
        }
        let (description, parameters) = match (tool.input_schema, known::tool(&tool)) {
            (Some(schema), _) => (tool.description, Schema::Given(schema)),
            (None, Some(known)) => (known.description.into(), Schema::Known(known.schema)),
            (None, None) if matches!(&*tool.kind, "" | "custom") => {
                return Err("input_schema: Field required".to_owned());
            }
            (None, None) => return Err(format!("a tool of the type `{}` cannot be used here", tool.kind)),
        };
        self.names.push(tool.name.clone().into_owned());
        let declared = Declared { name: tool.name, description, parameters, strict: tool.strict };
        self.tools.push(Outgoing::Function(Function { kind: "function", declared, cache_control: tool.cache_control }));
        Ok(())
    }

    /// Tells whether a tool of this name is offered; of those that were not looked
    /// into, any may be it.
    fn has(&self, name: &str) -> bool {
        let is_as_it_is = |tool: &Outgoing<'_>| matches!(tool, Outgoing::AsItIs(_));
        self.names.iter().any(|known| known == name) || self.tools.iter().any(is_as_it_is)
    }

    /// Tells why the model cannot be made to call a tool, if it cannot.
    fn refusal(&self, choice: &ToolChoice<'_>) -> Option<String> {
        match &*choice.kind {
            "any" if self.tools.is_empty() => Some("there are no tools to choose from".to_owned()),
            "tool" if self.left_out.iter().any(|name| *name == choice.name) => Some(theirs(&choice.name)),
            "tool" if !self.has(&choice.name) => Some(format!("the tool `{}` is not among the tools", choice.name)),
            _ => None,
        }
    }
}

fn theirs(name: &str) -> String {
    format!("the tool `{name}` is one of Anthropic's servers', and cannot be called here")
}

fn choose(fields: &mut Fields, offered: &Offered<'_>) -> Result<(), Refused> {
    let Some(given) = fields.take("tool_choice") else { return Ok(()) };
    let refuse = |words: String| Err(Refused(format!("tool_choice: {words}")));
    let choice: ToolChoice<'_> = match serde_json::from_str(given.get()) {
        Ok(choice) => choice,
        Err(error) => return refuse(error.to_string()),
    };
    if let Some(words) = offered.refusal(&choice) {
        return refuse(words);
    }
    let told = match &*choice.kind {
        "auto" => json!("auto"),
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => json!({"type": "function", "function": {"name": choice.name}}),
        other => return refuse(format!("the type must be `auto`, `any`, `tool` or `none`, not `{other}`")),
    };
    if !offered.tools.is_empty() {
        fields.set("tool_choice", &told);
        if choice.disable_parallel_tool_use == Some(true) {
            fields.set("parallel_tool_calls", &false);
        }
    }
    Ok(())
}
