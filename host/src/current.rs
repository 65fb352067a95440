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
    past: ArcSwap<Vec<Past>>,
    refused: ArcSwapOption<Refused>,
    number: watch::Sender<u64>,
}

/// Policies and settings that were in force, or are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The first generation that was made of them.
    pub generation: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// Names and versions of the policies.
    pub policy: String,
    /// SHA-256 of their files, in the same order.
    pub digests: Vec<String>,
    /// What became of them.
    pub standing: Standing,
    /// Why they were rolled back, if they were.
    pub why: Option<String>,
}

/// What became of policies and settings that were in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They still are.
    InForce,
    /// Others came.
    Replaced,
    /// They failed, or an operator went back to what was before.
    RolledBack,
}

impl Past {
    /// Describes a generation that is the first of its kind.
    pub fn begun(generation: &Generation, now_ms: u64) -> Self {
        Self {
            generation: generation.number,
            since_ms: now_ms,
            policy: generation.chain.label().to_owned(),
            digests: generation.chain.policies().iter().map(|policy| policy.digest.clone()).collect(),
            standing: Standing::InForce,
            why: None,
        }
    }
}

impl Current {
    /// Puts the first generation in force.
    pub fn new(generation: Generation, past: Vec<Past>) -> Self {
        let number = watch::Sender::new(generation.number);
        Self {
            generation: ArcSwap::from_pointee(generation),
            past: ArcSwap::from_pointee(past),
            refused: ArcSwapOption::empty(),
            number,
        }
    }

    /// Returns the generation in force. It stays alive for as long as it is held.
    pub fn generation(&self) -> Arc<Generation> {
        self.generation.load_full()
    }

    /// Puts a generation in force. What was refused before is settled by it.
    pub fn swap(&self, generation: Generation, past: Vec<Past>) {
        let number = generation.number;
        self.past.store(Arc::new(past));
        self.generation.store(Arc::new(generation));
        self.refused.store(None);
        self.number.send_replace(number);
    }

    /// Returns what was in force, the newest last.
    pub fn past(&self) -> Arc<Vec<Past>> {
        self.past.load_full()
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
