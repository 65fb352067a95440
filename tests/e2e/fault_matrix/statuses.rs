//! Sections 7.3 and 7.5: error statuses, refusals of the routing, pages.

use ollama_router::sandbox::reply::Reply as Upstream;

use super::{Row, check_in_turn, check_together, next, patient, told};

/// A model that is not there, or not for this account, rests until later today.
const HOURS: u64 = 6 * 3600;

/// A model that is closed to us rests until tomorrow.
const DAY: u64 = 24 * 3600;

fn of_the_model() -> Vec<Row> {
    vec![
        next("7.3 400 not valid", Upstream::invalid_model(), "gone", HOURS),
        next("7.3 403 harness", Upstream::harness_gate(), "gated", DAY),
        next("7.3 403 harness, bare", Upstream::harness_gate_bare(), "gated", DAY),
        next("7.3 403 age", Upstream::age_attestation(), "attestation", HOURS),
        next("7.3 403 no reason", Upstream::error(403, "Forbidden"), "server-error", 300),
        next("7.3 404 none", Upstream::model_gone(), "gone", HOURS),
        next("7.3 404 ended", Upstream::free_period_ended(), "gone", HOURS),
        next("7.3 404 not free", Upstream::unavailable_for_free(), "gone", HOURS),
        next("7.3 404 policy", Upstream::data_policy(), "data-policy", HOURS),
        next("7.3 404 guardrails", Upstream::guardrails(), "data-policy", HOURS),
        next("7.3 404 providers", Upstream::no_allowed_providers(), "data-policy", HOURS),
        next("7.3 408", Upstream::request_timeout(), "timed-out", 300),
        next("7.3 500", Upstream::internal_error(), "server-error", 300),
        next("7.3 502", Upstream::connection_lost(), "server-error", 300),
        next("7.3 502 wrapped", Upstream::provider_error(502, "bad gateway"), "server-error", 300),
        next("7.3 503", Upstream::no_instances(), "overloaded", 300),
        next("7.3 503 with a hint", Upstream::no_instances().retry_after(90), "overloaded", 90),
        next("7.3 524", Upstream::edge_timeout(), "timed-out", 300),
        next("7.3 529", Upstream::overloaded(), "overloaded", 300),
        next("7.3 provider's 401", Upstream::provider_error(401, "invalid api key"), "server-error", 300),
        next("7.3 provider's 402", Upstream::provider_error(402, "no balance"), "server-error", 300),
        next("7.3 provider's 403", Upstream::provider_error(403, "forbidden"), "server-error", 300),
        next("7.3 provider's border", Upstream::provider_error(400, "User location is not supported"), "gated", DAY),
    ]
}

fn of_model_and_request() -> Vec<Row> {
    let system_image = "Image in system message is unsupported";
    vec![
        next("7.3 400 context", Upstream::context_exceeded(4_096, 9_000), "context-overflow", 0),
        next("7.3 400 reasoning", Upstream::reasoning_mandatory(), "unsupported", 0),
        next("7.3 400 by provider", Upstream::provider_error(400, "odd roles"), "bad-request", 0),
        next("7.3 400 system image", Upstream::provider_error(400, system_image), "unsupported", 0),
        next("7.3 413 by provider", Upstream::provider_error(413, "too long"), "bad-request", 0),
        next("7.3 422 by provider", Upstream::provider_error(422, "no such field"), "bad-request", 0),
        next("7.3 404 tools", Upstream::no_tool_use("f"), "unsupported", 0),
        next("7.3 404 tool_choice", Upstream::no_tool_choice(), "unsupported", 0),
        next("7.3 404 image", Upstream::no_input("image"), "unsupported", 0),
        next("7.3 404 outputs", Upstream::no_output("text, image"), "unsupported", 0),
        next("7.3 404 parameters", Upstream::no_parameters(), "unsupported", 0),
    ]
}

