//! Talks to a running router, for the commands that look at one.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::{Method, StatusCode, Url, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cli::Failed,
    config::{Config, value::Host},
};

/// A router on this machine answers in milliseconds, one far away within this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A reload compiles, which takes seconds for large policies.
const RELOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// A running router.
pub(super) struct Remote {
    http: reqwest::Client,
    base: String,
    admin_key: Option<String>,
}

impl Remote {
    /// Names the router of a configuration, or the one at `host` and `port`.
    pub(super) fn new(config: &Config, host: Option<&str>, port: Option<u16>) -> Result<Self, Failed> {
        // Another part of the process may have chosen already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let host = match (host, &config.server.host) {
            (Some(host), _) => bracketed(host),
            // Where it listens on every address, it is here.
            (None, Host::Address(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
            (None, host) => bracketed(&host.to_string()),
        };
        let port = port.unwrap_or(config.server.port);
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build().context("failed to set up the HTTP client")?,
            base: format!("http://{host}:{port}"),
            admin_key: config.server.admin_key.as_ref().map(|key| key.expose().to_owned()),
        })
    }

    /// Returns where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks for something; `None` if nothing listens there.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failed> {
        self.call(Method::GET, path, None, TIMEOUT).await
    }

    /// Sends a call with a query; `None` if nothing listens there.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, Failed> {
        let mut url = Url::parse(&format!("{}{path}", self.base)).context("this is no address of a router")?;
        url.query_pairs_mut().extend_pairs(query);
        let path = [url.path(), "?", url.query().unwrap_or_default()].concat();
        self.call(Method::POST, &path, None, RELOAD_TIMEOUT).await
    }

    /// Sends a call with a body; `None` if nothing listens there.
    pub(super) async fn send<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<Option<T>, Failed> {
        self.call(Method::POST, path, Some(body), RELOAD_TIMEOUT).await
    }

    /// Has something below `path` forgotten, or all of it; `None` if nothing
    /// listens there.
    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str, name: &str) -> Result<Option<T>, Failed> {
        let mut url = Url::parse(&format!("{}{path}", self.base)).context("this is no address of a router")?;
        if !name.is_empty()
            && let Ok(mut segments) = url.path_segments_mut()
        {
            segments.push(name);
        }
        let path = url.path().to_owned();
        self.call(Method::DELETE, &path, None, TIMEOUT).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
    ) -> Result<Option<T>, Failed> {
        let url = format!("{}{path}", self.base);
        let mut request = self.http.request(method, &url).timeout(timeout);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        if let Some(key) = &self.admin_key {
            request = request.bearer_auth(key);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Ok(None),
            Err(error) => return Err(anyhow!(error.without_url()).context(format!("failed to ask {url}")).into()),
        };
        let status = response.status();
        let body = response.bytes().await.with_context(|| format!("failed to read the answer of {url}"))?;
        if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
            let answer = serde_json::from_slice(&body)
                .with_context(|| format!("{} answers, but it is no ollama-router of this version", self.base))?;
            return Ok(Some(answer));
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        match told.get("error").and_then(Value::as_str) {
            Some(told) => Err(anyhow!("{} answers: {told}", self.base).into()),
            None => Err(anyhow!("{} answers with {status}; is that an ollama-router?", self.base).into()),
        }
    }
}

/// An IPv6 address needs brackets in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}
