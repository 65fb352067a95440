//! Simulated embeddings: the same text always gives the same vector.
//!
//! Vectors have unit length and no meaning. One per input, as numbers or in
//! base64 (32-bit floats, lowest byte first). It knows no chat model. The list
//! of embedding models is in `sandbox/catalog.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fastrand::Rng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::sandbox::catalog;
use crate::sandbox::reply::Reply;
use crate::sandbox::reply::parts::tokens;
use crate::sandbox::rules;

/// A common size of small embedding models.
const DEFAULT_DIMENSIONS: u64 = 384;

/// The largest size that real models offer.
const DIMENSIONS_MAX: u64 = 4_096;

/// The most inputs of one call, as with the large providers.
const INPUTS_MAX: usize = 2_048;

/// Returns the answer to an embeddings request.
pub(super) fn reply(models: &Value, request: &Value, id: &str) -> Reply {
    let Some(model) = catalog::find(models, rules::requested_model(request)) else {
        return Reply::invalid_model();
    };
    let inputs = inputs(&request["input"]);
    if inputs.is_empty() || inputs.len() > INPUTS_MAX {
        return Reply::error(400, "Input must hold 1 to 2048 texts");
    }
    let longest = inputs.iter().map(|text| tokens(text)).max().unwrap_or_default();
    if let Some(context) = catalog::context_tokens(model).filter(|context| longest > *context) {
        return Reply::context_exceeded(context, longest);
    }
    let dimensions = match &request["dimensions"] {
        Value::Null => DEFAULT_DIMENSIONS,
        given => given.as_u64().unwrap_or_default(),
    };
    if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
        return Reply::error(400, "Dimensions must be between 1 and 4096");
    }
    let slug = catalog::slug(model).unwrap_or_default();
    let is_base64 = request["encoding_format"] == "base64";
    let entry = |(index, text): (usize, &String)| {
        let vector = vector(slug, text, dimensions);
        let embedding = if is_base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        };
        json!({"object": "embedding", "embedding": embedding, "index": index})
    };
    let data: Vec<Value> = inputs.iter().enumerate().map(entry).collect();
    let prompt_tokens: u64 = inputs.iter().map(|text| tokens(text)).sum();
    let usage = json!({"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens, "cost": 0});
    Reply::json(
        200,
        json!({
            "object": "list",
            "data": data,
            "model": slug,
            "provider": "Sandbox",
            "id": id,
            "usage": usage,
        }),
    )
}

/// Returns each input as a text; tokens and rich inputs as their JSON.
fn inputs(input: &Value) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match input {
        Value::Null => Vec::new(),
        Value::Array(values) if values.iter().all(Value::is_u64) && !values.is_empty() => {
            vec![input.to_string()]
        }
        Value::Array(values) => values.iter().map(text).collect(),
        other => vec![text(other)],
    }
}

fn vector(model: &str, text: &str, dimensions: u64) -> Vec<f32> {
    let digest = Sha256::new().chain_update(model).chain_update([0]).chain_update(text);
    let digest = digest.finalize();
    let (seed, _) = digest.split_first_chunk().unwrap_or((&[0; 8], &[]));
    let mut chance = Rng::with_seed(u64::from_le_bytes(*seed));
    let values: Vec<f32> = (0..dimensions).map(|_| chance.f32() - 0.5).collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    // All zero is possible only in theory; it then stays zero.
    let scale = if length > 0.0 { length.recip() } else { 0.0 };
    values.iter().map(|value| value * scale).collect()
}
