//! A router on port 0 before a simulated OpenRouter, and a client to talk to it.
//!
//! Everything is real but the upstream. Nothing here waits for time to pass:
//! tests wait for states, and each wait has a limit. The same question in every
//! protocol is in [`ask`], small catalogues are in [`models`], the bytes of an
//! answer in [`wire`].

pub mod ask;
pub mod certificate;
mod ends;
pub mod mask;
pub mod models;
pub mod program;
pub mod scene;
#[cfg(unix)]
pub mod terminal;
pub mod wire;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ollama_router::{
    app::App,
    config::load::{self, Override, Sources},
    current::Current,
    sandbox::{Sandbox, scenario::Scenario},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// Every wait for a state ends after this, with a panic.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Where [`Setup::policy`] puts a policy, in the data folder.
pub const POLICY: &str = "policies/test.wasm";

/// What a router is to be started with.
pub struct Setup {
    scenario: Scenario,
    folder: TempDir,
    overrides: Vec<Override>,
}

impl Setup {
    /// A quiet upstream with its own catalogue, no pacing, short times.
    pub fn new() -> Self {
        let setup = Self { scenario: Scenario::quiet(), folder: TempDir::new().unwrap(), overrides: Vec::new() };
        setup
            .set("failover.requests_per_minute", "0")
            .set("failover.first_token_timeout", "1s")
            .set("failover.idle_timeout", "1s")
    }

    /// Sets a key of the configuration, as a flag would.
    pub fn set(mut self, key: &str, text: &str) -> Self {
        self.overrides.push(Override { key: key.to_owned(), text: text.to_owned(), flag: "--test" });
        self
    }

    /// Replaces what the upstream does.
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = scenario;
        self
    }

    /// Has the upstream serve these free models, the one tried first in front.
    pub fn models(self, ids: &[&str]) -> Self {
        self.scenario(Scenario::quiet().catalog(models::free(ids)))
    }

    /// Writes a file into the data folder before the start.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        write(&self.folder.path().join(path), content);
        self
    }

    /// Puts a policy into the data folder, and `policy.module` on it.
    pub fn policy(self, bytes: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(POLICY).display().to_string();
        self.file(POLICY, bytes).set("policy.module", &path)
    }

    /// Returns the data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the router.
    pub async fn start(self) -> Host {
        let sandbox = Sandbox::start(self.scenario).await.unwrap();
        let mut overrides = vec![
            Override { key: "openrouter.base_url".into(), text: sandbox.base_url(), flag: "--test" },
            Override { key: "openrouter.api_key".into(), text: "sk-or-v1-test".into(), flag: "--test" },
        ];
        overrides.extend(self.overrides);
        let sources = Sources {
            file: Some(self.folder.path().join("config.yaml")),
            environment: vec![("HOME".into(), self.folder.path().display().to_string())],
            overrides,
        };
        let running = Running::start(&sources).await;
        Host { sandbox, folder: self.folder, sources, running, client: http() }
    }
}

/// A running router.
pub struct Host {
    /// Its upstream.
    pub sandbox: Sandbox,
    client: reqwest::Client,
    folder: TempDir,
    sources: Sources,
    running: Running,
}

struct Running {
    address: SocketAddr,
    current: Arc<Current>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Running {
    async fn start(sources: &Sources) -> Self {
        let loaded = load::load(sources).unwrap_or_else(|error| panic!("{error}"));
        let app = App::build(loaded, sources.clone(), true).await.unwrap_or_else(|error| panic!("{error:#}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let current = app.current();
        let (stop, stopped) = oneshot::channel();
        #[expect(clippy::disallowed_methods, reason = "a test has no tracker")]
        let served = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            app.serve(listener, shutdown).await.unwrap_or_else(|error| panic!("{error:#}"));
        });
        Self { address, current, stop, served }
    }

    async fn stop(self) {
        // It may have stopped by itself.
        self.stop.send(()).ok();
        tokio::time::timeout(PATIENCE, self.served).await.expect("the router did not stop").unwrap();
    }
}

impl Host {
    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.address)
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Returns what is in force.
    pub fn current(&self) -> &Current {
        &self.running.current
    }

