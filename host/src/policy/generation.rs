//! What is in force: policy, settings, catalogue and view, made whole and never
//! changed.
//!
//! A request takes one generation and keeps it to its end; a reload or a refresh
//! makes a new one beside it. Here a policy's answer is checked, and here the
//! ladder is climbed down when it has none: the policy, the embedded default,
//! the plain order of the view. Who makes generations, and when, is
//! `crate::reload`'s business.

mod candidates;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Map, Value};

use crate::{
    catalog::{
        Capabilities, Catalog, Traits,
        names::{Names, Unknown},
    },
    policy::{
        Fault, Phase, Refused,
        bindings::ollama_router::policy::types,
        component::Code,
        convert,
        executor::{Executor, Parts},
        limits::Limits,
        view,
    },
    routing::{
        health::Standing,
        needs::{Needs, ToolMode},
        plan::{Dropped, Fact, Plan, Query, Target, Tried, Verdict},
    },
};

/// What policies are told of the operator's wishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Only models whose every price is zero.
    pub free_mode: bool,
    /// Only models that call tools.
    pub tool_use_only: bool,
    /// The lines of the filter file.
    pub filter: Vec<String>,
    /// `policy.settings`, for the operator's own policy.
    pub own: Map<String, Value>,
}

/// What to do when the policy fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The embedded default decides.
    Fallback,
    /// The request is refused.
    Deny,
}

/// Where a policy came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is part of the binary.
    Embedded,
    /// This file.
    File(PathBuf),
}

/// What a generation is made of.
#[derive(Clone)]
pub struct Blueprint {
    /// The policy.
    pub code: Code,
    /// Where it came from.
    pub source: Source,
    /// The default policy, which decides when the other one fails.
    pub embedded: Code,
    /// The operator's wishes.
    pub settings: Settings,
    /// What a policy may use.
    pub limits: Limits,
    /// What to do when it fails.
    pub on_error: OnError,
    /// What to do with names that no model has.
    pub unknown: Unknown,
    /// The models.
    pub catalog: Arc<Catalog>,
}

/// What is in force for a request, from its start to its end.
pub struct Generation {
    /// Counts the generations of this process, from 1.
    pub number: u64,
    /// The models.
    pub catalog: Arc<Catalog>,
    /// What clients call those that they may see.
    pub names: Names,
    /// The numbers of the models that clients may see and use, in the order in
    /// which the policy would try them.
    pub visible: Vec<u32>,
    /// All others, and why.
    pub hidden: Vec<Dropped>,
    /// The operator's wishes.
    pub settings: Settings,
    /// What to do with names that no model has.
    pub unknown: Unknown,
    /// The policy.
    pub policy: InForce,
    /// What a policy may use.
    pub limits: Limits,
    /// What to do when it fails.
    pub on_error: OnError,
    /// Why the operator's own policy could not be used at the start, if it is
    /// this one's place that is kept, and nothing may be decided in its stead.
    pub vacant: Option<Refused>,
    embedded: Option<InForce>,
}

/// A policy in force.
pub struct InForce {
    /// Its name, as it says.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// JSON Schema of its settings, as text.
    pub settings_schema: String,
    /// Its reasons, by code.
    pub reasons: Vec<(u16, String)>,
    /// Where it came from.
    pub source: Source,
    /// SHA-256 of its file.
    pub digest: String,
    executor: Executor,
    calls: AtomicU64,
    faults: AtomicU64,
}

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

