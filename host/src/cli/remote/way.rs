//! How a router is reached: by plain HTTP, or by HTTPS, and whose certificate is trusted.
//!
//! The configuration decides, unless `-H` names a scheme. Connects to nothing.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::{cli::Failed, config::Config, openrouter, tls::pinned};

/// A way to a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// Plain HTTP.
    Plain,
    /// HTTPS with the certificate in this file, which is that of `server.tls_cert`.
    Pinned(PathBuf),
    /// HTTPS with a certificate that this machine trusts, for the name that was given.
    Trusted,
}

impl Way {
    /// Takes the way out of `host`, and returns it with what is left of that.
    pub(super) fn of<'a>(config: &Config, host: Option<&'a str>) -> (Self, Option<&'a str>) {
        let Some((scheme, rest)) = host.and_then(|host| host.split_once("://")) else {
            let pinned = config.server.tls_cert.clone().map(Self::Pinned);
            return (pinned.unwrap_or(Self::Plain), host);
        };
        let bare = Some(rest.strip_suffix('/').unwrap_or(rest));
        match scheme.to_ascii_lowercase().as_str() {
            "https" => (Self::Trusted, bare),
            "http" => (Self::Plain, bare),
            // Told as what is wrong with the host.
            _ => (Self::Plain, host),
        }
    }

    /// Returns how its URLs begin.
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            Self::Pinned(_) | Self::Trusted => "https",
        }
    }

    /// Makes a client that goes this way. No proxy knows the way to a router.
    pub(super) fn client(&self) -> Result<reqwest::Client, Failed> {
        let builder = reqwest::Client::builder().no_proxy();
        let builder = match self {
            // So that a machine without certificates can look at its own router.
            Self::Plain => builder.tls_certs_only([]),
            Self::Pinned(file) => {
                let trust = pinned::client(file).context("cannot ask a router by HTTPS").map_err(Failed::usage)?;
                builder.tls_backend_preconfigured(trust)
            }
            Self::Trusted => builder,
        };
        let built = builder.build().map_err(openrouter::Error::of);
        Ok(built.context("cannot ask a router")?)
    }
}
