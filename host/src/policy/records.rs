//! The last decisions, as they were made: to be looked at, and to be repeated.
//!
//! They belong to one catalogue, for models are numbers in them. They hold what a
//! policy was told and what it said, so no prompt, no key and no client. Bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    policy::generation::Decision,
    routing::plan::{Fact, Pick, Query},
};

/// Decisions that are kept; about a kilobyte each.
const KEPT: usize = 1_000;

/// The last decisions over one catalogue.
#[derive(Debug, Default)]
pub struct Records(Mutex<VecDeque<Arc<Record>>>);

/// One decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The generation that made it.
    pub generation: u64,
    /// What was asked.
    pub query: Query,
    /// The models that were offered.
    pub candidates: Vec<u32>,
    /// What was remembered of the models.
    pub facts: Vec<Fact>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether no policy had an opinion, so that the order is that of the view.
    pub abstained: bool,
    /// Who decided.
    pub by: Rung,
    /// How long it took.
    pub took: Duration,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// These models, in this order.
    Route(Vec<Pick>),
    /// The request was refused.
    Deny {
        /// HTTP status.
        status: u16,
        /// For programs.
        code: String,
    },
    /// Nobody decided, and the request failed.
    Failed,
}

/// Who decided: each stands in for those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// The policy in force.
    Policy,
    /// The one that was in force before it.
    LastGood,
    /// The one in the program.
    Embedded,
    /// Nobody: the order of the view was kept.
    View,
}

impl Outcome {
    /// Returns what is kept of a decision.
    pub(super) fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Plan(plan) | Decision::Fallback(plan) => Self::Route(plan.order().to_vec()),
            Decision::Deny { status, code, .. } => Self::Deny { status: *status, code: code.clone() },
        }
    }
}

impl Rung {
    /// Returns the name used in messages and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::LastGood => "last-good",
            Self::Embedded => "embedded",
            Self::View => "view",
        }
    }
}

impl Records {
    /// Keeps a decision, and drops the oldest if there are too many.
    pub(super) fn keep(&self, record: Arc<Record>) {
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(record);
    }

    /// Returns those among the last `count` decisions that the policy in force made.
    pub fn made(&self, count: usize) -> Vec<Arc<Record>> {
        let is_made = |record: &Arc<Record>| record.by == Rung::Policy && record.outcome != Outcome::Failed;
        self.last(count).into_iter().filter(is_made).collect()
    }

    /// Returns the last `count` decisions, the newest last.
    pub fn last(&self, count: usize) -> Vec<Arc<Record>> {
        let kept = self.kept();
        kept.iter().skip(kept.len().saturating_sub(count)).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Record>>> {
        // A list of pointers is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
