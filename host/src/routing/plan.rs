//! What a policy is asked, and the plan that it made.
//!
//! A [`Plan`] is never empty, names no model twice and only models that were
//! offered: it is made by [`Plan::parse`] alone, which is how an answer of a
//! policy becomes trusted. Pure.

use std::collections::HashSet;

use crate::{
    catalog::Capabilities,
    routing::{FailureKind, health::Standing, needs::Needs},
};

/// An order of more models than this is checked with sets.
const LONG: usize = 16;

/// What a client asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// No model in particular.
    Any,
    /// The model with this number.
    Model(u32),
    /// A model that is not served now.
    Gone,
}

/// What a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// What the client asked for by name.
    pub target: Target,
    /// What the request needs.
    pub needs: Needs,
    /// What would be good in a model.
    pub wishes: Capabilities,
    /// Whether the client reads the answer as it comes.
    pub streaming: bool,
    /// How many models will be tried at most.
    pub limit: u32,
    /// Requests left today, if known.
    pub quota_left: Option<u32>,
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// The policy's only source of chance.
    pub seed: u64,
    /// Whether the reasons for what was left out are wanted.
    pub explain: bool,
}

/// What is remembered of a model that has a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The model's number.
    pub model: u32,
    /// How it stands.
    pub standing: Standing,
    /// Whether it is known to refuse this request, whatever the catalogue says.
    pub unfit: bool,
    /// Requests that it is answering now.
    pub in_flight: u32,
    /// Answers in the last five minutes.
    pub successes: u32,
    /// Failures in the last five minutes.
    pub failures: u32,
    /// The same by kind, in no order.
    pub by_kind: Vec<(FailureKind, u32)>,
    /// Answers in the last five minutes whose tool calls nobody could carry out.
    pub bad_calls: u32,
    /// Failures since the last answer.
    pub failures_in_a_row: u32,
    /// Milliseconds since the last failure.
    pub last_failure_ms: Option<u64>,
    /// Milliseconds to the first token, on average; 0 unknown.
    pub first_token_ms: f32,
    /// Tokens a second, on average; 0 unknown.
    pub tokens_per_second: f32,
}

/// One model to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    /// The model's number.
    pub model: u32,
    /// Why, as a code of the policy's.
    pub why: u16,
    /// How good a choice, on the policy's own scale.
    pub score: f32,
}

/// A model left out, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The model's number.
    pub model: u32,
    /// Why, as a code of the policy's.
    pub why: u16,
}

/// The models to try, best first: at least one, none twice, all offered.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    order: Vec<Pick>,
}

/// Why an answer of a policy is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The order is empty.
    #[error("the order names no model")]
    Empty,
    /// A model was not among the candidates.
    #[error("the order names model {0}, which was not offered")]
    NotOffered(u32),
    /// A model comes twice.
    #[error("the order names model {0} twice")]
    Twice(u32),
    /// A score is infinite or no number.
    #[error("the score of model {0} is not finite")]
    NotFinite(u32),
}

/// One try that failed, as a policy is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// The model's number.
    pub model: u32,
    /// What went wrong.
    pub kind: FailureKind,
    /// HTTP status; 0 if there was none.
    pub status: u16,
    /// How long it took in milliseconds.
    pub elapsed_ms: u32,
}

/// What a policy wants after a failure.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Try the next of the order.
    Next,
    /// Try the same model again after so many milliseconds.
    RetryAfterMs(u32),
    /// Try these instead of the rest.
    Replace(Vec<Pick>),
    /// Tell the client.
    GiveUp,
}

