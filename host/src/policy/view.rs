//! What a policy shows clients, once it can be trusted.
//!
//! The guest's view names models by number; here it is held against the models that the
//! guest was told of and against their price. Pure: what becomes of a view is
//! `policy::generation`'s business, and its order is the policy's own.

use crate::{
    policy::{
        Phase, Refused,
        bindings::ollama_router::policy::types::{self, Capabilities, Traits},
        convert,
    },
    routing::plan::Dropped,
};

/// Takes a view only if it names models that exist, each once; and drops from
/// it what no client may use, whatever the policy says.
pub(super) fn checked(
    view: &types::View,
    models: &[types::Model],
    free_mode: bool,
) -> Result<(Vec<u32>, Vec<Dropped>), Refused> {
    let refuse = |reason: String| Err(Refused { phase: Phase::LoadCatalog, reason });
    let mut seen = vec![false; models.len()];
    let mut visible = Vec::with_capacity(view.visible.len());
    for &number in &view.visible {
        match (seen.get_mut(number as usize), models.get(number as usize)) {
            (Some(seen), Some(model)) => {
                if std::mem::replace(seen, true) {
                    return refuse(format!("its view names model {number} twice"));
                }
                let answers =
                    model.traits.contains(Traits::CHAT) || model.capabilities.contains(Capabilities::EMBEDDINGS);
                if answers && (!free_mode || model.traits.contains(Traits::FREE)) {
                    visible.push(number);
                } else {
                    tracing::warn!(model.id = %model.id, "the policy shows a model that may not be used; it stays hidden");
                }
            }
            _ => return refuse(format!("its view names model {number}, and there are {}", models.len())),
        }
    }
    Ok((visible, convert::dropped(&view.hidden)))
}
