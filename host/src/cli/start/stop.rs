//! What asks a router to stop: Ctrl-C, or the system.
//!
//! Only hears of it; what follows is for `start` to say.

#[cfg(unix)]
use tokio::signal::unix::{self, Signal, SignalKind};

/// What asks the program to stop: Ctrl-C, or the system.
///
/// It is listened for from the start: the first process of a container does not end by a
/// signal that nobody listens for.
pub(super) struct Stop {
    #[cfg(unix)]
    signals: [Option<Signal>; 2],
}

impl Stop {
    /// Begins to listen.
    pub(super) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signals: [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| unix::signal(kind).ok()),
        }
    }

    /// Resolves when it is asked, again at the next time.
    pub(super) async fn come(&mut self) {
        #[cfg(unix)]
        if let [Some(interrupted), Some(terminated)] = &mut self.signals {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
        drop(tokio::signal::ctrl_c().await);
    }
}
