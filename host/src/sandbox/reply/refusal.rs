//! Error statuses about the request, the key or the model: 400 to 422.
//!
//! The texts are the upstream's own, word for word, since a router may have to
//! read them; `{model}` becomes the requested model's id when the reply is
//! sent. It does not decide when they apply: `sandbox/rules.rs` does. Limits
//! and outages are in `reply/limit.rs`.

use serde_json::json;

use crate::sandbox::reply::Reply;

impl Reply {
    /// Returns 400: no such model id.
    pub fn invalid_model() -> Self {
        Self::error(400, "{model} is not a valid model ID")
    }

    /// Returns 400: the prompt does not fit the model's context.
    pub fn context_exceeded(context_tokens: u64, asked_tokens: u64) -> Self {
        let message = format!(
            "This endpoint's maximum context length is {context_tokens} tokens. However, you \
             requested about {asked_tokens} tokens ({asked_tokens} of text input). Please reduce \
             the length of either one, or use the context-compression plugin to compress your \
             prompt automatically."
        );
        Self::error(400, &message).metadata(json!({"provider_name": null}))
    }

    /// Returns 400: more than three entries in `models`.
    pub fn too_many_models() -> Self {
        Self::error(400, "'models' array must have 3 items or fewer.")
    }

    /// Returns 400: the model cannot do without reasoning.
    pub fn reasoning_mandatory() -> Self {
        let message = "Reasoning is mandatory for this endpoint and cannot be disabled.";
        Self::error(400, message)
    }

    /// Returns an error of this status that hides the provider's own in `raw`.
    pub fn provider_error(status: u16, raw: &str) -> Self {
        let metadata = json!({"raw": raw, "provider_name": "Sandbox", "is_byok": false});
        Self::error(status, "Provider returned error").metadata(metadata)
    }

    /// Returns 401: no key was sent.
    pub fn no_credentials() -> Self {
        Self::error(401, "No auth credentials found")
    }

    /// Returns 401: the authorization header holds no key.
    pub fn missing_authentication() -> Self {
        Self::error(401, "Missing Authentication header")
    }

    /// Returns 401: nobody has this key.
    pub fn user_not_found() -> Self {
        Self::error(401, "User not found.")
    }

    /// Returns 402: the account has no credits; its free calls fail as well.
    pub fn insufficient_credits() -> Self {
        let message = "Insufficient credits. This account never purchased credits. Make sure your \
             key is on the correct account or org, and if so, purchase more at \
             https://openrouter.ai/settings/credits";
        Self::error(402, message)
    }

    /// Returns 402: the answer could cost more than the account holds.
    pub fn cannot_afford(asked_tokens: u64, affordable_tokens: u64) -> Self {
        let message = format!(
            "This request requires more credits, or fewer max_tokens. You requested up to \
             {asked_tokens} tokens, but can only afford {affordable_tokens}."
        );
        Self::error(402, &message).metadata(json!({"limit_source": "openrouter_credits"}))
    }

    /// Returns 403: the key has used up its own limit.
    pub fn key_limit() -> Self {
        let message = "Key limit exceeded (daily limit). Manage it using \
             https://openrouter.ai/settings/keys";
        Self::error(403, message)
    }

    /// Returns 403: the free model is for listed apps only.
    pub fn harness_gate() -> Self {
        Self::harness_gate_bare().metadata(json!({
            "routing_funnel": [{"step": "Initial Endpoints", "endpoint_count": 1}],
            "failed_routing_step": "Gate Free Endpoints by Agentic Harness",
        }))
    }

    /// Returns the 403 of `harness_gate` as it also comes, without metadata.
    pub fn harness_gate_bare() -> Self {
        let message = "{model} is only available on agentic harnesses. Try plugging it into a \
             coding agent or productivity app listed on https://openrouter.ai/apps";
        Self::error(403, message)
    }

    /// Returns 403: the account has not confirmed its age.
    pub fn age_attestation() -> Self {
        let message = "This model requires you to complete the following before use: 18+ age \
             confirmation. Confirm at https://openrouter.ai/settings/preferences.";
        Self::error(403, message).metadata(json!({
            "missing_attestation_types": ["age_18plus"],
            "routing_funnel": [{"step": "Initial Endpoints", "endpoint_count": 1}],
            "failed_routing_step": "Gate Endpoints with Attestations",
        }))
    }

    /// Returns 403: the moderation of the model's provider flagged the input.
    pub fn moderated() -> Self {
        let message = "{model} requires moderation on Sandbox. Your input was flagged";
        Self::error(403, message).metadata(json!({
            "reasons": ["violence"],
            "flagged_input": "…",
            "model_slug": "{model}",
            "provider_name": "Sandbox",
        }))
    }

    /// Returns 404: no endpoint serves the model any more.
    pub fn model_gone() -> Self {
        Self::error(404, "No endpoints found for {model}.")
    }