fn of_the_routing() -> Vec<Row> {
    let step = Upstream::routing_step;
    vec![
        next("7.5 guardrails", step(404, "Filter by Guardrails"), "data-policy", HOURS),
        next("7.5 providers", step(404, "Filter by Allowed Providers"), "data-policy", HOURS),
        next("7.5 price", step(404, "Filter by Max Price"), "gone", HOURS),
        next("7.5 parameters", step(404, "Filter by Parameters"), "unsupported", 0),
        next("7.5 tools", step(404, "Filter by Tool Compatibility"), "unsupported", 0),
        next("7.5 outputs", step(404, "Filter by Model Output Modalities"), "unsupported", 0),
        next("7.5 harness", step(403, "Gate Free Endpoints by Agentic Harness"), "gated", DAY),
        next("7.5 attestation", step(403, "Gate Endpoints with Attestations"), "attestation", HOURS),
        next("7.5 any other, 403", step(403, "Gate by Moon Phase"), "unroutable", 300),
        next("7.5 any other, 404", step(404, "Filter by Moon Phase"), "unroutable", 300),
        next("7.1 not found", Upstream::unavailable(400, "model_not_found"), "gone", HOURS),
        next("7.1 ended", Upstream::unavailable(404, "free_variant_ended"), "gone", HOURS),
        next("7.1 region", Upstream::unavailable(403, "region_restricted"), "gated", DAY),
        next("7.1 privacy", Upstream::unavailable(404, "privacy_restricted"), "data-policy", HOURS),
        next("7.1 for now", Upstream::unavailable(503, "temporarily_unavailable"), "overloaded", 300),
    ]
}

fn pages() -> Vec<Row> {
    vec![
        next("page 200", Upstream::html(200), "bad-answer", 300),
        next("page 401", Upstream::html(401), "server-error", 300),
        next("page 403", Upstream::html(403), "server-error", 300),
        next("page 500", Upstream::html(500), "server-error", 300),
        next("page 502", Upstream::html(502), "server-error", 300),
        next("page 503", Upstream::html(503), "overloaded", 300),
        next("page 524", Upstream::html(524), "timed-out", 300),
        next("plain text 500", Upstream::body(500, "text/plain", "it fell over"), "server-error", 300),
        next("nothing 502", Upstream::body(502, "text/plain", ""), "server-error", 300),
    ]
}

fn of_the_request() -> Vec<Row> {
    vec![
        told("7.3 400 models", Upstream::too_many_models(), "refused", 400),
        told("7.3 403 moderation", Upstream::moderated(), "moderated", 403),
        told("7.3 403 guardrail", Upstream::guardrail_blocked(), "moderated", 403),
        told("7.3 412", Upstream::precondition_failed(), "refused", 412),
        told("7.3 413", Upstream::payload_too_large(), "refused", 413),
        told("7.3 422", Upstream::unprocessable(), "refused", 422),
        told("page 413", Upstream::html(413), "refused", 413),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_model_and_request_in_every_form() {
    let rows = [of_the_model(), of_model_and_request(), of_the_request()];
    check_together(patient(), &rows.into_iter().flatten().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_routing_and_pages_in_every_form() {
    let rows = [of_the_routing(), pages()];
    check_together(patient(), &rows.into_iter().flatten().collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_the_key_in_every_form() {
    let rows = [
        told("7.3 401 none", Upstream::no_credentials(), "key-rejected", 502),
        told("7.3 401 missing", Upstream::missing_authentication(), "key-rejected", 502),
        told("7.3 401 user", Upstream::user_not_found(), "key-rejected", 502),
        told("7.3 402 credits", Upstream::insufficient_credits(), "key-exhausted", 402),
        told("7.3 402 afford", Upstream::cannot_afford(4_096, 12), "key-exhausted", 402),
        told("7.3 403 key", Upstream::key_limit(), "key-exhausted", 402),
    ];
    check_in_turn(patient(), &rows).await;
}
