//! What the sandbox was asked, and how each call ended.
//!
//! Tests read it to hold what went upstream, and wait on it in place of
//! sleeping. It does not decide any answer. The guard (`Call`) travels with the
//! answer's body, so that a client that leaves is noticed by its drop. Read
//! `sandbox/stream.rs` for who finishes a call.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

/// The longest wait of a test: far above any real delay, below a test's patience.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// One request as the sandbox received it.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// Counts the requests from 0 in the order in which they came.
    pub number: u64,
    /// The path below `/api/v1`, such as `/chat/completions`.
    pub path: String,
    /// The query text without its `?`; empty when there was none.
    pub query: String,
    /// The headers, names in lower case; it holds the key in clear.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; null when there was none or it was no JSON.
    pub body: Value,
    /// The `model` of the body.
    pub model: Option<String>,
    /// How the call ended, or that it has not.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer is not complete yet.
    Open,
    /// All that was meant to be sent was sent, also where that ends in a cut.
    Finished,
    /// The connection ended before the answer did.
    ClientGone,
}

/// What the sandbox has seen at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The remembered requests, oldest first.
    pub requests: Vec<Recorded>,
}

impl View {
    /// Returns how many requests are not answered to their end yet.
    pub fn open_streams(&self) -> usize {
        let open = |request: &&Recorded| request.outcome == Outcome::Open;
        self.requests.iter().filter(open).count()
    }

    /// Returns the chat requests for `model`, oldest first.
    pub fn chats_with(&self, model: &str) -> Vec<&Recorded> {
        let wanted =
            |request: &&Recorded| request.path == "/chat/completions" && request.model.as_deref() == Some(model);
        self.requests.iter().filter(wanted).collect()
    }
}

/// The remembered requests, with a signal on every change.
#[derive(Debug)]
pub(super) struct Log {
    remembered_max: usize,
    entries: Mutex<Entries>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    kept: VecDeque<Recorded>,
}

impl Log {
    pub(super) fn new(remembered_max: usize) -> Self {
        Self { remembered_max, entries: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Adds a request, numbers it and returns the guard of its outcome.
    pub(super) fn open(self: &Arc<Self>, mut request: Recorded) -> Call {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        request.number = number;
        entries.kept.push_back(request);
        if entries.kept.len() > self.remembered_max {
            entries.kept.pop_front();
        }
        drop(entries);
        self.changed.send_modify(|version| *version += 1);
        Call { log: Arc::clone(self), number, is_over: false }
    }

    pub(super) fn view(&self) -> View {
        View { requests: self.entries().kept.iter().cloned().collect() }
    }

    pub(super) async fn wait_until(&self, condition: impl Fn(&View) -> bool) {
        // Subscribed before the first look: a change in between is kept.
        let mut changes = self.changed.subscribe();
        let wait = async {
            while !condition(&self.view()) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(WAIT_MAX, wait).await.is_ok();
        assert!(
            in_time,
            "the sandbox did not reach the awaited state in {WAIT_MAX:?}; it saw {}",
            summary(&self.view())
        );
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, number: u64, outcome: Outcome) {
        let mut entries = self.entries();
        let found = entries.kept.iter_mut().find(|kept| kept.number == number);
        if let Some(request) = found {
            request.outcome = outcome;
        }
        drop(entries);
        self.changed.send_modify(|version| *version += 1);
    }
}

/// The guard of one call: dropped unfinished, it means the client is gone.
#[derive(Debug)]
pub(super) struct Call {
    log: Arc<Log>,
    number: u64,
    is_over: bool,
}

impl Call {
    pub(super) fn finish(&mut self) {
        if !self.is_over {
            self.is_over = true;
            self.log.close(self.number, Outcome::Finished);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.log.close(self.number, Outcome::ClientGone);
        }
    }
}

/// Tells each request in a few words, without headers and bodies.
fn summary(view: &View) -> String {
    let line = |request: &Recorded| {
        let model = request.model.as_deref().unwrap_or("-");
        format!("{} {model} {:?}", request.path, request.outcome)
    };
    let lines: Vec<String> = view.requests.iter().map(line).collect();
    format!("{} requests: {}", lines.len(), lines.join("; "))
}
