//! Talks to a running router, for the commands that look at one.
//!
//! Every failure says what to do about it; what is said of one is in [`fault`]. Whether it
//! is reached by HTTP or HTTPS is decided in [`way`], who else may hold its port in
//! [`holder`].

mod fault;
pub(super) mod holder;
mod way;

use std::{
    net::{IpAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use reqwest::{Method, StatusCode, Url, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cli::{
        Common, Failed,
        remote::{fault::is_refused, way::Way},
    },
    config::{Config, value::Host},
    tls::PLAIN_HTTP,
};

/// A router on this machine answers in milliseconds, one far away within this.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A reload compiles, which takes seconds for large policies.
const RELOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// What is said to whoever has typed the name of no model.
pub(super) const NAMES: &str = "`ollama-router list-models --all` has the names";

/// The header with which a router names each of its answers.
const ANSWER_NAME: &str = "x-router-request-id";

/// Which router to ask.
#[derive(Args)]
pub(super) struct Address {
    #[arg(
        short = 'H',
        long,
        value_name = "HOST",
        help = "Host of the router, or https://HOST [default: this machine]"
    )]
    host: Option<String>,
    /// Port of the router [default: that of the configuration, or 11434]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
}

/// A running router.
pub(super) struct Remote {
    http: reqwest::Client,
    way: Way,
    base: String,
    port: u16,
    is_here: bool,
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
        // The configuration is that of a router on this machine.
        let is_configured = host.is_none();
        let (way, host) = Way::of(config, host);
        let host = match (host, &config.server.host) {
            (Some(host), _) => bracketed(host),
            // Where it listens on every address, it is here.
            (None, Host::Address(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
            (None, host) => bracketed(&host.to_string()),
        };
        let port = port.unwrap_or(config.server.port);
        let base = format!("{}://{host}:{port}", way.scheme());
        // What is more than a name or an address would end up elsewhere in the URL.
        if Url::parse(&base).ok().and_then(|url| Some(url.host_str()?.len() == host.len())) != Some(true) {
            let want = "give a name or an address alone, such as `-H 192.168.1.5`, and the port with `-p`";
            let shown = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
            return Err(Failed::usage(anyhow!("`{shown}` is no host: {want}")));
        }
        Ok(Self {
            is_here: is_configured || is_here(&host),
            http: way.client()?,
            way,
            base,
            port,
            admin_key: config.server.admin_key.as_ref().map(|key| key.expose().to_owned()),
        })
    }

    /// Returns where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Tells whether it is on this machine, as far as is known without asking.
    pub(super) fn is_here(&self) -> bool {
        self.is_here
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
                if self.is_here {
                    format!("no router is running at {base}; start one with `ollama-router start{flag}`")
                } else {
                    format!("no router is running at {base}; check the address given with -H and -p")
                }
            }
        }
    }

    /// Says that there is no router, for who goes on without one.
    pub(super) async fn none_here(&self) -> String {
        match self.holder().await {
            holder::Holder::Nobody | holder::Holder::Router { .. } => "no router is running".to_owned(),
            holder::Holder::Ollama { .. } | holder::Holder::Other => self.missing().await,
        }
    }

    /// Asks for something; `None` if no router is there.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Failed> {
        self.call(Method::GET, path, None, TIMEOUT).await
    }

    /// Sends a call with a query; `None` if no router is there.
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

    /// Sends a call with a body; `None` if no router is there.
    pub(super) async fn send<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<Option<T>, Failed> {
        self.call(Method::POST, path, Some(body), RELOAD_TIMEOUT).await
    }

    /// Has something below `path` forgotten, or all of it; `None` if no router is there.
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
        // A router names each of its answers, but for the one to who does not speak HTTPS.
        let is_named = response.headers().contains_key(ANSWER_NAME);
        let status = response.status();
        let body = response.bytes().await.with_context(|| format!("failed to read the answer of {url}"))?;
        if !is_named && !body.starts_with(PLAIN_HTTP.as_bytes()) {
            return Ok(None);
        }
        if status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY {
            let answer = serde_json::from_slice(&body).with_context(|| {
                format!("{} answers, but not as an ollama-router of this version: use the same version here and there, or name another port with `-p`", self.base)
            })?;
            return Ok(Some(answer));
        }
        if body.starts_with(PLAIN_HTTP.as_bytes()) {
            return Err(self.wants_https().into());
        }
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let told = told.get("error").and_then(Value::as_str);
        Err(self.refused(status, told))
    }
}

/// Tells whether a host is this machine, as far as its name or address tells.
fn is_here(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        // Nobody can listen on an address that is another machine's.
        Ok(address) => UdpSocket::bind((address, 0)).is_ok(),
        Err(_) => host == "localhost",
    }
}

/// An IPv6 address needs brackets in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}
