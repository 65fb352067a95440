//! The simulated `OpenRouter`: a loopback server that speaks the real one's wire.
//!
//! `start --demo` runs it so that a newcomer sees answers and failover without
//! a key; the tests script it reply by reply. It knows the wire and nothing of
//! the rest of the host: no import leaves this folder. Nothing of it runs
//! outside the demo and the tests. Read `sandbox/scenario.rs` for how it
//! behaves, `sandbox/reply.rs` for what can be scripted, `sandbox/server.rs`
//! for the routes.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::ListenerExt as _;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sandbox::record::{Recorded, View};
use crate::sandbox::reply::Reply;
use crate::sandbox::scenario::Scenario;
use crate::sandbox::shared::Shared;

mod answer;
pub mod catalog;
mod embeddings;
mod fold;
mod mishap;
pub mod record;
pub mod reply;
mod rules;
pub mod scenario;
mod server;
mod shared;
mod stream;
#[cfg(test)]
mod tests;

/// The paths whose answers `fail_catalog` replaces.
const CATALOG_PATHS: [&str; 2] = ["/models", "/models/user"];

/// A running simulated `OpenRouter`.
///
/// Dropping it closes the port and breaks off every open answer.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    accepting: JoinSet<io::Result<()>>,
}

impl Sandbox {
    /// Starts a sandbox on a free loopback port.
    ///
    /// # Errors
    /// Returns the system's error when no loopback port can be bound.
    pub async fn start(scenario: Scenario) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, receiver) = watch::channel(false);
        let shared = Arc::new(Shared::new(scenario, stop.subscribe()));
        let router = server::router(Arc::clone(&shared));
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            // Nagle's algorithm would hold a small chunk back for some 40 ms.
            let listener = listener.tap_io(send_without_delay);
            axum::serve(listener, router).with_graceful_shutdown(stopped(receiver)).await
        });
        Ok(Self { address, shared, stop, accepting })
    }

    /// Returns the address that stands for `https://openrouter.ai/api/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.address, server::BASE_PATH)
    }

    /// Stops accepting, breaks off every open answer and waits for both.
    ///
    /// Cancelling the wait leaves the sandbox stopping in the background.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.accepting.join_next().await.is_some() {}
    }

    /// Sets the replies to the next requests for `target`, in order.
    ///
    /// `target` is a model id, `"*"` for any model, or a path such as `/key`.
    /// Replies not yet used stay in front; after the last one the default
    /// answers again. A script for the model itself goes before one for `"*"`.
    pub fn script(&self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script(target, replies);
    }

    /// Sets the reply to every request for `target` that no script answers.
    ///
    /// `target` is a model id, `"*"` for any model, or a path such as `/key`.
    pub fn always(&self, target: &str, reply: Reply) {
        self.shared.always(target, reply);
    }

    /// Forgets every scripted reply for `target`: the default answers again.
    pub fn clear(&self, target: &str) {
        self.shared.clear(target);
    }

    /// Replaces the body of `/models` from the next request on.
    pub fn set_catalog(&self, catalog: Value) {
        self.shared.set_catalog(catalog);
    }

    /// Answers every catalogue request with `reply` until `restore_catalog`.
    pub fn fail_catalog(&self, reply: &Reply) {
        for path in CATALOG_PATHS {
            self.shared.always(path, reply.clone());
        }
    }

    /// Serves the catalogue again after `fail_catalog`.
    pub fn restore_catalog(&self) {
        for path in CATALOG_PATHS {
            self.shared.clear(path);
        }
    }

    /// Returns the requests received so far, oldest first.
    ///
    /// Only the newest are remembered: 4,096 in a quiet scenario, 16 in a demo.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log().view().requests
    }

    /// Returns how many requests are not answered to their end yet.
    pub fn open_streams(&self) -> usize {
        self.shared.log().view().open_streams()
    }

    /// Waits until `condition` holds for what the sandbox has seen.
    ///
    /// Checked at once and after every change, so nothing can be missed.
    ///
    /// # Panics
    /// Panics with a summary of the requests when it does not hold in 10 s.
    pub async fn wait_until(&self, condition: impl Fn(&View) -> bool) {
        self.shared.log().wait_until(condition).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the handle is gone, which stops the sandbox as well.
    while !*stop.borrow_and_update() && stop.changed().await.is_ok() {}
}

fn send_without_delay(stream: &mut TcpStream) {
    // A socket that refuses the option is closed already; the read tells.
    stream.set_nodelay(true).unwrap_or_default();
}
