//! What is in force: policies, settings, catalogue and view, made whole and never
//! changed.
//!
//! A request takes one generation and keeps it to its end; a reload or a refresh
//! makes a new one beside it. How it decides, and who decides when its policy
//! fails, is in [`decide`], and why, in [`explain`]; who may be offered, in
//! `candidates`; how two of them differ, in `recipe`. Who makes generations, and when, is
//! `crate::reload`'s business.

pub(super) mod candidates;
mod decide;
pub mod explain;
mod probes;
mod recipe;

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use serde_json::{Map, Value};

pub(super) use self::decide::plain_order;
pub use self::decide::{Decision, Undecided};
use crate::{
    catalog::{
        Catalog,
        names::{Names, Unknown},
    },
    policy::{
        Phase, Refused,
        bindings::ollama_router::policy::types,
        chain::{Chain, Hidden},
        component::Code,
        convert,
        decisions::{Origin, log::DecisionLog},
        in_force::InForce,
        limits::Limits,
        records::{Record, Records, Rung},
        shadow::Shadow,
        steps::Steps,
        trial::Trial,
    },
};

/// What every policy is told of the operator's wishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Only models whose every price is zero.
    pub free_mode: bool,
    /// Only models that call tools.
    pub tool_use_only: bool,
    /// The lines of the filter file.
    pub filter: Vec<String>,
}

/// What to do when the policy fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The last good one decides, or else the embedded default.
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

/// One policy, and what the operator says of it.
#[derive(Clone)]
pub struct Part {
    /// The policy.
    pub code: Code,
    /// Where it came from.
    pub source: Source,
    /// Its own settings.
    pub settings: Map<String, Value>,
    /// What it may use.
    pub limits: Limits,
}

/// What a generation is made of.
#[derive(Clone)]
pub struct Blueprint {
    /// The policies, in the order in which they are asked; never empty.
    pub chain: Vec<Part>,
    /// Those that decide when these fail, if others were in force before and were
    /// good; or none.
    pub last_good: Vec<Part>,
    /// The policy that is asked along, and on which share of the requests, 0 to 1.
    pub shadow: Option<(Part, f64)>,
    /// The default policy, which decides when the others fail.
    pub embedded: Code,
    /// The operator's wishes.
    pub settings: Settings,
    /// What to do when the policy fails.
    pub on_error: OnError,
    /// What to do with names that no model has.
    pub unknown: Unknown,
    /// The models.
    pub catalog: Arc<Catalog>,
    /// Where decisions over these models are kept.
    pub records: Arc<Records>,
    /// How the change is watched of which this is made.
    pub trial: Arc<Trial>,
    /// Where decisions are written.
    pub log: DecisionLog,
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
    pub hidden: Vec<Hidden>,
    /// The operator's wishes.
    pub settings: Settings,
    /// What to do with names that no model has.
    pub unknown: Unknown,
    /// The policies.
    pub chain: Chain,
    /// The policy that is asked along.
    pub shadow: Option<Shadow>,
    /// What to do when the policy fails.
    pub on_error: OnError,
    /// Why the operator's own policy could not be used at the start, if it is
    /// this one's place that is kept, and nothing may be decided in its stead.
    pub vacant: Option<Refused>,
    /// The last decisions.
    pub records: Arc<Records>,
    /// The first while of the change of which this was made.
    pub trial: Arc<Trial>,
    /// Where decisions are written.
    pub log: DecisionLog,
    /// What is written of this generation before them.
    origin: Arc<Origin>,
    /// Who decides when the policy fails, best first.
    stand_ins: Vec<(Rung, Chain)>,
}

