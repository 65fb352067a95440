//! The client of OpenRouter, or of anything shaped like it.
//!
//! The only room that knows reqwest and how OpenRouter spells things. Sends one
//! call and says what came of it; never retries, never chooses a model and never
//! decides what follows from a failure: that is `failover`'s and `routing`'s.
//!
//! In reading order: [`request`] (what is sent), [`answer`] (the stream of a
//! reply), [`sse`], [`failure`] (what a reply means), [`models`] (the catalogue),
//! [`key`] (what it says of a key), [`probe`] (how it can be reached).

pub mod answer;
pub mod failure;
pub mod key;
pub mod models;
pub mod probe;
pub mod request;
pub mod sse;

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{
    clock::now_ms,
    embeddings::Vectors,
    openrouter::answer::Answer,
    routing::{Failure, FailureKind, quota::DailyRequests},
};

/// The longest list of models that is read: the real one has under a megabyte.
const MAX_LIST_BYTES: usize = 64 << 20;

/// The most bytes of vectors that are read: two thousand of four thousand
/// numbers each, written out in full.
const MAX_VECTORS_BYTES: usize = 256 << 20;

/// As much of an error's body as is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How long an error's body may take: its status has said enough by then.
const ERROR_TIMEOUT: Duration = Duration::from_secs(5);

/// As much of what is said of a key as is read; the real one has some 700 bytes.
const MAX_KEY_BYTES: usize = 64 << 10;

/// How long that may take.
const KEY_TIMEOUT: Duration = Duration::from_secs(10);

/// The shortest key of which the last letters may be shown, as a small part of it.
const SHOWN_FROM_BYTES: usize = 24;

/// How long the list of models may take.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Idle connections that are kept, and for how long: a browser's figures.
const IDLE_CONNECTIONS: usize = 64;
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(90);

/// How a machine comes by certificates of those whom all the world trusts.
pub const AUTHORITIES_REMEDY: &str = "install the package `ca-certificates`, or let SSL_CERT_FILE name a file of them";

/// What a client is made of.
pub struct Settings {
    /// Where the API is, without a slash at the end.
    pub base_url: String,
    /// The account's keys, the one to be used first in front; none if there is none.
    pub api_keys: Vec<String>,
    /// `HTTP-Referer`, for attribution.
    pub referer: Option<String>,
    /// `X-OpenRouter-Title`, for attribution.
    pub title: Option<String>,
    /// The longest time to connect.
    pub connect_timeout: Duration,
    /// The longest pause between two pieces of an answer.
    pub idle_timeout: Duration,
}

/// A client that cannot be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A header cannot hold this text.
    #[error("openrouter.{0} holds characters that no HTTP header can carry")]
    Header(&'static str),
    /// There is nobody to trust.
    #[error("there are no certificates of authorities here that could be trusted ({found}): {}", AUTHORITIES_REMEDY)]
    Authorities {
        /// What was met in looking for them.
        found: String,
    },
    /// TLS or the resolver cannot be set up otherwise.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl Error {
    /// Tells what keeps an HTTP client from being made.
    pub fn of(error: reqwest::Error) -> Self {
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::General(found)) => Self::Authorities { found: found.clone() },
            Some(_) | None => Self::Client(error),
        }
    }
}

/// Calls OpenRouter with one of the account's keys. Cloning shares the connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Arc<str>,
    headers: HeaderMap,
    keys: Arc<[Key]>,
    /// The place of the key that is sent.
    key: usize,
    idle_timeout: Duration,
}

struct Key {
    authorization: HeaderValue,
    /// Its last letters, where they are a small part of it.
    tail: Option<String>,
}

