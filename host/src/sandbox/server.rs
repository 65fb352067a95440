//! The routes of the simulated upstream, and the order in which it decides.
//!
//! Key first, then what a test scripted, then what the real one would refuse,
//! then a mishap of the demo, then the default answer. It holds no texts and no
//! bytes: read `sandbox/rules.rs`, `sandbox/answer.rs`, `sandbox/stream.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::sandbox::record::{Call, Outcome, Recorded};
use crate::sandbox::reply::Reply;
use crate::sandbox::reply::parts::Estimate;
use crate::sandbox::shared::Shared;
use crate::sandbox::stream::Exchange;
use crate::sandbox::{answer, catalog, embeddings, rules, stream};

/// Where the API lives, as on the real host.
pub(super) const BASE_PATH: &str = "/api/v1";

/// Twice the 64 MiB that a router may take in, for what it adds.
const BODY_MAX_BYTES: usize = 128 * 1024 * 1024;

/// A key that nobody has, for trying out what a bad key does.
const BAD_KEY: &str = "sk-or-bad";

/// Returns the routes of the simulated upstream.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/models", get(models))
        .route("/models/user", get(models_of_user))
        .route("/embeddings/models", get(embedding_models))
        .route("/key", get(key))
        .route("/chat/completions", post(chat))
        .route("/embeddings", post(embed))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_path);
    Router::new()
        .nest(BASE_PATH, api)
        .fallback(unknown_path)
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .with_state(shared)
}

/// A request that is recorded and not answered yet.
struct Heard {
    shared: Arc<Shared>,
    call: Call,
    path: String,
    query: String,
    authorization: Option<String>,
}

impl Heard {
    fn new(shared: Arc<Shared>, uri: &Uri, headers: &HeaderMap, body: Value) -> Self {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let named = |(name, value): (&HeaderName, _)| (name.as_str().to_owned(), text(value));
        let headers: BTreeMap<String, String> = headers.iter().map(named).collect();
        let path = uri.path().to_owned();
        let query = uri.query().unwrap_or_default().to_owned();
        let authorization = headers.get("authorization").cloned();
        let call = shared.log().open(Recorded {
            number: 0,
            path: path.clone(),
            query: query.clone(),
            headers,
            model: body["model"].as_str().map(str::to_owned),
            body,
            outcome: Outcome::Open,
        });
        Self { shared, call, path, query, authorization }
    }

    /// Returns the refusal of a request without a good key.
    fn unauthorized(&self) -> Option<Reply> {
        let Some(authorization) = &self.authorization else {
            return Some(Reply::no_credentials());
        };
        match authorization.split_once(' ') {
            Some((_, BAD_KEY)) => Some(Reply::user_not_found()),
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() => None,
            _ => Some(Reply::missing_authentication()),
        }
    }

    /// Answers a request that is about no model.
    async fn answer(self, reply: Reply) -> Response {
        self.send(reply, Exchange::default()).await
    }

    /// Answers with what is scripted for the path, else with `reply`.
    async fn answer_path(self, reply: impl FnOnce(&Shared) -> Reply) -> Response {
        let scripted = self.shared.scripted_path(&self.path);
        let reply = scripted.unwrap_or_else(|| reply(&self.shared));
        self.answer(reply).await
    }

    async fn send(self, reply: Reply, exchange: Exchange) -> Response {
        let stop = self.shared.stop();
        stream::response(reply, exchange, self.call, stop).await
    }
}

type Shares = State<Arc<Shared>>;

async fn models(State(shared): Shares, uri: Uri, headers: HeaderMap) -> Response {
    let heard = Heard::new(shared, &uri, &headers, Value::Null);
    let every_output = heard.query.contains("output_modalities=all");
    let listing = |shared: &Shared| listing(&catalog::listing(&shared.catalog(), every_output));
    heard.answer_path(listing).await
}

async fn models_of_user(State(shared): Shares, uri: Uri, headers: HeaderMap) -> Response {
    let heard = Heard::new(shared, &uri, &headers, Value::Null);
    if let Some(refusal) = heard.unauthorized() {
        return heard.answer(refusal).await;
    }
    let listing = |shared: &Shared| listing(&catalog::listing(&shared.catalog(), false));
    heard.answer_path(listing).await
}

async fn embedding_models(State(shared): Shares, uri: Uri, headers: HeaderMap) -> Response {
    let heard = Heard::new(shared, &uri, &headers, Value::Null);
    heard.answer_path(|shared| listing(&shared.embeddings())).await
}

