//! Keeps the catalogue fresh: at the start, and before it grows old.
//!
//! Fetches, reads, keeps a copy, and hands a whole new catalogue on; whoever
//! receives it makes a generation of it. A fetch that fails leaves the last good
//! catalogue in force. Knows nothing of policies.

mod copy;
pub mod kept;

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

pub use self::copy::catalog_of;
use crate::{
    api::admin::wire::catalog::{Failed, Freshness, RefreshCall},
    catalog::{Catalog, Model, change::Change},
    clock::now_ms,
    openrouter::{Client, models},
    refresh::copy::Copy,
    routing::{Failure, FailureKind},
};

/// The pause after a fetch that failed; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// OpenRouter answers from a cache of five minutes; asking more often is idle.
const SHORTEST_TTL: Duration = Duration::from_mins(5);

/// Fetches catalogues.
pub struct Refresh {
    client: Client,
    copy: Copy,
    ttl: Duration,
    last: Arc<Catalog>,
    /// Whether it was fetched by this process, and is no copy of unknown age.
    fetched: bool,
    /// The last good list of embedding models, as it came; there may be none.
    embeddings: Option<Bytes>,
    freshness: watch::Sender<Freshness>,
    /// Why the last catalogue could not be kept on disk, if it could not.
    unkept: Option<String>,
}

impl Refresh {
    /// Begins with the copy in `folder`, if there is one of this upstream.
    ///
    /// Blocks while it reads.
    pub fn new(client: Client, folder: &Path, upstream: &str, ttl: Duration) -> Self {
        let copy = Copy::new(folder, upstream);
        let (last, embeddings) = copy.read(seconds()).unwrap_or_default();
        Self {
            client,
            copy,
            ttl: ttl.max(SHORTEST_TTL),
            last: Arc::new(last),
            fetched: false,
            embeddings,
            freshness: watch::Sender::default(),
            unkept: None,
        }
    }

    /// Returns the last good catalogue; empty if there never was one.
    pub fn last(&self) -> Arc<Catalog> {
        Arc::clone(&self.last)
    }

    /// Returns when it fetches next, and why the last fetch failed.
    pub fn freshness(&self) -> watch::Receiver<Freshness> {
        self.freshness.subscribe()
    }

    /// Returns why the last catalogue could not be kept on disk, if it could not.
    pub fn unkept(&self) -> Option<&str> {
        self.unkept.as_deref()
    }

    /// Fetches now, keeps what came, and notes how it went.
    pub async fn fetch(&mut self) -> Result<Arc<Catalog>, Failure> {
        let fetched = self.take().await;
        let failed = fetched.as_ref().err().map(|failure| Failed { at: seconds(), why: failure.message.clone() });
        self.freshness.send_modify(|freshness| freshness.failed = failed);
        fetched
    }

    /// Embedding models have a list of their own; without it the last one stays,
    /// and all else is as fresh as it can be.
    async fn take(&mut self) -> Result<Arc<Catalog>, Failure> {
        let (body, embeddings) = tokio::join!(self.client.models(), self.client.embedding_models());
        let body = body?;
        let mut found = read(&body)?;
        if found.is_empty() {
            return Err(Failure::new(FailureKind::BadAnswer, "the list of models is empty"));
        }
        match embeddings.and_then(|list| Ok((read(&list)?, list))) {
            Ok((embedders, list)) => {
                found.extend(embedders);
                self.embeddings = Some(list);
            }
            Err(failure) => {
                tracing::warn!(
                    failure.kind = %failure.kind,
                    "failed to fetch the list of embedding models, the last one stays: {}",
                    failure.message
                );
                found.extend(self.embeddings.iter().filter_map(|list| read(list).ok()).flatten());
            }
        }
        let catalog = Catalog::new(found, copy::formerly(&self.last), seconds());
        let changed = Change::between(&self.last, &catalog).map(Arc::new);
        let catalog = catalog.with_change(changed.or_else(|| self.last.changed().cloned()));
        let kept = self.copy.write(&body, self.embeddings.as_deref(), &catalog);
        self.unkept = kept.as_ref().err().map(ToString::to_string);
        if let Err(error) = kept {
            tracing::warn!(
                %error,
                "failed to keep the list of models in {}, and a start without network will have none; make the folder \
                 writable, or free some space",
                self.copy.folder().display()
            );
        }
        self.last = Arc::new(catalog);
        self.fetched = true;
        Ok(self.last())
    }

    /// Fetches whenever the catalogue grows old, or when somebody calls for it, and
    /// sends each on.
    ///
    /// Runs until nobody receives any more, or nobody can call.
    pub async fn run(mut self, send: mpsc::Sender<Arc<Catalog>>, mut calls: mpsc::Receiver<RefreshCall>) {
        let mut pause = FIRST_PAUSE;
        // A copy is used at once and checked at once; what was just fetched, later.
        let mut wait = if self.fetched { self.ttl } else { self.age_left() };
        loop {
            self.freshness.send_modify(|freshness| freshness.due = Some(seconds() + wait.as_secs()));
            let call = tokio::select! {
                () = tokio::time::sleep(wait) => None,
                call = calls.recv() => match call {
                    Some(call) => Some(call),
                    None => return,
                },
            };
            let fetched = self.fetch().await;
            wait = match &fetched {
                Ok(catalog) => {
                    tracing::info!(models = catalog.models().len(), "the catalogue is fresh");
                    if send.send(Arc::clone(catalog)).await.is_err() {
                        return;
                    }
                    pause = FIRST_PAUSE;
                    self.ttl
                }
                Err(failure) => {
                    tracing::warn!(
                        failure.kind = %failure.kind,
                        retry_s = pause.as_secs(),
                        "failed to fetch the list of models, the last one stays: {}",
                        failure.message
                    );
                    let wait = pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    wait
                }
            };
            if let Some(call) = call {
                // Who called may have gone.
                drop(call.answer.send(fetched));
            }
        }
    }

    /// A copy that another process has made just now need not be checked either.
    fn age_left(&self) -> Duration {
        let age = Duration::from_secs(seconds().saturating_sub(self.last.fetched()));
        if age < Duration::from_secs(5) { self.ttl } else { Duration::ZERO }
    }
}

/// Reads a list of models, and tells of what is left out.
fn read(body: &[u8]) -> Result<Vec<Model>, Failure> {
    let parsed =
        models::parse(body, seconds()).map_err(|error| Failure::new(FailureKind::BadAnswer, error.to_string()))?;
    for skipped in &parsed.skipped {
        tracing::debug!(model.id = skipped.id, reason = skipped.reason, "an entry of the catalogue was left out");
    }
    Ok(parsed.models)
}

fn seconds() -> u64 {
    now_ms() / 1000
}
