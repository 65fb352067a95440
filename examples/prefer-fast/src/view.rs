//! The model filter: which models clients may see and use, and their order.
//!
//! The order is the catalogue's, newest first, because nobody's speed is known
//! before it was tried. Routers come after the models and embedding models last.

use crate::bindings::ollama_router::policy::types::{Capabilities, Drop, Model, Traits, View};
use crate::reason::Reason;
use crate::settings::Settings;

/// Returns the visible models, best first, and the hidden ones with reasons.
pub(crate) fn view(settings: &Settings, models: &[Model]) -> View {
    let mut visible: Vec<u32> = Vec::with_capacity(models.len());
    let mut hidden = Vec::new();
    for (number, model) in (0..).zip(models) {
        match why_hidden(settings, model) {
            None => visible.push(number),
            Some(reason) => hidden.push(Drop { model: number, why: reason.code() }),
        }
    }
    visible.sort_by_key(|number| {
        models.get(*number as usize).map(|model| (embeds(model), model.traits.contains(Traits::ROUTER)))
    });
    View { visible, hidden }
}

fn why_hidden(settings: &Settings, model: &Model) -> Option<Reason> {
    if !model.traits.contains(Traits::CHAT) && !embeds(model) {
        return Some(Reason::NotChat);
    }
    if settings.free_mode && !model.traits.contains(Traits::FREE) {
        return Some(Reason::NotFree);
    }
    if settings.tool_use_only && !model.capabilities.contains(Capabilities::TOOLS) {
        return Some(Reason::NoTools);
    }
    if !settings.filter.is_empty() {
        let (id, name) = (model.id.to_ascii_lowercase(), model.name.to_ascii_lowercase());
        if !settings.filter.iter().any(|text| id.contains(text) || name.contains(text)) {
            return Some(Reason::Filtered);
        }
    }
    None
}

fn embeds(model: &Model) -> bool {
    model.capabilities.contains(Capabilities::EMBEDDINGS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::tests::model;

    #[test]
    fn each_hidden_model_has_its_reason_and_the_rest_an_order() {
        let models = [
            Model { capabilities: Capabilities::EMBEDDINGS, traits: Traits::FREE, ..model("a/embed") },
            Model { traits: Traits::CHAT | Traits::FREE | Traits::ROUTER, ..model("a/router") },
            Model { traits: Traits::FREE, ..model("a/ocr") },
            Model { traits: Traits::CHAT, ..model("a/paid") },
            model("a/new"),
            model("a/old"),
        ];
        let view = view(&Settings::default(), &models);
        assert_eq!(view.visible, [4, 5, 1, 0]);
        let hidden: Vec<_> = view.hidden.iter().map(|drop| (drop.model, drop.why)).collect();
        assert_eq!(hidden, [(2, Reason::NotChat.code()), (3, Reason::NotFree.code())]);
    }

    #[test]
    fn the_operators_standard_wishes_are_kept() {
        let tools = Model { capabilities: Capabilities::TOOLS, ..model("b/tools") };
        let models = [model("a/plain"), tools];
        let visible = |settings: Settings| view(&settings, &models).visible;
        assert_eq!(visible(Settings { tool_use_only: true, ..Settings::default() }), [1]);
        assert_eq!(visible(Settings { filter: vec!["a/pl".to_owned()], ..Settings::default() }), [0]);
        assert_eq!(visible(Settings { filter: vec!["named b".to_owned()], ..Settings::default() }), [1]);
    }
}
