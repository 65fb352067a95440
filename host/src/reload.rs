//! Makes generations: of files that changed, of catalogues that came, on call.
//!
//! One task owns what a generation is made of. Whatever the cause, everything is
//! read again, a whole new generation is made and checked beside the one in
//! force, and only then swapped in; any failure leaves the old one and says why.
//! Requests never wait for it. What it waits for beside calls and files is in
//! `causes`, what it reads in `modules`, what was in force before in `history`; how it
//! goes back is in `rollback`, how it only tries, in `dry_run`, and what is in force
//! where the operator's policy cannot be, in `stand_in`. The certificate of HTTPS, which is
//! no part of a generation, is renewed by a task of its own, [`certificate`].

mod causes;
pub mod certificate;
mod dry_run;
mod history;
mod modules;
mod rollback;
mod stand_in;
mod watch;

use std::{sync::Arc, time::Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    api::admin::wire::policy::{Order, PhaseRow, Refusal, ReloadCall, ReloadReport},
    catalog::Catalog,
    clock::now_ms,
    config::{load, sections},
    current::{self, Current, Past, Reloaded},
    failover::ledger::Ledger,
    policy::{
        Phase, Refused,
        engine::Engine,
        generation::{Blueprint, Generation},
        records::{Record, Records},
        steps::Steps,
        trial::Trial,
    },
    reload::{
        causes::{Cause, Hangup, end_of_a_model},
        history::History,
        modules::{Modules, files},
        watch::Watch,
    },
};

/// Calls and changes that may wait; more say nothing new.
const QUEUE: usize = 16;

/// The last decisions that a change must be able to make too.
const REPEATED: usize = 100;

/// Within which time the same refusal is of the same change, in milliseconds.
const SAME_CHANGE_MS: u64 = 2_000;

/// Makes the generations of a router.
pub struct Reload {
    modules: Modules,
    sources: load::Sources,
    history: History,
    /// What the last generation was made of.
    last: Option<Blueprint>,
    next: u64,
}

/// What the task hears of.
pub struct Inbox {
    /// Calls for a reload.
    pub calls: mpsc::Receiver<ReloadCall>,
    /// New catalogues.
    pub catalogs: mpsc::Receiver<Arc<Catalog>>,
}

impl Reload {
    /// Compiles the embedded policy, or takes it from the cache.
    pub fn new(engine: Arc<Engine>, sources: load::Sources) -> Result<Self, Refused> {
        let modules = Modules::new(engine)?;
        Ok(Self { modules, sources, history: History::default(), last: None, next: 1 })
    }

    /// Returns what was in force, the newest last.
    pub fn past(&self) -> Vec<Past> {
        self.history.past()
    }

    /// Makes a generation of a configuration and a catalogue.
    pub async fn make(&mut self, loaded: &load::Loaded, catalog: Arc<Catalog>) -> Result<Generation, Refused> {
        let steps = Steps::default();
        let blueprint = self.modules.blueprint(loaded, catalog, Arc::default(), &steps).await?;
        self.build(blueprint, &[], Cause::Start, &steps).await
    }

    /// Makes a generation that can decide what was `recorded`, and notes its recipe if
    /// it is another than the last.
    async fn build(
        &mut self,
        mut blueprint: Blueprint,
        recorded: &[Arc<Record>],
        cause: Cause,
        steps: &Steps,
    ) -> Result<Generation, Refused> {
        let is_new = self.last.as_ref().is_none_or(|last| !last.is_same_recipe(&blueprint));
        if let Some(last) = self.last.as_ref().filter(|_| !is_new) {
            blueprint.trial = Arc::clone(&last.trial);
        }
        if self.last.is_none() {
            // Without anything to go back to there is nothing to decide by a trial.
            blueprint.trial = Arc::new(Trial::passed());
        }
        blueprint.last_good = self.history.last_good(&blueprint);
        let generation = Generation::build(blueprint.clone(), self.next, recorded, steps).await?;
        self.next += 1;
        if is_new {
            let changed = self.history.changed_by(&blueprint);
            self.history.begin(&blueprint, Past::begun(&generation, cause.as_str(), changed, now_ms()));
        }
        self.last = Some(blueprint);
        Ok(generation)
    }

