//! Small catalogues, written by hand in the upstream's shape.
//!
//! Each test names its models itself, so that the order in which they are
//! tried can be read off the test: the first has the largest context. The
//! sandbox's own catalogue, with all the awkward cases, is what a scenario has
//! without these. Knows nothing of routers.

use serde_json::{Value, json};

/// The context of the first model of a list, in tokens.
const LARGEST: u32 = 200_000;

/// How much smaller each next one is.
const STEP: u32 = 10_000;

/// Returns a catalogue of free models, the one to be tried first in front.
pub fn free(ids: &[&str]) -> Value {
    let mut context = LARGEST + STEP;
    let smaller = |id: &&str| {
        context -= STEP;
        entry(id, context)
    };
    catalog(ids.iter().map(smaller))
}

/// Returns a catalogue of these models.
pub fn catalog(models: impl IntoIterator<Item = Value>) -> Value {
    json!({"data": models.into_iter().collect::<Vec<Value>>()})
}

/// Returns a free model that chats, calls tools and sees no images.
pub fn entry(id: &str, context: u32) -> Value {
    json!({
        "id": id,
        "name": format!("The model {id}"),
        "created": 1_780_272_000,
        "context_length": context,
        "architecture": {
            "input_modalities": ["text"], "output_modalities": ["text"], "tokenizer": "Other",
        },
        "pricing": {"prompt": "0", "completion": "0"},
        "top_provider": {"context_length": context, "max_completion_tokens": 8_192, "is_moderated": false},
        "supported_parameters": ["max_tokens", "temperature", "tools", "tool_choice"],
    })
}

/// Returns a free model that turns texts into vectors.
pub fn embedder(id: &str, context: u32) -> Value {
    let mut model = entry(id, context);
    model["architecture"]["output_modalities"] = json!(["embeddings"]);
    model["supported_parameters"] = json!([]);
    model["top_provider"]["max_completion_tokens"] = Value::Null;
    model
}

/// Returns a model that is not free.
pub fn paid(id: &str, context: u32) -> Value {
    let mut model = entry(id, context);
    model["pricing"] = json!({"prompt": "0.000001", "completion": "0.000002"});
    model
}
