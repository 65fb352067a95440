//! What was served: answers by route and status, and the time to their first token.
//!
//! Some steps under a lock, once a request. The routes are those that the router
//! has, not what clients write, so there are never many.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::histogram::Histogram;

/// What is counted of requests for paths that do not exist.
const ELSEWHERE: &str = "other";

/// Bounds of the times to a first token, in seconds: from what nobody notices to
/// what the default timeout allows.
const FIRST_TOKEN_S: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

/// What was served since the start.
#[derive(Debug)]
pub struct Served {
    answers: Mutex<BTreeMap<(String, u16), u64>>,
    first_token: Histogram,
}

impl Default for Served {
    fn default() -> Self {
        Self { answers: Mutex::default(), first_token: Histogram::new(FIRST_TOKEN_S) }
    }
}

impl Served {
    /// Counts an answer of a route; `None` is one that does not exist.
    pub(in crate::api) fn answered(&self, route: Option<&str>, status: u16) {
        let key = (route.unwrap_or(ELSEWHERE).to_owned(), status);
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }

    /// Notes how long an answer's first token took.
    pub(in crate::api) fn first_token(&self, elapsed: Duration) {
        self.first_token.observe(elapsed.as_secs_f64());
    }

    /// Returns route, status and count of all answers.
    pub(super) fn answers(&self) -> Vec<(String, u16, u64)> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().map(|((route, status), count)| (route.clone(), *status, *count)).collect()
    }

    /// Returns the times to the first tokens.
    pub(super) fn first_tokens(&self) -> Histogram {
        self.first_token.clone()
    }
}