async fn key(State(shared): Shares, uri: Uri, headers: HeaderMap) -> Response {
    let heard = Heard::new(shared, &uri, &headers, Value::Null);
    if let Some(refusal) = heard.unauthorized() {
        return heard.answer(refusal).await;
    }
    heard.answer_path(|shared| Reply::json(200, key_body(shared.day()))).await
}

async fn chat(State(shared): Shares, uri: Uri, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let (heard, body) = with_body(shared, &uri, &headers, &body);
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return heard.answer(refusal).await,
    };
    let created = unix_now();
    let limit = heard.shared.count_chat_call(created);
    let requested = rules::requested_model(&body).to_owned();
    let catalog = heard.shared.catalog();
    let admitted = rules::admit(&catalog, &body, &catalog::date(created));
    let model = match &admitted {
        Ok(model) => model,
        Err(_) => catalog::find(&catalog, &requested).unwrap_or(&Value::Null),
    };
    let exchange = Exchange {
        id: heard.shared.id(&format!("gen-{created}-")),
        created,
        model: catalog::slug(model).unwrap_or(&requested).to_owned(),
        estimate: Estimate {
            prompt_tokens: answer::prompt_tokens(&body),
            prompt_price: catalog::price(model, "prompt").unwrap_or_default(),
            completion_price: catalog::price(model, "completion").unwrap_or_default(),
        },
        requested,
        streamed: body["stream"] == true,
    };
    // The account's limits are on free models, and come before any model.
    let limit = limit.filter(|_| catalog::price(model, "prompt") == Some(0.0));
    let scripted = limit.or_else(|| heard.shared.scripted_model(&exchange.requested));
    let reply = scripted.unwrap_or_else(|| match &admitted {
        Ok(model) => {
            let mishap = heard.shared.mishap();
            mishap.unwrap_or_else(|| answer::reply(&heard.shared, &body, model))
        }
        Err(refusal) => refusal.clone(),
    });
    if reply.ends_the_day() {
        heard.shared.end_day();
    }
    heard.send(reply, exchange).await
}

async fn embed(State(shared): Shares, uri: Uri, headers: HeaderMap, body: Result<Bytes, BytesRejection>) -> Response {
    let (heard, body) = with_body(shared, &uri, &headers, &body);
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return heard.answer(refusal).await,
    };
    let requested = rules::requested_model(&body).to_owned();
    let scripted = heard.shared.scripted_model(&requested);
    let reply = scripted.unwrap_or_else(|| {
        let id = heard.shared.id(&format!("gen-emb-{}-", unix_now()));
        embeddings::reply(&heard.shared.embeddings(), &body, &id)
    });
    let exchange = Exchange { requested, ..Exchange::default() };
    heard.send(reply, exchange).await
}

async fn unknown_path(State(shared): Shares, uri: Uri, headers: HeaderMap) -> Response {
    let heard = Heard::new(shared, &uri, &headers, Value::Null);
    heard.answer(Reply::error(404, "Not Found")).await
}

/// Records a request with a JSON body; checks the key, then the body.
fn with_body(
    shared: Arc<Shared>,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Result<Bytes, BytesRejection>,
) -> (Heard, Result<Value, Reply>) {
    let parsed = match body {
        Ok(bytes) => serde_json::from_slice(bytes)
            .map_err(|problem| Reply::error(400, &format!("Invalid JSON in the request body: {problem}"))),
        Err(_) => Err(Reply::payload_too_large()),
    };
    let body: Value = parsed.as_ref().cloned().unwrap_or_default();
    let heard = Heard::new(shared, uri, headers, body);
    match heard.unauthorized() {
        Some(refusal) => (heard, Err(refusal)),
        None => (heard, parsed),
    }
}

fn listing(body: &Value) -> Reply {
    Reply::body(200, "application/json", body.to_string())
        .header("cache-control", "s-maxage=300, stale-while-revalidate=600")
}

fn key_body((limit, used): (u64, u64)) -> Value {
    json!({"data": {
        "label": "sk-or-v1-san...box",
        "limit": null,
        "limit_remaining": null,
        "limit_reset": null,
        "usage": 0,
        "usage_daily": 0,
        "usage_weekly": 0,
        "usage_monthly": 0,
        "is_free_tier": false,
        "is_management_key": false,
        "is_provisioning_key": false,
        "expires_at": null,
        "free_model_daily_requests": {
            "limit": limit,
            "remaining": limit.saturating_sub(used),
            "used": used,
        },
        "rate_limit": {"interval": "10s", "note": "deprecated", "requests": -1},
    }})
}

fn unix_now() -> u64 {
    UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_secs())
}
