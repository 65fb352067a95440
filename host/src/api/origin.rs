//! Which web pages and which host names may use the router: Ollama's own rule.
//!
//! A page in a browser is let in by its `Origin`, and a router on a loopback
//! address answers only to names that mean this machine, so that no page can
//! reach it under a name of its own (DNS rebinding). Knows nothing of keys: that
//! is `api::access`.
//!
//! Outside facts: `server/routes.go` and `envconfig/config.go` of
//! github.com/ollama/ollama, August 2026.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_MAX_AGE, HOST, ORIGIN, VARY,
        },
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::api::Api;

/// Origins that are always allowed; `*` stands for anything.
const ALLOWED: [&str; 17] = [
    "http://localhost",
    "https://localhost",
    "http://localhost:*",
    "https://localhost:*",
    "http://127.0.0.1",
    "https://127.0.0.1",
    "http://127.0.0.1:*",
    "https://127.0.0.1:*",
    "http://0.0.0.0",
    "https://0.0.0.0",
    "http://0.0.0.0:*",
    "https://0.0.0.0:*",
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
    "vscode-file://*",
];

const METHODS: &str = "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS";

/// Ollama's list, and what Anthropic's clients send besides.
const HEADERS: &str = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta,x-api-key,\
                       anthropic-version,anthropic-beta,x-stainless-arch,x-stainless-async,\
                       x-stainless-custom-poll-interval,x-stainless-helper-method,x-stainless-lang,x-stainless-os,\
                       x-stainless-package-version,x-stainless-poll-helper,x-stainless-retry-count,\
                       x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout";

/// Headers of ours that a page may read.
const EXPOSED: &str = "X-Router-Model,X-Router-Attempts,X-Router-Policy,X-Router-Trail,X-Router-Request-Id,Retry-After";

/// The operator's additions.
pub struct Origins {
    /// Further origins, each with at most one `*`; `*` alone allows all.
    pub allowed: Vec<String>,
    /// Whether the router listens on a loopback address alone.
    pub loopback: bool,
    /// The machine's own name.
    pub hostname: String,
}

/// Lets requests through, answers preflights, and refuses strangers.
pub(super) async fn guard(State(api): State<Api>, request: Request, next: Next) -> Response {
    let origins = &api.0.origins;
    let host = text(request.headers(), HOST.as_str()).unwrap_or_default().to_owned();
    if origins.loopback && !origins.is_own_name(&host) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(origin) = request.headers().get(ORIGIN).cloned() else {
        // Ollama's rule for hosts ends here for a name, and goes on for an address.
        let asks = request.method() == Method::OPTIONS && origins.loopback && address(&host).is_none();
        return if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    };
    let Ok(name) = origin.to_str() else { return StatusCode::FORBIDDEN.into_response() };
    if [format!("http://{host}"), format!("https://{host}")].iter().any(|own| own == name) {
        return next.run(request).await;
    }
    if !origins.allows(name) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { preflighted() } else { next.run(request).await };
    let headers = response.headers_mut();
    if origins.allowed.iter().any(|entry| entry == "*") {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    } else {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let depends =
            if preflight { "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" } else { "Origin" };
        headers.insert(VARY, HeaderValue::from_static(depends));
    }
    headers.insert("access-control-expose-headers", HeaderValue::from_static(EXPOSED));
    response
}

fn preflighted() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (ACCESS_CONTROL_MAX_AGE, "43200"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

impl Origins {
    fn allows(&self, origin: &str) -> bool {
        let own = self.allowed.iter().map(String::as_str);
        ALLOWED.into_iter().chain(own).any(|pattern| fits(pattern, origin))
    }

    /// Tells whether a `Host` header means this machine.
    fn is_own_name(&self, host: &str) -> bool {
        if let Some(address) = address(host) {
            return is_near(address.to_canonical());
        }
        let name = without_port(host).to_ascii_lowercase();
        let ends = [".localhost", ".local", ".internal"];
        name.is_empty()
            || name == "localhost"
            || name == self.hostname.to_ascii_lowercase()
            || ends.iter().any(|end| name.ends_with(end))
    }
}

/// Returns the address that a `Host` header is, if it is no name.
fn address(host: &str) -> Option<IpAddr> {
    without_port(host).trim_matches(['[', ']']).parse().ok()
}

/// Tells whether a text fits a pattern with at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end),
        None => pattern == text,
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unspecified(),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        // An IPv6 address has colons of its own, inside brackets.
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(allowed: &[&str]) -> Origins {
        let allowed = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        Origins { allowed, loopback: true, hostname: "Study".to_owned() }
    }

    #[test]
    fn pages_of_this_machine_and_desktop_clients_are_allowed() {
        let cases = [
            ("http://localhost", true),
            ("http://localhost:3000", true),
            ("https://127.0.0.1:8443", true),
            ("http://0.0.0.0:1", true),
            ("app://obsidian.md", true),
            ("vscode-webview://abc", true),
            ("tauri://localhost", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://localhost:3000.evil.example", true),
            ("chrome-extension://abc", false),
            ("null", false),
        ];
        for (origin, expected) in cases {
            assert_eq!(origins(&[]).allows(origin), expected, "{origin}");
        }
    }

    #[test]
    fn the_operator_adds_origins() {
        let added = origins(&["chrome-extension://*", "https://*.example.org"]);
        assert!(added.allows("chrome-extension://abc"));
        assert!(added.allows("https://chat.example.org"));
        assert!(!added.allows("https://example.com"));
        assert!(origins(&["*"]).allows("https://anything.example"));
    }

    #[test]
    fn only_names_of_this_machine_are_own() {
        let cases = [
            ("", true),
            ("localhost:11434", true),
            ("LOCALHOST", true),
            ("study:11434", true),
            ("printer.local", true),
            ("host.docker.internal:11434", true),
            ("a.localhost", true),
            ("127.0.0.1:11434", true),
            ("[::1]:11434", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("192.168.1.9", true),
            ("8.8.8.8:11434", false),
            ("evil.example", false),
            ("evil.example:11434", false),
            ("[2001:db8::1]:80", false),
        ];
        for (host, expected) in cases {
            assert_eq!(origins(&[]).is_own_name(host), expected, "{host}");
        }
    }
}
