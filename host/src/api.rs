//! The surface: every route, the layers around them, and what they share.
//!
//! The only rooms that know axum are here and in the sandbox. Handlers decode,
//! ask the engine, encode; they decide nothing about models. In reading order:
//! [`openai`], [`responses`], [`anthropic`], [`ollama`] (the faces), [`sse`] and
//! [`streaming`] (bodies), [`trail`]
//! (headers), [`error`] (what goes wrong), [`access`] (who may), [`admin`],
//! [`metrics`].

pub mod access;
pub mod admin;
pub mod anthropic;
pub mod body;
mod encoding;
pub mod error;
pub mod kept;
pub mod metrics;
mod model_list;
mod names;
pub mod ollama;
mod openai;
pub mod origin;
pub mod request_id;
pub mod responses;
mod sse;
mod streaming;
mod trail;

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use axum::{
    Router,
    http::{
        Method, StatusCode, Uri,
        header::{ALLOW, LOCATION},
    },
    middleware,
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, delete, get, head, post},
};
use tokio::sync::{mpsc, watch};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    api::{
        access::Access,
        admin::wire::{
            catalog::{Freshness, RefreshCall},
            policy::ReloadCall,
        },
        kept::Kept,
        metrics::served::Served,
        origin::Origins,
        responses::recall::Recall,
    },
    chat,
    clock::now_ms,
    current::Current,
    failover::{self, Answered, Failover},
    policy::generation::Generation,
};

/// What handlers share. Cloning copies a pointer.
#[derive(Clone)]
pub struct Api(Arc<Shared>);

/// What an [`Api`] is made of.
pub struct Shared {
    /// The engine.
    pub failover: Failover,
    /// What is in force.
    pub current: Arc<Current>,
    /// Where calls for a reload go.
    pub reloads: mpsc::Sender<ReloadCall>,
    /// Where calls for a fresh catalogue go.
    pub refreshes: mpsc::Sender<RefreshCall>,
    /// When it is fetched next, and why the last fetch failed.
    pub freshness: watch::Receiver<Freshness>,
    /// Where the router keeps its files, for `status`.
    pub folder: PathBuf,
    /// Who may use what.
    pub access: Access,
    /// Which pages and names may.
    pub origins: Origins,
    /// What `/api/version` says.
    pub version: String,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// Where OpenRouter is, for `status`.
    pub upstream: String,
    /// Whether the upstream is the simulated one.
    pub simulated: bool,
    /// When the router started.
    pub started: Instant,
    /// What was served so far.
    pub served: Served,
    /// Set when answers that still come are to be broken off.
    pub cut: Arc<AtomicBool>,
    /// What `/api/tags` says.
    pub tags: Kept,
    /// What `/v1/models` says.
    pub models: Kept,
    /// The last items of the Responses API.
    pub recall: Arc<Recall>,
}

impl Api {
    /// Makes the handlers' share.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    fn failover(&self) -> &Failover {
        &self.0.failover
    }

    fn generation(&self) -> Arc<Generation> {
        self.0.current.generation()
    }

    /// Answers a chat request under the generation in force now.
    async fn answer(&self, request: chat::Request) -> Result<Answered, error::Error> {
        let generation = self.generation();
        let answered = self.failover().chat(request, Arc::clone(&generation)).await;
        if let Ok(answered) = &answered {
            self.0.served.first_token(answered.reply.first_token());
        }
        answered.map_err(|error| self.told(error, &generation))
    }

    /// Returns an error of the engine's as clients read it, and logs why no model
    /// answered.
    fn told(&self, error: failover::Error, generation: &Generation) -> error::Error {
        error::Error::from(error).under(generation).with_dues(self.failover().ledger(), now_ms())
    }

    fn cut(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.cut)
    }

    fn max_body(&self) -> usize {
        self.0.max_body
    }
}