impl Client {
    /// Makes a client. Connects to nothing yet.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        // Another part of the process may have chosen already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("ollama-router/", env!("CARGO_PKG_VERSION")))
                .connect_timeout(settings.connect_timeout)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
                .tcp_nodelay(true)
                .redirect(reqwest::redirect::Policy::none())
        };
        let http = match builder().build().map_err(Error::of) {
            // Plain HTTP needs nobody to trust, as to the simulated upstream.
            Err(Error::Authorities { .. }) if settings.base_url.starts_with("http://") => {
                builder().tls_certs_only([]).build().map_err(Error::of)
            }
            built => built,
        };
        let client = Self {
            http: http?,
            base_url: settings.base_url.trim_end_matches('/').into(),
            headers: headers(settings)?,
            keys: settings.api_keys.iter().map(|key| Key::new(key.trim())).collect::<Result<_, _>>()?,
            key: 0,
            idle_timeout: settings.idle_timeout,
        };
        Ok(client.with_key(0))
    }

    /// Returns how many keys there are.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Returns a client that sends the key at this place, or none if there is none.
    #[must_use]
    pub fn with_key(&self, place: usize) -> Self {
        let mut client = Self { key: place, ..self.clone() };
        match self.keys.get(place) {
            Some(key) => drop(client.headers.insert(AUTHORIZATION, key.authorization.clone())),
            None => drop(client.headers.remove(AUTHORIZATION)),
        }
        client
    }

    /// Returns what to call the key that is sent, such as `key 2 (…abcd)`.
    pub fn key_name(&self) -> String {
        let number = self.key + 1;
        match self.keys.get(self.key).and_then(|key| key.tail.as_deref()) {
            Some(tail) => format!("key {number} (…{tail})"),
            None => format!("key {number}"),
        }
    }

    /// Asks what the account has left of its free requests of the day; `None` if
    /// the upstream does not tell. Costs no quota.
    pub async fn daily_requests(&self) -> Result<Option<DailyRequests>, Failure> {
        let fetch = async {
            let request = self.http.get(format!("{}/key", self.base_url)).headers(self.headers.clone());
            let response = request.send().await.map_err(|error| network(&error))?;
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            read(response, MAX_KEY_BYTES).await
        };
        let body = tokio::time::timeout(KEY_TIMEOUT, fetch).await.unwrap_or_else(|_| {
            let message = format!("no word of the key within {} s", KEY_TIMEOUT.as_secs());
            Err(Failure::new(FailureKind::TimedOut, message))
        });
        body.map(|body| key::daily_requests(&body))
    }

    /// Fetches the body of `/models`, which needs no key: the models that write text.
    pub async fn models(&self) -> Result<Bytes, Failure> {
        self.list("/models").await
    }

    /// Fetches the body of `/embeddings/models`, which needs no key and whose
    /// models are in no other list.
    pub async fn embedding_models(&self) -> Result<Bytes, Failure> {
        self.list("/embeddings/models").await
    }

    /// Fetches the body of `/models/user`: those of `/models` that the account's
    /// privacy settings and guardrails leave. Costs no quota.
    pub async fn models_of_account(&self) -> Result<Bytes, Failure> {
        self.list("/models/user").await
    }

    async fn list(&self, path: &str) -> Result<Bytes, Failure> {
        let fetch = async {
            let request = self.http.get(format!("{}{path}", self.base_url)).headers(self.headers.clone());
            let response = request.send().await.map_err(|error| network(&error))?;
            if !response.status().is_success() {
                return Err(refusal(response).await);
            }
            read(response, MAX_LIST_BYTES).await
        };
        tokio::time::timeout(LIST_TIMEOUT, fetch).await.unwrap_or_else(|_| {
            let message = format!("no list of models within {} s", LIST_TIMEOUT.as_secs());
            Err(Failure::new(FailureKind::TimedOut, message))
        })
    }

    /// Sends a chat request, and returns the answer once its head is here.
    ///
    /// The caller bounds the time. Dropping the future or the answer ends the
    /// call upstream at once.
    pub async fn chat(&self, body: Bytes) -> Result<Answer, Failure> {
        let response = self.post("/chat/completions", "text/event-stream", body).await?;
        Ok(Answer::new(response, self.idle_timeout))
    }

    /// Sends texts, and returns their vectors.
    ///
    /// The caller bounds the time. Dropping the future ends the call upstream
    /// at once.
    pub async fn embed(&self, body: Bytes) -> Result<Vectors, Failure> {
        let response = self.post("/embeddings", "application/json", body).await?;
        let status = response.status().as_u16();
        let body = read(response, MAX_VECTORS_BYTES).await?;
        // An error may come with a good status: the head is sent early.
        Vectors::parse(body).map_err(|body| {
            let headers = failure::Headers::default();
            let failure = failure::classify(&failure::Reply { status, headers, body: &body, now_ms: now_ms() });
            match failure.kind {
                FailureKind::BadAnswer => Failure::new(FailureKind::BadAnswer, "the reply holds no vectors"),
                _ => failure,
            }
        })
    }

    async fn post(&self, path: &str, accept: &'static str, body: Bytes) -> Result<Response, Failure> {
        let request = self
            .http
            .post(format!("{}{path}", self.base_url))
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, accept)
            .body(body);
        let response = request.send().await.map_err(|error| network(&error))?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }
}

