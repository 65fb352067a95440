//! The first while of a change: how it is watched, and what ends it.
//!
//! A new policy or new settings are on trial for five minutes or a thousand
//! decisions, over however many catalogues. Who makes another generation when a
//! trial fails is `crate::reload`.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How long a trial takes, whichever ends first.
const TIME: Duration = Duration::from_mins(5);
const DECISIONS: u64 = 1_000;

/// The trial of one change.
#[derive(Debug)]
pub struct Trial {
    began: Instant,
    decisions: AtomicU64,
    /// Set once, by the failure that ends it.
    over: AtomicBool,
    failed: Mutex<Option<String>>,
    tell: Notify,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            decisions: AtomicU64::new(0),
            over: AtomicBool::new(false),
            failed: Mutex::new(None),
            tell: Notify::new(),
        }
    }
}

impl Trial {
    /// Makes one that is over and went well, for what was in force before.
    pub fn passed() -> Self {
        Self { over: AtomicBool::new(true), ..Self::default() }
    }

    /// Tells whether it still goes on.
    pub fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
            && self.began.elapsed() < TIME
            && self.decisions.load(Ordering::Relaxed) < DECISIONS
    }

    /// Counts a decision.
    pub(super) fn count(&self) {
        self.decisions.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends it badly, if it still goes on.
    pub(super) fn fail(&self, why: String) {
        if self.goes_on() && !self.over.swap(true, Ordering::Relaxed) {
            *self.why() = Some(why);
            self.tell.notify_one();
        }
    }

    /// Resolves when it has failed, with the reason; once.
    ///
    /// Only one may wait. Dropping the future loses nothing.
    pub async fn failed(&self) -> String {
        loop {
            if let Some(why) = self.why().take() {
                return why;
            }
            self.tell.notified().await;
        }
    }

    fn why(&self) -> MutexGuard<'_, Option<String>> {
        // A text is whole at any time.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
