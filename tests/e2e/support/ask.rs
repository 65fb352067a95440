//! The same question in every protocol and form, and what to look for in answers.
//!
//! A behaviour that holds for all faces is tested for all of them by a loop
//! over [`FORMS`]. Nothing here starts or stops anything.

use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Reply};

/// What [`Form::body`] allows where a protocol insists on a limit.
pub const MAX_TOKENS: u32 = 4096;

/// A route, and whether the answer is wanted in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The route.
    pub path: &'static str,
    /// Whether the answer is wanted in pieces.
    pub streaming: bool,
}

/// A protocol, as far as tests tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// Lines of JSON, and errors that are texts.
    Ollama,
    /// Chat completions, and the older completions.
    OpenAi,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's Messages.
    Anthropic,
}

/// Every route that answers; of the first six and of the rest those that stream first.
pub const FORMS: [Form; 12] = [
    Form { path: "/api/chat", streaming: true },
    Form { path: "/api/generate", streaming: true },
    Form { path: "/v1/chat/completions", streaming: true },
    Form { path: "/api/chat", streaming: false },
    Form { path: "/api/generate", streaming: false },
    Form { path: "/v1/chat/completions", streaming: false },
    Form { path: "/v1/completions", streaming: true },
    Form { path: "/v1/responses", streaming: true },
    Form { path: "/v1/messages", streaming: true },
    Form { path: "/v1/completions", streaming: false },
    Form { path: "/v1/responses", streaming: false },
    Form { path: "/v1/messages", streaming: false },
];

/// Returns the forms that stream, or those that do not.
pub fn forms(streaming: bool) -> impl Iterator<Item = Form> {
    FORMS.into_iter().filter(move |form| form.streaming == streaming)
}

impl Form {
    /// Returns the protocol.
    pub fn face(self) -> Face {
        match self.path {
            "/v1/messages" => Face::Anthropic,
            "/v1/responses" => Face::Responses,
            path if path.starts_with("/v1/") => Face::OpenAi,
            _ => Face::Ollama,
        }
    }

    /// Returns whether it is one of Ollama's.
    pub fn is_ollama(self) -> bool {
        self.face() == Face::Ollama
    }

    /// Returns whether errors have OpenAI's shape.
    pub fn has_openai_errors(self) -> bool {
        matches!(self.face(), Face::OpenAi | Face::Responses)
    }

    /// Returns whether tools can be offered.
    pub fn takes_tools(self) -> bool {
        !matches!(self.path, "/api/generate" | "/v1/completions")
    }

    /// Returns a request that says `text`.
    pub fn body(self, model: &str, text: &str) -> Value {
        let mut body = json!({"model": model, "stream": self.streaming});
        match self.path {
            "/api/generate" | "/v1/completions" => body["prompt"] = json!(text),
            "/v1/responses" => body["input"] = json!(text),
            _ => body["messages"] = json!([{"role": "user", "content": text}]),
        }
        if self.face() == Face::Anthropic {
            body["max_tokens"] = json!(MAX_TOKENS);
        }
        body
    }

    /// Returns a request that allows so many tokens for the answer.
    pub fn body_within(self, model: &str, tokens: u32) -> Value {
        let mut body = self.body(model, "Hello");
        match self.face() {
            Face::Ollama => body["options"] = json!({"num_predict": tokens}),
            Face::OpenAi | Face::Anthropic => body["max_tokens"] = json!(tokens),
            Face::Responses => body["max_output_tokens"] = json!(tokens),
        }
        body
    }

    /// Returns a tool without parameters.
    pub fn tool(self, name: &str) -> Value {
        let schema = json!({"type": "object", "properties": {}});
        match self.face() {
            Face::Ollama | Face::OpenAi => {
                json!({"type": "function", "function": {"name": name, "parameters": schema}})
            }
            Face::Responses => json!({"type": "function", "name": name, "parameters": schema}),
            Face::Anthropic => json!({"name": name, "input_schema": schema}),
        }
    }

    /// Returns the pieces of an answer, or the one object.
    pub fn pieces(self, reply: &Reply) -> Vec<Value> {
        if self.streaming && !self.is_ollama() { reply.events() } else { reply.lines() }
    }

    /// Returns how often an answer says that it is complete.
    pub fn endings(self, reply: &Reply) -> usize {
        let ends = |piece: &Value| match (self.face(), self.streaming) {
            (Face::Ollama, _) => piece["done"] == true,
            (Face::OpenAi, _) => piece["choices"][0]["finish_reason"].is_string(),
            (Face::Responses, true) => {
                ["response.completed", "response.incomplete"].iter().any(|end| piece["type"] == *end)
            }
            (Face::Responses, false) => ["completed", "incomplete"].iter().any(|end| piece["status"] == *end),
            (Face::Anthropic, true) => piece["type"] == "message_stop",
            (Face::Anthropic, false) => piece["stop_reason"].is_string(),
        };
        self.pieces(reply).iter().filter(|piece| ends(piece)).count()
    }

    /// Returns whether an answer says that it is complete, once and at its end.
    pub fn is_finished(self, reply: &Reply) -> bool {
        let done = self.pieces(reply).last() == Some(&json!("[DONE]"));
        self.endings(reply) == 1 && done == (self.streaming && self.face() == Face::OpenAi)
    }