impl Generation {
    /// Makes a generation: starts the policies, loads the catalogue, and lets them
    /// decide some made-up requests and those that were `recorded`; notes the phases.
    /// Any failure refuses the whole, but one of the last good policy, which then
    /// cannot stand in.
    pub async fn build(
        blueprint: Blueprint,
        number: u64,
        recorded: &[Arc<Record>],
        steps: &Steps,
    ) -> Result<Self, Refused> {
        let Blueprint { chain, last_good, shadow, embedded, settings, on_error, unknown, catalog, records, trial, log } =
            blueprint;
        let models: Vec<types::Model> = catalog.models().iter().map(convert::model).collect();
        let start = |parts: Vec<Part>, steps: Steps| {
            let (settings, models) = (&settings, &models);
            async move { Chain::start(&parts, settings, models, number, &steps).await }
        };
        // Who only stands in passed its phases when it came into force.
        let unnoted = Steps::default;
        let limits = chain.first().map_or(Limits::default(), |part| part.limits);
        let is_own = chain.iter().any(|part| part.source != Source::Embedded);
        let (chain, shown) = start(chain, steps.clone()).await?;
        let mut stand_ins = Vec::new();
        if is_own {
            let default = Part { code: embedded, source: Source::Embedded, settings: Map::new(), limits };
            if !last_good.is_empty() && !last_good.iter().all(|part| part.source == Source::Embedded) {
                match start(last_good, unnoted()).await {
                    Ok((last_good, _)) => stand_ins.push((Rung::LastGood, last_good)),
                    Err(refused) => tracing::warn!(%refused, "the last good policy cannot stand in any more"),
                }
            }
            stand_ins.push((Rung::Embedded, start(vec![default], unnoted()).await?.0));
        }
        let shadow = match shadow {
            None => None,
            Some((part, sample)) => {
                let started = start(vec![part], steps.clone()).await.map_err(Refused::of_shadow)?;
                Some(Shadow::new(started.0, sample))
            }
        };
        let mut generation = Self {
            origin: Arc::new(Origin::of(number, &chain, &settings, &catalog)),
            log,
            number,
            names: Names::new(&catalog, &shown.visible),
            visible: shown.visible,
            hidden: shown.hidden,
            catalog,
            settings,
            unknown,
            chain,
            shadow,
            on_error,
            vacant: None,
            records,
            trial,
            stand_ins,
        };
        let steps = steps.of(generation.chain.label());
        steps.take(Phase::Probe, generation.probe(recorded)).await?;
        generation.chain.start_counting();
        steps.take(Phase::Warm, generation.warm()).await?;
        Ok(generation)
    }

    /// Makes as many instances of all its policies as can run at once.
    async fn warm(&self) -> Result<(), Refused> {
        self.chain.warm().await?;
        for (_, chain) in &self.stand_ins {
            chain.warm().await?;
        }
        match &self.shadow {
            Some(shadow) => shadow.chain().warm().await,
            None => Ok(()),
        }
    }

    /// Returns the places of the policies with this name in the chain; that of the
    /// shadow is after them.
    pub fn places_of(&self, name: &str) -> Vec<usize> {
        let named = self.policies().enumerate().filter(|(_, policy)| policy.name == name);
        named.map(|(place, _)| place).collect()
    }

    /// Returns the policies of the chain, and after them the shadow.
    pub fn policies(&self) -> impl Iterator<Item = &InForce> {
        let shadow = self.shadow.iter().flat_map(|shadow| shadow.chain().policies());
        self.chain.policies().iter().chain(shadow)
    }

    /// Tells whether the change of which it was made is still watched.
    pub fn is_on_probation(&self) -> bool {
        self.trial.goes_on() && !self.stand_ins.is_empty()
    }

    /// Decides once more what was decided before, over the same models.
    /// `None` if the policies have no opinion.
    pub async fn repeat(&self, record: &Record) -> Result<Option<Decision>, Undecided> {
        let candidates = self.fit(&record.query, &record.facts);
        if candidates.is_empty() {
            return Err(Undecided::NoCandidates);
        }
        let said = self.chain.decide(&record.query, &candidates, &record.facts).await;
        said.answer.map_err(Undecided::PolicyFailed)
    }

    /// Lets the policies decide what every policy must be able to decide, and what
    /// was decided before.
    async fn probe(&self, recorded: &[Arc<Record>]) -> Result<(), Refused> {
        let refuse = |reason: String| Refused { phase: Phase::Probe, reason };
        for (query, candidates) in self.offer().probes() {
            let said = self.chain.decide(&query, &candidates, &[]).await;
            said.answer.map_err(|fault| refuse(fault.to_string()))?;
        }
        for record in recorded {
            if let Err(Undecided::PolicyFailed(fault)) = self.repeat(record).await {
                return Err(refuse(format!("it cannot decide a request of late, which was decided then: {fault}")));
            }
        }
        Ok(())
    }
}

impl Source {
    /// Returns a short name, for what is told of it.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Embedded => "embedded".into(),
            Self::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy(),
        }
    }
}

impl Settings {
    /// Returns the settings of the contract: the standard ones, and the policy's
    /// own over them.
    pub(super) fn members(&self, own: &Map<String, Value>) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("free_mode".to_owned(), self.free_mode.into());
        json.insert("tool_use_only".to_owned(), self.tool_use_only.into());
        json.insert("filter".to_owned(), self.filter.clone().into());
        json.extend(own.clone());
        json
    }
}
