//! Why each model is tried or not: a decision, taken apart.
//!
//! The same questions, checks and ladder as in `decide`, but nothing is kept,
//! counted or watched by it, and every model of the catalogue gets an answer. Facts
//! as values; who puts them into words is `api::admin::wire::explain`.

use crate::{
    catalog::{Capabilities, Traits},
    policy::{
        Fault,
        chain::{Chain, Stage},
        generation::{Decision, Generation, OnError},
        in_force::InForce,
        records::Rung,
    },
    routing::plan::{Fact, Query},
};

/// A decision with the reasons for all of it.
#[derive(Debug)]
pub struct Explanation {
    /// Who decided.
    pub by: Rung,
    /// Names and versions of the policies that decided; none if the view did.
    pub policies: Option<String>,
    /// Why the policies in force did not decide, if they failed.
    pub fault: Option<Fault>,
    /// What each model came to, by its number.
    pub fates: Vec<Fate>,
}

/// What a model came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// It is tried, as number `place` counted from 1.
    Tried {
        /// Its place in the order.
        place: usize,
        /// The policy's reason and score; none if the order is that of the view.
        pick: Option<(Reason, f32)>,
    },
    /// The view does not show it, for this reason; none if no policy shows it and
    /// none says why.
    Hidden(Option<Reason>),
    /// It neither chats nor makes vectors.
    Neither,
    /// It may cost, and free mode is on.
    NotFree,
    /// Its last day is over.
    Over,
    /// It makes vectors where words are wanted, or the other way round.
    OtherKind,
    /// It cannot do this.
    Lacks(Capabilities),
    /// So many tokens fit, and the prompt has more.
    TooSmall(u32),
    /// It has refused such requests lately.
    Refuses,
    /// Vectors are wanted, and of another model.
    OtherAsked,
    /// The policy left it out, and says why.
    Dropped(Reason),
    /// The policy left it out in silence.
    Unnamed(String),
    /// Enough others are tried before it.
    Beyond,
    /// Nobody has an opinion, and nothing that may cost is added unasked.
    Unasked,
    /// The policy refuses the request.
    Denied {
        /// The policy.
        by: String,
        /// HTTP status, 400 to 599.
        status: u16,
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
    /// The policy failed, and nobody may decide in its stead.
    Undecided,
}

/// A policy's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The policy's name.
    pub by: String,
    /// Its text, or the bare code if it has none.
    pub text: String,
}

impl Reason {
    fn of(policy: &InForce, code: u16) -> Self {
        let text = policy.reason(code).map_or_else(|| format!("reason {code}"), str::to_owned);
        Self { by: policy.name.clone(), text }
    }
}

impl Generation {
    /// Explains what would be decided, for every model.
    pub async fn explain(&self, query: &Query, facts: &[Fact]) -> Explanation {
        let query = Query { explain: true, ..*query };
        let candidates = self.fit(&query, facts);
        let mut fates: Vec<Fate> =
            (0..).zip(self.catalog.models()).map(|(number, _)| self.unfit(number, &query, facts)).collect();
        let undecided = |fault, fates| Explanation { by: Rung::Policy, policies: None, fault: Some(fault), fates };
        if let Some(refused) = &self.vacant {
            settle(&mut fates, &candidates, |_| Fate::Undecided);
            return undecided(Fault::Failed(refused.to_string()), fates);
        }
        let mut explained = Explanation { by: Rung::Policy, policies: None, fault: None, fates };
        let stand_ins = self.stand_ins.iter().map(|(rung, chain)| (*rung, chain));
        for (rung, chain) in std::iter::once((Rung::Policy, &self.chain)).chain(stand_ins) {
            // Without candidates nobody is asked, and the first would have been.
            let stages =
                if candidates.is_empty() { Ok(Vec::new()) } else { chain.explain(&query, &candidates, facts).await };
            match stages {
                Ok(stages) => {
                    (explained.by, explained.policies) = (rung, Some(chain.label().to_owned()));
                    self.apply(&mut explained.fates, (chain, &stages), &query, &candidates, facts);
                    return explained;
                }
                Err(fault) => explained.fault.get_or_insert(fault),
            };
            if self.on_error == OnError::Deny {
                settle(&mut explained.fates, &candidates, |_| Fate::Undecided);
                return explained;
            }
        }
        explained.by = Rung::View;
        self.apply(&mut explained.fates, (&self.chain, &[]), &query, &candidates, facts);
        explained
    }

