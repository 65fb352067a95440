//! The operators' routes about the list of models: what is in it, and a fresh one.
//!
//! Fetches nothing itself: `crate::refresh` does, and `crate::reload` puts it in force.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::{
    api::{
        Api,
        admin::wire::{
            self, ModelRow,
            catalog::{RefreshCall, Refreshed},
        },
        error::{Error, Protocol},
    },
    catalog::Catalog,
    clock::now_ms,
};

/// How long a fresh list may take to be in force: starting policies over it takes
/// milliseconds, compiling one that changed meanwhile takes seconds.
const IN_FORCE_TIMEOUT: Duration = Duration::from_secs(20);

/// Which models are asked for.
#[derive(Default, Deserialize)]
pub(in crate::api) struct Which {
    /// Whether those too that clients may not use.
    #[serde(default)]
    all: bool,
}

/// `GET /router/models`: the visible models in the order of the policy; with
/// `?all=true` then the others, and why.
pub(in crate::api) async fn models(State(api): State<Api>, Query(which): Query<Which>) -> Json<Vec<ModelRow>> {
    Json(rows(&api, which.all))
}

/// `POST /router/models/refresh`: 200 once a fresh list is in force, 502 if it
/// cannot be fetched and the last one stays.
pub(in crate::api) async fn refresh(State(api): State<Api>) -> Response {
    let (answer, done) = oneshot::channel();
    let before = api.generation();
    let fetched = match api.0.refreshes.send(RefreshCall { answer }).await {
        Ok(()) => done.await.ok(),
        Err(_) => None,
    };
    match fetched {
        Some(Ok(catalog)) => {
            let in_force = is_in_force(&api, &catalog).await;
            Json(Refreshed::of(&before.catalog, &catalog, &api.generation(), in_force)).into_response()
        }
        Some(Err(failure)) => {
            let told = format!("{}; the last list of models stays", failure.message);
            Error::new(StatusCode::BAD_GATEWAY, told).respond(Protocol::Ollama)
        }
        None => Error::new(StatusCode::SERVICE_UNAVAILABLE, "the router is shutting down").respond(Protocol::Ollama),
    }
}

/// Waits until a catalogue, or a newer one, is in force.
async fn is_in_force(api: &Api, catalog: &Catalog) -> bool {
    let mut changes = api.0.current.changes();
    let arrived = async {
        // A list that was in force before is another allocation, and an older one.
        while !is_same_or_newer(&api.generation().catalog, catalog) {
            if changes.changed().await.is_err() {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(IN_FORCE_TIMEOUT, arrived).await.unwrap_or(false)
}

fn is_same_or_newer(found: &Arc<Catalog>, wanted: &Catalog) -> bool {
    std::ptr::eq(Arc::as_ptr(found), wanted) || found.fetched() > wanted.fetched()
}

/// Returns the visible models, and if `all` is wanted the hidden ones after them.
pub(super) fn rows(api: &Api, all: bool) -> Vec<ModelRow> {
    let generation = api.generation();
    let (healths, now) = (api.failover().ledger().healths().into_iter().collect(), now_ms());
    let mut rows = wire::rows(&generation, &healths, now);
    if all {
        rows.extend(wire::hidden_rows(&generation, &healths, now));
    }
    rows
}