impl Generation {
    /// Makes a generation: starts the policy, loads the catalogue, and lets it
    /// decide some made-up requests. Any failure refuses the whole.
    pub async fn build(blueprint: Blueprint, number: u64) -> Result<Self, Refused> {
        let Blueprint { code, source, embedded, settings, limits, on_error, unknown, catalog } = blueprint;
        let models: Vec<types::Model> = catalog.models().iter().map(convert::model).collect();
        let parts =
            |code: Code, settings: String| Parts { code, settings, models: models.clone(), epoch: number, limits };
        let standard = settings_json(&settings, false);
        let fallback = match source {
            Source::Embedded => None,
            Source::File(_) => Some(InForce::start(parts(embedded, standard), Source::Embedded).await?.0),
        };
        let (policy, shown) = InForce::start(parts(code, settings_json(&settings, true)), source).await?;
        let (visible, hidden) = view::checked(&shown, &catalog, settings.free_mode)?;
        let generation = Self {
            number,
            names: Names::new(&catalog, &visible),
            visible,
            hidden,
            catalog,
            settings,
            unknown,
            policy,
            limits,
            on_error,
            vacant: None,
            embedded: fallback,
        };
        generation.probe().await?;
        Ok(generation)
    }

    /// Decides which models a request is tried with.
    ///
    /// The answer is sound whatever the policy says. Dropping the future leaves
    /// nothing behind.
    pub async fn decide(&self, query: &Query, facts: &[Fact]) -> Result<Decision, Undecided> {
        let candidates = self.fit(query, facts);
        if let Some(refused) = &self.vacant {
            return Err(Undecided::PolicyFailed(Fault::Failed(refused.to_string())));
        }
        if candidates.is_empty() {
            return Err(Undecided::NoCandidates);
        }
        let by_view = || Plan::in_order(&self.plain_order(query.target, &candidates, facts), query.limit);
        let fault = match self.policy.decide(query, &candidates, facts).await {
            Ok(Some(decision)) => return Ok(decision),
            Ok(None) => return by_view().map(Decision::Plan).ok_or(Undecided::NoCandidates),
            Err(fault) => fault,
        };
        tracing::warn!(policy.name = %self.policy.name, error = %fault, "the policy failed to decide");
        if self.on_error == OnError::Deny {
            return Err(Undecided::PolicyFailed(fault));
        }
        if let Some(embedded) = &self.embedded {
            match embedded.decide(query, &candidates, facts).await {
                Ok(Some(Decision::Plan(plan))) => return Ok(Decision::Fallback(plan)),
                Ok(Some(decision)) => return Ok(decision),
                Ok(None) => {}
                Err(fault) => tracing::warn!(error = %fault, "the embedded policy failed to decide"),
            }
        }
        by_view().map(Decision::Fallback).ok_or(Undecided::NoCandidates)
    }

    /// Returns the order of the view: what was asked for by name in front, what
    /// rests at the end. Without free mode nobody's bill changes by it: to what
    /// was asked for nothing is added, and otherwise only what is free.
    fn plain_order(&self, target: Target, candidates: &[u32], facts: &[Fact]) -> Vec<u32> {
        let asked = match target {
            Target::Model(number) => Some(number),
            Target::Any | Target::Gone => None,
        };
        let is_free = |number: u32| self.catalog.model(number).is_some_and(|model| model.traits.contains(Traits::FREE));
        let may_stand_in = |number: u32| self.settings.free_mode || (asked.is_none() && is_free(number));
        let rests = |number: u32| {
            facts.iter().any(|fact| fact.model == number && matches!(fact.standing, Standing::Cooling(_)))
        };
        let mut order: Vec<u32> =
            candidates.iter().copied().filter(|number| Some(*number) == asked || may_stand_in(*number)).collect();
        order.sort_by_key(|number| (rests(*number), Some(*number) != asked));
        order
    }

    /// Asks the policy what to do after a failure.
    ///
    /// A policy without a say, or one that fails, goes on to the next.
    pub async fn after_failure(&self, query: &Query, tried: &[Tried], left: &[u32], facts: &[Fact]) -> Verdict {
        let executor = &self.policy.executor;
        let answer = executor.after_failure(
            convert::request(query),
            tried.iter().map(convert::attempt).collect(),
            left.to_vec(),
            facts.iter().map(convert::fact).collect(),
        );
        match answer.await {
            None => Verdict::Next,
            Some(Ok(verdict)) => self.checked_verdict(query, facts, convert::verdict(&verdict)),
            Some(Err(fault)) => {
                self.policy.faults.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(policy.name = %self.policy.name, error = %fault, "the policy failed after a failure");
                Verdict::Next
            }
        }
    }