    /// Makes generations until the router stops.
    pub async fn run(
        mut self,
        current: Arc<Current>,
        ledger: Arc<Ledger>,
        mut loaded: load::Loaded,
        mut inbox: Inbox,
        stop: CancellationToken,
    ) {
        let (saw_change, mut changes) = watch::changes();
        let mut watch = match Watch::start(&files(&loaded), saw_change) {
            Ok(watch) => Some(watch),
            Err(error) => {
                tracing::warn!(%error, "failed to watch files; after a change, run `ollama-router policy reload`");
                None
            }
        };
        let mut catalog = Arc::clone(&current.generation().catalog);
        let mut hangup = Hangup::new();
        // What changed between the first reading and the watch was not seen.
        self.reload(&current, &mut loaded, &catalog, Cause::Start).await;
        if let Some(watch) = &mut watch {
            watch.add(&files(&loaded));
        }
        loop {
            let trial = Arc::clone(&current.generation().trial);
            let (cause, call) = tokio::select! {
                () = stop.cancelled() => return,
                Some(call) = inbox.calls.recv() => (Cause::Call, Some(call)),
                Some(()) = changes.come() => (Cause::Files, None),
                () = hangup.come() => (Cause::Signal, None),
                why = trial.failed() => {
                    self.roll_back(&current, None, why, &catalog).await;
                    continue;
                }
                Some(fresh) = inbox.catalogs.recv() => {
                    ledger.keep_only(&fresh);
                    catalog = fresh;
                    (Cause::Models, None)
                }
                now = end_of_a_model(&catalog) => {
                    catalog = Arc::new(catalog.without_over(now));
                    (Cause::Models, None)
                }
            };
            let order = call.as_ref().map_or(&Order::ReloadAll, |call| &call.order);
            let mut report = match order {
                Order::DryRun(name) => self.dry_run(&current, &loaded, &catalog, name.as_deref()).await,
                Order::RollBack(generation) => {
                    self.roll_back(&current, *generation, current::ON_CALL.to_owned(), &catalog).await
                }
                Order::Reload(name) => self.reload_named(&current, &loaded, &catalog, name).await,
                Order::ReloadAll => self.reload(&current, &mut loaded, &catalog, cause).await,
            };
            // A folder that has come since may have been written to before it was
            // watched, so everything is read once more.
            if matches!(order, Order::ReloadAll)
                && let Some(watch) = &mut watch
                && watch.add(&files(&loaded))
            {
                let again = self.reload(&current, &mut loaded, &catalog, Cause::Files).await;
                let phases = report.phases.into_iter().chain(again.phases).collect();
                report = ReloadReport { changed: report.changed || again.changed, phases, ..again };
            }
            if let Some(call) = call {
                // Who called may have gone.
                drop(call.answer.send(report));
            }
        }
    }

    /// Reads everything again, and puts it in force if it is sound and new; if
    /// somebody called for it, even what was rolled back from.
    async fn reload(
        &mut self,
        current: &Current,
        loaded: &mut load::Loaded,
        catalog: &Arc<Catalog>,
        cause: Cause,
    ) -> ReloadReport {
        if cause == Cause::Call {
            self.history.release();
        }
        let (at_ms, before, steps) = (now_ms(), current.generation(), Steps::default());
        // What the start finds changed was changed since the first reading.
        let made_for = if cause == Cause::Start { Cause::Files } else { cause };
        let made = self.renew(&before, loaded, catalog, made_for, &steps).await;
        let is_refused = made.is_err();
        if let Err(refused) = &made {
            if !was_told(current, refused, at_ms) {
                tracing::warn!(%refused, cause = cause.as_str(), generation = before.number, "a change was refused, the old stays in force");
            }
            self.carry_on(current, &before, loaded, catalog, made_for).await;
        }
        let cause = if is_refused { cause } else { made_for };
        let report = self.conclude(current, made, at_ms, cause, &steps);
        if !is_refused && !report.changed {
            current.settle();
        }
        report
    }

    /// Reads the policies of one name again with their settings, and puts them in
    /// force beside the others as they are.
    async fn reload_named(
        &mut self,
        current: &Current,
        loaded: &load::Loaded,
        catalog: &Arc<Catalog>,
        name: &str,
    ) -> ReloadReport {
        self.history.release();
        let (at_ms, before, steps) = (now_ms(), current.generation(), Steps::default());
        let made = async {
            let mut fresh = self.read(&steps)?;
            fresh.move_state(loaded.state.clone());
            let blueprint = self.wanted(&before, &fresh, catalog, Some(name), &steps).await?;
            self.renewed(&before, blueprint, catalog, Cause::Call, &steps).await
        };
        let made = made.await;
        if let Err(refused) = &made {
            tracing::warn!(%refused, policy = name, "a change was refused, the old stays in force");
        }
        self.conclude(current, made, at_ms, Cause::Call, &steps)
    }

