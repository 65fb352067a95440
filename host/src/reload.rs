//! Makes generations: of files that changed, of catalogues that came, on call.
//!
//! One task owns what a generation is made of. Whatever the cause, everything is
//! read again, a whole new generation is made and checked beside the one in
//! force, and only then swapped in; any failure leaves the old one and says why.
//! Requests never wait for it.

mod watch;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    api::admin::wire::{Refusal, ReloadCall, ReloadReport},
    catalog::{Catalog, names::Unknown},
    config::{
        Config, load,
        value::{OnError, UnknownModel},
    },
    current::Current,
    failover::ledger::{Ledger, now_ms},
    policy::{
        EMBEDDED, Phase, Refused,
        component::{self, Code},
        engine::Engine,
        generation::{self, Blueprint, Generation, Settings, Source},
        limits::Limits,
    },
    reload::watch::Watch,
};

/// The clock is looked at again after this.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Calls and changes that may wait; more say nothing new.
const QUEUE: usize = 16;

/// Makes the generations of a router.
pub struct Reload {
    engine: Arc<Engine>,
    embedded: Code,
    sources: load::Sources,
    /// The operator's module as it was compiled last, by its digest.
    compiled: Option<Code>,
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
        let embedded = component::compile(&engine, EMBEDDED)?;
        Ok(Self { engine, embedded, sources, compiled: None, last: None, next: 1 })
    }

    /// Makes a generation of a configuration and a catalogue.
    pub async fn make(&mut self, loaded: &load::Loaded, catalog: Arc<Catalog>) -> Result<Generation, Refused> {
        let blueprint = self.blueprint(loaded, catalog).await?;
        self.build(blueprint).await
    }

    async fn build(&mut self, blueprint: Blueprint) -> Result<Generation, Refused> {
        let generation = Generation::build(blueprint.clone(), self.next).await?;
        self.next += 1;
        self.last = Some(blueprint);
        Ok(generation)
    }

    /// Reads all that a generation is made of; compiles the module if it is new.
    ///
    /// Takes as long as compiling does; runs on the policies' threads.
    async fn blueprint(&mut self, loaded: &load::Loaded, catalog: Arc<Catalog>) -> Result<Blueprint, Refused> {
        let config = &loaded.config;
        let filter = load::load_filter(&loaded.folder)
            .map_err(|error| Refused { phase: Phase::Read, reason: error.to_string() })?;
        let (code, source) = match &config.policy.module {
            None => (self.embedded.clone(), Source::Embedded),
            Some(path) => (self.module(path.clone(), config.policy.sha256.clone()).await?, Source::File(path.clone())),
        };
        Ok(Blueprint {
            code,
            source,
            embedded: self.embedded.clone(),
            settings: Settings {
                free_mode: config.mode.free_mode,
                tool_use_only: config.mode.tool_use_only,
                filter,
                own: config.policy.settings.clone(),
            },
            limits: Limits { time: config.policy.limits.time.duration(), memory: config.policy.limits.memory.bytes() },
            on_error: match config.policy.on_error {
                OnError::Fallback => generation::OnError::Fallback,
                OnError::Deny => generation::OnError::Deny,
            },
            unknown: match config.mode.unknown_model {
                UnknownModel::Gone => Unknown::Gone,
                UnknownModel::Auto => Unknown::Auto,
                UnknownModel::Reject => Unknown::Reject,
            },
            catalog,
        })
    }

    /// Makes the first generation: the operator's policy, or if that is refused,
    /// the embedded one, so that the router runs and says what is wrong. With
    /// `policy.on_error: deny` it lists models, but decides nothing.
    pub async fn first(
        &mut self,
        loaded: &load::Loaded,
        catalog: Arc<Catalog>,
    ) -> Result<(Generation, Option<Refused>), Refused> {
        let refused = match self.make(loaded, Arc::clone(&catalog)).await {
            Ok(generation) => return Ok((generation, None)),
            Err(refused) if loaded.config.policy.module.is_none() => return Err(refused),
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
        self.reload(&current, &mut loaded, &catalog).await;
        if let Some(watch) = &mut watch {
            watch.add(&files(&loaded));
        }
        loop {
            let call = tokio::select! {
                () = stop.cancelled() => return,
                Some(call) = inbox.calls.recv() => Some(call),
                Some(()) = changes.recv() => None,
                () = hangup.come() => None,
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
            let mut report = self.reload(&current, &mut loaded, &catalog).await;
            // A folder that has come since may have been written to before it was
            // watched, so everything is read once more.
            if let Some(watch) = &mut watch
                && watch.add(&files(&loaded))
            {
                let again = self.reload(&current, &mut loaded, &catalog).await;
                report = ReloadReport { changed: report.changed || again.changed, ..again };
            }
            if let Some(call) = call {
                // Who called may have gone.
                drop(call.send(report));
            }
        }
    }

    /// Reads everything again, and puts it in force if it is sound and new.
    async fn reload(&mut self, current: &Current, loaded: &mut load::Loaded, catalog: &Arc<Catalog>) -> ReloadReport {
        let before = current.generation();
        let (changed, refused) = match self.renew(&before, loaded, catalog).await {
            Ok(None) => {
                current.settle();
                (false, None)
            }
            Ok(Some(made)) => {
                tracing::info!(
                    generation = made.number,
                    policy.name = %made.policy.name,
                    policy.version = %made.policy.version,
                    visible = made.visible.len(),
                    "a new generation is in force"
                );
                if made.visible.is_empty() && !made.catalog.models().is_empty() {
                    tracing::warn!("the policy shows no model; see its settings and the filter file");
                }
                current.swap(made);
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
        let now = current.generation();
        ReloadReport {
            changed,
            generation: now.number,
            policy: now.policy.name.clone(),
            version: now.policy.version.clone(),
            refused,
        }
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
        let blueprint = Blueprint { catalog: Arc::clone(catalog), ..last };
        let (made, vacant) = match self.build(blueprint.clone()).await {
            Ok(made) => (Ok(made), before.vacant.clone().filter(|_| deny)),
            Err(refused) => {
                let settings = Settings { own: serde_json::Map::new(), ..blueprint.settings.clone() };
                let code = blueprint.embedded.clone();
                let stand_in = Blueprint { code, source: Source::Embedded, settings, ..blueprint };
                (self.build(stand_in).await, deny.then_some(refused))
            }
        };
        match made {
            Ok(mut made) => {
                made.vacant = vacant;
                tracing::info!(generation = made.number, policy.name = %made.policy.name, "the models are fresh all the same");
                current.swap(made);
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
        let fresh =
            load::load(&self.sources).map_err(|error| Refused { phase: Phase::Read, reason: error.to_string() })?;
        tell_of_restart(&loaded.config, &fresh.config);
        *loaded = fresh;
        let blueprint = self.blueprint(loaded, Arc::clone(catalog)).await?;
        if same(before, &blueprint) {
            return Ok(None);
        }
        self.build(blueprint).await.map(Some)
    }

    /// Reads and compiles the operator's module, unless it is the same as before.
    async fn module(&mut self, path: PathBuf, pin: Option<String>) -> Result<Code, Refused> {
        let engine = Arc::clone(&self.engine);
        let known = self.compiled.take();
        let compiled = self.engine.blocking(move || {
            let bytes = component::read(&path, pin.as_deref())?;
            match known.filter(|code| code.digest() == component::digest(&bytes)) {
                Some(code) => Ok(code),
                None => component::compile(&engine, &bytes),
            }
        });
        let code = compiled.await?;
        self.compiled = Some(code.clone());
        Ok(code)
    }
}

/// Resolves when the last day of a model is over, with the time: an old catalogue
/// must not offer it any more.
async fn end_of_a_model(catalog: &Catalog) -> u64 {
    let Some(end) = catalog.next_end() else { return std::future::pending().await };
    loop {
        let now = now_ms() / 1000;
        if end <= now {
            return now;
        }
        // The clock may be set meanwhile, and a sleep does not know.
        tokio::time::sleep(Duration::from_secs(end - now).min(LONGEST_SLEEP)).await;
    }
}

/// The signal that asks servers to read their configuration again.
struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    fn new() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Resolves when it comes; never, where there is none.
    async fn come(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Returns a queue for calls, of the length that makes sense.
pub fn calls() -> (mpsc::Sender<ReloadCall>, mpsc::Receiver<ReloadCall>) {
    mpsc::channel(QUEUE)
}

/// Whether a generation would decide as the one in force does.
fn same(old: &Generation, new: &Blueprint) -> bool {
    old.vacant.is_none()
        && old.policy.digest == new.code.digest()
        && old.policy.source == new.source
        && old.settings == new.settings
        && (old.unknown, old.limits, old.on_error) == (new.unknown, new.limits, new.on_error)
        && Arc::ptr_eq(&old.catalog, &new.catalog)
}

/// The files from which a generation is made.
fn files(loaded: &load::Loaded) -> Vec<PathBuf> {
    let mut files = vec![loaded.file.clone(), loaded.folder.join("models-filter").join("filter")];
    files.extend(loaded.config.policy.module.clone());
    files.extend(loaded.config.policy.settings_file.clone());
    // A link is watched on both ends, and so is one to a folder above.
    let above = files.iter().flat_map(|file| file.ancestors().skip(1)).filter(|folder| folder.is_symlink());
    let above: Vec<PathBuf> = above.map(PathBuf::from).collect();
    files.extend(above);
    let targets: Vec<PathBuf> = files.iter().filter_map(|file| file.canonicalize().ok()).collect();
    files.extend(targets);
    files
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
