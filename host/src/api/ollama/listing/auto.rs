//! The entry for no model in particular.
//!
//! It promises only what one model can do alone, so that a request which uses
//! all of it at once has somewhere to go: the models that call tools come
//! first, among them those that see, and then the longest context counts.
//! Knows nothing of how a policy then chooses.

use crate::{
    api::ollama::listing::Listed,
    catalog::{Capabilities, Model, ModelId, Traits, names::AUTO},
};

/// The name under which it is listed.
pub(super) const NAME: &str = "auto:latest";

/// The name that people read.
pub(super) const BASENAME: &str = "Auto";

/// Returns a model that stands for whichever of these will answer.
///
/// It was modified when the newest of them was. Without any, it promises an
/// answer of unknown length, which is the least that can be said.
pub(super) fn model(models: &[Listed<'_>]) -> Model {
    let chat = models.iter().map(|listed| listed.model).filter(|m| !m.capabilities.contains(Capabilities::EMBEDDINGS));
    let best = chat.max_by_key(|model| {
        let can = |capability| model.capabilities.contains(capability);
        (can(Capabilities::TOOLS), can(Capabilities::VISION), model.context_tokens, model.capabilities.bits())
    });
    let mut auto = Model {
        id: id(),
        name: BASENAME.to_owned(),
        capabilities: Capabilities::empty(),
        traits: Traits::CHAT,
        context_tokens: 0,
        max_output_tokens: 0,
        prompt_price: None,
        completion_price: None,
        created: models.iter().map(|listed| listed.model.created).max().unwrap_or_default(),
        expires: None,
    };
    if let Some(best) = best {
        auto.capabilities = best.capabilities;
        auto.context_tokens = best.context_tokens;
    }
    auto
}

fn id() -> ModelId {
    match ModelId::parse(AUTO) {
        Some(id) => id,
        None => unreachable!("the name is not empty"),
    }
}
