//! The catalogue: which models there are, and the facts known of each.
//!
//! Plain immutable data, made once per refresh and then only read. Knows
//! nothing of how it was fetched, of policies or of failures. What clients may
//! call a model is in [`names`], how a refresh changed it in [`change`]; how OpenRouter spells it all, in
//! `openrouter::models`.

pub mod change;
pub mod names;

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use self::change::Change;

bitflags::bitflags! {
    /// What a model can do, and what a request needs.
    ///
    /// The bits are those of `capabilities` in `wit/policy.wit`.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Capabilities: u16 {
        /// Calls functions.
        const TOOLS = 1;
        /// Obeys a required or named tool choice.
        const TOOL_CHOICE = 1 << 1;
        /// Returns well-formed JSON when asked to.
        const JSON_OBJECT = 1 << 2;
        /// Returns JSON that follows a schema.
        const JSON_SCHEMA = 1 << 3;
        /// Reads images.
        const VISION = 1 << 4;
        /// Hears audio.
        const AUDIO = 1 << 5;
        /// Reads files.
        const FILES = 1 << 6;
        /// Thinks before it answers, and shows it.
        const REASONING = 1 << 7;
        /// Returns token probabilities.
        const LOGPROBS = 1 << 8;
        /// Turns text into vectors.
        const EMBEDDINGS = 1 << 9;
    }
}

bitflags::bitflags! {
    /// Facts about a model. The bits are those of `traits` in the contract.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub struct Traits: u8 {
        /// Every price is zero.
        const FREE = 1;
        /// Text comes out, and it is made for conversation.
        const CHAT = 1 << 1;
        /// A router of OpenRouter's that picks a model itself.
        const ROUTER = 1 << 2;
        /// Requests pass a moderation filter first.
        const MODERATED = 1 << 3;
        /// Reasoning cannot be switched off.
        const REASONING_MANDATORY = 1 << 4;
    }
}

/// OpenRouter's id of a model, such as `google/gemma-4-31b-it:free`.
///
/// Never empty. Cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelId(Arc<str>);

impl ModelId {
    /// Takes an id as OpenRouter writes it; `None` if it is empty.
    pub fn parse(id: &str) -> Option<Self> {
        (!id.is_empty()).then(|| Self(id.into()))
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before the first slash, or the whole id without one.
    pub fn vendor(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(vendor, _)| vendor)
    }

    /// Returns the part after the first slash, or the whole id without one.
    pub fn tail(&self) -> &str {
        self.0.split_once('/').map_or(&*self.0, |(_, tail)| tail)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A model of the catalogue.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// OpenRouter's id.
    pub id: ModelId,
    /// The name that people read; the id if OpenRouter gave none.
    pub name: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What is known of it.
    pub traits: Traits,
    /// Tokens that fit, the smaller of model's and provider's figure; 0 unknown.
    pub context_tokens: u32,
    /// The longest answer in tokens; 0 unknown.
    pub max_output_tokens: u32,
    /// US dollars for a million prompt tokens; `None` unknown beforehand.
    pub prompt_price: Option<f64>,
    /// US dollars for a million answer tokens; `None` unknown beforehand.
    pub completion_price: Option<f64>,
    /// When it was listed first, in seconds since 1970.
    pub created: u64,
    /// When it will be gone, in seconds since 1970.
    pub expires: Option<u64>,
}

impl Model {
    /// Tells whether its last day is over at `now`, in seconds since 1970.
    pub fn is_over(&self, now: u64) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Tells whether it turns texts into vectors, and then nothing else.
    pub fn embeds(&self) -> bool {
        self.capabilities.contains(Capabilities::EMBEDDINGS)
    }
}

/// The models of one refresh, in OpenRouter's order: those that write first, then those that embed.
#[derive(Debug, Default)]
pub struct Catalog {
    models: Vec<Model>,
    by_id: HashMap<ModelId, u32>,
    formerly: BTreeSet<String>,
    fetched: u64,
    changed: Option<Arc<Change>>,
}

impl Catalog {
    /// Makes a catalogue of models fetched at `fetched`, in seconds since 1970.
    ///
    /// Of two models with one id the first is kept. `formerly` are ids that
    /// were in an earlier catalogue; those in this one are dropped from it.
    pub fn new(models: Vec<Model>, mut formerly: BTreeSet<String>, fetched: u64) -> Self {
        let mut by_id = HashMap::with_capacity(models.len());
        let mut kept = Vec::with_capacity(models.len());
        let mut next = 0_u32;
        for model in models {
            formerly.remove(model.id.as_str());
            if let Entry::Vacant(entry) = by_id.entry(model.id.clone()) {
                entry.insert(next);
                kept.push(model);
                next += 1;
            }
        }
        Self { models: kept, by_id, formerly, fetched, changed: None }
    }

