//! Decoder contracts: what the clients that cannot run here insist on.
//!
//! A contract restates in our words what a client reads: types that fail where
//! the client does, and a line of code for a rule that no type tells. It is
//! held against what the router really answers, over a catalogue of awkward
//! models. Clients that can run are in `tests/clients`, the way in which lines
//! lie on the wire is in `stream_table`.
//!
//! Outside facts: each client's public sources, August 2026.

// The catalogue, and what of it is listed.
mod awkward;

// The `ollama` command.
mod command_line;

// Zed, Copilot Chat, JetBrains, Continue, plugins of Obsidian.
mod editors;

// Cline, Roo Code, Codex, goose: what writes code by itself.
mod agents;

// Open WebUI, AnythingLLM, LibreChat, Page Assist: pages to chat in.
mod pages;

// Enchanted, Raycast, Msty, oterm: programs to chat in.
mod programs;

// Home Assistant, n8n: what acts without anybody looking.
mod automation;

// Spring AI, OllamaSharp, Semantic Kernel.
mod libraries;

// Continue, Raycast and others: texts into vectors.
mod vectors;

// Hundreds of models, and all of them asked for at once.
mod many;

use jiff::Timestamp;
use ollama_router::sandbox::reply::Reply as Upstream;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::support::{Host, Reply, Setup};

/// A list as every client reads it: an object with `models`, never `null`.
#[derive(Deserialize)]
struct Models<T> {
    models: Vec<T>,
}

/// A time as strict readers want it: RFC 3339 with a `T` and a zone.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Time(Timestamp);

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
        let has_form = text.as_bytes().get(10) == Some(&b'T') && !text.contains(' ');
        has_form.then_some(Self(time)).ok_or_else(|| format!("{text:?} is not written as RFC 3339"))
    }
}

/// What is told of the models, each answer as text.
struct Lists {
    tags: String,
    /// By the name in the list.
    shows: Vec<(String, String)>,
    running: String,
}

impl Lists {
    async fn of(host: &Host) -> Self {
        let tags = host.get("/api/tags").await.text;
        let mut shows = Vec::new();
        for name in names(&tags) {
            let reply = host.post("/api/show", &json!({"model": name})).await;
            assert_eq!(reply.status, 200, "{name}: {}", reply.text);
            shows.push((name, reply.text));
        }
        for model in ["huge:free", "no-context:free"] {
            let question = json!({"model": model, "stream": false, "messages": [{"role": "user", "content": "Hello"}]});
            let answer = host.post("/api/chat", &question).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text);
        }
        Self { tags, shows, running: host.get("/api/ps").await.text }
    }

    /// Reads the list as a client does.
    fn list<T: DeserializeOwned>(&self) -> Vec<T> {
        let list: Models<T> = read(&self.tags);
        assert_eq!(list.models.len(), self.shows.len());
        list.models
    }

    /// Reads what is shown of each model as a client does, under its name.
    fn shown<T: DeserializeOwned>(&self) -> Vec<(&str, T)> {
        self.shows.iter().map(|(name, text)| (name.as_str(), read(text))).collect()
    }
}

/// Starts a router before the awkward catalogue.
async fn start() -> Host {
    Setup::new().scenario(awkward::scenario()).start().await
}

/// Starts a router before the awkward catalogue, and asks for its lists.
async fn lists() -> Lists {
    Lists::of(&start().await).await
}

/// Returns the names in a list.
fn names(tags: &str) -> Vec<String> {
    let tags: Value = read(tags);
    let models = tags["models"].as_array().unwrap().iter();
    models.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Reads a streamed answer as a strict reader does: whole lines, none blank.
fn lines<T: DeserializeOwned>(reply: &Reply) -> Vec<T> {
    assert_eq!((reply.status, reply.complete), (200, true), "{}", reply.text);
    let lines = reply.text.strip_suffix('\n').unwrap_or_else(|| panic!("the last line has no end: {:?}", reply.text));
    lines.split('\n').map(read).collect()
}

/// Asks a model that thinks, speaks and calls a tool, with `fields` put into
/// the usual question.
async fn talk(host: &Host, path: &str, fields: &Value) -> Reply {
    let mut answer = Upstream::text("So be it.").reasoning("Let me think.").usage(11, 3);
    let mut question = json!({"model": "auto"});
    if path == "/api/generate" {
        question["prompt"] = json!("Hello");
    } else {
        answer = answer.tool_call("weather", &json!({"city": "Ulm"}));
        question["messages"] = json!([{"role": "user", "content": "Hello"}]);
        question["tools"] = json!([tool()]);
    }
    host.sandbox.script("*", [answer]);
    question.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    host.post(path, &question).await
}

/// Returns a function that a model may call.
fn tool() -> Value {
    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    json!({"type": "function", "function": {"name": "weather", "description": "Tells it", "parameters": city}})
}

/// Asks for a pull, and returns what each line of the answer says.
async fn pull(host: &Host, name: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Progress {
        status: String,
    }
    let reply = host.post("/api/pull", &json!({"model": name})).await;
    lines::<Progress>(&reply).into_iter().map(|progress| progress.status).collect()
}
