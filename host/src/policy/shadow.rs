//! A policy that is asked along and never heeded: what would it have decided?
//!
//! It is asked on a share of the requests, after the answer is decided and on the
//! policies' own threads. What it says is compared, counted and written down, nothing else.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::policy::{
    chain::Chain,
    decisions::{Aside, Origin, log::DecisionLog},
    generation::Decision,
    records::{Outcome, Record},
};

/// Decisions of the shadow under way at once; more are not begun.
const MAX_UNDER_WAY: u64 = 8;

/// A policy that is asked along.
pub struct Shadow {
    inner: Arc<Inner>,
    /// On which share of the requests, 0 to 1.
    pub sample: f64,
}

struct Inner {
    chain: Chain,
    under_way: AtomicU64,
    same: AtomicU64,
    other_order: AtomicU64,
    other_first: AtomicU64,
    failed: AtomicU64,
}

/// How the shadow's decisions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// It decided the same.
    pub same: u64,
    /// The first model was the same, and then the order was another.
    pub other_order: u64,
    /// The first model was another, or one of the two refused the request.
    pub other_first: u64,
    /// It failed.
    pub failed: u64,
}

/// How two decisions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// They are the same.
    None,
    /// The first model is the same, and then the order is another.
    Order,
    /// The first model is another, or one of the two refuses the request.
    First,
}

impl Shadow {
    /// Makes a shadow of a policy.
    pub(super) fn new(chain: Chain, sample: f64) -> Self {
        let zero = AtomicU64::default;
        let (under_way, same, other_order, other_first, failed) = (zero(), zero(), zero(), zero(), zero());
        Self { inner: Arc::new(Inner { chain, under_way, same, other_order, other_first, failed }), sample }
    }

    /// Returns the policy.
    pub fn chain(&self) -> &Chain {
        &self.inner.chain
    }

    /// Returns how its decisions compare so far.
    pub fn compared(&self) -> Compared {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { same, other_order, other_first, failed, .. } = &*self.inner;
        Compared {
            same: read(same),
            other_order: read(other_order),
            other_first: read(other_first),
            failed: read(failed),
        }
    }

    /// Has it decide along, if the request is in its share; off this thread.
    pub(super) fn follow(&self, record: Arc<Record>, origin: &Arc<Origin>, log: &DecisionLog) {
        if fastrand::f64() >= self.sample || self.inner.under_way.load(Ordering::Relaxed) >= MAX_UNDER_WAY {
            return;
        }
        self.inner.under_way.fetch_add(1, Ordering::Relaxed);
        let (inner, origin, log) = (Arc::clone(&self.inner), Arc::clone(origin), log.clone());
        self.inner.chain.threads().spawn(async move {
            let said = inner.chain.decide(&record.query, &record.candidates, &record.facts).await.answer;
            let verdict = said.as_ref().map(|decision| difference(&record.outcome, decision.as_ref()));
            let (count, word) = match verdict {
                Ok(Difference::None) => (&inner.same, "same"),
                Ok(Difference::Order) => (&inner.other_order, "order"),
                Ok(Difference::First) => (&inner.other_first, "first"),
                Err(_) => (&inner.failed, "failed"),
            };
            count.fetch_add(1, Ordering::Relaxed);
            log.add_aside(&origin, || Aside::of(&record, inner.chain.label(), word, said.ok().flatten().as_ref()));
            inner.under_way.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Compares what was decided with what another policy says; one that abstains
/// says the same.
pub fn difference(outcome: &Outcome, other: Option<&Decision>) -> Difference {
    match (outcome, other) {
        (_, None) => Difference::None,
        (Outcome::Route(order), Some(Decision::Plan(plan) | Decision::Fallback(plan))) => {
            let ours = order.iter().map(|pick| pick.model);
            let theirs = plan.order().iter().map(|pick| pick.model);
            if ours.clone().next() != theirs.clone().next() {
                Difference::First
            } else if ours.eq(theirs) {
                Difference::None
            } else {
                Difference::Order
            }
        }
        (Outcome::Deny { status, code }, Some(Decision::Deny { status: theirs, code: their_code, .. }))
            if (status, code) == (theirs, their_code) =>
        {
            Difference::None
        }
        (_, Some(_)) => Difference::First,
    }
}
