//! What is said when a router cannot be asked, or refuses: why, and what to do.
//!
//! Words for what `remote` met; it asks nothing but who holds the port.

use std::io;

use anyhow::anyhow;
use reqwest::StatusCode;

use crate::{
    cli::{
        Failed,
        remote::{NAMES, Remote, way::Way},
    },
    tls::pinned,
};

impl Remote {
    /// Says why it could not be asked, and what to do.
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        if let Some(fault) = tls_fault(error) {
            return self.distrusted(fault);
        }
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

    /// Says why HTTPS failed, and what to do.
    fn distrusted(&self, fault: &rustls::Error) -> anyhow::Error {
        let base = &self.base;
        match (&self.way, fault) {
            (_, rustls::Error::InvalidMessage(_)) => anyhow!(
                "{base} does not speak HTTPS: if it is a router, start it again with server.tls_cert and \
                 server.tls_key, or ask it as it is with `-H http://HOST`"
            ),
            (Way::Pinned(file), fault) if pinned::is_another(fault) => anyhow!(
                "{base} has another certificate than {}, which is server.tls_cert here: copy that router's, or send it \
                 SIGHUP if the file is newer than its start; `-H https://HOST` trusts any that this machine trusts",
                file.display()
            ),
            (_, fault) => anyhow!(
                "this machine does not trust the certificate of {base} ({fault}): name its file here, as server.tls_cert \
                 or in OLLAMA_ROUTER_SERVER_TLS_CERT, and give the host without https://"
            ),
        }
    }

    /// Says that the other side wants HTTPS, and how to come by it.
    pub(super) fn wants_https(&self) -> anyhow::Error {
        let base = &self.base;
        anyhow!(
            "{base} speaks HTTPS only: set server.tls_cert (OLLAMA_ROUTER_SERVER_TLS_CERT) here as it is set there, and \
             give the host without http://; or `-H https://HOST`, if its certificate is a public one"
        )
    }

    /// Says why a router refused, and what to do.
    pub(super) fn refused(&self, status: StatusCode, told: Option<&str>) -> Failed {
        let base = &self.base;
        let error = match (status, told) {
            (StatusCode::UNAUTHORIZED, Some(told)) => anyhow!(
                "{base} answers: {told}. Set the same key here: server.admin_key in the configuration, or the \
                 variable OLLAMA_ROUTER_SERVER_ADMIN_KEY"
            ),
            // In the words of Ollama, which have no code beside them.
            (StatusCode::NOT_FOUND, Some(told)) if told.starts_with("model '") => {
                return Failed::usage(anyhow!("{base} answers: {told}; {NAMES}"));
            }
            (_, Some(told)) => anyhow!("{base} answers: {told}"),
            (StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED, None) => {
                anyhow!("the router at {base} does not know this yet: use the same version here and there")
            }
            (_, None) => anyhow!("the router at {base} answers with {status}; see its log"),
        };
        error.into()
    }
}

/// Tells whether nothing listens there.
pub(super) fn is_refused(error: &reqwest::Error) -> bool {
    let refused = root(error).downcast_ref::<io::Error>().map(io::Error::kind);
    error.is_connect() && refused == Some(io::ErrorKind::ConnectionRefused)
}

/// Tells whether who answers there does not speak HTTPS.
pub(super) fn is_plain(error: &reqwest::Error) -> bool {
    matches!(tls_fault(error), Some(rustls::Error::InvalidMessage(_)))
}

/// Returns what TLS objects to, if that is why.
///
/// It is wrapped into errors of reading and writing, which do not tell of it as their cause.
fn tls_fault(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = root(error);
    loop {
        match cause.downcast_ref::<io::Error>() {
            Some(wrapped) => cause = wrapped.get_ref()?,
            None => return cause.downcast_ref(),
        }
    }
}

/// Returns the last cause, which is the system's word.
fn root(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
