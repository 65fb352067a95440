//! Asks OpenRouter what the account has left: at the start, and while it is used.
//!
//! The question costs no quota, but nobody needs an answer while nothing is sent:
//! an idle router is silent. An upstream that has no such answer is not asked
//! again for long. Decides nothing; what is told goes to `budget`.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use crate::{
    clock::now_ms,
    failover::{keys::Keys, ledger::Ledger},
    routing::FailureKind,
};

/// OpenRouter answers from a cache of a minute; asking more often is idle.
const PAUSE: Duration = Duration::from_mins(1);

/// The pause after an answer that told nothing.
const LONG_PAUSE: Duration = Duration::from_mins(30);

/// Asks until it is dropped.
pub(super) async fn run(keys: Arc<Keys>, ledger: Arc<Ledger>) {
    loop {
        let next = Instant::now() + if ask(&keys, &ledger).await { PAUSE } else { LONG_PAUSE };
        // What happened up to now is in the answer, or soon will be.
        ledger.budget().used().await;
        sleep_until(next).await;
    }
}

/// Asks once, and tells whether asking again soon makes sense.
async fn ask(keys: &Keys, ledger: &Ledger) -> bool {
    let asked_ms = now_ms();
    let Some((place, client)) = keys.pick(&[], asked_ms).filter(|(_, client)| client.keys() > 0) else { return false };
    match client.daily_requests().await {
        Ok(said) => {
            keys.accepted(place);
            if let Some(said) = said {
                ledger.budget().told(said, asked_ms, now_ms());
            }
            said.is_some()
        }
        Err(failure) => {
            let is_refused = failure.kind == FailureKind::KeyRejected;
            if is_refused && keys.failed(place, &failure, now_ms()) {
                let name = client.key_name();
                tracing::warn!("OpenRouter does not accept {name}: {}; check openrouter.api_key", failure.message);
            } else {
                tracing::debug!(failure.kind = %failure.kind, "failed to ask what the account has left: {}", failure.message);
            }
            !matches!(failure.kind, FailureKind::Gone | FailureKind::BadAnswer)
        }
    }
}
