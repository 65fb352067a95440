//! One decision: the policy, or whoever stands in for it.
//!
//! The answer is held against what was offered, and when there is none the
//! ladder is climbed down: the policy, the one that was in force before it, the
//! embedded default, the plain order of the view. What was decided is kept.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    catalog::Traits,
    policy::{
        Fault,
        generation::{Generation, OnError},
        records::{Outcome, Record, Rung},
    },
    routing::{
        health::Standing,
        plan::{Fact, Plan, Query, Target, Tried, Verdict},
    },
};

/// The outcome of a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Try these.
    Plan(Plan),
    /// The policy failed; try these, which the fallback chose.
    Fallback(Plan),
    /// The policy refuses the request.
    Deny {
        /// HTTP status, 400 to 599.
        status: u16,
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

/// No decision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// No visible model can answer such a request.
    #[error("no model that may be used can answer this request")]
    NoCandidates,
    /// The policy failed, and `policy.on_error` is `deny`.
    #[error("the policy failed, and policy.on_error is deny")]
    PolicyFailed(#[source] Fault),
}

/// A decision, and how it came about.
struct Made {
    decided: Result<Decision, Undecided>,
    by: Rung,
    /// Whether no policy had an opinion.
    abstained: bool,
}

impl Generation {
    /// Decides which models a request is tried with.
    ///
    /// The answer is sound whatever the policy says. Dropping the future leaves
    /// nothing behind.
    pub async fn decide(&self, query: &Query, facts: Vec<Fact>) -> Result<Decision, Undecided> {
        let candidates = self.fit(query, &facts);
        if let Some(refused) = &self.vacant {
            return Err(Undecided::PolicyFailed(Fault::Failed(refused.to_string())));
        }
        if candidates.is_empty() {
            return Err(Undecided::NoCandidates);
        }
        let began = Instant::now();
        self.trial.count();
        let made = self.by_ladder(query, &candidates, &facts).await;
        self.keep(query, candidates, facts, &made, began.elapsed());
        made.decided
    }

    /// Asks the policy, and in its stead whoever comes next.
    async fn by_ladder(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Made {
        let made = |decided, by| Made { decided, by, abstained: false };
        let by_view = || Plan::in_order(&self.plain_order(query.target, candidates, facts), query.limit);
        let said = self.chain.decide(query, candidates, facts).await;
        let fault = match said.answer {
            Ok(Some(decision)) => return made(Ok(decision), Rung::Policy),
            Ok(None) => {
                let decided = by_view().map(Decision::Plan).ok_or(Undecided::NoCandidates);
                return Made { abstained: true, ..made(decided, Rung::Policy) };
            }
            Err(fault) => fault,
        };
        self.tell(&fault, said.tripped);
        if self.on_error == OnError::Deny {
            return made(Err(Undecided::PolicyFailed(fault)), Rung::Policy);
        }
        for (rung, chain) in &self.stand_ins {
            match chain.decide(query, candidates, facts).await.answer {
                Ok(Some(Decision::Plan(plan))) => return made(Ok(Decision::Fallback(plan)), *rung),
                Ok(Some(decision)) => return made(Ok(decision), *rung),
                Ok(None) => {}
                Err(fault) => tracing::warn!(policy = chain.label(), error = %fault, "the stand-in failed to decide"),
            }
        }
        made(by_view().map(Decision::Fallback).ok_or(Undecided::NoCandidates), Rung::View)
    }

    /// Logs a fault, and ends a trial that has failed by it.
    fn tell(&self, fault: &Fault, tripped: Option<String>) {
        if matches!(fault, Fault::Tripped { .. }) {
            tracing::debug!(policy = self.chain.label(), error = %fault, "the policy was not asked");
            return;
        }
        tracing::warn!(policy = self.chain.label(), error = %fault, "the policy failed to decide");
        if let Some(policy) = tripped {
            tracing::error!(%policy, error = %fault, "the policy has failed too often and is left alone for a while");
            self.trial.fail(format!("{policy} failed too often, the last time so: {fault}"));
        }
    }

    /// Keeps what was decided, has it written down, and has the shadow decide along.
    fn keep(
        &self,
        query: &Query,
        candidates: Vec<u32>,
        facts: Vec<Fact>,
        Made { decided, by, abstained }: &Made,
        took: Duration,
    ) {
        let outcome = decided.as_ref().map_or(Outcome::Failed, Outcome::of);
        let (generation, query, by, abstained) = (self.number, *query, *by, *abstained);
        let record = Arc::new(Record { generation, query, candidates, facts, outcome, abstained, by, took });
        self.log.add(&self.origin, &record);
        self.records.keep(Arc::clone(&record));
        if let Some(shadow) = &self.shadow {
            shadow.follow(record, &self.origin, &self.log);
        }
    }

    /// Returns the order of the view: what was asked for by name in front, what
    /// rests at the end. Without free mode nobody's bill changes by it: to what
    /// was asked for nothing is added, and otherwise only what is free.
    pub(super) fn plain_order(&self, target: Target, candidates: &[u32], facts: &[Fact]) -> Vec<u32> {
        let asked = match target {
            Target::Model(number) => Some(number),
            Target::Any | Target::Gone => None,
        };
        let is_free = |number: u32| self.catalog.model(number).is_some_and(|model| model.traits.contains(Traits::FREE));
        let rests = |number: u32| {
            facts.iter().any(|fact| fact.model == number && matches!(fact.standing, Standing::Cooling(_)))
        };
        plain_order(asked, candidates, self.settings.free_mode, is_free, rests)
    }

    /// Asks the policy what to do after a failure.
    ///
    /// A policy without a say, or one that fails, goes on to the next.
    pub async fn after_failure(&self, query: &Query, tried: &[Tried], left: &[u32], facts: &[Fact]) -> Verdict {
        let Some((policy, verdict)) = self.chain.after_failure(query, tried, left, facts).await else {
            return Verdict::Next;
        };
        let order = match verdict {
            Ok(Verdict::Replace(order)) => order,
            Ok(verdict) => return verdict,
            Err(fault) => {
                tracing::warn!(policy.name = %policy.name, error = %fault, "the policy failed after a failure");
                return Verdict::Next;
            }
        };
        match Plan::parse(order, &self.fit(query, facts), query.limit) {
            Ok(plan) => Verdict::Replace(plan.order().to_vec()),
            Err(error) => {
                policy.count_fault();
                tracing::warn!(policy.name = %policy.name, %error, "the policy's new order cannot be used");
                Verdict::Next
            }
        }
    }
}

/// Puts candidates in the order of the view: see `Generation::plain_order`.
pub(in crate::policy) fn plain_order(
    asked: Option<u32>,
    candidates: &[u32],
    free_mode: bool,
    is_free: impl Fn(u32) -> bool,
    rests: impl Fn(u32) -> bool,
) -> Vec<u32> {
    let may_stand_in = |number: u32| free_mode || (asked.is_none() && is_free(number));
    let mut order: Vec<u32> =
        candidates.iter().copied().filter(|number| Some(*number) == asked || may_stand_in(*number)).collect();
    order.sort_by_key(|number| (rests(*number), Some(*number) != asked));
    order
}
