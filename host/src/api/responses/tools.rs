//! What the client's tools are called upstream, and back.
//!
//! Upstream there are functions in one flat list. A tool of a group gets the
//! group's name before its own there; a custom tool becomes a function with one
//! text for an argument. Here is what is needed to find the client's tool again
//! in a call. How tools are read is in [`convert`](super::convert).

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The longest name of a function that the upstream takes.
const MAX_NAME_BYTES: usize = 64;

/// The one argument of the function that a custom tool becomes.
const INPUT: &str = "input";

/// How a tool is called by the model, and what comes of it for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A function with JSON for arguments.
    Function,
    /// A custom tool with a text for input.
    Custom,
}

/// A tool as the client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    /// Its kind.
    pub(super) kind: Kind,
    /// Its group, if it is in one.
    pub(super) namespace: Option<String>,
    /// Its name.
    pub(super) name: String,
}

/// The tools of a request, by their names upstream.
#[derive(Debug, Default)]
pub(super) struct Tools(BTreeMap<String, Tool>);

impl Tools {
    /// Adds a tool, and returns its name upstream.
    pub(super) fn add(&mut self, tool: Tool) -> String {
        let name = upstream_name(tool.namespace.as_deref(), &tool.name).into_owned();
        self.0.insert(name.clone(), tool);
        name
    }

    /// Returns the client's tool of a name upstream; a function of this name if
    /// the model made it up.
    pub(super) fn called(&self, name: &str) -> Tool {
        let made_up = || Tool { kind: Kind::Function, namespace: None, name: name.to_owned() };
        self.0.get(name).cloned().unwrap_or_else(made_up)
    }

    /// Tells whether a tool has this name upstream.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Returns what a tool is called upstream.
///
/// No dot stands between group and name, since many providers take none. What is
/// too long keeps its end, which tells more, after a digest of the whole.
pub(super) fn upstream_name<'a>(namespace: Option<&str>, name: &'a str) -> Cow<'a, str> {
    let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) else { return name.into() };
    let whole = format!("{namespace}__{name}");
    if whole.len() <= MAX_NAME_BYTES {
        return whole.into();
    }
    let mut short = String::from("t");
    for byte in Sha256::digest(whole.as_bytes()).iter().take(4) {
        // Writing to a string cannot fail.
        let _ = write!(short, "{byte:02x}");
    }
    short.push_str("__");
    let start = whole.ceil_char_boundary(whole.len() - (MAX_NAME_BYTES - short.len()));
    short.push_str(whole.get(start..).unwrap_or_default());
    short.into()
}

/// Returns the arguments of the function that a custom tool becomes.
pub(super) fn custom_parameters() -> Value {
    json!({
        "type": "object",
        "properties": {INPUT: {"type": "string", "description": "The whole input of the tool."}},
        "required": [INPUT],
        "additionalProperties": false,
    })
}

/// Returns the arguments' JSON text for what a custom tool was called with.
pub(super) fn arguments(input: &str) -> String {
    json!({INPUT: input}).to_string()
}

/// Returns what a custom tool is called with, from the arguments' JSON text.
///
/// A model may call its one argument otherwise; what has no single text in it is
/// handed over as it is.
pub(super) fn input(arguments: &str) -> Cow<'_, str> {
    #[derive(Deserialize)]
    struct Named {
        input: String,
    }
    if let Ok(Named { input }) = serde_json::from_str(arguments) {
        return input.into();
    }
    match serde_json::from_str::<BTreeMap<String, String>>(arguments) {
        Ok(members) if members.len() == 1 => members.into_values().next().unwrap_or_default().into(),
        Ok(_) | Err(_) => arguments.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_again_by_its_name_upstream() {
        let mut tools = Tools::default();
        let tool = |namespace: Option<&str>, name: &str, kind| Tool {
            kind,
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        let grouped = tool(Some("agents"), "close", Kind::Function);
        let patch = tool(None, "apply_patch", Kind::Custom);
        assert_eq!(tools.add(grouped.clone()), "agents__close");
        assert_eq!(tools.add(patch.clone()), "apply_patch");
        assert_eq!(tools.called("agents__close"), grouped);
        assert_eq!(tools.called("apply_patch"), patch);
        assert_eq!(tools.called("close"), tool(None, "close", Kind::Function));
    }

    #[test]
    fn a_long_name_is_cut_and_stays_the_same_and_its_own() {
        let name = |namespace: &str| upstream_name(Some(namespace), "do_something_ä").into_owned();
        let (long, other) = (name(&"a".repeat(80)), name(&"a".repeat(81)));
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("__do_something_ä"), "{long}");
        assert_ne!(long, other);
        assert_eq!(long, name(&"a".repeat(80)));
        assert_eq!(upstream_name(None, &"n".repeat(80)), "n".repeat(80), "a client's own name is its own business");
        assert_eq!(upstream_name(Some(""), "n"), "n");
    }

    #[test]
    fn a_custom_tools_input_is_the_text_in_the_arguments() {
        let cases = [
            (r#"{"input":"*** Begin\nä"}"#, "*** Begin\nä"),
            (r#"{"input":"a","why":1}"#, "a"),
            (r#"{"patch":"a"}"#, "a"),
            (r#"{"a":"1","b":"2"}"#, r#"{"a":"1","b":"2"}"#),
            (r#"{"input":{"a":1}}"#, r#"{"input":{"a":1}}"#),
            (r#"{"input":"cut o"#, r#"{"input":"cut o"#),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(input(text), expected, "{text}");
        }
        assert_eq!(input(&arguments("\"\n")), "\"\n");
    }
}
