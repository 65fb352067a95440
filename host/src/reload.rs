//! Makes generations: of files that changed, of catalogues that came, on call.
//!
//! One task owns what a generation is made of. Whatever the cause, everything is
//! read again, a whole new generation is made and checked beside the one in
//! force, and only then swapped in; any failure leaves the old one and says why.
//! Requests never wait for it. What it waits for beside calls and files is in
//! `causes`, what it reads in `modules`, what was in force before in `history`.

mod causes;
mod history;
mod modules;
mod watch;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    api::admin::wire::policy::{DryRun, Order, Refusal, ReloadCall, ReloadReport},
    catalog::Catalog,
    config::{Config, load, value::OnError},
    current::{Current, Past},
    failover::ledger::{Ledger, now_ms},
    policy::{
        Phase, Refused,
        engine::Engine,
        generation::{Blueprint, Generation, Part, Source},
        records::Records,
        trial::Trial,
    },
    reload::{
        causes::{Hangup, end_of_a_model},
        history::History,
        modules::{Modules, files},
        watch::Watch,
    },
};

/// Calls and changes that may wait; more say nothing new.
const QUEUE: usize = 16;

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
        let blueprint = self.modules.blueprint(loaded, catalog, Arc::default()).await?;
        self.build(blueprint).await
    }

    /// Makes a generation, and notes its recipe if it is another than the last.
    async fn build(&mut self, mut blueprint: Blueprint) -> Result<Generation, Refused> {
        let is_new = self.last.as_ref().is_none_or(|last| !last.is_same_recipe(&blueprint));
        if let Some(last) = self.last.as_ref().filter(|_| !is_new) {
            blueprint.trial = Arc::clone(&last.trial);
        }
        if self.last.is_none() {
            // Without anything to go back to there is nothing to decide by a trial.
            blueprint.trial = Arc::new(Trial::passed());
        }
        blueprint.last_good = self.history.last_good(&blueprint);
        let generation = Generation::build(blueprint.clone(), self.next).await?;
        self.next += 1;
        if is_new {
            self.history.begin(&blueprint, Past::begun(&generation, now_ms()));
        }
        self.last = Some(blueprint);
        Ok(generation)
    }

    /// Makes the first generation: the operator's policy, or if that is refused,
    /// the embedded one, so that the router runs and says what is wrong. With
    /// `policy.on_error: deny` it lists models, but decides nothing.
    pub async fn first(
        &mut self,
        loaded: &load::Loaded,
        catalog: Arc<Catalog>,
    ) -> Result<(Generation, Option<Refused>), Refused> {
        self.modules.move_log(loaded);
        let refused = match self.make(loaded, Arc::clone(&catalog)).await {
            Ok(generation) => return Ok((generation, None)),
            Err(refused) if is_embedded_alone(&loaded.config) => return Err(refused),
            Err(refused) => refused,
        };
        let deny = loaded.config.policy.on_error == OnError::Deny;
        let meanwhile = if deny { "requests are refused" } else { "the embedded one decides" };
        tracing::error!(%refused, "the policy cannot be used; {meanwhile} until it is mended");
        let mut without = loaded.clone();
        without.config.policy = crate::config::Policy::default();
        let mut stand_in = self.make(&without, catalog).await?;
        stand_in.vacant = deny.then(|| refused.clone());
        Ok((stand_in, Some(refused)))
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
        let (saw_change, mut changes) = mpsc::channel(1);
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
        self.reload(&current, &mut loaded, &catalog, false).await;
        if let Some(watch) = &mut watch {
            watch.add(&files(&loaded));
        }
        loop {
            let trial = Arc::clone(&current.generation().trial);
            let call = tokio::select! {
                () = stop.cancelled() => return,
                Some(call) = inbox.calls.recv() => Some(call),
                Some(()) = changes.recv() => None,
                () = hangup.come() => None,
                why = trial.failed() => {
                    self.roll_back(&current, None, why, &catalog).await;
                    continue;
                }
                Some(fresh) = inbox.catalogs.recv() => {
                    ledger.keep_only(&fresh);
                    catalog = fresh;
                    None
                }
                now = end_of_a_model(&catalog) => {
                    catalog = Arc::new(catalog.without_over(now));
                    None
                }
            };
            let order = call.as_ref().map(|call| call.order);
            let mut report = match order {
                Some(Order::DryRun) => self.dry_run(&current, &loaded, &catalog).await,
                Some(Order::RollBack(generation)) => {
                    self.roll_back(&current, generation, "an operator asked for it".to_owned(), &catalog).await
                }
                Some(Order::Reload) | None => self.reload(&current, &mut loaded, &catalog, order.is_some()).await,
            };
            // A folder that has come since may have been written to before it was
            // watched, so everything is read once more.
            if matches!(order, Some(Order::Reload) | None)
                && let Some(watch) = &mut watch
                && watch.add(&files(&loaded))
            {
                let again = self.reload(&current, &mut loaded, &catalog, false).await;
                report = ReloadReport { changed: report.changed || again.changed, ..again };
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
        called: bool,
    ) -> ReloadReport {
        let before = current.generation();
        if called {
            self.history.release();
        }
        let (changed, refused) = match self.renew(&before, loaded, catalog).await {
            Ok(None) => {
                current.settle();
                (false, None)
            }
            Ok(Some(made)) => {
                tracing::info!(
                    generation = made.number,
                    policy = made.chain.label(),
                    visible = made.visible.len(),
                    "a new generation is in force"
                );
                if made.visible.is_empty() && !made.catalog.models().is_empty() {
                    tracing::warn!("the policy shows no model; see its settings and the filter file");
                }
                current.swap(made, self.history.past());
                (true, None)
            }
            Err(refused) => {
                tracing::warn!(%refused, generation = before.number, "a change was refused, the old stays in force");
                self.carry_on(current, &before, loaded, catalog).await;
                let refusal = Refusal::of(&refused);
                current.refuse(refused);
                (false, Some(refusal))
            }
        };
        ReloadReport { changed, refused, ..ReloadReport::now(&current.generation()) }
    }

    /// Puts an earlier recipe in force again, over the models of now: that of a
    /// generation, or else the last good one. What the files say is held back until
    /// they change, or somebody calls for a reload.
    async fn roll_back(
        &mut self,
        current: &Current,
        generation: Option<u64>,
        why: String,
        catalog: &Arc<Catalog>,
    ) -> ReloadReport {
        let before = current.generation();
        let refuse = |reason: String| {
            let refusal = Refusal { phase: "rollback".to_owned(), reason };
            ReloadReport { refused: Some(refusal), ..ReloadReport::now(&before) }
        };
        let Some(earlier) = self.history.earlier(generation) else {
            let reason = match generation {
                Some(number) => {
                    format!("generation {number} is in force, or not among those that are kept: see `policy history`")
                }
                None => "no other policy or settings were in force before, since the router started".to_owned(),
            };
            tracing::warn!(generation = before.number, %why, "cannot roll back: {reason}");
            return refuse(reason);
        };
        let (records, trial) = (self.records(catalog), Arc::new(Trial::passed()));
        let blueprint = Blueprint { catalog: Arc::clone(catalog), records, trial, ..earlier };
        self.history.give_up(why.clone());
        match self.build(blueprint).await {
            Ok(made) => {
                tracing::warn!(
                    from = before.number,
                    generation = made.number,
                    policy = made.chain.label(),
                    "rolled back: {why}"
                );
                current.swap(made, self.history.past());
                ReloadReport { changed: true, ..ReloadReport::now(&current.generation()) }
            }
            Err(refused) => {
                self.history.keep_on();
                tracing::error!(%refused, "cannot roll back");
                refuse(refused.to_string())
            }
        }
    }

    /// Makes what the files say without putting it in force, and tells how it would
    /// have decided on the last decisions.
    async fn dry_run(&mut self, current: &Current, loaded: &load::Loaded, catalog: &Arc<Catalog>) -> ReloadReport {
        let before = current.generation();
        match self.try_out(loaded, catalog).await {
            Ok(made) => {
                let dry_run = DryRun::of(&before, &made).await;
                ReloadReport { dry_run: Some(dry_run), ..ReloadReport::now(&before) }
            }
            Err(refused) => {
                let dry_run = Some(DryRun::default());
                ReloadReport { refused: Some(Refusal::of(&refused)), dry_run, ..ReloadReport::now(&before) }
            }
        }
    }

    async fn try_out(&mut self, loaded: &load::Loaded, catalog: &Arc<Catalog>) -> Result<Generation, Refused> {
        let mut fresh = self.read()?;
        fresh.move_state(loaded.state.clone());
        let blueprint = self.modules.blueprint(&fresh, Arc::clone(catalog), Arc::default()).await?;
        Generation::build(blueprint, self.next).await
    }

    /// Returns where decisions over these models are kept: with those of the last
    /// generation, if the models are the same.
    fn records(&self, catalog: &Arc<Catalog>) -> Arc<Records> {
        let same = self.last.as_ref().filter(|last| Arc::ptr_eq(&last.catalog, catalog));
        same.map(|last| Arc::clone(&last.records)).unwrap_or_default()
    }

    fn read(&self) -> Result<load::Loaded, Refused> {
        load::load(&self.sources).map_err(|error| Refused { phase: Phase::Read, reason: error.to_string() })
    }

    /// Keeps what is in force up to date although a change was refused: a bad
    /// policy must not keep the models from being fresh, nor a policy that was
    /// good from being replaced by the embedded one if it fails over new models.
    async fn carry_on(
        &mut self,
        current: &Current,
        before: &Generation,
        loaded: &load::Loaded,
        catalog: &Arc<Catalog>,
    ) {
        let deny = loaded.config.policy.on_error == OnError::Deny;
        let lifted = before.vacant.is_some() && !deny;
        let Some(last) = self.last.clone().filter(|_| lifted || !Arc::ptr_eq(&before.catalog, catalog)) else { return };
        let blueprint = Blueprint { catalog: Arc::clone(catalog), records: self.records(catalog), ..last };
        let (made, vacant) = match self.build(blueprint.clone()).await {
            Ok(made) => (Ok(made), before.vacant.clone().filter(|_| deny)),
            Err(refused) => {
                let part = Part {
                    code: blueprint.embedded.clone(),
                    source: Source::Embedded,
                    settings: serde_json::Map::new(),
                    limits: blueprint.chain.first().map(|part| part.limits).unwrap_or_default(),
                };
                let stand_in = Blueprint { chain: vec![part], shadow: None, ..blueprint };
                (self.build(stand_in).await, deny.then_some(refused))
            }
        };
        match made {
            Ok(mut made) => {
                made.vacant = vacant;
                tracing::info!(
                    generation = made.number,
                    policy = made.chain.label(),
                    "the models are fresh all the same"
                );
                current.swap(made, self.history.past());
            }
            Err(refused) => tracing::error!(%refused, "the embedded policy cannot be used with the new models"),
        }
    }

    /// Makes a new generation, unless it would decide as the one in force does.
    async fn renew(
        &mut self,
        before: &Generation,
        loaded: &mut load::Loaded,
        catalog: &Arc<Catalog>,
    ) -> Result<Option<Generation>, Refused> {
        let fresh = self.read()?;
        tell_of_restart(&loaded.config, &fresh.config);
        *loaded = fresh;
        self.modules.move_log(loaded);
        let records = self.records(catalog);
        let mut blueprint = self.modules.blueprint(loaded, Arc::clone(catalog), Arc::clone(&records)).await?;
        match self.history.instead_of(&blueprint) {
            Some(instead) => blueprint = instead,
            None => self.history.release(),
        }
        let is_same = self.last.as_ref().is_some_and(|last| last.is_same_recipe(&blueprint));
        if is_same && before.vacant.is_none() && Arc::ptr_eq(&before.catalog, catalog) {
            return Ok(None);
        }
        self.build(blueprint).await.map(Some)
    }
}

/// Returns a queue for calls, of the length that makes sense.
pub fn calls() -> (mpsc::Sender<ReloadCall>, mpsc::Receiver<ReloadCall>) {
    mpsc::channel(QUEUE)
}

/// Tells whether nothing is in force but the policy in the program, so that there
/// is none that could stand in for it.
fn is_embedded_alone(config: &Config) -> bool {
    config.policy.module.is_none() && config.policy.chain.iter().all(|module| module.file.is_none())
}

/// Some settings are read at the start alone: says so, instead of nothing.
fn tell_of_restart(old: &Config, new: &Config) {
    let fixed = [
        ("openrouter", old.openrouter != new.openrouter),
        ("server", old.server != new.server),
        ("failover", old.failover != new.failover),
        ("cache", old.cache != new.cache),
        ("store", old.store != new.store),
        ("logging", old.logging != new.logging),
    ];
    for (section, _) in fixed.iter().filter(|(_, changed)| *changed) {
        tracing::warn!("the section `{section}` of the configuration has changed; it takes effect at the next start");
    }
}
