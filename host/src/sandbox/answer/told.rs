//! Which tools the simulated model calls: those it is told to, and few others.
//!
//! A line such as `Call the tool bash with {"command": "ls"}` in the user's words
//! is done as it stands, if the tool is offered; several such lines are several
//! calls of one turn. Unasked, the demo calls a tool only where that can be meant:
//! an agent runs what it is given, on a real machine. It reads the user's words
//! and never an answer or a result, so nothing is called twice. Read
//! `answer/turn.rs` for whose words they are, `answer/example.rs` for arguments.

use serde_json::{Deserializer, Value, json};

use crate::sandbox::answer::example;
use crate::sandbox::answer::turn::Turn;
use crate::sandbox::scenario::Manner;

/// How a call is told, in any case of its letters.
const TOLD: &str = "call the tool ";

/// More calls in one turn than anyone would write, and an end for a long text.
const TOLD_MAX: usize = 16;

/// With more tools than this the client is taken for an agent.
const FEW: usize = 3;

/// What is in the names of tools that change the machine they run on.
const ACTS: [&str; 10] = ["bash", "shell", "exec", "command", "terminal", "write", "edit", "patch", "delete", "remove"];

/// The shortest word of a tool's name that tells what it is for: not `get`.
const WORD_MIN: usize = 4;

/// Returns the names and arguments of the tools to call, none to answer in words.
pub(super) fn calls(manner: Manner, request: &Value, turn: &Turn) -> Vec<(String, Value)> {
    let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let choice = &request["tool_choice"];
    if choice == "none" || !turn.is_asking {
        return Vec::new();
    }
    let chosen = choice["function"]["name"].as_str();
    let mut told = told(&turn.words, tools);
    told.retain(|(name, _)| chosen.is_none_or(|chosen| chosen == name));
    if !told.is_empty() {
        return told;
    }
    let fits = |tool: &&Value| is_about(name(tool), &turn.words);
    let tool = match (chosen, manner) {
        (Some(chosen), _) => tools.iter().find(|tool| name(tool) == chosen).or(tools.first()),
        (None, Manner::Quiet) => tools.first(),
        (None, Manner::Demo) if choice == "required" => tools.iter().find(fits).or(tools.first()),
        (None, Manner::Demo) if tools.len() <= FEW => {
            let harmless = |tool: &&Value| !acts(name(tool));
            let fitting = tools.iter().filter(harmless).find(fits);
            fitting.or_else(|| tools.iter().find(harmless))
        }
        (None, Manner::Demo) => None,
    };
    tool.into_iter().filter_map(|tool| simulated(tool, &turn.words)).collect()
}

/// Returns how to have a tool called, for the words of an answer without a call.
pub(super) fn hint(request: &Value) -> Option<String> {
    let tool = request["tools"].get(0)?;
    if request["tool_choice"] == "none" {
        return None;
    }
    let required = tool["function"]["parameters"]["required"].as_array().into_iter().flatten();
    let fields: Vec<String> = required.map(|name| format!("{name}: …")).collect();
    let (name, fields) = (name(tool), fields.join(", "));
    // No JSON on purpose: it must not be taken for an order if it is quoted.
    Some(format!("Tools are called when you say so, in a line such as: Call the tool {name} with {{{fields}}}"))
}

/// Returns the calls that stand in the user's words, in their order, each once.
fn told(words: &str, tools: &[Value]) -> Vec<(String, Value)> {
    // Of the same length, so that a place in one is a place in the other.
    let lower = words.to_ascii_lowercase();
    let mut calls = Vec::new();
    for (place, found) in lower.match_indices(TOLD) {
        let Some(call) = order(&words[place + found.len()..]) else { continue };
        if calls.len() < TOLD_MAX && tools.iter().any(|tool| name(tool) == call.0) && !calls.contains(&call) {
            calls.push(call);
        }
    }
    calls
}