    /// Returns all models; a model's number is its place here.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Returns the model with this number.
    pub fn model(&self, number: u32) -> Option<&Model> {
        self.models.get(number as usize)
    }

    /// Returns the number of the model with this id.
    pub fn number(&self, id: &ModelId) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// Returns the ids that were served once and are not in this catalogue.
    pub fn formerly(&self) -> &BTreeSet<String> {
        &self.formerly
    }

    /// Returns when the next last day of a model is over, in seconds since 1970.
    pub fn next_end(&self) -> Option<u64> {
        self.models.iter().filter_map(|model| model.expires).min()
    }

    /// Returns the catalogue without the models whose last day is over at `now`,
    /// in seconds since 1970; they are among those that were served once.
    #[must_use]
    pub fn without_over(&self, now: u64) -> Self {
        let (over, kept): (Vec<&Model>, Vec<&Model>) = self.models.iter().partition(|model| model.is_over(now));
        let formerly = over.iter().map(|model| model.id.to_string()).chain(self.formerly.iter().cloned()).collect();
        let rest = Self::new(kept.into_iter().cloned().collect(), formerly, self.fetched);
        Self { changed: self.changed.clone(), ..rest }
    }

    /// Notes the last refresh that changed which models there are.
    #[must_use]
    pub fn with_change(self, changed: Option<Arc<Change>>) -> Self {
        Self { changed, ..self }
    }

    /// Returns what the last refresh changed that changed anything; it may be older
    /// than this catalogue.
    pub fn changed(&self) -> Option<&Arc<Change>> {
        self.changed.as_ref()
    }

    /// Returns when it was fetched, in seconds since 1970.
    pub fn fetched(&self) -> u64 {
        self.fetched
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn model(id: &str, expires: Option<u64>) -> Model {
        Model {
            id: ModelId::parse(id).unwrap(),
            name: id.to_owned(),
            capabilities: Capabilities::empty(),
            traits: Traits::FREE | Traits::CHAT,
            context_tokens: 1,
            max_output_tokens: 0,
            prompt_price: None,
            completion_price: None,
            created: 0,
            expires,
        }
    }

    #[test]
    fn a_model_is_gone_when_its_last_day_is_over_though_the_catalogue_is_old() {
        let models = vec![model("a", Some(20)), model("b", None), model("c", Some(10))];
        let catalog = Catalog::new(models, BTreeSet::from(["old".to_owned()]), 5);
        assert_eq!(catalog.next_end(), Some(10));
        let ids = |catalog: &Catalog| catalog.models().iter().map(|model| model.id.to_string()).collect::<Vec<_>>();
        assert_eq!(ids(&catalog.without_over(9)), ["a", "b", "c"]);
        let later = catalog.without_over(10);
        assert_eq!((ids(&later), later.next_end()), (vec!["a".to_owned(), "b".to_owned()], Some(20)));
        assert!(later.formerly().iter().eq(["c", "old"]) && later.fetched() == 5);
        assert_eq!(later.without_over(20).next_end(), None);
    }
}
