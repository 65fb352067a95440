//! From when until when a certificate holds.
//!
//! The dates are within the certificate, and the library that verifies it tells them only
//! to those who come too early or too late; so it is asked at both ends of time. Pure.

use std::time::Duration;

use rustls::{
    CertificateError, Error, RootCertStore, client::verify_server_cert_signed_by_trust_anchor,
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::tls::provider;

/// The year 10000, in seconds since 1970: certificates know no later day than the one before.
const END_OF_TIME_S: u64 = 253_402_300_800;

/// How long a certificate holds, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from_s: u64,
    /// The last one.
    pub until_s: u64,
}

impl Validity {
    /// Reads it from a certificate; none if it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let from_s = match refusal(certificate, 0)? {
            CertificateError::NotValidYetContext { not_before, .. } => not_before.as_secs(),
            // From 1970 on, or before.
            _ => 0,
        };
        match refusal(certificate, END_OF_TIME_S)? {
            CertificateError::ExpiredContext { not_after, .. } => Some(Self { from_s, until_s: not_after.as_secs() }),
            _ => None,
        }
    }
}

/// Returns why a certificate is refused at a time: of all reasons, time comes first, and
/// nobody has signed it who is trusted.
fn refusal(certificate: &CertificateDer<'_>, now_s: u64) -> Option<CertificateError> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
    let algorithms = provider().signature_verification_algorithms.all;
    let verdict = verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, algorithms);
    match verdict {
        Err(Error::InvalidCertificate(reason)) => Some(reason),
        Ok(()) | Err(_) => None,
    }
}
