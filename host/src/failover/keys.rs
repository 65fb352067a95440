//! The account's keys: which one a call is made with.
//!
//! The first that can be used is used. A key that is refused rests, and the next
//! takes its place; if all rest, the one due first is tried after all. Limits of
//! the whole account are none of this: further keys do not help there. A key
//! itself is never shown, only its number and last letters.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{
    openrouter::Client,
    routing::{Failure, FailureKind},
};

/// How long a key rests that OpenRouter does not know: nothing but a change of the
/// configuration helps, which takes a restart.
const REJECTED_REST: Duration = Duration::from_hours(24);

/// How long a key rests whose limit is used up: most limits are of the day.
const EXHAUSTED_REST: Duration = Duration::from_hours(2);

/// How long a key rests that has no money for a request: money may come at any
/// time, and a smaller request may cost less.
const UNPAID_REST: Duration = Duration::from_mins(5);

/// The status of a request that there is no money for.
const PAYMENT_REQUIRED: u16 = 402;

/// The keys, the one to be used first in front; never none.
pub(super) struct Keys {
    clients: Vec<Client>,
    /// When the rest of each ends, in milliseconds since 1970; 0 if it does not rest.
    rests_until: Mutex<Vec<u64>>,
}

/// How many keys there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCount {
    /// Those that can be used now.
    pub usable: usize,
    /// All of them.
    pub total: usize,
}

impl Keys {
    /// Makes the keys of a client.
    pub(super) fn new(client: &Client) -> Self {
        let clients: Vec<Client> = (0..client.keys().max(1)).map(|number| client.with_key(number)).collect();
        Self { rests_until: Mutex::new(vec![0; clients.len()]), clients }
    }

    /// Returns the key to use now, by its place, and its client; of keys that
    /// all rest, the one due first. `spent` are left out; `None` if that is all.
    pub(super) fn pick(&self, spent: &[usize], now: u64) -> Option<(usize, &Client)> {
        let rests = self.rests();
        let wait = |place: &usize| rests.get(*place).map_or(0, |until| until.saturating_sub(now));
        let place = (0..self.clients.len()).filter(|place| !spent.contains(place)).min_by_key(wait)?;
        // Once one was refused, another that is known to be is not worth a call.
        if !spent.is_empty() && wait(&place) > 0 {
            return None;
        }
        Some((place, self.clients.get(place)?))
    }

    /// Notes that a key was refused, if that is what a failure says, and tells so.
    pub(super) fn failed(&self, place: usize, failure: &Failure, now: u64) -> bool {
        let rest = match failure.kind {
            FailureKind::KeyRejected => REJECTED_REST,
            FailureKind::KeyExhausted if failure.status == PAYMENT_REQUIRED => {
                failure.retry_after.unwrap_or(UNPAID_REST)
            }
            FailureKind::KeyExhausted => failure.retry_after.unwrap_or(EXHAUSTED_REST),
            _ => return false,
        };
        if let Some(until) = self.rests().get_mut(place) {
            *until = now.saturating_add(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        }
        true
    }

    /// Notes that a key was accepted.
    pub(super) fn accepted(&self, place: usize) {
        if let Some(until) = self.rests().get_mut(place) {
            *until = 0;
        }
    }

    /// Forgets all rests.
    pub(super) fn forget(&self) {
        self.rests().fill(0);
    }

    /// Returns what to call a key, if there are several to tell apart.
    pub(super) fn name(&self, place: usize) -> Option<String> {
        if self.clients.len() < 2 {
            return None;
        }
        self.clients.get(place).map(Client::key_name)
    }

    /// Returns how many there are. Without any, that is none of none.
    pub(super) fn count(&self, now: u64) -> KeyCount {
        let total = self.clients.first().map_or(0, Client::keys);
        let usable = self.rests().iter().take(total).filter(|until| **until <= now).count();
        KeyCount { usable, total }
    }

    fn rests(&self) -> MutexGuard<'_, Vec<u64>> {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::openrouter::Settings;

    const NOW: u64 = 1_800_000_000_000;

    fn keys() -> Keys {
        let settings = Settings {
            base_url: "http://127.0.0.1:1".to_owned(),
            api_keys: vec!["first".to_owned(), "second".to_owned()],
            referer: None,
            title: None,
            connect_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
        };
        Keys::new(&Client::new(&settings).unwrap())
    }

    #[test]
    fn a_key_rests_as_long_as_its_failure_may_last() {
        let failed = |kind, status| Failure { status, ..Failure::new(kind, "no") };
        for (kind, status, minutes) in [
            (FailureKind::KeyExhausted, 402, 5),
            (FailureKind::KeyExhausted, 403, 120),
            (FailureKind::KeyRejected, 401, 1440),
        ] {
            let keys = keys();
            assert!(keys.failed(0, &failed(kind, status), NOW), "{kind}");
            let picked = [minutes * 60_000 - 1, minutes * 60_000].map(|later| keys.pick(&[], NOW + later).unwrap().0);
            assert_eq!(picked, [1, 0], "{kind} {status}");
        }
        assert!(!keys().failed(0, &failed(FailureKind::RateLimitedDay, 429), NOW));
    }
}
