//! What makes a new generation due; of that, a signal and the clock are waited for here.
//!
//! Each resolves when it is time; what is done then is `crate::reload`'s business.

use std::time::Duration;

use crate::{catalog::Catalog, clock::now_ms};

/// The clock is looked at again after this.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// What a generation is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The router begins.
    Start,
    /// Somebody called for it.
    Call,
    /// Files changed.
    Files,
    /// A signal came.
    Signal,
    /// The models are others.
    Models,
    /// What was in force failed, or an operator goes back.
    Rollback,
}

impl Cause {
    /// Returns the word used in the log and in answers.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Call => "call",
            Self::Files => "files",
            Self::Signal => "signal",
            Self::Models => "models",
            Self::Rollback => "rollback",
        }
    }
}

/// Resolves when the last day of a model is over, with the time: an old catalogue
/// must not offer it any more.
pub(super) async fn end_of_a_model(catalog: &Catalog) -> u64 {
    let Some(end) = catalog.next_end() else { return std::future::pending().await };
    loop {
        let now = now_ms() / 1000;
        if end <= now {
            return now;
        }
        // The clock may be set meanwhile, and a sleep does not know.
        tokio::time::sleep(Duration::from_secs(end - now).min(LONGEST_SLEEP)).await;
    }
}

/// The signal that asks servers to read their configuration again.
pub(super) struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Resolves when it comes; never, where there is none.
    pub(super) async fn come(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
