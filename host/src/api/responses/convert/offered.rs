//! The tools that a request offers, and which of them it wants called.
//!
//! Functions and custom tools, alone or in groups, become the upstream's flat
//! list of functions. Tools that OpenAI runs itself have no counterpart: they are
//! left out and noted, for a model merely may use them, but a request that
//! insists on one is refused. Names are in [`tools`].

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashSet},
};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    api::responses::{
        convert::parts::{read_text, unreadable},
        tools::{self, Kind, Tools},
        wire::{InputFormat, Tool},
    },
    chat::{Fields, Unreadable},
};

/// The types of tools that OpenAI or its clients run by themselves; dated forms
/// begin with the same words.
const BUILT_IN: [&str; 11] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "programmatic_tool_calling",
    "shell",
    "tool_search",
    "web_search",
];

/// What the upstream's server tools begin with; whether they may be used is
/// decided where the guards are.
const UPSTREAM_TOOL: &str = "openrouter:";

/// The tools of a request so far.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// How calls are told to the client.
    pub(super) tools: Tools,
    /// The types of those that have no counterpart.
    pub(super) unserved: BTreeSet<&'static str>,
    /// Those for the upstream, with their names there.
    functions: Vec<(String, Box<RawValue>)>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// A choice of one function, as the upstream spells it.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: NameOnly<'a>,
}

#[derive(Serialize)]
struct NameOnly<'a> {
    name: &'a str,
}

impl Offered {
    /// Reads the field `tools`.
    pub(super) fn read(&mut self, raw: &RawValue) -> Result<(), Unreadable> {
        let wrong = |error: serde_json::Error| unreadable("tools", error.to_string());
        let tools: Vec<&RawValue> = serde_json::from_str(raw.get()).map_err(wrong)?;
        for raw in tools {
            let tool: Tool<'_> = serde_json::from_str(raw.get()).map_err(wrong)?;
            match tool.kind.as_deref() {
                Some(kind) if kind.starts_with(UPSTREAM_TOOL) => {
                    self.functions.push((kind.to_owned(), raw.to_owned()));
                }
                _ => self.add(tool, None)?,
            }
        }
        Ok(())
    }

    /// Adds tools that stand elsewhere.
    pub(super) fn add_all(&mut self, tools: Vec<Tool<'_>>) -> Result<(), Unreadable> {
        tools.into_iter().try_for_each(|tool| self.add(tool, None))
    }

    fn add(&mut self, tool: Tool<'_>, group: Option<&Tool<'_>>) -> Result<(), Unreadable> {
        match tool.kind.as_deref().unwrap_or_default() {
            "function" => {
                let function = tool.function.as_deref().unwrap_or(&tool);
                let description = function.description.clone().unwrap_or_default();
                self.function(Kind::Function, function, group, &description)
            }
            "custom" => {
                let mut description = tool.description.clone().unwrap_or_default();
                if let Some(InputFormat { syntax, definition: Some(definition) }) = &tool.format {
                    let syntax = syntax.as_deref().unwrap_or("following");
                    let line = format!("\n\nThe input must follow this {syntax} grammar:\n{definition}");
                    description.to_mut().push_str(&line);
                }
                self.function(Kind::Custom, &tool, group, description.trim_start())
            }
            "namespace" if group.is_none() => {
                let mut tool = tool;
                let inner = tool.tools.take().unwrap_or_default();
                inner.into_iter().try_for_each(|inner| self.add(inner, Some(&tool)))
            }
            kind => {
                let unknown = || {
                    let reason = format!("there are no tools of the type `{kind}`: use function, custom or namespace");
                    unreadable("tools", reason)
                };
                self.unserved.insert(built_in(kind).ok_or_else(unknown)?);
                Ok(())
            }
        }
    }

