//! The list of models as Anthropic's clients read it.
//!
//! The same models under the same names as in every other face, but for those that
//! only make vectors, and in one page.
//!
//! Outside fact: `ModelInfo` of github.com/anthropics/anthropic-sdk-python, November
//! 2026.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{catalog::names::AUTO, policy::generation::Generation};

/// Returns the list: `auto`, then the models of the policy in its order.
pub(super) fn listed(generation: &Generation) -> Value {
    let model = |id: &str, name: &str, created: u64, context: u32, output: u32| {
        let created = i64::try_from(created).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let known = |tokens: u32| (tokens > 0).then_some(tokens);
        json!({
            "type": "model", "id": id, "display_name": name, "created_at": created.unwrap_or_default().to_string(),
            "max_input_tokens": known(context), "max_tokens": known(output), "lifecycle": "active",
        })
    };
    let found = |number: &u32| Some((*number, generation.catalog.model(*number)?));
    let visible = || generation.visible.iter().filter_map(found).filter(|(_, model)| !model.embeds());
    let newest = visible().map(|(_, found)| found.created).max().unwrap_or_default();
    let largest = visible().map(|(_, found)| found.context_tokens).max().unwrap_or_default();
    let mut data = vec![model(AUTO, AUTO, newest, largest, 0)];
    data.extend(visible().filter_map(|(number, found)| {
        let shown = generation.names.shown(number)?;
        Some(model(shown, &found.name, found.created, found.context_tokens, found.max_output_tokens))
    }));
    let id = |model: Option<&Value>| model.map(|model| model["id"].clone());
    json!({"first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data})
}
