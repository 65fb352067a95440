//! Section 7.5 and the `availability` of 7.1: what the routing refused, and why.

use super::*;
use crate::routing::FailureKind::*;

#[test]
fn a_step_of_the_routing_decides_before_status_and_text() {
    let rows = [
        ("guardrails", 404, "Filter by Guardrails", DataPolicy, MODEL_FOR_HOURS),
        ("allowed providers", 404, "Filter by Allowed Providers", DataPolicy, MODEL_FOR_HOURS),
        ("max price", 404, "Filter by Max Price", Gone, MODEL_FOR_HOURS),
        ("parameters", 404, "Filter by Parameters", Unsupported, MISFIT),
        ("tools", 404, "Filter by Tool Compatibility", Unsupported, MISFIT),
        ("outputs", 404, "Filter by Model Output Modalities", Unsupported, MISFIT),
        ("harness", 403, "Gate Free Endpoints by Agentic Harness", Gated, MODEL_FOR_A_DAY),
        ("attestation", 403, "Gate Endpoints with Attestations", Attestation, MODEL_FOR_HOURS),
        ("any other, 403", 403, "Gate by Moon Phase", Unroutable, MODEL),
        ("any other, 404", 404, "Filter by Moon Phase", Unroutable, MODEL),
        ("any other, 503", 503, "Filter by Moon Phase", Overloaded, MODEL),
    ];
    for (row, status, step, kind, whom) in rows {
        let metadata =
            json!({"failed_routing_step": step, "routing_funnel": [{"step": "Initial", "endpoint_count": 1}]});
        check(row, &refused(status, "No", &metadata), kind, whom);
    }
}

#[test]
fn a_step_that_is_new_leaves_the_word_to_a_text_that_is_known() {
    let metadata = json!({"failed_routing_step": "Gate by Moon Phase"});
    let gate = "acme/fox:free is only available on agentic harnesses.";
    check("harness", &refused(403, gate, &metadata), Gated, MODEL_FOR_A_DAY);
    let tools = "No endpoints found that support tool use.";
    check("tools", &refused(404, tools, &metadata), Unsupported, MISFIT);
}

#[test]
fn a_field_that_comes_with_one_refusal_only_tells_it() {
    let ineligible = |reason: &str| json!({"ineligibility_reasons": [{"reason": reason, "endpoint_count": 1}]});
    let rows = [
        ("attestation", 403, json!({"missing_attestation_types": ["age_18plus"]}), Attestation, MODEL_FOR_HOURS),
        ("trains", 404, ineligible("free-model-training-violation-by-guardrail"), DataPolicy, MODEL_FOR_HOURS),
        ("zdr", 404, ineligible("zdr-violation-by-account"), DataPolicy, MODEL_FOR_HOURS),
        ("ignored", 404, ineligible("model-ignored-by-guardrail"), DataPolicy, MODEL_FOR_HOURS),
        (
            "moderation",
            403,
            json!({"reasons": ["violence"], "flagged_input": "…", "model_slug": "a/b"}),
            Moderated,
            REQUEST,
        ),
        ("guardrail's patterns", 403, json!({"patterns": ["injection"]}), Moderated, REQUEST),
    ];
    for (row, status, metadata, kind, whom) in rows {
        check(row, &refused(status, "No", &metadata), kind, whom);
    }
}

#[test]
fn every_availability_code_has_its_meaning() {
    let rows = [
        ("model_not_found", 400, Gone, MODEL_FOR_HOURS),
        ("wrong_endpoint", 400, Unsupported, MISFIT),
        ("no_endpoints", 404, Gone, MODEL_FOR_HOURS),
        ("model_deprecated", 404, Gone, MODEL_FOR_HOURS),
        ("model_unavailable_upstream", 404, Gone, MODEL_FOR_HOURS),
        ("free_variant_ended", 404, Gone, MODEL_FOR_HOURS),
        ("capacity_exhausted", 429, RateLimitedModel, POOL),
        ("temporarily_unavailable", 503, Overloaded, MODEL),
        // Closed at this border, not everywhere.
        ("region_restricted", 403, Gated, MODEL_FOR_A_DAY),
        ("privacy_restricted", 404, DataPolicy, MODEL_FOR_HOURS),
        ("constraint_filtered", 404, Unsupported, MISFIT),
        ("something_new", 503, Overloaded, MODEL),
    ];
    for (code, status, kind, whom) in rows {
        let error = json!({"message": "No", "http_status": status, "availability": {"code": code}});
        let found = classify_error_object(&error, NOW);
        check(code, &found, kind, whom);
        assert_eq!((found.status, &*found.message, found.retry_after), (status, "No", None), "{code}");
    }
}

#[test]
fn what_a_constraint_left_out_tells_whose_it_is() {
    let rows = [
        ("max_price", Gone, MODEL_FOR_HOURS),
        ("context_length", ContextOverflow, TOO_LONG),
        ("data_policy:zdr", DataPolicy, MODEL_FOR_HOURS),
        ("data_policy:training", DataPolicy, MODEL_FOR_HOURS),
        ("allowed_providers", DataPolicy, MODEL_FOR_HOURS),
        ("geo", DataPolicy, MODEL_FOR_HOURS),
        ("data_region", DataPolicy, MODEL_FOR_HOURS),
        ("require_parameters", Unsupported, MISFIT),
        ("quantization", Unsupported, MISFIT),
    ];
    for (name, kind, whom) in rows {
        let error = json!({"availability": {"code": "constraint_filtered", "excluded_by": [name]}});
        check(name, &classify_error_object(&error, NOW), kind, whom);
    }
}
