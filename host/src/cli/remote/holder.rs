//! Who holds a router's port: a router, Ollama itself, something else, nobody.
//!
//! Only asks, quickly, and says what it found; what follows is for those who ask.

use std::time::Duration;

use serde_json::Value;

use crate::{
    cli::remote::{ANSWER_NAME, Remote, fault, way::Way},
    tls::PLAIN_HTTP,
};

/// Whoever is on this machine answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How Ollama itself is stopped here.
pub(in crate::cli) const STOP_OLLAMA: &str = if cfg!(target_os = "linux") {
    "`sudo systemctl stop ollama` (and `disable ollama` to keep it so)"
} else if cfg!(target_os = "macos") {
    "quit Ollama in the menu bar"
} else {
    "quit Ollama beside the clock"
};

/// Who answers at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Holder {
    /// Nothing listens there.
    Nobody,
    /// A router.
    Router {
        /// Its version, if it tells us.
        version: Option<String>,
        /// Whether it speaks plain HTTP, though it was asked by HTTPS.
        is_plain: bool,
    },
    /// The program that the router stands in for.
    Ollama {
        /// Its version.
        version: String,
    },
    /// Something else.
    Other,
}

impl Remote {
    /// Finds out who answers there.
    pub(in crate::cli) async fn holder(&self) -> Holder {
        let get = async |path: &str| {
            let mut request = self.http.get(format!("{}{path}", self.base)).timeout(TIMEOUT);
            if let Some(key) = &self.admin_key {
                request = request.bearer_auth(key);
            }
            request.send().await
        };
        let answer = match get("/router/status").await {
            Ok(answer) => answer,
            Err(error) if fault::is_refused(&error) => return Holder::Nobody,
            // It may be a router that was started before there was a certificate.
            Err(error) if fault::is_plain(&error) => return self.plain_holder().await,
            Err(_) => return Holder::Other,
        };
        // A router names each of its answers, those too with which it refuses; but not the one
        // to a client that does not speak HTTPS.
        let is_named = answer.headers().contains_key(ANSWER_NAME);
        let body = answer.bytes().await.unwrap_or_default();
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        if is_named || body.starts_with(PLAIN_HTTP.as_bytes()) {
            return Holder::Router { version: text(&told, "version"), is_plain: false };
        }
        let Ok(answer) = get("/api/version").await else { return Holder::Other };
        let told: Value = serde_json::from_slice(&answer.bytes().await.unwrap_or_default()).unwrap_or_default();
        text(&told, "version").map_or(Holder::Other, |version| Holder::Ollama { version })
    }

    /// Finds out who answers there in plain HTTP. No key is sent on that way.
    async fn plain_holder(&self) -> Holder {
        let Ok(http) = Way::Plain.client() else { return Holder::Other };
        let base = self.base.replacen("https://", "http://", 1);
        let plain = Self { http, way: Way::Plain, base, port: self.port, is_here: self.is_here, admin_key: None };
        match Box::pin(plain.holder()).await {
            Holder::Router { version, .. } => Holder::Router { version, is_plain: true },
            other => other,
        }
    }
}

fn text(told: &Value, key: &str) -> Option<String> {
    told.get(key)?.as_str().map(str::to_owned)
}
