//! The operators' routes: state, failures, policy, reload, health; those about
//! models are in [`catalog`], about single decisions in [`decisions`].
//!
//! What the command line talks to. Shapes are in [`wire`]; they are read by
//! programs, so fields are added and never changed.

pub(super) mod catalog;
pub(super) mod decisions;
pub mod wire;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use crate::{
    api::{
        Api,
        admin::wire::{
            Account, Forgotten, Status,
            catalog::CatalogStatus,
            degraded,
            policy::{LastReload, Order, PastRow, PolicyRow, ReloadCall},
        },
        error::{Error, Protocol},
    },
    catalog::ModelId,
    clock::now_ms,
    failover,
    routing::plan::Target,
};

/// `GET /health`: 200 while the router can answer, 503 while it has no models.
pub(super) async fn health(State(api): State<Api>) -> Response {
    let models = api.generation().visible.len();
    let (status, word) =
        if models > 0 { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "no models") };
    (status, Json(json!({"status": word, "models": models}))).into_response()
}

/// `GET /router/status`.
pub(super) async fn status(State(api): State<Api>) -> Json<Status> {
    let generation = api.generation();
    let now = now_ms();
    let policies = PolicyRow::all(&generation, &api.0.current);
    let mut status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        upstream: api.0.upstream.clone(),
        simulated: api.0.simulated,
        uptime_s: api.0.started.elapsed().as_secs(),
        free_mode: generation.settings.free_mode,
        tool_use_only: generation.settings.tool_use_only,
        catalog: CatalogStatus::of(&generation, &api.0.freshness.borrow(), &api.0.folder),
        account: Account::of(api.failover(), now),
        // A chain is never empty.
        policy: policies.first().cloned().unwrap_or_default(),
        policies,
        models: catalog::rows(&api, false),
        degraded: Vec::new(),
    };
    status.degraded = degraded::reasons(&status);
    Json(status)
}

/// `DELETE /router/failures`: forgets the failures and cooldowns of all models,
/// and the limits of the account and its keys.
pub(super) async fn forget_all(State(api): State<Api>) -> Json<Forgotten> {
    Json(forgotten(&api, None))
}

/// `DELETE /router/failures/{model}`: forgets those of one model, named as
/// clients name it or by its id.
pub(super) async fn forget(State(api): State<Api>, Path(name): Path<String>) -> Response {
    let generation = api.generation();
    let id = match api.failover().find(&name, &generation) {
        Ok(Target::Model(number)) => generation.catalog.model(number).map(|model| model.id.clone()),
        // It may be remembered though it is not served.
        Ok(Target::Any | Target::Gone) | Err(failover::Error::Unknown(_)) => {
            ModelId::parse(&name).filter(|id| api.failover().ledger().healths().iter().any(|(known, _)| known == id))
        }
        Err(error) => return Error::from(error).respond(Protocol::Ollama),
    };
    match id {
        Some(id) => Json(forgotten(&api, Some(&id))).into_response(),
        None => Error::new(StatusCode::NOT_FOUND, format!("model '{name}' not found")).respond(Protocol::Ollama),
    }
}

fn forgotten(api: &Api, model: Option<&ModelId>) -> Forgotten {
    let models = api.failover().forget_failures(model);
    tracing::info!(models = models.len(), "failures and cooldowns are forgotten, as an operator asked");
    Forgotten { models: models.iter().map(ToString::to_string).collect() }
}

/// `GET /router/policy`: the policies in the order in which they are asked, the
/// shadow last.
pub(super) async fn policy(State(api): State<Api>) -> Json<Vec<PolicyRow>> {
    Json(PolicyRow::all(&api.generation(), &api.0.current))
}

/// `GET /router/policy/history`: what was in force, the newest last.
pub(super) async fn history(State(api): State<Api>) -> Json<Vec<PastRow>> {
    Json(api.0.current.past().iter().map(PastRow::of).collect())
}

/// What may be asked of a reload.
#[derive(Default, Deserialize)]
pub(super) struct HowToReload {
    /// Whether to tell only what would change.
    #[serde(default)]
    dry_run: bool,
    /// The policy that is read again, by its name; all of them if none.
    #[serde(default)]
    name: Option<String>,
}

/// `POST /router/policy/reload`: 200 if what is in force is what is on disk,
/// or would be after a dry run; 422 if that was refused; 404 if no policy in force has
/// that name.
pub(super) async fn reload(State(api): State<Api>, Query(how): Query<HowToReload>) -> Response {
    let HowToReload { dry_run, name } = how;
    let generation = api.generation();
    if let Some(name) = name.as_deref().filter(|name| generation.places_of(name).is_empty()) {
        let known = generation.policies().map(|policy| policy.name.as_str()).collect::<Vec<_>>().join(", ");
        let told = format!("no policy in force is called '{name}'; there are: {known}");
        return Error::new(StatusCode::NOT_FOUND, told).respond(Protocol::Ollama);
    }
    let order = match name {
        _ if dry_run => Order::DryRun(name),
        Some(name) => Order::Reload(name),
        None => Order::ReloadAll,
    };
    carry_out(&api, order).await
}

/// `GET /router/policy/reload`: how the last reload went that changed something or was
/// refused; `null` before the first.
pub(super) async fn last_reload(State(api): State<Api>) -> Json<Option<LastReload>> {
    Json(api.0.current.last_reload().map(|reload| LastReload::of(&reload)))
}

/// What may be asked of a rollback.
#[derive(Default, Deserialize)]
struct HowToRollBack {
    /// Which generation to go back to; the last good one if none.
    #[serde(default)]
    generation: Option<u64>,
}

/// `POST /router/policy/rollback`: 200 if an earlier policy is in force again, 422 if
/// there is none to go back to.
pub(super) async fn rollback(State(api): State<Api>, body: Bytes) -> Response {
    let how = match body.as_ref() {
        [] => HowToRollBack::default(),
        body => match serde_json::from_slice(body) {
            Ok(how) => how,
            Err(error) => return Error::bad_request(error.to_string()).respond(Protocol::Ollama),
        },
    };
    carry_out(&api, Order::RollBack(how.generation)).await
}

/// Hands an order to the task that makes generations, and waits for its report.
async fn carry_out(api: &Api, order: Order) -> Response {
    let (answer, done) = oneshot::channel();
    let gone = || Error::new(StatusCode::SERVICE_UNAVAILABLE, "the router is shutting down").respond(Protocol::Ollama);
    if api.0.reloads.send(ReloadCall { order, answer }).await.is_err() {
        return gone();
    }
    match done.await {
        Ok(report) => {
            let status = if report.refused.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
            (status, Json(report)).into_response()
        }
        Err(_) => gone(),
    }
}