/// Reads `NAME with {…}`, whatever follows it.
fn order(text: &str) -> Option<(String, Value)> {
    let (name, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start().strip_prefix("with")?.trim_start();
    let name = name.trim_matches(['`', '"', '\'']);
    // opencode puts its command line into quotes, with a backslash before each inside.
    let arguments = object(rest).or_else(|| object(&rest.replace("\\\"", "\"")))?;
    Some((name.to_owned(), arguments))
}

fn object(text: &str) -> Option<Value> {
    let first = Deserializer::from_str(text).into_iter::<Value>().next()?.ok()?;
    first.is_object().then_some(first)
}

/// Makes a call whose arguments are guessed from the user's words.
fn simulated(tool: &Value, words: &str) -> Option<(String, Value)> {
    let name = tool["function"]["name"].as_str()?;
    let arguments = example::value(&tool["function"]["parameters"], words);
    Some((name.to_owned(), if arguments.is_object() { arguments } else { json!({}) }))
}

/// Tells whether a word of a tool's name, such as `get_weather`, is in a text.
fn is_about(name: &str, text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.any(|word| word.chars().count() >= WORD_MIN && text.contains(&word.to_lowercase()))
}

/// Tells whether a tool of this name may change the machine it runs on.
fn acts(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ACTS.iter().any(|part| name.contains(part))
}

fn name(tool: &Value) -> &str {
    tool["function"]["name"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(names: &[&str]) -> Value {
        let parameters = json!({"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]});
        let tool = |name: &&str| json!({"type": "function", "function": {"name": name, "parameters": parameters}});
        names.iter().map(tool).collect()
    }

    fn called(names: &[&str], choice: &Value, words: &str) -> Vec<(String, Value)> {
        let message = json!({"role": "user", "content": words});
        let request = json!({"tools": offered(names), "tool_choice": choice, "messages": [message]});
        calls(Manner::Demo, &request, &Turn::of(&request))
    }

    #[test]
    fn what_is_told_is_called_as_it_stands() {
        let bash = |command: &str| ("bash".to_owned(), json!({"command": command}));
        let cases = [
            (r#"Call the tool bash with {"command": "ls"}"#, vec![bash("ls")]),
            (r#"Please call the tool `bash` with {"command": "ls"}, then stop."#, vec![bash("ls")]),
            ("<task>Call the tool bash with {\n  \"command\": \"ls\"\n}</task>", vec![bash("ls")]),
            (r#""Call the tool bash with {\"command\": \"echo 'a\\"b'\"}""#, vec![bash("echo 'a\"b'")]),
            (
                "Call the tool bash with {\"command\": \"ls\"}\nCall the tool read with {}\n\
                 Call the tool bash with {\"command\": \"ls\"}\nCall the tool rm with {}",
                vec![bash("ls"), ("read".to_owned(), json!({}))],
            ),
            ("Call the tool bash with ls", vec![]),
            ("Call the tool bash with [1]", vec![]),
            ("Call the tool bash", vec![]),
            ("call the tool ", vec![]),
        ];
        for (words, expected) in cases {
            assert_eq!(called(&["bash", "read", "write", "edit"], &Value::Null, words), expected, "{words}");
        }
    }

    #[test]
    fn no_more_is_called_than_anyone_would_write() {
        let lines: Vec<String> = (0..100).map(|n| format!("Call the tool bash with {{\"n\": {n}}}")).collect();
        assert_eq!(called(&["bash"], &Value::Null, &lines.join("\n")).len(), TOLD_MAX);
    }

    #[test]
    fn unasked_a_tool_is_called_only_where_it_can_be_meant() {
        let of = |name: &str, word: &str| vec![(name.to_owned(), json!({"of": word}))];
        let many = ["bash", "read", "write", "edit"];
        let one = json!({"type": "function", "function": {"name": "edit"}});
        let cases = [
            (&["get_weather"][..], json!(null), "How is the weather in Oslo?", of("get_weather", "Oslo")),
            (&["get_time", "get_weather"], json!("auto"), "The weather in Oslo?", of("get_weather", "Oslo")),
            (&["count_letters"], json!(null), "How long is Strawberry", of("count_letters", "Strawberry")),
            (&["run_commands", "look_up"], json!(null), "Run commands in Oslo", of("look_up", "Oslo")),
            (&["get_weather"], json!("none"), "How is the weather in Oslo?", vec![]),
            (&["bash"], json!(null), "Hello!", vec![]),
            (&["bash"], json!("required"), "Hello", of("bash", "Hello")),
            (&many, json!("auto"), "Write to Oslo", vec![]),
            (&many, json!("required"), "Write to Oslo", of("write", "Oslo")),
            (&many, one, "Write to Oslo", of("edit", "Oslo")),
            (&[], json!("required"), "Write to Oslo", vec![]),
        ];
        for (names, choice, words, expected) in cases {
            assert_eq!(called(names, &choice, words), expected, "{names:?} {choice} {words}");
        }
    }

    #[test]
    fn the_hint_shows_how_and_is_no_order_itself() {
        let request = json!({"tools": offered(&["bash", "read"])});
        let hint = hint(&request).unwrap_or_default();
        assert!(hint.ends_with(r#"Call the tool bash with {"of": …}"#), "{hint}");
        assert_eq!(called(&["bash", "read", "write", "edit"], &Value::Null, &hint), vec![]);
    }
}