impl Plan {
    /// Checks an order against the candidates that were offered.
    ///
    /// Only the first `limit` picks are read.
    pub fn parse(mut order: Vec<Pick>, candidates: &[u32], limit: u32) -> Result<Self, PlanError> {
        order.truncate(limit as usize);
        if order.is_empty() {
            return Err(PlanError::Empty);
        }
        // Sets only where they pay: most orders have a handful of models.
        let is_long = order.len() > LONG;
        let offered: HashSet<u32> = candidates.iter().copied().filter(|_| is_long).collect();
        let mut seen = HashSet::new();
        for (place, pick) in order.iter().enumerate() {
            let (known, twice) = if is_long {
                (offered.contains(&pick.model), !seen.insert(pick.model))
            } else {
                let earlier = order.iter().take(place);
                (candidates.contains(&pick.model), earlier.into_iter().any(|earlier| earlier.model == pick.model))
            };
            if !known {
                return Err(PlanError::NotOffered(pick.model));
            }
            if twice {
                return Err(PlanError::Twice(pick.model));
            }
            if !pick.score.is_finite() {
                return Err(PlanError::NotFinite(pick.model));
            }
        }
        Ok(Self { order })
    }

    /// Makes a plan of the first candidates as they stand, for a policy that
    /// abstains; `None` without candidates.
    pub fn in_order(candidates: &[u32], limit: u32) -> Option<Self> {
        let order: Vec<Pick> =
            candidates.iter().take(limit as usize).map(|&model| Pick { model, why: 0, score: 0.0 }).collect();
        (!order.is_empty()).then_some(Self { order })
    }

    /// Returns the plan cut to its first `limit` models; at least one stays.
    #[must_use]
    pub fn first(mut self, limit: u32) -> Self {
        self.order.truncate(limit.max(1) as usize);
        self
    }

    /// Returns the models, best first.
    pub fn order(&self) -> &[Pick] {
        &self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(model: u32) -> Pick {
        Pick { model, why: 1, score: 0.5 }
    }

    #[test]
    fn a_sound_order_is_taken_up_to_the_limit() {
        let plan = Plan::parse(vec![pick(3), pick(1), pick(9)], &[1, 2, 3], 2);
        assert_eq!(plan.map(|plan| plan.order().to_vec()), Ok(vec![pick(3), pick(1)]));
    }

    #[test]
    fn an_unsound_order_is_refused_with_its_reason() {
        let infinite = Pick { score: f32::NAN, ..pick(2) };
        let cases = [
            (vec![], PlanError::Empty),
            (vec![pick(1), pick(7)], PlanError::NotOffered(7)),
            (vec![pick(1), pick(2), pick(1)], PlanError::Twice(1)),
            (vec![infinite], PlanError::NotFinite(2)),
        ];
        for (order, expected) in cases {
            assert_eq!(Plan::parse(order, &[1, 2, 3], 8), Err(expected));
        }
        assert_eq!(Plan::parse(vec![pick(1)], &[1], 0), Err(PlanError::Empty));
    }

    #[test]
    fn a_long_order_is_held_to_the_same_rules() {
        let candidates: Vec<u32> = (0..400).collect();
        let all: Vec<Pick> = candidates.iter().rev().map(|model| pick(*model)).collect();
        let with = |last: Pick| all.iter().copied().take(399).chain([last]).collect::<Vec<_>>();
        assert_eq!(
            Plan::parse(all.clone(), &candidates, u32::MAX).map(|plan| plan.first(2).order),
            Ok(all[..2].to_vec())
        );
        assert_eq!(Plan::parse(with(pick(400)), &candidates, u32::MAX), Err(PlanError::NotOffered(400)));
        assert_eq!(Plan::parse(with(pick(7)), &candidates, u32::MAX), Err(PlanError::Twice(7)));
        let infinite = Pick { score: f32::INFINITY, ..pick(0) };
        assert_eq!(Plan::parse(with(infinite), &candidates, u32::MAX), Err(PlanError::NotFinite(0)));
    }

    #[test]
    fn an_abstaining_policy_leaves_the_order_of_the_view() {
        let models = |plan: Option<Plan>| plan.map(|p| p.order().iter().map(|pick| pick.model).collect::<Vec<_>>());
        assert_eq!(models(Plan::in_order(&[4, 2, 8], 2)), Some(vec![4, 2]));
        assert_eq!(models(Plan::in_order(&[], 2)), None);
    }
}
