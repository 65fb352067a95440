//! What was said since the model last spoke: tools' results, and the user's words.
//!
//! Coding agents put much around what a person typed: reminders, the working
//! folder, the date, in parts, messages or tags of their own, and some put system
//! messages after it. All that is left out here, so that an answer is about the
//! person's words. It decides no answer; read `sandbox/answer.rs` for that.

use serde_json::Value;

use crate::sandbox::answer::content;

/// What the names of agents' tags have in common: `<system-reminder>` is Claude
/// Code's, `<environment_context>` and `<user_instructions>` are Codex', and
/// `<environment_details>` is Cline's.
const SURROUNDINGS: [&str; 4] = ["system", "environment", "context", "instructions"];

/// The messages since the model spoke, read for what they say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// The results of tools, in their order.
    pub(super) results: Vec<String>,
    /// What the user said after them, without what an agent put around it.
    pub(super) words: String,
    /// Whether the user said anything after them, be it without a word.
    pub(super) is_asking: bool,
}

impl Turn {
    /// Reads the last turn of a request's messages.
    pub(super) fn of(request: &Value) -> Self {
        let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let spoken = messages.iter().rposition(|message| message["role"] == "assistant");
        let mut results = Vec::new();
        let mut said: Vec<String> = Vec::new();
        for message in messages.iter().skip(spoken.map_or(0, |place| place + 1)) {
            match message["role"].as_str() {
                Some("tool") => {
                    results.push(content(message));
                    said.clear();
                }
                Some("user") => said.push(content(message)),
                _ => {}
            }
        }
        let own: Vec<String> = said.iter().map(|text| own_words(text)).filter(|own| !own.is_empty()).collect();
        let is_asking = !said.is_empty() && (!own.is_empty() || results.is_empty());
        // Nothing but surroundings is what there is to talk about.
        let words = if own.is_empty() && is_asking { said.join("\n") } else { own.join("\n") };
        Self { results, words, is_asking }
    }
}

/// Returns a text without the blocks of an agent's own tags.
fn own_words(text: &str) -> String {
    let mut own = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tagged) = rest.split_at(start);
        own += before;
        let inside = tagged.strip_prefix('<').unwrap_or_default();
        let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let name = &inside[..inside.find(|c| !is_letter(c)).unwrap_or(inside.len())];
        let is_surrounding = SURROUNDINGS.iter().any(|part| name.contains(part));
        let close = format!("</{name}>");
        let end = if is_surrounding { tagged.find(&close) } else { None };
        match end {
            Some(end) => rest = &tagged[end + close.len()..],
            // One that is not closed is the user's, and so is all after it.
            None if is_surrounding => {
                own += tagged;
                rest = "";
            }
            None => {
                own.push('<');
                rest = inside;
            }
        }
    }
    own += rest;
    // Words that nothing stood around stay as they are.
    if own.len() == text.len() { own } else { own.trim().to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn turn(messages: &Value) -> Turn {
        Turn::of(&json!({"messages": messages}))
    }

    #[test]
    fn a_turn_is_what_came_after_the_models_words() {
        let user = |text: &str| json!({"role": "user", "content": text});
        let tool = |text: &str| json!({"role": "tool", "tool_call_id": "x", "content": text});
        let model = json!({"role": "assistant", "content": "Yes?"});
        let system = json!({"role": "system", "content": "# Environment"});
        let parts = json!({"role": "user", "content": [
            {"type": "text", "text": "<system-reminder>\nBe brief.\n</system-reminder>\n"},
            {"type": "text", "text": "Hello!"}
        ]});
        let context = user("<environment_context>\n  <cwd>/home</cwd>\n</environment_context>");
        let reminder = user("<system-reminder>The list is empty.</system-reminder>");
        let cases = [
            (json!([]), vec![], "", false),
            (json!([user("Hello!")]), vec![], "Hello!", true),
            (json!([user("Hello!"), model]), vec![], "", false),
            (json!([parts, system]), vec![], "Hello!", true),
            (json!([context, user("Hello!")]), vec![], "Hello!", true),
            (json!([user("One"), model, user("Two"), user("Three")]), vec![], "Two\nThree", true),
            (json!([user("Hello!"), tool("rain")]), vec!["rain"], "", false),
            (json!([user("Hello!"), model, tool("rain"), tool("sun"), reminder]), vec!["rain", "sun"], "", false),
            (json!([user("Hello!"), model, tool("rain"), reminder, user("And?")]), vec!["rain"], "And?", true),
            (json!([reminder]), vec![], "<system-reminder>The list is empty.</system-reminder>", true),
            (json!([{"role": "user", "content": [{"type": "image_url"}]}]), vec![], "", true),
        ];
        for (messages, results, words, is_asking) in cases {
            let results: Vec<String> = results.into_iter().map(str::to_owned).collect();
            let expected = Turn { results, words: words.to_owned(), is_asking };
            assert_eq!(turn(&messages), expected, "{messages}");
        }
    }

    #[test]
    fn only_the_blocks_of_agents_are_left_out() {
        let cases = [
            ("a < b", "a < b"),
            (" Hello! ", " Hello! "),
            (
                "<task>\nMend it.\n</task>\n<environment_details>\nnone\n</environment_details>",
                "<task>\nMend it.\n</task>",
            ),
            ("<system-reminder>a</system-reminder>Hi<system-reminder>b</system-reminder>", "Hi"),
            ("<system-reminder>never closed", "<system-reminder>never closed"),
            ("what is <context> in <b>Go</b>?", "what is <context> in <b>Go</b>?"),
            ("<", "<"),
        ];
        for (text, expected) in cases {
            assert_eq!(own_words(text), expected, "{text}");
        }
    }
}
