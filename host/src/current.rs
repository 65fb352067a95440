//! What is in force now, and what was refused last.
//!
//! One swap puts a new generation in force; readers take it without a lock and
//! keep what they took. Makes nothing itself: that is `crate::reload`'s.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use crate::policy::{Refused, generation::Generation};

/// The generation in force.
pub struct Current {
    generation: ArcSwap<Generation>,
    refused: ArcSwapOption<Refused>,
    number: watch::Sender<u64>,
}

impl Current {
    /// Puts the first generation in force.
    pub fn new(generation: Generation) -> Self {
        let number = watch::Sender::new(generation.number);
        Self { generation: ArcSwap::from_pointee(generation), refused: ArcSwapOption::empty(), number }
    }

    /// Returns the generation in force. It stays alive for as long as it is held.
    pub fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Puts a generation in force. What was refused before is settled by it.
    pub fn swap(&self, generation: Generation) {
        let number = generation.number;
        self.generation.store(Arc::new(generation));
        self.refused.store(None);
        self.number.send_replace(number);
    }

    /// Notes that a change was refused, and that the old stays.
    pub fn refuse(&self, refused: Refused) {
        self.refused.store(Some(Arc::new(refused)));
    }

    /// Forgets what was refused: what is on disk is in force.
    pub fn settle(&self) {
        self.refused.store(None);
    }

    /// Returns why the last change was refused, if it was.
    pub fn refused(&self) -> Option<Arc<Refused>> {
        self.refused.load_full()
    }

    /// Returns the number of the generation in force, and tells of each change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.number.subscribe()
    }
}
