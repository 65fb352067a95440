//! What a refresh changed: the models that are new, and those that are gone.
//!
//! Plain data about two catalogues. Knows neither how they were fetched nor where
//! a change is kept; `refresh` makes one and `api::admin` shows it.

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Model};

/// How one catalogue differs from the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// When the newer one was fetched, in seconds since 1970.
    pub at: u64,
    /// When the older one was.
    pub since: u64,
    /// The ids of models that only the newer one has, in its order.
    pub new: Vec<String>,
    /// The ids of models that only the older one has, in its order.
    pub gone: Vec<String>,
}

impl Change {
    /// Compares two catalogues; `None` if they have the same models, or if there
    /// was none before.
    pub fn between(old: &Catalog, new: &Catalog) -> Option<Self> {
        let only = |ours: &Catalog, theirs: &Catalog| -> Vec<String> {
            let missing = |model: &&Model| theirs.number(&model.id).is_none();
            ours.models().iter().filter(missing).map(|model| model.id.to_string()).collect()
        };
        let change = Self { at: new.fetched(), since: old.fetched(), new: only(new, old), gone: only(old, new) };
        let differs = !(change.new.is_empty() && change.gone.is_empty());
        (differs && !old.models().is_empty()).then_some(change)
    }
}
