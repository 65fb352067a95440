//! The whole router, put together: build it, serve, stop.
//!
//! Here adapters get their sections of the configuration, tasks are started, and
//! all of them are ended. A list of steps; every step is somebody else's. How connections
//! become HTTPS is in [`secured`].

mod accepted;
mod secured;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use axum::serve::ListenerExt as _;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{
        self, Api, Shared,
        access::{Access, Ends},
        kept::Kept,
        metrics::served::Served,
        origin::Origins,
    },
    app::{accepted::Accepted, secured::Secured},
    catalog::Catalog,
    config::{
        Config,
        load::{Loaded, Sources},
    },
    current::Current,
    failover::{Failover, Limits, ledger::Ledger},
    openrouter::{self, Client},
    policy::{cache::Cache, engine::Engine, generation::Generation},
    refresh::Refresh,
    reload::{self, Inbox, Reload},
    routing::Rests,
    store::Store,
    tls::Certificate,
};

/// How long streams may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long answers have to be told that they are broken off.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// How long tasks may take to end.
const TASK_GRACE: Duration = Duration::from_secs(1);

/// How long the store may take to write what is left.
const STORE_GRACE: Duration = Duration::from_secs(3);

/// How long the decision log may take.
const LOG_GRACE: Duration = Duration::from_secs(1);

/// Catalogues that may wait for their generation.
const CATALOGS: usize = 2;

/// Calls for a fresh catalogue that may wait.
const REFRESHES: usize = 4;

/// A router that is ready to serve.
pub struct App {
    router: axum::Router,
    /// With one it speaks HTTPS.
    certificate: Option<Arc<Certificate>>,
    current: Arc<Current>,
    store: Store,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Breaks off the answers that still come.
    cut: Arc<AtomicBool>,
}

impl App {
    /// Builds a router of its configuration, and of the sources to read it anew.
    ///
    /// Fetches the catalogue if there is no copy of it; without either it starts
    /// with no models, and goes on trying. A certificate that cannot be served is a
    /// `tls::Error`, before anything else is tried.
    pub async fn build(loaded: Loaded, sources: Sources, simulated: bool) -> anyhow::Result<Self> {
        let config = &loaded.config;
        let certificate = Certificate::open(&config.server).context("cannot serve HTTPS")?;
        let client = client(config)?;
        let mut refresh = refresh(&loaded)?;
        if refresh.last().models().is_empty()
            && let Err(failure) = refresh.fetch().await
        {
            tracing::warn!("starting without models, for there is no list of them: {}", failure.message);
        }
        let engine = Engine::new(cache(&loaded.state))
            .map_err(|error| anyhow!("failed to start the policy engine: {error:#}"))?;
        let mut reload = Reload::new(engine, sources).context("the embedded policy cannot be used")?;
        let (first, refused) = reload.first(&loaded, refresh.last()).await.context("no policy can be put in force")?;
        if first.visible.is_empty() && !first.catalog.models().is_empty() {
            tracing::warn!("the policy shows no model; see its settings and the filter file");
        }
        let current = Arc::new(Current::new(first, reload.past()));
        if let Some(refused) = refused {
            current.refuse(refused);
        }

        let (store, ledger) = ledger(&loaded);
        let (calls, inbox_calls) = reload::calls();
        let (catalogs, inbox_catalogs) = mpsc::channel(CATALOGS);
        let (refreshes, refresh_calls) = mpsc::channel(REFRESHES);
        let freshness = refresh.freshness();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(stop.clone().run_until_cancelled_owned(refresh.run(catalogs, refresh_calls)));
        let inbox = Inbox { calls: inbox_calls, catalogs: inbox_catalogs };
        if let Some(certificate) = certificate.clone() {
            tasks.spawn(stop.clone().run_until_cancelled_owned(reload::certificate::run(certificate)));
        }
        tasks.spawn(reload.run(Arc::clone(&current), Arc::clone(&ledger), loaded.clone(), inbox, stop.clone()));

        let failover = Failover::new(client, ledger, limits(config));
        tasks.spawn(stop.clone().run_until_cancelled_owned(failover.inquiry()));
        let cut = Arc::<AtomicBool>::default();
        let api = Api::new(Shared {
            failover,
            current: Arc::clone(&current),
            reloads: calls,
            refreshes,
            freshness,
            folder: loaded.state.clone(),
            access: Access {
                allow: config.server.allow.clone(),
                client_keys: config.server.client_keys.clone(),
                admin_key: config.server.admin_key.clone(),
            },
            origins: Origins {
                allowed: config.server.origins.clone(),
                loopback: config.server.host.is_loopback(),
                hostname: gethostname::gethostname().to_string_lossy().into_owned(),
            },
            version: config.server.version.clone(),
            max_body: config.server.max_body.bytes(),
            upstream: config.openrouter.base_url.as_str().to_owned(),
            simulated,
            started: Instant::now(),
            served: Served::default(),
            cut: Arc::clone(&cut),
            tags: Kept::default(),
            models: Kept::default(),
            recall: Arc::default(),
        });
        Ok(Self { router: api::router(api), certificate, current, store, tasks, stop, cut })
    }

