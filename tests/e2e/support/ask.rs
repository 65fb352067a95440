//! The same question in every protocol and form, and what to look for in answers.
//!
//! A behaviour that holds for all faces is tested for all of them by a loop
//! over [`FORMS`]. Nothing here starts or stops anything.

use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Reply};

/// A route, and whether the answer is wanted in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The route.
    pub path: &'static str,
    /// Whether the answer is wanted in pieces.
    pub streaming: bool,
}

/// Every route that answers, streaming first.
pub const FORMS: [Form; 6] = [
    Form { path: "/api/chat", streaming: true },
    Form { path: "/api/generate", streaming: true },
    Form { path: "/v1/chat/completions", streaming: true },
    Form { path: "/api/chat", streaming: false },
    Form { path: "/api/generate", streaming: false },
    Form { path: "/v1/chat/completions", streaming: false },
];

/// Returns the forms that stream, or those that do not.
pub fn forms(streaming: bool) -> impl Iterator<Item = Form> {
    FORMS.into_iter().filter(move |form| form.streaming == streaming)
}

impl Form {
    /// Returns whether the answer has OpenAI's shape.
    pub fn is_openai(self) -> bool {
        self.path.starts_with("/v1/")
    }

    /// Returns a request that says `text`.
    pub fn body(self, model: &str, text: &str) -> Value {
        let mut body = json!({"model": model, "stream": self.streaming});
        if self.path == "/api/generate" {
            body["prompt"] = json!(text);
        } else {
            body["messages"] = json!([{"role": "user", "content": text}]);
        }
        body
    }

    /// Returns whether an answer says that it is complete.
    pub fn is_finished(self, reply: &Reply) -> bool {
        match (self.is_openai(), self.streaming) {
            (true, true) => reply.events().last() == Some(&json!("[DONE]")),
            (true, false) => reply.json()["choices"][0]["finish_reason"].is_string(),
            (false, _) => reply.lines().last().is_some_and(|line| line["done"] == true),
        }
    }

    /// Returns the words of an error, which must have the protocol's shape.
    pub fn error(self, reply: &Reply) -> String {
        let body = reply.json();
        let told = if self.is_openai() { &body["error"]["message"] } else { &body["error"] };
        let told = told.as_str().unwrap_or_else(|| panic!("no error in {body}")).to_owned();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        // After tries each is told for programs, where the protocol has room for it.
        match (self.is_openai(), reply.header("x-router-trail").is_some()) {
            (false, false) => assert_eq!(keys(&body), ["error"]),
            (false, true) => assert_eq!(keys(&body), ["attempts", "error"]),
            (true, with_attempts) => {
                let all = ["code", "message", "metadata", "param", "type"];
                let expected = all.into_iter().filter(|key| with_attempts || *key != "metadata");
                assert_eq!(keys(&body), ["error"]);
                assert_eq!(keys(&body["error"]), expected.collect::<Vec<_>>());
            }
        }
        told
    }

    /// Returns the tries that an error tells for programs.
    pub fn attempts(self, reply: &Reply) -> Value {
        let path = if self.is_openai() { "/error/metadata/attempts" } else { "/attempts" };
        reply.json().pointer(path).cloned().unwrap_or_default()
    }

    /// Returns the words of the error in a stream that broke off.
    pub fn late_error(self, reply: &Reply) -> Option<String> {
        let pieces = if self.is_openai() { reply.events() } else { reply.lines() };
        let error = pieces.last()?.get("error")?;
        let told = if self.is_openai() { error.get("message")? } else { error };
        told.as_str().map(str::to_owned)
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