    fn checked_verdict(&self, query: &Query, facts: &[Fact], verdict: Verdict) -> Verdict {
        let Verdict::Replace(order) = verdict else { return verdict };
        match Plan::parse(order, &self.fit(query, facts), query.limit) {
            Ok(plan) => Verdict::Replace(plan.order().to_vec()),
            Err(error) => {
                self.policy.faults.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(policy.name = %self.policy.name, %error, "the policy's new order cannot be used");
                Verdict::Next
            }
        }
    }

    /// Lets the policy decide what every policy must be able to decide.
    async fn probe(&self) -> Result<(), Refused> {
        let with_tools = Needs { tools: ToolMode::Optional, ..Needs::default() };
        let first = self.visible.first().map_or(Target::Any, |number| Target::Model(*number));
        for (target, needs) in [(Target::Any, Needs::default()), (first, with_tools), (Target::Gone, Needs::default())]
        {
            let candidates = self.candidates(&needs);
            if candidates.is_empty() {
                continue;
            }
            let query = Query {
                target,
                needs,
                wishes: Capabilities::empty(),
                streaming: true,
                limit: 4,
                quota_left: None,
                now_ms: self.catalog.fetched().saturating_mul(1000),
                seed: 1,
                explain: true,
            };
            self.policy
                .decide(&query, &candidates, &[])
                .await
                .map_err(|fault| Refused { phase: Phase::Probe, reason: fault.to_string() })?;
        }
        Ok(())
    }
}

impl InForce {
    async fn start(parts: Parts, source: Source) -> Result<(Self, types::View), Refused> {
        let digest = parts.code.digest().to_owned();
        let (executor, descriptor, view) = Executor::start(parts).await?;
        let in_force = Self {
            name: descriptor.name,
            version: descriptor.version,
            summary: descriptor.summary,
            settings_schema: descriptor.settings_schema,
            reasons: descriptor.reasons.into_iter().map(|reason| (reason.code, reason.text)).collect(),
            source,
            digest,
            executor,
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
        };
        Ok((in_force, view))
    }

    /// Returns how often it was asked, and how often it gave no usable answer.
    pub fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.faults.load(Ordering::Relaxed))
    }

    /// Returns the text of a reason.
    pub fn reason(&self, code: u16) -> Option<&str> {
        self.reasons.iter().find(|(known, _)| *known == code).map(|(_, text)| text.as_str())
    }

    /// Asks the policy; `None` if it has no opinion.
    async fn decide(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Result<Option<Decision>, Fault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let facts = facts.iter().map(convert::fact).collect();
        let decision = match self.executor.select(convert::request(query), candidates.to_vec(), facts).await {
            Ok(types::Decision::Route(route)) => Plan::parse(convert::picks(&route.order), candidates, query.limit)
                .map(|plan| Some(Decision::Plan(plan)))
                .map_err(Fault::from),
            Ok(types::Decision::Abstain) => Ok(None),
            Ok(types::Decision::Deny(denial)) => Ok(Some(Decision::Deny {
                status: denial.status.clamp(400, 599),
                code: denial.code,
                message: denial.message,
            })),
            Err(fault) => Err(fault),
        };
        if decision.is_err() {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        decision
    }
}

/// The settings of the contract: the standard ones, and the operator's over
/// them.
fn settings_json(settings: &Settings, with_own: bool) -> String {
    let mut json = Map::new();
    json.insert("free_mode".to_owned(), settings.free_mode.into());
    json.insert("tool_use_only".to_owned(), settings.tool_use_only.into());
    json.insert("filter".to_owned(), settings.filter.clone().into());
    if with_own {
        json.extend(settings.own.clone());
    }
    Value::Object(json).to_string()
}