    /// Returns why the host or the view leaves a model out; for one that is offered
    /// to the policies, a word that they replace.
    fn unfit(&self, number: u32, query: &Query, facts: &[Fact]) -> Fate {
        let Some(model) = self.catalog.model(number) else { return Fate::Neither };
        if !self.visible.contains(&number) {
            return match self.hidden.iter().find(|hidden| hidden.model == number) {
                Some(hidden) => {
                    Fate::Hidden(self.chain.policies().get(hidden.by).map(|policy| Reason::of(policy, hidden.why)))
                }
                None if !model.traits.contains(Traits::CHAT) && !model.embeds() => Fate::Neither,
                None if self.settings.free_mode && !model.traits.contains(Traits::FREE) => Fate::NotFree,
                None => Fate::Hidden(None),
            };
        }
        let needs = &query.needs;
        let lacks = needs.capabilities.difference(model.capabilities | Capabilities::EMBEDDINGS);
        if model.is_over(query.now_ms / 1000) {
            Fate::Over
        } else if model.embeds() != needs.capabilities.contains(Capabilities::EMBEDDINGS) {
            Fate::OtherKind
        } else if !lacks.is_empty() {
            Fate::Lacks(lacks)
        } else if !needs.met_by(model) {
            Fate::TooSmall(model.context_tokens)
        } else if facts.iter().any(|fact| fact.model == number && fact.unfit) {
            Fate::Refuses
        } else {
            Fate::OtherAsked
        }
    }

    /// Notes what the policies of a chain said, one after the other.
    fn apply(
        &self,
        fates: &mut [Fate],
        (chain, stages): (&Chain, &[Stage]),
        query: &Query,
        candidates: &[u32],
        facts: &[Fact],
    ) {
        let mut offered = candidates.to_vec();
        let mut deciding = None;
        for (policy, stage) in chain.policies().iter().zip(stages) {
            match &stage.decision {
                None => {}
                Some(Decision::Plan(plan) | Decision::Fallback(plan)) => {
                    let next: Vec<u32> = plan.order().iter().map(|pick| pick.model).collect();
                    let left_out: Vec<u32> = offered.into_iter().filter(|model| !next.contains(model)).collect();
                    settle(fates, &left_out, |model| stage.left_out(policy, model));
                    (offered, deciding) = (next, Some((policy, plan)));
                }
                Some(Decision::Deny { status, code, message }) => {
                    let (by, code, message) = (policy.name.clone(), code.clone(), message.clone());
                    let denied = Fate::Denied { by, status: *status, code, message };
                    return settle(fates, &offered, |_| denied.clone());
                }
            }
        }
        if deciding.is_none() {
            settle(fates, &offered, |_| Fate::Unasked);
            offered = self.plain_order(query.target, candidates, facts);
        }
        let mut places = 1..;
        settle(fates, &offered, |model| match places.next() {
            Some(place) if place <= (query.limit as usize).max(1) => {
                let pick = deciding.and_then(|(policy, plan)| {
                    let pick = plan.order().iter().find(|pick| pick.model == model)?;
                    Some((Reason::of(policy, pick.why), pick.score))
                });
                Fate::Tried { place, pick }
            }
            _ => Fate::Beyond,
        });
    }
}

impl Stage {
    /// Returns why a policy left a model out that was offered to it.
    fn left_out(&self, policy: &InForce, model: u32) -> Fate {
        if self.beyond.contains(&model) {
            return Fate::Beyond;
        }
        match self.dropped.iter().find(|dropped| dropped.model == model) {
            Some(dropped) => Fate::Dropped(Reason::of(policy, dropped.why)),
            None => Fate::Unnamed(policy.name.clone()),
        }
    }
}

/// Notes what some models came to.
fn settle(fates: &mut [Fate], models: &[u32], mut fate: impl FnMut(u32) -> Fate) {
    for model in models {
        if let Some(place) = fates.get_mut(*model as usize) {
            *place = fate(*model);
        }
    }
}