    fn function(
        &mut self,
        kind: Kind,
        tool: &Tool<'_>,
        group: Option<&Tool<'_>>,
        description: &str,
    ) -> Result<(), Unreadable> {
        let missing = || unreadable("tools", "a tool has no `name`");
        let name = tool.name.as_deref().filter(|name| !name.is_empty()).ok_or_else(missing)?;
        let namespace = match group {
            Some(group) => Some(group.name.as_deref().filter(|name| !name.is_empty()).ok_or_else(missing)?),
            None => None,
        };
        let about = group.and_then(|group| group.description.as_deref()).filter(|about| !about.is_empty());
        let description: Cow<'_, str> = match about {
            Some(about) => format!("{about}\n\n{description}").trim_end().to_owned().into(),
            None => description.into(),
        };
        let known = tools::Tool { kind, namespace: namespace.map(str::to_owned), name: name.to_owned() };
        let name = self.tools.add(known);
        let input = match kind {
            Kind::Function => None,
            Kind::Custom => to_raw_value(&tools::custom_parameters()).ok(),
        };
        let parameters = input.as_deref().or(tool.parameters);
        let function = Function { name: &name, description: &description, parameters, strict: tool.strict };
        if let Ok(function) = to_raw_value(&Outgoing { kind: "function", function }) {
            self.functions.push((name, function));
        }
        Ok(())
    }

    /// Writes the tools and the choice into the upstream's fields.
    pub(super) fn write(&mut self, choice: Option<&RawValue>, fields: &mut Fields) -> Result<(), Unreadable> {
        let choice = choice.map(|choice| self.choice(choice)).transpose()?;
        let list: Vec<&RawValue> = self.functions.iter().map(|(_, function)| &**function).collect();
        if list.is_empty() {
            // Without tools nothing can be chosen, and some models refuse the words.
            drop(fields.take("parallel_tool_calls"));
            return match choice {
                Some(choice) if !matches!(choice.get(), "\"auto\"" | "\"none\"") => {
                    Err(unreadable("tool_choice", self.nothing_to_call()))
                }
                Some(_) | None => Ok(()),
            };
        }
        fields.set("tools", &list);
        if let Some(choice) = choice {
            fields.set_raw("tool_choice", choice);
        }
        Ok(())
    }

    /// Returns a choice as the upstream spells it; forgets tools that it does not
    /// allow.
    fn choice(&mut self, raw: &RawValue) -> Result<Box<RawValue>, Unreadable> {
        let wrong = |reason: String| unreadable("tool_choice", reason);
        if raw.get().starts_with('"') {
            let word = read_text(raw).map_err(|error| wrong(error.to_string()))?;
            return match &*word {
                "auto" | "none" | "required" => Ok(raw.to_owned()),
                _ => Err(wrong(format!("`{word}` is none of auto, none and required"))),
            };
        }
        let choice: Tool<'_> = serde_json::from_str(raw.get()).map_err(|error| wrong(error.to_string()))?;
        match choice.kind.as_deref().unwrap_or_default() {
            "function" | "custom" => {
                let name = chosen(&choice);
                if !self.tools.has(&name) {
                    return Err(wrong(format!("there is no tool `{name}` in `tools`")));
                }
                let named = Named { kind: "function", function: NameOnly { name: &name } };
                to_raw_value(&named).map_err(|error| wrong(error.to_string()))
            }
            "allowed_tools" => {
                let allowed = choice.tools.unwrap_or_default();
                let (groups, single): (Vec<_>, Vec<_>) =
                    allowed.iter().partition(|tool| tool.kind.as_deref() == Some("namespace"));
                let groups: HashSet<Option<&str>> = groups.into_iter().map(|group| group.name.as_deref()).collect();
                let single: HashSet<String> = single.into_iter().map(chosen).collect();
                let tools = &self.tools;
                self.functions.retain(|(name, _)| {
                    let group = tools.called(name).namespace;
                    single.contains(name) || (group.is_some() && groups.contains(&group.as_deref()))
                });
                let mode = if choice.mode.as_deref() == Some("required") { "required" } else { "auto" };
                to_raw_value(mode).map_err(|error| wrong(error.to_string()))
            }
            kind => Err(wrong(format!("no free model has the tool `{kind}`; use functions of your own"))),
        }
    }

    fn nothing_to_call(&self) -> String {
        match self.unserved.first() {
            Some(kind) => format!(
                "a tool must be called, but the only ones given are such as `{kind}`, which no model \
                                   of OpenRouter's has"
            ),
            None => "a tool must be called, but `tools` has none".to_owned(),
        }
    }
}

/// Returns the word for a type of tool that somebody else runs, without its date.
fn built_in(kind: &str) -> Option<&'static str> {
    BUILT_IN
        .into_iter()
        .find(|known| kind.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
}

/// Returns the name upstream of a tool that a choice names.
fn chosen(choice: &Tool<'_>) -> String {
    let function = choice.function.as_deref().unwrap_or(choice);
    let name = function.name.as_deref().unwrap_or_default();
    tools::upstream_name(function.namespace.as_deref(), name).into_owned()
}
