//! Talks to a running router, for the commands that look at one.
//!
//! Every failure says what to do about it. Who else may hold a router's port is in
//! [`holder`].

pub(super) mod holder;

use std::{io, time::Duration};

use anyhow::{Context as _, anyhow};
use clap::Args;
use reqwest::{Method, StatusCode, Url, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cli::{Common, Failed},
    config::{Config, value::Host},
};

/// A router on this machine answers in milliseconds, one far away within this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A reload compiles, which takes seconds for large policies.
const RELOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// Which router to ask.
#[derive(Args)]
pub(super) struct Address {
    /// Host of the router [default: this machine]
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,
    /// Port of the router [default: that of the configuration, or 11434]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
}

/// A running router.
pub(super) struct Remote {
    http: reqwest::Client,
    base: String,
    port: u16,
    admin_key: Option<String>,
}

impl Address {
    /// Tells whether a certain router is meant.
    pub(super) fn is_given(&self) -> bool {
        self.host.is_some() || self.port.is_some()
    }

    /// Returns that router, or the one of the configuration.
    pub(super) fn remote(&self, common: &Common) -> Result<Remote, Failed> {
        self.of(&common.load()?.config)
    }

    /// Returns that router, or the one of this configuration.
    pub(super) fn of(&self, config: &Config) -> Result<Remote, Failed> {
        Remote::new(config, self.host.as_deref(), self.port)
    }
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
        let base = format!("http://{host}:{port}");
        // What is more than a name or an address would end up elsewhere in the URL.
        if Url::parse(&base).ok().and_then(|url| Some(url.host_str()?.len() == host.len())) != Some(true) {
            let want = "give a name or an address alone, such as `-H 192.168.1.5`, and the port with `-p`";
            return Err(Failed::usage(anyhow!("`{}` is no host: {want}", host.trim_matches(['[', ']']))));
        }
        Ok(Self {
            http: reqwest::Client::builder().no_proxy().build().context("failed to set up the HTTP client")?,
            base,
            port,
            admin_key: config.server.admin_key.as_ref().map(|key| key.expose().to_owned()),
        })
    }

    /// Returns where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Tells whether it is on this machine, as far as its name tells.
    pub(super) fn is_here(&self) -> bool {
        ["http://127.", "http://localhost:", "http://[::1]"].iter().any(|start| self.base.starts_with(start))
    }

    /// Says that nobody answers there as a router does, and who does instead.
    pub(super) async fn missing(&self) -> String {
        let base = &self.base;
        match self.holder().await {
            holder::Holder::Ollama { version } => {
                format!(
                    "Ollama itself (version {version}) is running at {base}, and no router; name the router's port with `-p`"
                )
            }
            holder::Holder::Other => {
                format!("another program answers at {base}, and no router; name the router's port with `-p`")
            }
            holder::Holder::Nobody | holder::Holder::Router { .. } => {
                let flag = if self.port == 11434 { String::new() } else { format!(" -p {}", self.port) };
                if self.is_here() {
                    format!("no router is running at {base}; start one with `ollama-router start{flag}`")
                } else {
                    format!("no router is running at {base}; check the address given with -H and -p")
                }
            }
        }
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
            Err(error) if is_refused(&error) => return Ok(None),
            Err(error) => return Err(self.unreachable(&error).into()),
        };
        let status = response.status();
        let body = response.bytes().await.with_context(|| format!("failed to read the answer of {url}"))?;
        if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
            let answer = serde_json::from_slice(&body).with_context(|| {
                format!("{} answers, but not as an ollama-router of this version: use the same version here and there, or name another port with `-p`", self.base)
            })?;
            return Ok(Some(answer));
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let told = told.get("error").and_then(Value::as_str);
        Err(self.refused(status, told).await.into())
    }

    /// Says why it could not be asked, and what to do.
    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        let words = root(error).to_string();
        if error.is_timeout() {
            return anyhow!("{base} does not answer in time; is it a router, and is the way to it open?");
        }
        if words.contains("lookup") || words.contains("resolve") {
            return anyhow!("there is no such host as in {base} ({words}); check the name given with -H");
        }
        if error.is_connect() {
            return anyhow!(
                "cannot reach {base} ({words}); check the address given with -H and -p, and firewalls on the way"
            );
        }
        anyhow!("{base} does not answer as a router does ({words}); check the address given with -H and -p")
    }

    /// Says why it refused, and what to do.
    async fn refused(&self, status: StatusCode, told: Option<&str>) -> anyhow::Error {
        let base = &self.base;
        let is_router = matches!(self.holder().await, holder::Holder::Router { .. });
        match (status, told) {
            (StatusCode::UNAUTHORIZED, Some(told)) => anyhow!(
                "{base} answers: {told}. Set the same key here: server.admin_key in the configuration, or the \
                 variable OLLAMA_ROUTER_SERVER_ADMIN_KEY"
            ),
            (_, Some(told)) => anyhow!("{base} answers: {told}"),
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) if is_router => {
                anyhow!("the router at {base} does not know this yet: use the same version here and there")
            }
            (_, None) if is_router => anyhow!("the router at {base} answers with {status}; see its log"),
            (_, None) => anyhow!("{}", self.missing().await).context(format!("{base} answers with {status}")),
        }
    }
}

/// Tells whether nothing listens there.
fn is_refused(error: &reqwest::Error) -> bool {
    let refused = root(error).downcast_ref::<io::Error>().map(io::Error::kind);
    error.is_connect() && refused == Some(io::ErrorKind::ConnectionRefused)
}

/// Returns the last cause, which is the system's word.
fn root(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// An IPv6 address needs brackets in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}