/// Returns all routes.
pub fn router(api: Api) -> Router {
    let (mut clients, mut paths) = (Router::new(), Vec::new());
    for (path, methods) in for_clients() {
        clients = clients.route(path, methods);
        paths.push(path);
    }
    let clients = clients
        .route_layer(middleware::from_fn(encoding::decoded))
        .route_layer(middleware::from_fn_with_state(api.clone(), access::clients));
    let operators = Router::new()
        .route("/metrics", get(metrics::metrics))
        .route("/router/status", get(admin::status))
        .route("/router/models", get(admin::catalog::models))
        .route("/router/models/refresh", post(admin::catalog::refresh))
        .route("/router/failures", delete(admin::forget_all))
        .route("/router/failures/{*model}", delete(admin::forget))
        .route("/router/policy", get(admin::policy))
        .route("/router/policy/decisions", get(admin::decisions::last))
        .route("/router/policy/explain", post(admin::decisions::explain))
        .route("/router/policy/history", get(admin::history))
        .route("/router/policy/reload", get(admin::last_reload).post(admin::reload))
        .route("/router/policy/rollback", post(admin::rollback))
        .route_layer(middleware::from_fn_with_state(api.clone(), access::operators));
    Router::new()
        .route("/", get(|| async { "Ollama is running" }))
        .route("/health", get(admin::health))
        .route("/health/ready", get(admin::health))
        .merge(clients)
        .merge(operators)
        .fallback(move |method: Method, uri: Uri| {
            let known = paths.iter().any(|path| uri.path().strip_suffix('/') == Some(path));
            async move { if known { redirected(&method, &uri) } else { not_found() } }
        })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed") })
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| panicked()))
        .layer(middleware::from_fn_with_state(api.clone(), origin::guard))
        .layer(middleware::from_fn_with_state(api.clone(), request_id::identify))
        .with_state(api)
}

/// Returns the routes of clients, each protocol's in the order of its reference.
///
/// Ollama answers HEAD on three of its routes; where axum would answer it with
/// GET, it is refused as there.
fn for_clients() -> [(&'static str, MethodRouter<Api>); 29] {
    let without_head = || async { (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")], "405 method not allowed") };
    [
        ("/api/version", get(ollama::version)),
        ("/api/tags", get(ollama::tags)),
        ("/api/ps", get(ollama::ps).head(without_head)),
        ("/api/show", post(ollama::show)),
        ("/api/chat", post(ollama::chat)),
        ("/api/generate", post(ollama::generate)),
        ("/api/embed", post(ollama::embed::embed)),
        ("/api/embeddings", post(ollama::embed::embeddings)),
        ("/api/pull", post(ollama::manage::pull)),
        ("/api/push", post(ollama::manage::push)),
        ("/api/create", post(ollama::manage::create)),
        ("/api/copy", post(ollama::manage::copy)),
        ("/api/delete", delete(ollama::manage::delete)),
        ("/api/blobs/{digest}", head(ollama::manage::blob).post(ollama::manage::blob)),
        ("/api/status", get(ollama::manage::cloud).head(without_head)),
        ("/api/me", post(ollama::manage::no_cloud)),
        ("/api/signout", post(ollama::manage::sign_out)),
        ("/api/user/keys/{key}", delete(ollama::manage::sign_out)),
        ("/api/experimental/web_search", post(ollama::manage::no_cloud)),
        ("/api/experimental/web_fetch", post(ollama::manage::no_cloud)),
        ("/api/experimental/model-recommendations", get(ollama::manage::recommendations).head(without_head)),
        ("/v1/chat/completions", post(openai::chat::chat)),
        ("/v1/completions", post(openai::completions::completions)),
        ("/v1/embeddings", post(openai::embeddings::embeddings)),
        ("/v1/models", get(model_list::models)),
        ("/v1/models/{*id}", get(openai::models::model)),
        ("/v1/responses", post(responses::create)),
        ("/v1/messages", post(anthropic::messages)),
        ("/v1/messages/count_tokens", post(anthropic::count_tokens)),
    ]
}

/// Tells the right path to who wrote a slash too many, as Ollama does.
fn redirected(method: &Method, uri: &Uri) -> Response {
    let path = uri.path().trim_end_matches('/');
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let status = if *method == Method::GET { StatusCode::MOVED_PERMANENTLY } else { StatusCode::TEMPORARY_REDIRECT };
    (status, [(LOCATION, format!("{path}{query}"))]).into_response()
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found").into_response()
}

fn panicked() -> Response {
    tracing::error!("a handler panicked; this is a fault of the router's, please report it with the lines above");
    error::Error::new(StatusCode::INTERNAL_SERVER_ERROR, "the router failed; see its log")
        .respond(error::Protocol::Ollama)
        .into_response()
}
