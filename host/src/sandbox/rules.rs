//! What the real upstream refuses before any model is asked.
//!
//! Pure: catalogue and request in, the model or the refusal out. Order and
//! texts follow the recorded refusals. Scripted replies go before these rules;
//! read `sandbox/server.rs` for that order.

use serde_json::Value;

use crate::sandbox::reply::Reply;
use crate::sandbox::{answer, catalog};

/// The longest `models` list that is taken.
const MODELS_MAX: usize = 3;

/// The prices that `provider.max_price` can bound, each in dollars a million.
const BOUNDED_PRICES: [&str; 5] = ["prompt", "completion", "request", "image", "audio"];

const MILLION: f64 = 1_000_000.0;

/// The request fields that `provider.require_parameters` is about.
const PARAMETERS: [&str; 12] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "logprobs",
    "response_format",
    "parallel_tool_calls",
];

/// Returns the model that a request asks for first; empty when it names none.
pub(super) fn requested_model(request: &Value) -> &str {
    let first = || request["models"][0].as_str();
    request["model"].as_str().or_else(first).unwrap_or_default()
}

/// Returns the first of the request's models that may answer it.
///
/// # Errors
/// Returns the refusal of the last model; there is one for each model.
pub(super) fn admit<'a>(catalog: &'a Value, request: &Value, today: &str) -> Result<&'a Value, Reply> {
    let others = request["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    if others.len() > MODELS_MAX {
        return Err(Reply::too_many_models());
    }
    if !request["messages"].is_array() {
        return Err(Reply::error(400, "Input required: specify \"prompt\" or \"messages\""));
    }
    let requested = requested_model(request);
    if requested.is_empty() {
        return Err(Reply::error(400, "No models provided"));
    }
    let others = others.iter().filter_map(Value::as_str);
    let mut outcome = Err(Reply::invalid_model());
    for id in [requested].into_iter().chain(others) {
        outcome = resolve(catalog, request, id, today);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Follows aliases and the free router to a model, and checks it.
fn resolve<'a>(catalog: &'a Value, request: &Value, id: &str, today: &str) -> Result<&'a Value, Reply> {
    let model = catalog::find(catalog, id).ok_or_else(Reply::invalid_model)?;
    if id == catalog::FREE_ROUTER {
        let fits = |model: &&Value| catalog::is_free_chat(model) && check(model, request, today).is_ok();
        return catalog::models(catalog).iter().find(fits).ok_or_else(Reply::model_gone);
    }
    let target = model["alias_target"]["slug"].as_str();
    let model = match target {
        Some(slug) => catalog::find(catalog, slug).ok_or_else(Reply::model_gone)?,
        None => model,
    };
    check(model, request, today)
}

fn check<'a>(model: &'a Value, request: &Value, today: &str) -> Result<&'a Value, Reply> {
    if is_over(model, today) {
        return Err(Reply::free_period_ended());
    }
    // Those are for the asynchronous batch interface only.
    if model["id"].as_str().is_some_and(|id| id.ends_with(":batch")) {
        return Err(Reply::model_gone());
    }
    if is_above_max_price(model, &request["provider"]["max_price"]) {
        return Err(Reply::above_max_price());
    }
    check_input(model, request)?;
    check_output(model, request)?;
    check_tools(model, request)?;
    check_parameters(model, request)?;
    if model["reasoning"]["mandatory"] == true && is_reasoning_off(request) {
        return Err(Reply::reasoning_mandatory());
    }
    let asked = answer::prompt_tokens(request);
    match catalog::context_tokens(model) {
        Some(context) if asked > context => Err(Reply::context_exceeded(context, asked)),
        _ => Ok(model),
    }
}

/// Returns whether the request switches reasoning off.
pub(super) fn is_reasoning_off(request: &Value) -> bool {
    let reasoning = &request["reasoning"];
    reasoning["enabled"] == false || reasoning["effort"] == "none" || request["reasoning_effort"] == "none"
}

fn is_over(model: &Value, today: &str) -> bool {
    // Dates of one form compare as their texts do.
    let ends = model["expiration_date"].as_str();
    ends.is_some_and(|date| date < today)
}

fn is_above_max_price(model: &Value, bounds: &Value) -> bool {
    BOUNDED_PRICES.iter().any(|kind| {
        let Some(bound) = number(&bounds[*kind]) else {
            return false;
        };
        let price = match &model["pricing"][*kind] {
            Value::Null => 0.0,
            // A price that is no number is no free one.
            _ => catalog::price(model, kind).unwrap_or(f64::INFINITY),
        };
        // Below zero: the price depends on where a router sends the call.
        price < 0.0 || price * MILLION > bound
    })
}

fn number(value: &Value) -> Option<f64> {
    let written = || value.as_str().and_then(|text| text.parse().ok());
    value.as_f64().or_else(written)
}

fn check_input(model: &Value, request: &Value) -> Result<(), Reply> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let parts = messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    for part in parts {
        let kind = match part["type"].as_str() {
            Some("image_url") => "image",
            Some("input_audio") => "audio",
            Some("video_url") => "video",
            Some("file") => "file",
            _ => continue,
        };
        if !catalog::lists(&model["architecture"]["input_modalities"], kind) {
            return Err(Reply::no_input(kind));
        }
    }
    Ok(())
}

fn check_output(model: &Value, request: &Value) -> Result<(), Reply> {
    let wanted = request["modalities"].as_array().into_iter().flatten();
    let wanted: Vec<&str> = wanted.filter_map(Value::as_str).collect();
    let given = &model["architecture"]["output_modalities"];
    if wanted.iter().all(|kind| catalog::lists(given, kind)) {
        return Ok(());
    }
    Err(Reply::no_output(&wanted.join(", ")))
}

fn check_tools(model: &Value, request: &Value) -> Result<(), Reply> {
    let Some(tool) = request["tools"].get(0) else {
        return Ok(());
    };
    let supported = &model["supported_parameters"];
    if !catalog::lists(supported, "tools") {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        return Err(Reply::no_tool_use(name));
    }
    if !request["tool_choice"].is_null() && !catalog::lists(supported, "tool_choice") {
        return Err(Reply::no_tool_choice());
    }
    Ok(())
}

fn check_parameters(model: &Value, request: &Value) -> Result<(), Reply> {
    if request["provider"]["require_parameters"] != true {
        return Ok(());
    }
    let supported = &model["supported_parameters"];
    let lacks = |name: &str| !request[name].is_null() && !catalog::lists(supported, name);
    if PARAMETERS.iter().any(|name| lacks(name)) {
        return Err(Reply::no_parameters());
    }
    Ok(())
}