    /// Swaps in what was made, or notes why nothing was, and reports.
    fn conclude(
        &self,
        current: &Current,
        made: Result<Option<Generation>, Refused>,
        at_ms: u64,
        cause: Cause,
        steps: &Steps,
    ) -> ReloadReport {
        let (changed, refused) = match made {
            Ok(None) => (false, None),
            Ok(Some(made)) => {
                tracing::info!(
                    generation = made.number,
                    policy = made.chain.label(),
                    visible = made.visible.len(),
                    cause = cause.as_str(),
                    "a new generation is in force"
                );
                if made.visible.is_empty() && !made.catalog.models().is_empty() {
                    tracing::warn!("the policy shows no model; see its settings and the filter file");
                }
                let began = Instant::now();
                let label = made.chain.label().to_owned();
                current.swap(made, self.history.past());
                steps.of(&label).done(Phase::Swap, began);
                (true, None)
            }
            Err(refused) => {
                current.refuse(refused.clone());
                (false, Some(refused))
            }
        };
        let phases = PhaseRow::all(&steps.taken());
        let refusal = refused.as_ref().map(Refusal::of);
        if changed || refused.is_some() {
            current.note(Reloaded { at_ms, cause: cause.as_str(), changed, steps: steps.taken(), refused });
        }
        ReloadReport { changed, refused: refusal, phases, ..ReloadReport::now(&current.generation()) }
    }

    /// Returns where decisions over these models are kept: with those of the last
    /// generation, if the models are the same.
    fn records(&self, catalog: &Arc<Catalog>) -> Arc<Records> {
        let same = self.last.as_ref().filter(|last| Arc::ptr_eq(&last.catalog, catalog));
        same.map(|last| Arc::clone(&last.records)).unwrap_or_default()
    }

    /// Reads the configuration.
    fn read(&self, steps: &Steps) -> Result<load::Loaded, Refused> {
        let refuse = |error: load::Error| Refused { phase: Phase::Read, reason: error.to_string() };
        steps.of("configuration").run(Phase::Read, || load::load(&self.sources).map_err(refuse))
    }

    /// Returns what is to be made of the files: of all of them, or of those of the
    /// policies in force with this name and else of what was made last.
    async fn wanted(
        &mut self,
        before: &Generation,
        fresh: &load::Loaded,
        catalog: &Arc<Catalog>,
        name: Option<&str>,
        steps: &Steps,
    ) -> Result<Blueprint, Refused> {
        let records = self.records(catalog);
        let (Some(name), Some(last)) = (name, &self.last) else {
            return self.modules.blueprint(fresh, Arc::clone(catalog), records, steps).await;
        };
        let places = before.places_of(name);
        if places.is_empty() {
            let reason = format!("no policy in force is called {name:?}");
            return Err(Refused { phase: Phase::Read, reason });
        }
        let made = self.modules.again(&fresh.config.policy, last, &places, steps).await?;
        Ok(Blueprint { catalog: Arc::clone(catalog), records, ..made })
    }

    /// Makes a new generation of the files, unless it would decide as the one in force
    /// does.
    async fn renew(
        &mut self,
        before: &Generation,
        loaded: &mut load::Loaded,
        catalog: &Arc<Catalog>,
        cause: Cause,
        steps: &Steps,
    ) -> Result<Option<Generation>, Refused> {
        let fresh = self.read(steps)?;
        for section in sections::stale(&loaded.config, &fresh.config) {
            // Instead of nothing: it is read at the start alone.
            tracing::warn!(
                "the section `{section}` of the configuration has changed; it takes effect at the next start"
            );
        }
        *loaded = fresh;
        self.modules.move_log(loaded);
        let mut blueprint = self.wanted(before, loaded, catalog, None, steps).await?;
        match self.history.instead_of(&blueprint) {
            Some(instead) => blueprint = instead,
            None => self.history.release(),
        }
        self.renewed(before, blueprint, catalog, cause, steps).await
    }

    /// Makes a new generation, unless it would decide as the one in force does.
    async fn renewed(
        &mut self,
        before: &Generation,
        blueprint: Blueprint,
        catalog: &Arc<Catalog>,
        cause: Cause,
        steps: &Steps,
    ) -> Result<Option<Generation>, Refused> {
        let is_same = self.last.as_ref().is_some_and(|last| last.is_same_recipe(&blueprint));
        if is_same && before.vacant.is_none() && Arc::ptr_eq(&before.catalog, catalog) {
            return Ok(None);
        }
        // Over other models nothing is recorded, for models are numbers there.
        let recorded = if is_same { Vec::new() } else { blueprint.records.made(REPEATED) };
        self.build(blueprint, &recorded, cause, steps).await.map(Some)
    }
}

/// Tells whether the log has this refusal already, of the same change: one change is read
/// several times, for a folder that is replaced is seen by several events.
fn was_told(current: &Current, refused: &Refused, now_ms: u64) -> bool {
    let is_same = current.refused().is_some_and(|told| *told == *refused);
    is_same && current.last_reload().is_none_or(|last| now_ms.saturating_sub(last.at_ms) < SAME_CHANGE_MS)
}

/// Returns a queue for calls, of the length that makes sense.
pub fn calls() -> (mpsc::Sender<ReloadCall>, mpsc::Receiver<ReloadCall>) {
    mpsc::channel(QUEUE)
}