    /// Returns 404: the model's free period is over.
    pub fn free_period_ended() -> Self {
        let message = "The free {model} period has ended. To continue using this model, please \
             migrate to the paid slug: vendor/model";
        Self::error(404, message)
    }

    /// Returns 404: the model is now sold only; the text names a paid one.
    pub fn unavailable_for_free() -> Self {
        let message = "This model is unavailable for free. The paid version is available now - \
             use this slug instead: vendor/model";
        Self::error(404, message)
    }

    /// Returns 404: the account's privacy settings leave no endpoint.
    pub fn data_policy() -> Self {
        let message = "No endpoints available matching your guardrail restrictions and data \
             policy. Configure: https://openrouter.ai/settings/privacy";
        Self::error(404, message)
    }

    /// Returns 404: the newer form of `data_policy`, with its reasons.
    pub fn guardrails() -> Self {
        let message = "0 endpoints out of 1 requested are available matching your guardrail \
             restrictions and data policy.";
        Self::error(404, message).metadata(json!({
            "input_endpoint_count": 1,
            "ineligibility_reasons": [{
                "reason": "paid-model-training-violation-by-account",
                "endpoint_count": 1,
                "configure_url": "https://openrouter.ai/settings/privacy",
            }],
            "failed_routing_step": "Filter by Guardrails",
        }))
    }

    /// Returns 404: the account allows none of the model's providers.
    pub fn no_allowed_providers() -> Self {
        let message = "No allowed providers are available for the selected model.";
        Self::error(404, message).metadata(json!({"failed_routing_step": "Filter by Allowed Providers"}))
    }

    /// Returns 404: the model takes no tools; `tool` is one the client sent.
    pub fn no_tool_use(tool: &str) -> Self {
        let message = format!(
            "No endpoints found that support tool use. Try disabling \"{tool}\". To learn more \
             about provider routing, visit: https://openrouter.ai/docs/provider-routing"
        );
        Self::error(404, &message)
    }

    /// Returns 404: the model takes tools, but not this choice among them.
    pub fn no_tool_choice() -> Self {
        let message = "No endpoints found that support the provided 'tool_choice' value. To \
             learn more about provider routing, visit: \
             https://openrouter.ai/docs/provider-routing";
        Self::error(404, message)
    }

    /// Returns 404: the model takes no input of this kind, such as `image`.
    pub fn no_input(kind: &str) -> Self {
        Self::error(404, &format!("No endpoints found that support {kind} input"))
    }

    /// Returns 404: the model gives no output of these kinds.
    pub fn no_output(kinds: &str) -> Self {
        let message = format!("No endpoints found that support the requested output modalities: {kinds}");
        Self::error(404, &message).metadata(json!({"failed_routing_step": "Filter by Model Output Modalities"}))
    }

    /// Returns 404: `require_parameters` is set and the model lacks one.
    pub fn no_parameters() -> Self {
        let message = "No endpoints found that can handle the requested parameters.";
        Self::error(404, message).metadata(json!({"failed_routing_step": "Filter by Parameters"}))
    }

    /// Returns 404: the model costs more than `provider.max_price` allows.
    pub fn above_max_price() -> Self {
        let message = "No endpoints found that satisfy the max price for {model}.";
        Self::error(404, message).metadata(json!({
            "routing_funnel": [{"step": "Initial Endpoints", "endpoint_count": 1}],
            "failed_routing_step": "Filter by Max Price",
        }))
    }

    /// Returns 403: a guardrail of the account's found something in the prompt.
    pub fn guardrail_blocked() -> Self {
        let message = "Request blocked: prompt injection patterns detected";
        Self::error(403, message).metadata(json!({"patterns": ["instruction_override"]}))
    }

    /// Returns an error of this status by which a step of the routing refused.
    pub fn routing_step(status: u16, step: &str) -> Self {
        Self::error(status, "No endpoints left for {model}").metadata(json!({
            "routing_funnel": [{"step": "Initial Endpoints", "endpoint_count": 1}],
            "failed_routing_step": step,
        }))
    }

    /// Returns an error of this status with `availability`, as announced.
    pub fn unavailable(status: u16, code: &str) -> Self {
        Self::error(status, "{model} cannot be used").error_field("http_status", json!(status)).error_field(
            "availability",
            json!({"code": code, "requested_models": ["{model}"], "fallback_models": ["vendor/dear"]}),
        )
    }

    /// Returns 412: a condition of the request does not hold.
    pub fn precondition_failed() -> Self {
        let error_type = json!({"error_type": "precondition_failed"});
        Self::error(412, "A precondition of the request failed").metadata(error_type)
    }

    /// Returns 413: the body is too large.
    pub fn payload_too_large() -> Self {
        let error_type = json!({"error_type": "payload_too_large"});
        Self::error(413, "Request payload is too large").metadata(error_type)
    }

    /// Returns 422: the request is well-formed and still cannot be served.
    pub fn unprocessable() -> Self {
        let error_type = json!({"error_type": "unprocessable"});
        Self::error(422, "The request could not be processed").metadata(error_type)
    }
}
