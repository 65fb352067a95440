//! The certificate with which the router serves HTTPS: read from files, and read again.
//!
//! It must not listen or connect, and knows nothing of HTTP; who accepts connections with
//! it is `app::secured`, who sees that its files changed is `reload::certificate`. Read
//! [`pair`] next for what can be wrong with two files, [`validity`] for how long they hold,
//! [`pinned`] for who trusts them without knowing their issuer.

pub mod pair;
pub mod pinned;
pub mod validity;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::{config::Server, tls::validity::Validity};

/// What a client is told that speaks plain HTTP to a router with a certificate; the
/// commands know the other side by it.
pub const PLAIN_HTTP: &str = "Client sent an HTTP request to an HTTPS server: use https://";

/// What is agreed on for what comes after the handshake.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The two settings.
const CERT: &str = "server.tls_cert";
const KEY: &str = "server.tls_key";

/// Tells why HTTPS cannot be served, or not trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the two settings is missing.
    #[error("{}: {}", self.what(), self.remedy())]
    Half {
        /// The setting that has a value.
        set: &'static str,
        /// The one that has none.
        missing: &'static str,
    },
    /// A file cannot be used.
    #[error("{}: {}", self.what(), self.remedy())]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// Where it is.
        file: PathBuf,
        /// What is wrong with it, after its name.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The library of TLS refuses its own defaults.
    #[error("{}", self.what())]
    Setup(#[source] rustls::Error),
}

impl Error {
    /// Says what is wrong.
    pub fn what(&self) -> String {
        match self {
            Self::Half { set, missing } => format!("{set} is set and {missing} is not"),
            Self::File { setting, file, what, .. } => format!("{setting}: {} {what}", file.display()),
            Self::Setup(_) => "failed to set up TLS".to_owned(),
        }
    }

    /// Says what to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Half { .. } => "set both to serve HTTPS, or neither".to_owned(),
            Self::File { remedy, .. } => remedy.clone(),
            Self::Setup(_) => "report this as a bug".to_owned(),
        }
    }
}

/// The certificate in force, which is replaced whole.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    in_force: ArcSwap<CertifiedKey>,
}

/// Returns the files that the settings name, certificate and key; none if they name
/// nothing. Reads neither.
pub fn files(server: &Server) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    let half = |set, missing| Err(Error::Half { set, missing });
    match (server.tls_cert.clone(), server.tls_key.clone()) {
        (None, None) => Ok(None),
        (Some(_), None) => half(CERT, KEY),
        (None, Some(_)) => half(KEY, CERT),
        (Some(cert), Some(key)) => Ok(Some((cert, key))),
    }
}

impl Certificate {
    /// Reads what the settings name; none if they name nothing.
    pub fn open(server: &Server) -> Result<Option<Arc<Self>>, Error> {
        let Some((cert, key)) = files(server)? else { return Ok(None) };
        let in_force = ArcSwap::from_pointee(pair::read(&cert, &key)?);
        Ok(Some(Arc::new(Self { cert, key, in_force })))
    }

    /// Reads the files again, and tells whether they have another certificate; one that
    /// cannot be used leaves the old one in force.
    pub fn renew(&self) -> Result<bool, Error> {
        let fresh = pair::read(&self.cert, &self.key)?;
        let is_new = fresh.cert != self.in_force.load().cert;
        if is_new {
            self.in_force.store(Arc::new(fresh));
        }
        Ok(is_new)
    }

    /// Returns the file of the certificate.
    pub fn file(&self) -> &Path {
        &self.cert
    }

    /// Returns both files.
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.cert.clone(), self.key.clone()]
    }

    /// Returns from when until when the one in force holds, if it tells.
    pub fn validity(&self) -> Option<Validity> {
        Validity::of(self.in_force.load().cert.first()?)
    }

    /// Returns what a listener needs; each connection gets the certificate in force.
    pub fn server(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        let resolver = Arc::<Self>::clone(self);
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let mut config = builder.map_err(Error::Setup)?.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.in_force.load_full())
    }
}

/// Returns the one implementation of cryptography that is built in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
