//! Takes a new certificate into service when its files change, or SIGHUP comes.
//!
//! It is no part of a generation: a new certificate changes no decision, and a bad policy
//! must not keep it out. One that cannot be used leaves the old one in force.

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    clock::now_ms,
    reload::{
        causes::Hangup,
        watch::{self, Watch, both_ends},
    },
    tls::{Certificate, validity::Validity},
};

/// Renews a certificate whenever its files may have changed.
pub async fn run(certificate: Arc<Certificate>) {
    let (saw_change, mut changes) = watch::changes();
    let files = || both_ends(certificate.files());
    let mut watch = Watch::start(&files(), saw_change)
        .inspect_err(|error| tracing::warn!(%error, "failed to watch the certificate; send SIGHUP after a change"))
        .ok();
    let mut hangup = Hangup::new();
    tell_if_over(&certificate);
    loop {
        // Before the first wait too: what changed until the watch began was not seen.
        renew(&certificate);
        // A folder that has come since may have been written to before it was watched.
        if watch.as_mut().is_some_and(|watch| watch.add(&files())) {
            continue;
        }
        tokio::select! {
            Some(()) = changes.come() => {}
            () = hangup.come() => {}
        }
    }
}

fn renew(certificate: &Certificate) {
    let file = certificate.file().display();
    match certificate.renew() {
        Ok(false) => {}
        Ok(true) => {
            let until = certificate.validity().and_then(|validity| moment(validity.until_s));
            tracing::info!("certificate.until" = until, "the certificate of {file} is new, and in force");
            tell_if_over(certificate);
        }
        Err(error) => tracing::warn!("the certificate was not renewed, the old one stays in force: {error}"),
    }
}

/// Clients refuse a certificate out of its time, and only they see it.
fn tell_if_over(certificate: &Certificate) {
    let now_s = now_ms() / 1000;
    let Some(Validity { from_s, until_s }) = certificate.validity() else { return };
    let file = certificate.file().display();
    if until_s < now_s {
        tracing::error!("the certificate of {file} is over since {}: renew it", moment(until_s).unwrap_or_default());
    } else if from_s > now_s {
        tracing::error!(
            "the certificate of {file} holds from {} on; is the clock right?",
            moment(from_s).unwrap_or_default()
        );
    }
}

fn moment(seconds: u64) -> Option<String> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok().map(|moment| moment.to_string())
}
