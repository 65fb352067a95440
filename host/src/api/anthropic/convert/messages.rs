//! The messages of a conversation, as the upstream spells them.
//!
//! One message may become several: upstream the result of a call is a message of
//! its own, and what a result shows besides text follows in a user's message.
//! What is said is in `parts`. Knows nothing of the rest of a request.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{
    api::anthropic::{
        convert::parts::{Part, parts},
        signature,
        wire::{Block, Content, Message, Refused},
    },
    chat::chunk::ReasoningDetail,
};

/// What Anthropic's servers did, as it stands in the history of a conversation, and
/// what only they can read: no model elsewhere can make anything of it.
const OF_THEIR_SERVERS: [&str; 5] = ["compaction", "fallback", "mcp_tool_listing", "mcp_tool_use", "server_tool_use"];

/// How the first line of Claude Code's system prompt begins: it is for Anthropic's
/// accounts, no model needs it, and it is another one each time.
const BILLING: &str = "x-anthropic-billing-header:";

/// A message for the upstream.
#[derive(Debug, Serialize)]
pub(super) struct Outgoing<'a> {
    role: &'static str,
    content: Said<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reasoning: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<ReasoningDetail>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

impl<'a> Outgoing<'a> {
    fn new(role: &'static str, parts: Vec<Part<'a>>) -> Self {
        Self {
            role,
            content: Said(parts),
            reasoning: String::new(),
            reasoning_details: Vec::new(),
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }

    /// Returns the ids of its calls.
    pub(super) fn calls(&self) -> impl Iterator<Item = &str> {
        self.tool_calls.iter().map(|call| &*call.id)
    }

    fn is_empty(&self) -> bool {
        self.content.0.is_empty() && self.reasoning.is_empty() && self.tool_calls.is_empty()
    }
}

/// Nothing, a text, or parts.
#[derive(Debug)]
struct Said<'a>(Vec<Part<'a>>);

impl Serialize for Said<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let alone = if let [part] = self.0.as_slice() { part.as_plain() } else { None };
        match alone {
            Some(text) => serializer.serialize_str(text),
            None if self.0.is_empty() => serializer.serialize_none(),
            None => serializer.collect_seq(&self.0),
        }
    }
}

#[derive(Debug, Serialize)]
struct Call<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Called<'a>,
}

#[derive(Debug, Serialize)]
struct Called<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

/// Returns the system prompt as a message; `None` if it says nothing.
pub(super) fn system(content: Content<'_>) -> Result<Option<Outgoing<'_>>, Refused> {
    let mut said = Vec::new();
    for (place, mut block) in content.into_blocks().into_iter().enumerate() {
        block.text = without_billing(block.text);
        said.extend(text(block).map_err(|words| Refused(format!("system.{place}: {words}")))?);
    }
    Ok((!said.is_empty()).then(|| Outgoing::new("system", said)))
}

/// Takes Claude Code's line for Anthropic's accounts away, if the text begins with it.
fn without_billing(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.starts_with(BILLING) {
        return text;
    }
    let rest = text.split_once('\n').map(|(_, rest)| rest.to_owned());
    rest.unwrap_or_default().into()
}

/// Appends what the message at a place of the conversation becomes.
///
/// Thinking that its vendor sealed goes back to the model that thought it: `first`
/// is the one that is tried first, if that is known.
pub(super) fn append<'a>(
    at: usize,
    message: Message<'a>,
    first: Option<&str>,
    out: &mut Vec<Outgoing<'a>>,
) -> Result<(), Refused> {
    let place = |block: usize, words: String| Refused(format!("messages.{at}.content.{block}: {words}"));
    let blocks = message.content.into_blocks().into_iter().enumerate();
    let blocks = blocks.filter(|(_, block)| !is_of_their_servers(&block.kind));
    match &*message.role {
        "user" => {
            let (mut shown, mut said) = (Vec::new(), Vec::new());
            for (number, block) in blocks {
                if block.kind == "tool_result" {
                    out.push(result(block, &mut shown).map_err(|words| place(number, words))?);
                } else if !is_thinking(&block.kind) {
                    said.extend(parts(block).map_err(|words| place(number, words))?);
                }
            }
            shown.append(&mut said);
            out.extend((!shown.is_empty()).then(|| Outgoing::new("user", shown)));
        }
        "assistant" => {
            let mut answer = Outgoing::new("assistant", Vec::new());
            for (number, block) in blocks {
                said_before(block, first, &mut answer).map_err(|words| place(number, words))?;
            }
            out.extend((!answer.is_empty()).then_some(answer));
        }
        "system" => {
            let mut said = Vec::new();
            for (number, block) in blocks {
                said.extend(text(block).map_err(|words| place(number, words))?);
            }
            if !said.is_empty() {
                remind(said, out);
            }
        }
        other => return Err(Refused(format!("messages.{at}.role: must be `user` or `assistant`, not `{other}`"))),
    }
    Ok(())
}

