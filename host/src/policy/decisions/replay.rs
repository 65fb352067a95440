//! What another policy would have decided: lines of decisions, asked again.
//!
//! One generation of a log at a time: the policy gets its models and its settings,
//! then the very requests and facts, and of the candidates those that it shows, in its
//! order. Nothing is in force by it, and nothing is written.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::policy::{
    Fault, Refused,
    bindings::ollama_router::policy::types,
    component::Code,
    decisions::{Entry, Head},
    executor::{Executor, Parts},
    generation::{Decision, plain_order},
    in_force::decision,
    limits::Limits,
    schema::STANDARD,
    shadow::{Difference, difference},
    steps::Steps,
    view,
};
use crate::routing::plan::Plan;

/// A policy over the models of one generation.
pub struct Replay {
    parts: Parts,
    executor: Executor,
    free_mode: bool,
    /// The models that it shows, in its order.
    visible: Vec<u32>,
    /// The generation.
    pub generation: u64,
    /// Its name and version.
    pub label: String,
}

impl Replay {
    /// Starts a policy as in that generation, or with settings of its own in the
    /// place of those that were recorded.
    pub async fn start(
        code: &Code,
        head: Head,
        own: Option<&Map<String, Value>>,
        limits: Limits,
    ) -> Result<Self, Refused> {
        let by_digest = head.policies.iter().find(|told| told.digest == code.digest());
        let told = by_digest.or(head.policies.first());
        let mut settings = told.map(|told| told.settings.clone()).unwrap_or_default();
        if let Some(own) = own {
            settings.retain(|name, _| STANDARD.contains(&name.as_str()));
            settings.extend(own.clone());
        }
        let parts = Parts {
            code: code.clone(),
            settings: settings.clone(),
            models: head.catalog.into_iter().map(|line| line.0).collect(),
            epoch: head.generation,
            limits,
        };
        let free_mode = settings.get("free_mode").and_then(Value::as_bool).unwrap_or(true);
        let (executor, descriptor, view) = Executor::start(parts.clone(), Steps::default()).await?;
        let (visible, _) = view::checked(&view, &parts.models, free_mode)?;
        Ok(Self {
            generation: parts.epoch,
            parts,
            executor,
            free_mode,
            visible,
            label: format!("{}/{}", descriptor.name, descriptor.version),
        })
    }

    /// Makes a new instance of the policy, which remembers nothing.
    pub async fn renew(&mut self) -> Result<(), Refused> {
        self.executor = Executor::start(self.parts.clone(), Steps::default()).await?.0;
        Ok(())
    }

    /// Asks again what was asked, and compares; `None` if the policy shows none of the
    /// models that were offered, so that nobody could be asked.
    pub async fn compare(&self, entry: &Entry) -> Result<Option<Difference>, Fault> {
        let candidates = self.offered(entry);
        if candidates.is_empty() {
            return Ok(None);
        }
        let request = entry.request.0.clone();
        let limit = request.limit;
        let facts = entry.facts.iter().map(|fact| fact.0.clone()).collect();
        let answer = self.executor.select(request, candidates.clone(), facts).await?;
        let decided = match decision(answer, limit, &candidates)? {
            None => Plan::in_order(&self.plain_order(entry, &candidates), limit).map(Decision::Plan),
            decided => decided,
        };
        Ok(Some(difference(&entry.outcome(), decided.as_ref())))
    }

    /// Returns the models that were offered and that the policy shows, as it would be
    /// offered them: in the order of its view.
    fn offered(&self, entry: &Entry) -> Vec<u32> {
        let then: HashSet<u32> = entry.candidates.iter().copied().collect();
        self.visible.iter().copied().filter(|number| then.contains(number)).collect()
    }

    /// Returns the order that the host goes by where a policy has no opinion.
    fn plain_order(&self, entry: &Entry, candidates: &[u32]) -> Vec<u32> {
        let asked = match entry.request.0.target {
            types::Target::Model(number) => Some(number),
            types::Target::Any | types::Target::Gone => None,
        };
        let is_free = |number: u32| {
            self.parts.models.get(number as usize).is_some_and(|model| model.traits.contains(types::Traits::FREE))
        };
        let rests = |number: u32| {
            entry.facts.iter().any(|fact| fact.0.model == number && fact.0.standing.contains(types::Standing::COOLING))
        };
        plain_order(asked, candidates, self.free_mode, is_free, rests)
    }
}