impl Key {
    fn new(key: &str) -> Result<Self, Error> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_unprintable| Error::Header("api_key"))?;
        authorization.set_sensitive(true);
        let tail = key.get(key.len().saturating_sub(4)..).filter(|_| key.len() >= SHOWN_FROM_BYTES);
        Ok(Self { authorization, tail: tail.map(str::to_owned) })
    }
}

fn headers(settings: &Settings) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    if let Some(referer) = &settings.referer {
        let value = HeaderValue::try_from(referer).map_err(|_unprintable| Error::Header("referer"))?;
        headers.insert(HeaderName::from_static("http-referer"), value);
    }
    if let Some(title) = &settings.title {
        let value = HeaderValue::try_from(title).map_err(|_unprintable| Error::Header("title"))?;
        headers.insert(HeaderName::from_static("x-openrouter-title"), value.clone());
        headers.insert(HeaderName::from_static("x-title"), value);
    }
    Ok(headers)
}

/// Classifies a reply whose status is an error.
async fn refusal(response: Response) -> Failure {
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = match tokio::time::timeout(ERROR_TIMEOUT, read(response, MAX_ERROR_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    failure::classify(&failure::Reply {
        status,
        headers: failure::Headers {
            content_type: text(CONTENT_TYPE),
            retry_after: text(RETRY_AFTER),
            rate_limit_reset: text(HeaderName::from_static("x-ratelimit-reset")),
        },
        body: &body,
        now_ms: now_ms(),
    })
}

/// Reads a body up to a limit; what is beyond it is cut off.
async fn read(mut response: Response, limit: usize) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| network(&error))? {
        body.extend_from_slice(&piece);
        if body.len() >= limit {
            body.truncate(limit);
            break;
        }
    }
    Ok(body.freeze())
}

/// Says what an error of the network means. The URL is left out: it may hold
/// what an operator would not print.
fn network(error: &reqwest::Error) -> Failure {
    let kind = if error.is_connect() {
        FailureKind::Connect
    } else if error.is_timeout() {
        FailureKind::TimedOut
    } else if error.is_body() || error.is_decode() {
        FailureKind::Interrupted
    } else {
        FailureKind::Connect
    };
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let what = match kind {
        FailureKind::Interrupted => "the connection to OpenRouter broke",
        _ => "cannot reach OpenRouter",
    };
    // The last cause is the system's word, such as `Connection refused`; where
    // reqwest itself is the cause, its words would repeat ours with the URL.
    let is_own = cause.downcast_ref::<reqwest::Error>().is_some();
    let message = if is_own { what.to_owned() } else { format!("{what}: {cause}") };
    Failure::new(kind, message)
}
