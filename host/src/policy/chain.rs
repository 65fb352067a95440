//! Policies that are asked one after the other: each narrows or reorders what the
//! one before it left.
//!
//! One that abstains passes on what it was given, one that denies ends it, and a
//! fault of one is a fault of the whole. Clients see the models that every one of
//! them shows. What happens after a fault is `policy::generation`'s business.

use std::collections::HashSet;

use tokio::runtime::Handle;

use crate::{
    policy::{
        Fault, Refused,
        bindings::ollama_router::policy::types,
        executor::Parts,
        generation::{Decision, Part, Settings},
        in_force::InForce,
        steps::Steps,
        view,
    },
    routing::plan::{Dropped, Fact, Query, Tried, Verdict},
};

/// Policies in force, in the order in which they are asked; never empty.
pub struct Chain {
    policies: Vec<InForce>,
    label: String,
}

/// What clients may see, by all policies of a chain.
pub(super) struct Shown {
    /// The numbers of the models, in the order of the last policy.
    pub(super) visible: Vec<u32>,
    /// All others that a policy hides.
    pub(super) hidden: Vec<Hidden>,
}

/// A model that clients may not see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden {
    /// The model's number.
    pub model: u32,
    /// Which policy of the chain hides it, counted from 0.
    pub by: usize,
    /// Why, as a code of that policy's.
    pub why: u16,
}

/// What a chain said, and whether one of its policies has failed too often by it.
pub(super) struct Said {
    /// The decision; none if no policy has an opinion.
    pub(super) answer: Result<Option<Decision>, Fault>,
    /// The policy that failed once too often.
    pub(super) tripped: Option<String>,
}

/// What one policy of a chain said, with all that it left out.
pub(super) struct Stage {
    /// The decision; none if it has no opinion.
    pub(super) decision: Option<Decision>,
    /// The models that it ranks after those that are tried.
    pub(super) beyond: Vec<u32>,
    /// The models that it left out, and why.
    pub(super) dropped: Vec<Dropped>,
}

impl Chain {
    /// Starts the policies, gives them the catalogue, and notes the phases.
    ///
    /// Any phase of any policy may refuse the whole.
    pub(super) async fn start(
        parts: &[Part],
        standard: &Settings,
        models: &[types::Model],
        epoch: u64,
        steps: &Steps,
    ) -> Result<(Self, Shown), Refused> {
        let mut policies: Vec<InForce> = Vec::with_capacity(parts.len());
        let mut shown = Shown { visible: Vec::new(), hidden: Vec::new() };
        let alone = parts.len() == 1;
        for (by, Part { code, source, settings, limits }) in parts.iter().enumerate() {
            let parts = Parts {
                code: code.clone(),
                settings: standard.members(settings),
                models: models.to_vec(),
                epoch,
                limits: *limits,
            };
            let steps = steps.of(&source.name());
            let started = InForce::start(parts, source.clone(), settings.clone(), steps.clone()).await;
            let (policy, view) = started.map_err(|refused| if alone { refused } else { refused.of_stage(by) })?;
            let checked = view::checked(&view, models, standard.free_mode);
            let (visible, hidden) = checked.inspect_err(|refused| steps.refuse(refused))?;
            shown.narrow(by, visible, hidden.into_iter().map(|drop| (drop.model, drop.why)).collect());
            policies.push(policy);
        }
        let label = policies.iter().map(InForce::label).collect::<Vec<_>>().join(", ");
        Ok((Self { policies, label }, shown))
    }

    /// Makes as many instances of each policy as can run at once.
    pub(super) async fn warm(&self) -> Result<(), Refused> {
        for policy in &self.policies {
            policy.warm().await?;
        }
        Ok(())
    }

    /// Has each policy count from here on.
    pub(super) fn start_counting(&mut self) {
        self.policies.iter_mut().for_each(InForce::start_counting);
    }

    /// Returns the policies, in the order in which they are asked.
    pub fn policies(&self) -> &[InForce] {
        &self.policies
    }

    /// Returns names and versions, such as `vendors/1.0.0, free-mode/0.1.0`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the threads on which its policies may take their time.
    pub(super) fn threads(&self) -> Handle {
        self.policies.first().map_or_else(Handle::current, InForce::threads)
    }

    /// Asks the policies.
    pub(super) async fn decide(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Said {
        if let [only] = self.policies.as_slice() {
            let asked = only.decide(query, candidates, facts).await;
            return Said { answer: asked.answer, tripped: asked.tripped.then(|| only.label()) };
        }
        let mut offered = candidates.to_vec();
        let mut order = None;
        for (place, policy) in self.policies.iter().enumerate() {
            // How many are tried is the business of the last one alone.
            let is_last = place + 1 == self.policies.len();
            let limit = if is_last { query.limit } else { u32::MAX };
            let asked = policy.decide(&Query { limit, ..*query }, &offered, facts).await;
            match asked.answer {
                Ok(None) => {}
                Ok(Some(Decision::Plan(plan))) => {
                    offered = plan.order().iter().map(|pick| pick.model).collect();
                    order = Some(plan);
                }
                Ok(denied) => return Said { answer: Ok(denied), tripped: None },
                Err(fault) => {
                    return Said { answer: Err(fault), tripped: asked.tripped.then(|| policy.label()) };
                }
            }
        }
        let answer = Ok(order.map(|plan| Decision::Plan(plan.first(query.limit))));
        Said { answer, tripped: None }
    }

    /// Asks the policies as [`Chain::decide`] does, and returns all that they say: up
    /// to the last one, or to one that denies. Nothing is counted by it.
    pub(super) async fn explain(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Result<Vec<Stage>, Fault> {
        let mut offered = candidates.to_vec();
        let mut stages = Vec::with_capacity(self.policies.len());
        for (place, policy) in self.policies.iter().enumerate() {
            let limit = if place + 1 == self.policies.len() { query.limit } else { u32::MAX };
            let stage = policy.explain(&Query { limit, ..*query }, &offered, facts).await?;
            if let Some(Decision::Plan(plan)) = &stage.decision {
                offered = plan.order().iter().map(|pick| pick.model).collect();
            }
            let is_denied = matches!(stage.decision, Some(Decision::Deny { .. }));
            stages.push(stage);
            if is_denied {
                break;
            }
        }
        Ok(stages)
    }

    /// Asks the last policy that has a say what to do after a failure.
    pub(super) async fn after_failure(
        &self,
        query: &Query,
        tried: &[Tried],
        left: &[u32],
        facts: &[Fact],
    ) -> Option<(&InForce, Result<Verdict, Fault>)> {
        for policy in self.policies.iter().rev() {
            if let Some(verdict) = policy.after_failure(query, tried, left, facts).await {
                return Some((policy, verdict));
            }
        }
        None
    }
}

impl Shown {
    /// Takes out what one more policy does not show, and puts the rest in its order.
    fn narrow(&mut self, by: usize, visible: Vec<u32>, hidden: Vec<(u32, u16)>) {
        let known: Vec<u32> = self.hidden.iter().map(|hidden| hidden.model).collect();
        let fresh = hidden.into_iter().filter(|(model, _)| !known.contains(model));
        self.hidden.extend(fresh.map(|(model, why)| Hidden { model, by, why }));
        if by == 0 {
            self.visible = visible;
            return;
        }
        let before: HashSet<u32> = self.visible.drain(..).collect();
        self.visible = visible.into_iter().filter(|model| before.contains(model)).collect();
    }
}
