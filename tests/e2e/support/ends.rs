//! How a router ends, and begins anew: with its folder, its upstream, and the copy of
//! the catalogue as it is, older or newer.
//!
//! What a router is started with is in `support`.

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Host, PATIENCE, Running, Sandbox, Scenario};

impl Host {
    /// Stops the router and starts it again, before the same upstream.
    pub async fn restart(self) -> Self {
        let Self { sandbox, client, folder, sources, running } = self;
        running.stop().await;
        let running = Running::start(&sources).await;
        Self { sandbox, client, folder, sources, running }
    }

    /// Restarts with a copy of the catalogue that is a year old, so that it is
    /// fetched again at once.
    pub async fn restart_stale(self) -> Self {
        self.date_catalog(|fetched| fetched - 365 * 24 * 3600);
        self.restart().await
    }

    /// Restarts with a copy of the catalogue that is as good as new, however long the
    /// test has taken so far, so that it is not fetched again.
    pub async fn restart_fresh(self) -> Self {
        self.date_catalog(|fetched| fetched + 3600);
        self.restart().await
    }

    /// Changes when the copy of the catalogue was fetched, in seconds.
    fn date_catalog(&self, date: impl FnOnce(u64) -> u64) {
        let copy = std::fs::read(self.path("models.json")).unwrap();
        let mut copy: Value = serde_json::from_slice(&copy).unwrap();
        copy["fetched"] = date(copy["fetched"].as_u64().unwrap()).into();
        self.write("models.json", copy.to_string());
    }

    /// Ends the upstream: calls find nobody at its address any more.
    pub async fn stop_upstream(&mut self) {
        let other = Sandbox::start(Scenario::quiet()).await.unwrap();
        std::mem::replace(&mut self.sandbox, other).stop().await;
    }

    /// Tells the router to stop, and returns the wait for it, with the upstream.
    pub fn begin_stop(self) -> (impl Future<Output = ()>, Sandbox) {
        let Running { stop, served, .. } = self.running;
        stop.send(()).ok();
        let folder = self.folder;
        let wait = async move {
            tokio::time::timeout(PATIENCE, served).await.expect("the router did not stop").unwrap();
            drop(folder);
        };
        (wait, self.sandbox)
    }

    /// Stops the router, and leaves its folder.
    pub async fn stop(self) -> TempDir {
        self.running.stop().await;
        self.folder
    }
}
