//! The phases that policies were taken through: how long each took, and how it ended.
//!
//! Notes alone: what a phase does is the business of `policy::component` and
//! `policy::loading`. Nothing is decided by what is noted here.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::policy::{Phase, Refused};

/// The phases that were taken so far, by one policy or several. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Whose phases are noted from here on.
    policy: Arc<str>,
    taken: Arc<Mutex<Vec<Step>>>,
}

/// A phase that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whose it was: the name of its file, or of what was made of several.
    pub policy: Arc<str>,
    /// Which one; the phase of the refusal, if it was one.
    pub phase: Phase,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub end: End,
}

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All was well.
    Done,
    /// It was not needed: what it would make is kept from an earlier time.
    Kept,
    /// The policy was refused, and why.
    Refused(String),
}

impl Default for Steps {
    fn default() -> Self {
        Self { policy: "policy".into(), taken: Arc::default() }
    }
}

impl Steps {
    /// Returns the same list, for the phases of one policy.
    #[must_use]
    pub fn of(&self, policy: &str) -> Self {
        Self { policy: policy.into(), taken: Arc::clone(&self.taken) }
    }

    /// Takes a phase, and notes how it went.
    pub async fn take<T>(&self, phase: Phase, work: impl Future<Output = Result<T, Refused>>) -> Result<T, Refused> {
        let began = Instant::now();
        let done = work.await;
        self.note(phase, began, &done);
        done
    }

    /// Takes a phase that needs no waiting, and notes how it went.
    pub fn run<T>(&self, phase: Phase, work: impl FnOnce() -> Result<T, Refused>) -> Result<T, Refused> {
        let began = Instant::now();
        let done = work();
        self.note(phase, began, &done);
        done
    }

    /// Notes a phase that began then and went well.
    pub fn done(&self, phase: Phase, began: Instant) {
        self.add(phase, began, End::Done);
    }

    /// Notes that a policy was refused by what came of a phase: of the last one, if it
    /// is that one.
    pub fn refuse(&self, Refused { phase, reason }: &Refused) {
        let is_its = |step: &&mut Step| step.phase == *phase && step.policy == self.policy;
        if let Some(step) = self.list().last_mut().filter(is_its) {
            step.end = End::Refused(reason.clone());
            return;
        }
        self.add(*phase, Instant::now(), End::Refused(reason.clone()));
    }

    /// Notes a phase that began then and was not needed.
    pub fn kept(&self, phase: Phase, began: Instant) {
        self.add(phase, began, End::Kept);
    }

    /// Returns what was noted, in order.
    pub fn taken(&self) -> Vec<Step> {
        self.list().clone()
    }

    fn note<T>(&self, phase: Phase, began: Instant, done: &Result<T, Refused>) {
        match done {
            Ok(_) => self.add(phase, began, End::Done),
            Err(Refused { phase, reason }) => self.add(*phase, began, End::Refused(reason.clone())),
        }
    }

    fn add(&self, phase: Phase, began: Instant, end: End) {
        self.list().push(Step { policy: Arc::clone(&self.policy), phase, took: began.elapsed(), end });
    }

    fn list(&self) -> MutexGuard<'_, Vec<Step>> {
        // A list is whole at any time.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step {
    /// Returns why the policy was refused here, if it was.
    pub fn refused(&self) -> Option<&str> {
        match &self.end {
            End::Done | End::Kept => None,
            End::Refused(reason) => Some(reason),
        }
    }
}

impl End {
    /// Returns the word used in answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Kept => "kept",
            Self::Refused(_) => "failed",
        }
    }
}