    /// Returns what is in force, for those who wait for a change.
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current)
    }

    /// Serves until `shutdown`, then lets streams end within their grace, cuts
    /// the rest, and writes down what is remembered.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let stopping = stop.clone();
        self.tasks.spawn(async move {
            shutdown.await;
            stopping.cancel();
        });
        let listener = Accepted::new(listener)?;
        let service = self.router.into_make_service_with_connect_info::<Ends>();
        let tls = self.certificate.as_ref().map(Certificate::server).transpose()?;
        let stopped = stop.clone().cancelled_owned();
        // Nothing is to be done to each, but of a tapped listener axum tells both ends.
        let served = async {
            match tls {
                None => axum::serve(listener.tap_io(|_| {}), service).with_graceful_shutdown(stopped).await,
                Some(tls) => {
                    axum::serve(Secured::new(listener, tls).tap_io(|_| {}), service)
                        .with_graceful_shutdown(stopped)
                        .await
                }
            }
        };
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
            self.cut.store(true, Ordering::Relaxed);
            // Time for the words that tell of it.
            tokio::time::sleep(CUT_GRACE).await;
        };
        tokio::select! {
            served = served => served.context("failed to serve")?,
            () = late => tracing::warn!("some answers were not finished within {} s and are cut", GRACE.as_secs()),
        }
        stop.cancel();
        self.tasks.close();
        // A fetch in progress is not worth waiting for.
        drop(tokio::time::timeout(TASK_GRACE, self.tasks.wait()).await);
        let (store, log) = (self.store, self.current.generation().log.clone());
        let dropped = log.dropped();
        let written = move || (log.flush(LOG_GRACE), store.close(STORE_GRACE));
        let (decisions, failures) = tokio::task::spawn_blocking(written).await.unwrap_or((false, false));
        if !decisions {
            tracing::warn!("the last decisions could not be written to policy.decision_log");
        }
        if dropped > 0 {
            tracing::warn!(dropped, "decisions are missing in policy.decision_log, which could not keep up");
        }
        if !failures {
            tracing::warn!("the last failures could not be written to the database");
        }
        Ok(())
    }
}

/// Makes a generation without serving: of the copy of the catalogue, or else of
/// one fetched now.
pub async fn offline(loaded: Loaded) -> anyhow::Result<Generation> {
    let mut refresh = refresh(&loaded)?;
    if refresh.last().models().is_empty() {
        refresh.fetch().await.map_err(|failure| anyhow!("{}", failure.message))?;
    }
    let kept = cache(&loaded.state);
    generation(&loaded, refresh.last(), kept).await
}

/// Makes a generation of a catalogue that is here, and changes nothing on disk.
pub async fn rehearse(loaded: &Loaded, catalog: Arc<Catalog>) -> anyhow::Result<Generation> {
    generation(loaded, catalog, None).await
}

/// Returns the client of the configured upstream.
pub fn client(config: &Config) -> anyhow::Result<Client> {
    let section = &config.openrouter;
    let settings = openrouter::Settings {
        base_url: section.base_url.as_str().to_owned(),
        api_keys: section.keys().into_iter().map(|key| key.expose().to_owned()).collect(),
        referer: section.referer.clone(),
        title: section.title.clone(),
        connect_timeout: config.failover.connect_timeout.duration(),
        idle_timeout: config.failover.idle_timeout.duration(),
    };
    Client::new(&settings).with_context(|| format!("cannot set up calls to {}", settings.base_url))
}

/// Returns what fetches the catalogue and keeps the copy; starts nothing.
pub fn refresh(loaded: &Loaded) -> anyhow::Result<Refresh> {
    let config = &loaded.config;
    let ttl = config.cache.ttl_hours.duration();
    Ok(Refresh::new(client(config)?, &loaded.state, config.openrouter.base_url.as_str(), ttl))
}

async fn generation(loaded: &Loaded, catalog: Arc<Catalog>, kept: Option<Cache>) -> anyhow::Result<Generation> {
    let engine = Engine::new(kept).map_err(|error| anyhow!("failed to start the policy engine: {error:#}"))?;
    let mut reload = Reload::new(engine, Sources::default()).context("the embedded policy cannot be used")?;
    reload.make(loaded, catalog).await.context("the policy cannot be used")
}

fn cache(folder: &Path) -> Option<Cache> {
    let folder = folder.join("cache");
    Cache::open(&folder)
        .inspect_err(|error| {
            let folder = folder.display();
            tracing::warn!(
                %error,
                "no cache of compiled policies in {folder}, and starts take longer; let the user that runs the \
                 router write there (`chmod -R u+rwX {folder}`, or `chown -R`)"
            );
        })
        .ok()
}

fn ledger(loaded: &Loaded) -> (Store, Arc<Ledger>) {
    let opened = Store::open(&loaded.database);
    for warning in &opened.warnings {
        tracing::warn!("{warning}");
    }
    let rests = limits(&loaded.config).rests;
    let ledger = Ledger::new(rests, opened.store.clone(), opened.healths, opened.account);
    (opened.store, Arc::new(ledger))
}

fn limits(config: &Config) -> Limits {
    let failover = &config.failover;
    Limits {
        max_attempts: failover.max_attempts.get(),
        deadline: failover.deadline.duration(),
        first_token: failover.first_token_timeout.duration(),
        requests_per_minute: failover.requests_per_minute,
        max_repeats: failover.max_repeats,
        rests: Rests {
            failure: failover.failure_cooldown_minutes.duration(),
            rate_limit: failover.ratelimit_cooldown_minutes.duration(),
        },
    }
}