    /// Returns a path in the data folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file of the data folder.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        write(&self.path(path), content);
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Reply {
        Reply::read(self.client.get(self.url(path)).send().await.unwrap()).await
    }

    /// Sends a POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, body.to_string()).await
    }

    /// Sends a POST of any text, with the content type that curl uses.
    pub async fn post_text(&self, path: &str, body: impl Into<String>) -> Reply {
        Reply::read(self.send(path, body).await).await
    }

    /// Sends a POST, and returns as soon as the head of the answer is here.
    pub async fn send(&self, path: &str, body: impl Into<String>) -> reqwest::Response {
        let request = self.client.post(self.url(path)).header("content-type", "application/x-www-form-urlencoded");
        request.body(body.into()).send().await.unwrap()
    }

    /// Returns what `/router/policy` says of the policy in force.
    pub async fn policy(&self) -> Value {
        self.get("/router/policy").await.json()[0].take()
    }

    /// Calls for a reload, and returns the status and the report.
    pub async fn reload(&self) -> (u16, Value) {
        let reply = self.post_text("/router/policy/reload", "").await;
        (reply.status, reply.json())
    }

    /// Waits until the generation in force satisfies a condition.
    pub async fn generation(&self, wanted: impl Fn(u64) -> bool) -> u64 {
        let mut changes = self.running.current.changes();
        let reached = tokio::time::timeout(PATIENCE, changes.wait_for(|number| wanted(*number))).await;
        *reached.expect("no such generation came").unwrap()
    }
}

/// Returns a client of HTTP. It wants a provider of cryptography even where there
/// is none to do, and a router in this process may have chosen one, or not.
pub fn http() -> reqwest::Client {
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().build().unwrap()
}

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub text: String,
    /// Whether the body ended as HTTP wants it.
    pub complete: bool,
}

impl Reply {
    /// Reads an answer to its end, be it a good one or not.
    pub async fn read(mut response: reqwest::Response) -> Self {
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let complete = loop {
            match tokio::time::timeout(PATIENCE, response.chunk()).await.expect("the answer does not end") {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        Self { status, headers, text: String::from_utf8(body).unwrap(), complete }
    }

    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }

    /// Returns the lines of a streamed Ollama answer.
    pub fn lines(&self) -> Vec<Value> {
        self.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the data of an answer streamed as events, `[DONE]` as text.
    pub fn events(&self) -> Vec<Value> {
        let data =
            self.text.split("\n\n").filter_map(|event| event.lines().find_map(|line| line.strip_prefix("data: ")));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data))).collect()
    }

    /// Returns the text that an answer spells, in whichever protocol and form.
    pub fn content(&self) -> String {
        let is_events = ["data: ", "event: "].iter().any(|start| self.text.starts_with(start));
        let pieces = if is_events { self.events() } else { self.lines() };
        pieces.iter().map(spelt).collect()
    }
}

/// Returns the text that a piece adds, or that a whole answer spells.
fn spelt(piece: &Value) -> String {
    let of_kind = |list: &Value, kind: &str| -> String {
        let parts = list.as_array().into_iter().flatten().filter(|part| part["type"] == kind);
        parts.filter_map(|part| part["text"].as_str()).collect()
    };
    match piece["type"].as_str() {
        // Its pieces as they come; what it says again at the end is not counted.
        Some("response.output_text.delta") => return piece["delta"].as_str().unwrap_or_default().to_owned(),
        Some("message") => return of_kind(&piece["content"], "text"),
        Some("content_block_delta") => return piece["delta"]["text"].as_str().unwrap_or_default().to_owned(),
        Some(_) => return String::new(),
        None => {}
    }
    if piece["object"] == "response" {
        let items = piece["output"].as_array().into_iter().flatten();
        return items.map(|item| of_kind(&item["content"], "output_text")).collect();
    }
    let paths =
        ["/message/content", "/response", "/choices/0/delta/content", "/choices/0/message/content", "/choices/0/text"];
    paths.iter().find_map(|path| piece.pointer(path)?.as_str()).unwrap_or_default().to_owned()
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}
