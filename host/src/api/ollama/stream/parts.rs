//! The parts of a reply that Ollama spells otherwise than OpenAI.
//!
//! Tool calls get objects for arguments, pictures become bare base64, token
//! probabilities lose what is `null`. Pure; where they stand in a line is in
//! [`stream`](super).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat::{
    chunk::Chunk,
    tools::{ToolCall, ToolCalls},
};

/// How many random characters an id has, as in Ollama's own.
const ID_CHARS: usize = 8;

/// A tool call that cannot be told to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCall {
    /// It names no function.
    #[error("the model called a tool without a name")]
    Nameless,
    /// Its arguments are no JSON object.
    #[error("the model called `{0}` with arguments that are no JSON object")]
    BadArguments(String),
}

/// A complete tool call in Ollama's form.
#[derive(Debug, Serialize)]
pub(super) struct ReadyCall {
    id: String,
    function: Function,
}

#[derive(Debug, Serialize)]
struct Function {
    index: usize,
    name: String,
    arguments: Box<RawValue>,
}

impl ReadyCall {
    /// Completes the calls of a message.
    pub(super) fn all(calls: ToolCalls) -> Result<Vec<Self>, BadCall> {
        calls.finish(fresh_id).into_iter().enumerate().map(|(index, call)| Self::one(index, call)).collect()
    }

    fn one(index: usize, call: ToolCall) -> Result<Self, BadCall> {
        if call.name.is_empty() {
            return Err(BadCall::Nameless);
        }
        // In valid JSON a bare line break is mere space between tokens, but it
        // would end the line that the call stands in.
        let text = call.arguments.replace(['\r', '\n'], " ");
        match RawValue::from_string(text) {
            Ok(arguments) if arguments.get().starts_with('{') => {
                Ok(Self { id: call.id, function: Function { index, name: call.name, arguments } })
            }
            Ok(_) | Err(_) => Err(BadCall::BadArguments(call.name)),
        }
    }
}

fn fresh_id() -> String {
    let random = std::iter::repeat_with(fastrand::alphanumeric).take(ID_CHARS);
    "call_".chars().chain(random.map(|c| c.to_ascii_lowercase())).collect()
}

/// Returns the pictures that stand in data URLs, as base64.
///
/// One that is only linked has no form in Ollama and is left out.
pub(super) fn pictures(images: &[Box<RawValue>]) -> Vec<String> {
    #[derive(Deserialize)]
    struct Image<'a> {
        #[serde(borrow)]
        image_url: Link<'a>,
    }
    #[derive(Deserialize)]
    struct Link<'a> {
        #[serde(borrow)]
        url: Cow<'a, str>,
    }
    images
        .iter()
        .filter_map(|image| {
            let image: Image<'_> = serde_json::from_str(image.get()).ok()?;
            let (_, base64) = image.image_url.url.strip_prefix("data:")?.split_once(";base64,")?;
            Some(base64.to_owned())
        })
        .collect()
}

/// How probable a token was, in Ollama's form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Probability {
    token: String,
    logprob: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "has_no_items")]
    top_logprobs: Option<Vec<Self>>,
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn has_no_items(items: &Option<Vec<Probability>>) -> bool {
    items.as_ref().is_none_or(Vec::is_empty)
}

/// Returns the probabilities that a piece carries; none if they are unreadable.
pub(super) fn probabilities(chunk: &Chunk) -> Vec<Probability> {
    #[derive(Deserialize)]
    struct Logprobs {
        #[serde(default)]
        content: Option<Vec<Probability>>,
    }
    let Some(raw) = chunk.choice().and_then(|choice| choice.logprobs.as_deref()) else { return Vec::new() };
    serde_json::from_str::<Logprobs>(raw.get()).ok().and_then(|logprobs| logprobs.content).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::chat::chunk::ToolCallDelta;

    fn ready(fragments: &str) -> Result<String, BadCall> {
        let fragments: Vec<ToolCallDelta> = serde_json::from_str(fragments).unwrap();
        let mut calls = ToolCalls::default();
        for fragment in &fragments {
            calls.add(fragment);
        }
        ReadyCall::all(calls).map(|calls| serde_json::to_string(&calls).unwrap())
    }

    #[test]
    fn arguments_become_objects_on_one_line() {
        assert_eq!(
            ready(
                r#"[{"index":0,"id":"a","function":{"name":"f","arguments":" {\n\"x\":\"1\\n2\"\r\n}"}},
                      {"index":1,"id":"b","function":{"name":"g"}}]"#
            ),
            Ok(concat!(
                r#"[{"id":"a","function":{"index":0,"name":"f","arguments":{ "x":"1\n2"  }}},"#,
                r#"{"id":"b","function":{"index":1,"name":"g","arguments":{}}}]"#
            )
            .to_owned())
        );
    }

    #[test]
    fn calls_that_cannot_be_told_are_errors() {
        let call = |arguments: &str| format!(r#"[{{"id":"a","function":{{"name":"f","arguments":"{arguments}"}}}}]"#);
        for broken in [r#"{\"x\":"#, "[1]", "1", "{} {}"] {
            assert_eq!(ready(&call(broken)), Err(BadCall::BadArguments("f".to_owned())), "{broken}");
        }
        assert_eq!(ready(r#"[{"id":"a","function":{"arguments":"{}"}}]"#), Err(BadCall::Nameless));
    }

    #[test]
    fn ids_that_are_missing_are_made() {
        let calls = ready(r#"[{"index":0,"function":{"name":"f","arguments":"{}"}}]"#).unwrap();
        let id = calls.split('"').nth(3).unwrap();
        assert_eq!((id.len(), &id[..5]), (13, "call_"), "{calls}");
    }
}