    /// Returns what an answer says that was cut by its length.
    pub fn length_reason(self) -> &'static str {
        match self.face() {
            Face::Ollama => "\"done_reason\":\"length\"",
            Face::OpenAi => "\"finish_reason\":\"length\"",
            Face::Responses => "\"reason\":\"max_output_tokens\"",
            Face::Anthropic => "\"stop_reason\":\"max_tokens\"",
        }
    }

    /// Returns the words of an error, which must have the protocol's shape.
    pub fn error(self, reply: &Reply) -> String {
        let body = reply.json();
        let told = if self.is_ollama() { &body["error"] } else { &body["error"]["message"] };
        let told = told.as_str().unwrap_or_else(|| panic!("no error in {body}")).to_owned();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        // After tries each is told for programs, where the protocol has room for it.
        let own_key = if self.has_openai_errors() { "metadata" } else { "attempts" };
        let expected = |all: &[&str]| {
            let tried = reply.header("x-router-trail").is_some();
            all.iter().filter(|key| tried || **key != own_key).map(|key| (*key).to_owned()).collect::<Vec<_>>()
        };
        match self.face() {
            Face::Ollama => assert_eq!(keys(&body), expected(&["attempts", "error"])),
            Face::OpenAi | Face::Responses => {
                assert_eq!(keys(&body), ["error"]);
                assert_eq!(keys(&body["error"]), expected(&["code", "message", "metadata", "param", "type"]));
            }
            Face::Anthropic => {
                assert_eq!(
                    (keys(&body), &body["type"]),
                    (["error", "request_id", "type"].map(str::to_owned).to_vec(), &json!("error"))
                );
                assert_eq!(keys(&body["error"]), expected(&["attempts", "message", "type"]));
                assert_eq!(body["request_id"].as_str(), reply.header("x-router-request-id"));
            }
        }
        told
    }

    /// Returns the tries that an error tells for programs.
    pub fn attempts(self, reply: &Reply) -> Value {
        let path = match self.face() {
            Face::Ollama => "/attempts",
            Face::OpenAi | Face::Responses => "/error/metadata/attempts",
            Face::Anthropic => "/error/attempts",
        };
        reply.json().pointer(path).cloned().unwrap_or_default()
    }

    /// Returns the words of the error in a stream that broke off.
    pub fn late_error(self, reply: &Reply) -> Option<String> {
        let last = self.pieces(reply).pop()?;
        let path = match self.face() {
            Face::Ollama => "/error",
            Face::OpenAi => "/error/message",
            Face::Responses if last["type"] == "response.failed" => "/response/error/message",
            Face::Anthropic if last["type"] == "error" => "/error/message",
            Face::Responses | Face::Anthropic => return None,
        };
        last.pointer(path)?.as_str().map(str::to_owned)
    }
}

/// What an answer says of itself, to be compared as a whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// Whether the body ended as HTTP wants it.
    pub complete: bool,
    /// The text.
    pub content: String,
    /// `X-Router-Model`.
    pub model: Option<String>,
    /// `X-Router-Attempts`.
    pub attempts: Option<String>,
    /// `X-Router-Trail`.
    pub trail: Option<String>,
}

impl Told {
    /// Reads an answer.
    pub fn by(reply: &Reply) -> Self {
        let header = |name| reply.header(name).map(str::to_owned);
        Self {
            status: reply.status,
            complete: reply.complete,
            content: reply.content(),
            model: header("x-router-model"),
            attempts: header("x-router-attempts"),
            trail: header("x-router-trail"),
        }
    }

    /// Returns what the sandbox's usual answer by `model` says, after a trail.
    pub fn hello(model: &str, attempts: u32, trail: Option<&str>) -> Self {
        Self {
            status: 200,
            complete: true,
            content: format!("Hello from {model}."),
            model: Some(model.to_owned()),
            attempts: Some(attempts.to_string()),
            trail: trail.map(str::to_owned),
        }
    }
}

impl Host {
    /// Says hello to a model.
    pub async fn ask(&self, form: Form, model: &str) -> Reply {
        self.post(form.path, &form.body(model, "Hello")).await
    }

    /// Sends any request, and follows no redirect.
    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut request = client.request(method.parse().unwrap(), self.url(path)).body(body.to_owned());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Reply::read(request.send().await.unwrap()).await
    }

    /// Sends a GET with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.request("GET", path, headers, "").await
    }

    /// Returns what the router says of itself.
    pub async fn status(&self) -> Value {
        self.get("/router/status").await.json()
    }

    /// Returns what the router says of a model: `standing`, `last_failure` and so on.
    pub async fn state(&self, id: &str) -> Value {
        let rows = self.get("/router/models").await.json();
        let row = rows.as_array().unwrap().iter().find(|row| row["id"] == id);
        row.unwrap_or_else(|| panic!("{id} is not listed"))["state"].clone()
    }

    /// Returns how a model stands, and the kind of its last failure.
    pub async fn standing(&self, id: &str) -> (String, Option<String>) {
        let state = self.state(id).await;
        (state["standing"].as_str().unwrap().to_owned(), state["last_failure"].as_str().map(str::to_owned))
    }

    /// Asks for a model's state until it satisfies a condition.
    pub async fn state_until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let state = self.state(id).await;
                if wanted(&state) {
                    return state;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the model did not get into this state")
    }

    /// Asks what the router says of itself until it satisfies a condition.
    pub async fn status_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let status = self.status().await;
                if wanted(&status) {
                    return status;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the router did not get into this state")
    }

    /// Returns the models of the chat requests that went upstream, in order.
    pub fn called(&self) -> Vec<String> {
        let chats = self.sandbox.requests().into_iter().filter(|request| request.path == "/chat/completions");
        chats.filter_map(|request| request.model).collect()
    }

    /// Returns the body of the last chat request that went upstream.
    pub fn last_sent(&self) -> Value {
        let mut chats = self.sandbox.requests().into_iter().filter(|request| request.path == "/chat/completions");
        chats.next_back().expect("no chat request went upstream").body
    }
}
