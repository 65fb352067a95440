//! What `doctor` checks of the certificate with which HTTPS is served.

use crate::{
    cli::{
        doctor::finding::Finding,
        words::{moment, span},
    },
    clock::now_ms,
    config::load::Loaded,
    tls::{Certificate, validity::Validity},
};

/// So long before its end a certificate should have been renewed: the common ones live for
/// 90 days, and are renewed after 60.
const SOON_S: u64 = 14 * 24 * 3600;

/// What takes a new one into service.
const RENEW: &str = "renew it; a running router takes the new files over by itself";

/// Checks that it can be read, fits its key, and holds today; none if HTTPS is not served.
pub(super) fn certificate(loaded: &Loaded) -> Option<Finding> {
    let failed = |what: String, remedy: &str| Finding::failed("certificate", what, remedy);
    let certificate = match Certificate::open(&loaded.config.server) {
        Ok(certificate) => certificate?,
        Err(error) => return Some(failed(error.what(), &error.remedy())),
    };
    let fits = format!("{} fits its key", certificate.file().display());
    let Some(Validity { from_s, until_s }) = certificate.validity() else {
        return Some(Finding::ok("certificate", fits));
    };
    let now_s = now_ms() / 1000;
    let (from, until) = (moment(from_s).unwrap_or_default(), moment(until_s).unwrap_or_default());
    Some(match until_s.checked_sub(now_s) {
        None => failed(format!("{fits}, and is over since {until}: clients refuse it"), RENEW),
        Some(_) if from_s > now_s => {
            failed(format!("{fits}, and holds from {from} on only"), "set the clock, or wait: clients refuse it")
        }
        Some(left) if left < SOON_S => {
            Finding::warning("certificate", format!("{fits}, and is over in {} ({until})", span(left)), RENEW)
        }
        Some(_) => Finding::ok("certificate", format!("{fits}, and holds until {until}")),
    })
}
