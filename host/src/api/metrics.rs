//! `GET /metrics`: figures for Prometheus, put together when they are asked for.
//!
//! Almost all of them are read from what the engine remembers anyway, so that a
//! request costs next to nothing for being measured; only what nobody else counts
//! is counted in [`served`]. Names are part of the
//! interface: they are added and never changed. Models are bounded by the
//! catalogue, and so are the labels.

pub mod served;

use axum::{
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, prometheus_text},
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use crate::{
    api::{Api, metrics::served::Served},
    clock::now_ms,
    current::Current,
    failover::{Failover, ledger::Ledger},
    policy::{generation::Generation, shadow::Compared},
    routing::health::Standing,
};

/// A figure that is no whole number.
type Figure = Gauge<f64, std::sync::atomic::AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabel {
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    model: String,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PolicyLabels {
    policy: String,
    version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerdictLabels {
    policy: String,
    version: String,
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LimitLabel {
    limit: &'static str,
}

/// `GET /metrics`, for operators.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let mut registry = Registry::with_prefix("ollama_router");
    of_the_router(&mut registry, &api);
    of_requests(&mut registry, &api.0.served);
    of_models(&mut registry, api.failover().ledger());
    of_the_account(&mut registry, api.failover());
    of_the_policy(&mut registry, &api.generation());
    of_changes(&mut registry, &api.generation(), &api.0.current);
    let mut text = String::new();
    match prometheus_text::encode(&mut text, &registry) {
        Ok(()) => ([(CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the figures cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn of_the_router(registry: &mut Registry, api: &Api) {
    let build = Family::<BuildLabels, Gauge>::default();
    build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }).set(1);
    registry.register("build_info", "The version that runs", build);
    let uptime = ConstGauge::new(api.0.started.elapsed().as_secs_f64());
    registry.register("uptime_seconds", "Time since the start", uptime);
    let generation = api.generation();
    registry.register("models", "Models in the catalogue", number(generation.catalog.models().len()));
    registry.register("models_visible", "Models that clients may use", number(generation.visible.len()));
    let fetched = i64::try_from(generation.catalog.fetched()).unwrap_or(i64::MAX);
    registry.register(
        "catalog_fetched_seconds",
        "When the catalogue was fetched, since 1970",
        ConstGauge::new(fetched),
    );
}

fn of_requests(registry: &mut Registry, served: &Served) {
    let requests = Family::<RequestLabels, Counter>::default();
    for (route, status, count) in served.answers() {
        requests.get_or_create(&RequestLabels { route, status }).inc_by(count);
    }
    registry.register("requests", "Answers by route and status", requests);
    let help = "Time to the first token of answers that began, failed tries apart";
    registry.register("first_token_seconds", help, served.first_tokens());
}

fn of_models(registry: &mut Registry, ledger: &Ledger) {
    let answers = Family::<ModelLabel, Counter>::default();
    let failures = Family::<FailureLabels, Counter>::default();
    let in_flight = Family::<ModelLabel, Gauge>::default();
    let cooldown = Family::<ModelLabel, Figure>::default();
    let first_token = Family::<ModelLabel, Figure>::default();
    let pace = Family::<ModelLabel, Figure>::default();
    let now = now_ms();
    for (id, health) in ledger.healths() {
        let label = ModelLabel { model: id.to_string() };
        answers.get_or_create(&label).inc_by(health.tally.answers);
        for (kind, count) in health.tally.failures() {
            let labels = FailureLabels { model: id.to_string(), kind: kind.as_str() };
            failures.get_or_create(&labels).inc_by(*count);
        }
        in_flight.get_or_create(&label).set(health.in_flight.into());
        let rest = match health.standing(now) {
            Standing::Cooling(ms) => std::time::Duration::from_millis(ms),
            Standing::Ready | Standing::OnTrial => std::time::Duration::ZERO,
        };
        cooldown.get_or_create(&label).set(rest.as_secs_f64());
        if health.first_token_ms > 0.0 {
            first_token.get_or_create(&label).set(f64::from(health.first_token_ms) / 1000.0);
        }
        if health.tokens_per_second > 0.0 {
            pace.get_or_create(&label).set(health.tokens_per_second.into());
        }
    }
    registry.register("model_answers", "Complete answers by model, over restarts", answers);
    registry.register("model_failures", "Calls that failed, by model and kind, over restarts", failures);
    registry.register("model_in_flight", "Requests that a model is answering now", in_flight);
    registry.register("model_cooldown_seconds", "How long a model still rests; 0 if it does not", cooldown);
    registry.register("model_first_token_seconds", "Time to the first token, a moving average", first_token);
    registry.register("model_tokens_per_second", "Tokens a second, a moving average", pace);
}

fn of_the_account(registry: &mut Registry, failover: &Failover) {
    let (now, ledger) = (now_ms(), failover.ledger());
    let keys = failover.keys(now);
    registry.register("keys", "Keys of the account", number(keys.total));
    registry.register("keys_usable", "Keys that are not refused", number(keys.usable));
    if let Some(left) = ledger.left(now) {
        let help = "Free requests that the account has a day, as OpenRouter tells";
        registry.register("quota_daily_requests", help, ConstGauge::new(u64::from(left.limit)));
        let help = "Free requests that are left today";
        registry.register("quota_remaining_requests", help, ConstGauge::new(u64::from(left.remaining)));
    }
    let blocked = Family::<LimitLabel, Figure>::default();
    if let Some(block) = ledger.account(now) {
        let left = std::time::Duration::from_millis(block.until_ms.saturating_sub(now));
        blocked.get_or_create(&LimitLabel { limit: block.kind.as_str() }).set(left.as_secs_f64());
    }
    registry.register("account_blocked_seconds", "How long a limit still keeps the account from sending", blocked);
}

fn of_the_policy(registry: &mut Registry, generation: &Generation) {
    let decisions = Family::<PolicyLabels, Counter>::default();
    let failed = Family::<PolicyLabels, Counter>::default();
    let left_alone = Family::<PolicyLabels, Gauge>::default();
    for policy in generation.chain.policies() {
        let (calls, faults) = policy.counts();
        let labels = PolicyLabels { policy: policy.name.clone(), version: policy.version.clone() };
        decisions.get_or_create(&labels).inc_by(calls);
        failed.get_or_create(&labels).inc_by(faults);
        left_alone.get_or_create(&labels).set(policy.is_tripped().into());
    }
    let help = "Whether the policy failed so often that it is not asked for a while";
    registry.register("policy_left_alone", help, left_alone);
    registry.register("policy_decisions", "Decisions asked of the policy since it is in force", decisions);
    registry.register("policy_faults", "Decisions that the policy did not give", failed);
    let number = i64::try_from(generation.number).unwrap_or(i64::MAX);
    registry.register("generation", "The generation in force", ConstGauge::new(number));
    let dropped = ConstCounter::new(generation.log.dropped());
    registry.register("decision_log_dropped", "Decisions that policy.decision_log could not take", dropped);
}

fn of_changes(registry: &mut Registry, generation: &Generation, current: &Current) {
    let reloads = Family::<OutcomeLabel, Counter>::default();
    for (outcome, count) in current.reloads() {
        reloads.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
    }
    registry.register("policy_reloads", "Reloads that ended so; one that changed nothing is none", reloads);
    let on_probation = ConstGauge::new(i64::from(generation.is_on_probation()));
    registry.register("policy_on_probation", "Whether the last change is still watched", on_probation);
    let verdicts = Family::<VerdictLabels, Counter>::default();
    if let Some(shadow) = &generation.shadow {
        let Compared { same, other_order, other_first, failed } = shadow.compared();
        for policy in shadow.chain().policies() {
            for (verdict, count) in [("same", same), ("order", other_order), ("first", other_first), ("failed", failed)]
            {
                let (policy, version) = (policy.name.clone(), policy.version.clone());
                verdicts.get_or_create(&VerdictLabels { policy, version, verdict }).inc_by(count);
            }
        }
    }
    registry.register("policy_shadow_decisions", "What the shadow said to decisions that were made", verdicts);
}

fn number(count: usize) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(count).unwrap_or(i64::MAX))
}
