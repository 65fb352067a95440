//! What is in force now, and what was refused last.
//!
//! One swap puts a new generation in force; readers take it without a lock and
//! keep what they took. Makes nothing itself: that is `crate::reload`'s.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::watch;

use crate::policy::{Refused, generation::Generation, steps::Step};

/// Why something was rolled back if nothing was wrong with it.
pub const ON_CALL: &str = "an operator asked for it";

/// The generation in force.
pub struct Current {
    generation: ArcSwap<Generation>,
    past: ArcSwap<Vec<Past>>,
    refused: ArcSwapOption<Refused>,
    last_reload: ArcSwapOption<Reloaded>,
    counts: Counts,
    number: watch::Sender<u64>,
}

/// How the last reload went that changed something, or was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    /// What it was done for, such as `files`.
    pub cause: &'static str,
    /// Whether something new is in force by it.
    pub changed: bool,
    /// The phases that were taken.
    pub steps: Vec<Step>,
    /// Why it was refused, if it was.
    pub refused: Option<Refused>,
}

/// How reloads ended since the start; one that changes nothing is not counted.
#[derive(Debug, Default)]
struct Counts {
    swapped: AtomicU64,
    refused: AtomicU64,
    rolled_back: AtomicU64,
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
    /// What they were put in force for, such as `files`.
    pub cause: &'static str,
    /// What is another than in those before, such as `filter`; nothing for the first.
    pub changed: Vec<&'static str>,
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
    pub fn begun(generation: &Generation, cause: &'static str, changed: Vec<&'static str>, now_ms: u64) -> Self {
        Self {
            generation: generation.number,
            since_ms: now_ms,
            policy: generation.chain.label().to_owned(),
            digests: generation.chain.policies().iter().map(|policy| policy.digest.clone()).collect(),
            cause,
            changed,
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
            last_reload: ArcSwapOption::empty(),
            counts: Counts::default(),
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

    /// Notes how a reload went that changed something, or was refused.
    pub fn note(&self, reload: Reloaded) {
        if reload.changed {
            self.counts.swapped.fetch_add(1, Ordering::Relaxed);
        }
        if reload.refused.is_some() {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
        self.last_reload.store(Some(Arc::new(reload)));
    }

    /// Notes that an earlier policy is in force again.
    pub fn note_rollback(&self) {
        self.counts.rolled_back.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how the last reload went, if there was one.
    pub fn last_reload(&self) -> Option<Arc<Reloaded>> {
        self.last_reload.load_full()
    }

    /// Returns how many reloads ended so, since the start.
    pub fn reloads(&self) -> [(&'static str, u64); 3] {
        let Counts { swapped, refused, rolled_back } = &self.counts;
        [("changed", swapped), ("refused", refused), ("rolled-back", rolled_back)]
            .map(|(word, count)| (word, count.load(Ordering::Relaxed)))
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
