//! A policy on the workbench: one guest, each phase by itself, without a router.
//!
//! For those who write policies. It takes the phases of a reload in their order,
//! over a file and a catalogue, and tells how long each took and where it ended.
//! What can then be done with the guest is in [`decision`] and [`timing`]. Nothing
//! is put in force, and nobody stands in for a policy that fails.

pub mod decision;
pub mod timing;

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::{
    catalog::Catalog,
    policy::{
        Fault, Phase, Refused,
        bindings::ollama_router::policy::types,
        component::{self, Code},
        convert,
        engine::Engine,
        generation::{Settings, candidates::Offer},
        instance::Instance,
        limits::Limits,
        loading, schema,
        steps::{Step, Steps},
        view,
    },
    routing::plan::Dropped,
};

/// What a policy is given.
pub struct Setup {
    /// Its own settings.
    pub settings: Map<String, Value>,
    /// The operator's wishes.
    pub standard: Settings,
    /// What it may use.
    pub limits: Limits,
    /// The models.
    pub catalog: Catalog,
}

/// A policy that went through all phases.
pub struct Bench {
    /// The compiled policy.
    pub code: Code,
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
    /// The numbers of the models that it shows, in its order.
    pub visible: Vec<u32>,
    /// Those that it hides, and why.
    pub hidden: Vec<Dropped>,
    /// What it was given.
    pub setup: Setup,
    models: Vec<types::Model>,
    guest: Instance,
}

/// Takes a file through all phases, and tells of each; the last one told is the
/// one that refused it, if it was refused.
///
/// Compiles on the thread that asks: not for one that serves.
pub async fn load(engine: &Arc<Engine>, path: &Path, setup: Setup) -> (Vec<Step>, Option<Bench>) {
    let steps = Steps::default();
    let bench = through(&steps, engine, path, setup).await;
    (steps.taken(), bench.ok())
}

async fn through(steps: &Steps, engine: &Arc<Engine>, path: &Path, setup: Setup) -> Result<Bench, Refused> {
    let bytes = steps.run(Phase::Read, || component::read(path))?;
    let code = component::check_and_compile(engine, &bytes, steps)?;
    let mut guest = steps.take(Phase::Instantiate, loading::instantiate(&code, "policy".into(), setup.limits)).await?;
    let descriptor = steps.take(Phase::Describe, loading::describe(&mut guest)).await?;
    let settings = setup.standard.members(&setup.settings);
    steps.run(Phase::Settings, || schema::check(&descriptor.settings_schema, &settings))?;
    steps.take(Phase::Configure, loading::configure(&mut guest, &settings)).await?;
    let models: Vec<types::Model> = setup.catalog.models().iter().map(convert::model).collect();
    let shown = async {
        let view = loading::load_catalog(&mut guest, 1, &models).await?;
        view::checked(&view, &models, setup.standard.free_mode)
    };
    let (visible, hidden) = steps.take(Phase::LoadCatalog, shown).await?;
    let types::Descriptor { name, version, summary, settings_schema, reasons } = descriptor;
    let reasons = reasons.into_iter().map(|reason| (reason.code, reason.text)).collect();
    let mut bench =
        Bench { code, name, version, summary, settings_schema, reasons, visible, hidden, setup, models, guest };
    steps.take(Phase::Probe, bench.probe()).await?;
    Ok(bench)
}

impl Bench {
    /// Returns the text of a reason.
    pub fn reason(&self, code: u16) -> Option<&str> {
        self.reasons.iter().find(|(known, _)| *known == code).map(|(_, text)| text.as_str())
    }

    /// Returns the bytes of all memories of the guest, as they are now.
    pub fn memory_bytes(&self) -> usize {
        self.guest.memory_bytes()
    }

    /// Tells whether it has a say after each failure.
    pub fn has_failover(&self) -> bool {
        self.code.failover.is_some()
    }

    fn offer(&self) -> Offer<'_> {
        Offer { catalog: &self.setup.catalog, visible: &self.visible }
    }

    /// Has it decide what every policy must be able to decide.
    async fn probe(&mut self) -> Result<(), Refused> {
        for (query, candidates) in self.offer().probes() {
            let decided = self.ask(&query, &candidates, &[]).await;
            decided.map_err(|fault| Refused { phase: Phase::Probe, reason: fault.to_string() })?;
        }
        Ok(())
    }
}

/// Bounds a decision by the wall clock, for guests that sleep.
async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(Fault::Deadline { limit_ms: limit.as_millis() }))
}
