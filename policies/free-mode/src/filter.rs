//! The model filter: which models clients may see and use, and their order.
//!
//! A pure function of the settings and the catalogue. It knows no request, no
//! failure and no clock, so that a model whose end has come is the host's to
//! leave out. The settings come from `settings.rs`; what follows for one
//! request is in `rank.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::bindings::ollama_router::policy::types::{self, Capabilities, Model, Traits, View};
use crate::reason::Reason;
use crate::settings::Settings;

/// Returns the visible models, best first, and the hidden ones with reasons.
///
/// The best has the largest context, then the longest answer, then the first
/// id by the alphabet. Routers come after the chat models: what they pick, and
/// how large it is, nobody knows beforehand. Embedding models come last: they
/// stand in for nobody, and a list for people begins with what converses.
pub(crate) fn view(settings: &Settings, models: &[Model]) -> View {
    let mut shown = Vec::with_capacity(models.len());
    let mut hidden = Vec::new();
    for (number, model) in (0..).zip(models) {
        match why_hidden(settings, model) {
            None => shown.push(Merit::new(number, model)),
            Some(reason) => hidden.push(types::Drop { model: number, why: reason.code() }),
        }
    }
    // For a catalogue a heap is as fast as a sort, and a tenth of the component
    // smaller.
    let visible = BinaryHeap::from(shown).into_sorted_vec();
    View { visible: visible.into_iter().map(|merit| merit.number).collect(), hidden }
}

/// What the order goes by: the smallest is the best, and no two are equal.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Merit<'a> {
    embeds: bool,
    is_router: bool,
    context_tokens: Reverse<u32>,
    max_output_tokens: Reverse<u32>,
    id: &'a str,
    number: u32,
}

impl<'a> Merit<'a> {
    fn new(number: u32, model: &'a Model) -> Self {
        Self {
            embeds: model.capabilities.contains(Capabilities::EMBEDDINGS),
            is_router: model.traits.contains(Traits::ROUTER),
            context_tokens: Reverse(model.context_tokens),
            max_output_tokens: Reverse(model.max_output_tokens),
            id: &model.id,
            number,
        }
    }
}

/// Says why a model is hidden, or `None` if it is not.
///
/// The first reason counts: the one that the operator can change last comes
/// first, so that nobody edits a filter for a model that cannot be used anyway.
fn why_hidden(settings: &Settings, model: &Model) -> Option<Reason> {
    if !model.traits.contains(Traits::CHAT) && !model.capabilities.contains(Capabilities::EMBEDDINGS) {
        return Some(Reason::NotChat);
    }
    if settings.free_mode && !model.traits.contains(Traits::FREE) {
        return Some(Reason::NotFree);
    }
    if settings.tool_use_only && !model.capabilities.contains(Capabilities::TOOLS) {
        return Some(Reason::NoTools);
    }
    if !passes(&settings.patterns, model) {
        return Some(Reason::Filtered);
    }
    None
}

/// Says whether a pattern is part of the model's id or display name.
///
/// The name without the vendor is part of the id, so that it needs no look of
/// its own. Case is ignored from A to Z only: OpenRouter's ids and names have
/// no other letters, and Unicode's tables would be a fifth of the component.
/// No patterns let everything pass.
fn passes(patterns: &[String], model: &Model) -> bool {
    if patterns.is_empty() {
        return true;
    }
    let id = model.id.to_ascii_lowercase();
    let name = model.name.to_ascii_lowercase();
    patterns.iter().any(|pattern| is_part(pattern, &id) || is_part(pattern, &name))
}

/// Says whether `pattern` occurs in `text`. An empty one never does.
///
/// Texts this short are searched twenty times faster so than by `str::contains`,
/// which prepares each search anew, and in a tenth less code.
fn is_part(pattern: &str, text: &str) -> bool {
    let pattern = pattern.as_bytes();
    pattern.first().is_some_and(|first| {
        text.as_bytes().windows(pattern.len()).any(|window| window.first() == Some(first) && window == pattern)
    })
}

#[cfg(test)]
mod tests;