/// Appends what the client's program says: as a system message as long as nobody
/// spoke. Later it is said with the user, for many models take no system message
/// then.
fn remind<'a>(said: Vec<Part<'a>>, out: &mut Vec<Outgoing<'a>>) {
    if out.iter().all(|message| message.role == "system") {
        out.push(Outgoing::new("system", said));
        return;
    }
    let reminder = Part::reminder(&said);
    match out.last_mut().filter(|last| last.role == "user") {
        Some(last) => last.content.0.push(reminder),
        None => out.push(Outgoing::new("user", vec![reminder])),
    }
}

fn is_of_their_servers(kind: &str) -> bool {
    // `tool_result` is the client's; `web_search_tool_result` and its like are theirs.
    OF_THEIR_SERVERS.contains(&kind) || kind.ends_with("_tool_result")
}

fn is_thinking(kind: &str) -> bool {
    matches!(kind, "thinking" | "redacted_thinking")
}

/// Returns a block that may only be text.
fn text(block: Block<'_>) -> Result<Vec<Part<'_>>, String> {
    if block.kind == "text" {
        parts(block)
    } else {
        Err(format!("a block of the type `{}` cannot be used here", block.kind))
    }
}

/// Adds a block of an earlier answer to it.
fn said_before<'a>(block: Block<'a>, first: Option<&str>, answer: &mut Outgoing<'a>) -> Result<(), String> {
    match &*block.kind {
        "thinking" => {
            if !answer.reasoning.is_empty() && !block.thinking.is_empty() {
                answer.reasoning.push_str("\n\n");
            }
            answer.reasoning.push_str(&block.thinking);
            answer.reasoning_details.extend(signature::opened(&block.signature, first));
        }
        // Sealed by somebody else.
        "redacted_thinking" => {}
        "tool_use" => answer.tool_calls.push(call(block)?),
        _ => answer.content.0.extend(text(block)?),
    }
    Ok(())
}

fn call(block: Block<'_>) -> Result<Call<'_>, String> {
    if block.id.is_empty() {
        return Err("id: Field required".to_owned());
    }
    if block.name.is_empty() {
        return Err("name: Field required".to_owned());
    }
    let arguments = block.input.map_or("{}", RawValue::get);
    if !arguments.starts_with('{') {
        return Err("input: must be an object".to_owned());
    }
    Ok(Call { id: block.id, kind: "function", function: Called { name: block.name, arguments } })
}

/// Returns the message of a result; what it shows besides text goes to `shown`.
fn result<'a>(block: Block<'a>, shown: &mut Vec<Part<'a>>) -> Result<Outgoing<'a>, String> {
    if block.tool_use_id.is_empty() {
        return Err("tool_use_id: Field required".to_owned());
    }
    let content = match block.content {
        Some(content) => serde_json::from_str::<Content<'a>>(content.get()).map_err(|e| format!("content: {e}"))?,
        None => Content::default(),
    };
    let (mut texts, mut others) = (Vec::new(), Vec::new());
    for inner in content.into_blocks() {
        for part in parts(inner).map_err(|words| format!("content: {words}"))? {
            match part.as_text() {
                Some(text) => texts.push(text.to_owned()),
                None => others.push(part),
            }
        }
    }
    let mut text = texts.join("\n");
    if block.is_error == Some(true) {
        text.insert_str(0, if text.is_empty() { "Error" } else { "Error: " });
    }
    if !others.is_empty() {
        if text.is_empty() {
            "The result is shown in the next message.".clone_into(&mut text);
        }
        shown.push(Part::text(format!("The result of the call {}:", block.tool_use_id)));
        shown.append(&mut others);
    }
    let mut message = Outgoing::new("tool", vec![Part::text(text)]);
    message.tool_call_id = Some(block.tool_use_id);
    Ok(message)
}
