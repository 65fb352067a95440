//! One policy in force: what it says of itself, how it is asked, how it did.
//!
//! Its answers are checked here and counted. Which policies there are, and what
//! happens when one fails, is the business of `policy::chain` and
//! `policy::generation`.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio::runtime::Handle;

use crate::{
    policy::{
        Fault, Refused,
        bindings::ollama_router::policy::types,
        breaker::{After, Breaker},
        chain::Stage,
        convert,
        executor::{Executor, MAX_WARM, Parts},
        generation::{Decision, Source},
        latency::Latency,
        steps::Steps,
    },
    routing::plan::{Fact, Plan, Query, Tried, Verdict},
};

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
    /// The operator's settings for it.
    pub settings: Map<String, Value>,
    executor: Executor,
    breaker: Breaker,
    calls: AtomicU64,
    faults: AtomicU64,
    latency: Latency,
}

/// What came of asking a policy.
#[derive(Debug)]
pub(super) struct Asked<T> {
    /// Its answer, or why there is none.
    pub(super) answer: Result<T, Fault>,
    /// Whether with this fault it has failed too often.
    pub(super) tripped: bool,
}

impl InForce {
    /// Starts a policy, with `settings` for what is shown of it.
    pub(super) async fn start(
        parts: Parts,
        source: Source,
        settings: Map<String, Value>,
        steps: Steps,
    ) -> Result<(Self, types::View), Refused> {
        let digest = parts.code.digest().to_owned();
        let (executor, descriptor, view) = Executor::start(parts, steps).await?;
        let in_force = Self {
            name: descriptor.name,
            version: descriptor.version,
            summary: descriptor.summary,
            settings_schema: descriptor.settings_schema,
            reasons: descriptor.reasons.into_iter().map(|reason| (reason.code, reason.text)).collect(),
            source,
            digest,
            settings,
            executor,
            breaker: Breaker::default(),
            calls: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            latency: Latency::default(),
        };
        Ok((in_force, view))
    }

    /// Makes as many instances of it as can run at once.
    pub(super) async fn warm(&self) -> Result<(), Refused> {
        self.executor.warm(MAX_WARM).await
    }

    /// Counts from here on: what it was asked until now was a probe.
    pub(super) fn start_counting(&mut self) {
        (self.calls, self.faults, self.latency) = Default::default();
    }

    /// Returns its name and version, such as `free-mode/0.1.0`.
    pub fn label(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Returns the threads on which it may take its time.
    pub(super) fn threads(&self) -> Handle {
        self.executor.threads()
    }

    /// Returns how often it was asked, and how often it gave no usable answer.
    pub fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.faults.load(Ordering::Relaxed))
    }

    /// Returns the time within which so great a share of its decisions came, 0 to 1;
    /// none before the first.
    pub fn latency(&self, share: f64) -> Option<Duration> {
        self.latency.within(share)
    }

    /// Tells whether it failed so often that it is not asked for a while.
    pub fn is_tripped(&self) -> bool {
        self.breaker.is_open()
    }

    /// Returns the text of a reason.
    pub fn reason(&self, code: u16) -> Option<&str> {
        self.reasons.iter().find(|(known, _)| *known == code).map(|(_, text)| text.as_str())
    }

    /// Asks the policy; `None` if it has no opinion.
    pub(super) async fn decide(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Asked<Option<Decision>> {
        if let Err(wait) = self.breaker.admit(Instant::now()) {
            return Asked { answer: Err(Fault::Tripped { wait_ms: wait.as_millis() }), tripped: false };
        }
        let answer = self.ask(query, candidates, facts).await;
        let tripped = match &answer {
            Ok(_) => {
                self.breaker.answered();
                false
            }
            Err(_) => self.breaker.failed(Instant::now()) == After::Tripped,
        };
        Asked { answer, tripped }
    }

    /// Asks the policy, however often it failed.
    pub(super) async fn ask(
        &self,
        query: &Query,
        candidates: &[u32],
        facts: &[Fact],
    ) -> Result<Option<Decision>, Fault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let facts = facts.iter().map(convert::fact).collect();
        let answer = self.executor.select(convert::request(query), candidates.to_vec(), facts).await;
        self.latency.add(began.elapsed());
        let decision = answer.and_then(|answer| decision(answer, query.limit, candidates));
        if decision.is_err() {
            self.faults.fetch_add(1, Ordering::Relaxed);
        }
        decision
    }

    /// Asks the policy for its reasons too; neither its calls nor its faults count.
    pub(super) async fn explain(&self, query: &Query, candidates: &[u32], facts: &[Fact]) -> Result<Stage, Fault> {
        if let Some(wait) = self.breaker.left_alone(Instant::now()) {
            return Err(Fault::Tripped { wait_ms: wait.as_millis() });
        }
        let facts = facts.iter().map(convert::fact).collect();
        let answer = self.executor.select(convert::request(query), candidates.to_vec(), facts).await?;
        let (beyond, dropped) = match &answer {
            types::Decision::Route(route) => {
                let further = route.order.iter().skip(query.limit as usize).map(|pick| pick.model);
                (further.collect(), convert::dropped(&route.dropped))
            }
            types::Decision::Abstain | types::Decision::Deny(_) => (Vec::new(), Vec::new()),
        };
        Ok(Stage { decision: decision(answer, query.limit, candidates)?, beyond, dropped })
    }

    /// Asks what to do after a failure; `None` if it has no say, or is left alone.
    pub(super) async fn after_failure(
        &self,
        query: &Query,
        tried: &[Tried],
        left: &[u32],
        facts: &[Fact],
    ) -> Option<Result<Verdict, Fault>> {
        if self.is_tripped() {
            return None;
        }
        let answer = self.executor.after_failure(
            convert::request(query),
            tried.iter().map(convert::attempt).collect(),
            left.to_vec(),
            facts.iter().map(convert::fact).collect(),
        );
        Some(answer.await?.map(|verdict| convert::verdict(&verdict)).inspect_err(|_| self.count_fault()))
    }

    /// Counts an answer that turned out to be of no use.
    pub(super) fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }
}

/// Checks an answer; `None` if the policy has no opinion.
pub(super) fn decision(answer: types::Decision, limit: u32, candidates: &[u32]) -> Result<Option<Decision>, Fault> {
    match answer {
        types::Decision::Route(route) => {
            let plan = Plan::parse(convert::picks(&route.order), candidates, limit)?;
            Ok(Some(Decision::Plan(plan)))
        }
        types::Decision::Abstain => Ok(None),
        types::Decision::Deny(denial) => Ok(Some(Decision::Deny {
            status: denial.status.clamp(400, 599),
            code: denial.code,
            message: denial.message,
        })),
    }
}
