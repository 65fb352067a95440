//! What the operators' routes say of the list of models, as types that both ends use.

use std::{path::Path, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    catalog::{Capabilities, Catalog, Traits, change::Change},
    policy::generation::Generation,
    routing::Failure,
};

/// A call for a fresh list, answered when it was fetched or could not be.
pub struct RefreshCall {
    /// Where it goes.
    pub answer: oneshot::Sender<Result<Arc<Catalog>, Failure>>,
}

/// How the list is kept fresh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freshness {
    /// When it is fetched next, in seconds since 1970, if that is known.
    pub due: Option<u64>,
    /// Why the last fetch failed, if it did.
    pub failed: Option<Failed>,
}

/// A fetch that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When, in seconds since 1970.
    pub at: u64,
    /// What went wrong.
    pub why: String,
}

/// How many models there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub models: usize,
    /// Those that cost nothing.
    pub free: usize,
    /// Those that are made for conversation.
    pub chat: usize,
    /// Those that call tools.
    pub tools: usize,
    /// Those that cost nothing, converse, and so are in the file `free-models`.
    pub free_chat: usize,
}

/// The state of the list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CatalogStatus {
    /// When it was fetched, in seconds since 1970; 0 if never.
    pub fetched: u64,
    /// Models in it.
    pub models: usize,
    /// Models that clients may use.
    pub visible: usize,
    /// When it is fetched next, in seconds since 1970, if that is known.
    #[serde(default)]
    pub due: Option<u64>,
    /// Why the last fetch failed, if it did.
    #[serde(default)]
    pub failed: Option<Failed>,
    /// What the last refresh changed that changed anything, if one did.
    #[serde(default)]
    pub changed: Option<Change>,
    /// The folder on the router's machine in which the copy of the list is kept.
    #[serde(default)]
    pub folder: String,
}

/// What came of a refresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refreshed {
    /// When the list was fetched, in seconds since 1970.
    pub fetched: u64,
    /// When the list before was, in seconds since 1970; none if there was none.
    pub since: Option<u64>,
    /// How many models there are.
    pub counts: Counts,
    /// Models that clients may use; none if no router was asked.
    pub visible: Option<usize>,
    /// The ids of models that were not there before.
    pub new: Vec<String>,
    /// The ids of models that were there before.
    pub gone: Vec<String>,
    /// Whether the new list is in force; without a router it is kept for the next.
    pub in_force: bool,
}

impl Counts {
    /// Counts the models of a catalogue.
    pub fn of(catalog: &Catalog) -> Self {
        let having = |traits: Traits| catalog.models().iter().filter(|model| model.traits.contains(traits)).count();
        let tools = catalog.models().iter().filter(|model| model.capabilities.contains(Capabilities::TOOLS)).count();
        Self {
            models: catalog.models().len(),
            free: having(Traits::FREE),
            chat: having(Traits::CHAT),
            tools,
            free_chat: having(Traits::FREE | Traits::CHAT),
        }
    }
}

impl CatalogStatus {
    /// Describes the list in force.
    pub fn of(generation: &Generation, freshness: &Freshness, folder: &Path) -> Self {
        let catalog = &generation.catalog;
        Self {
            fetched: catalog.fetched(),
            models: catalog.models().len(),
            visible: generation.visible.len(),
            due: freshness.due,
            failed: freshness.failed.clone(),
            changed: catalog.changed().map(|change| Change::clone(change)),
            folder: folder.display().to_string(),
        }
    }
}

impl Refreshed {
    /// Tells what a router has of a refresh.
    pub fn of(before: &Catalog, fresh: &Catalog, generation: &Generation, in_force: bool) -> Self {
        Self { visible: Some(generation.visible.len()), in_force, ..Self::kept(before, fresh) }
    }

    /// Tells what a refresh brought that no router heard of.
    pub fn kept(before: &Catalog, fresh: &Catalog) -> Self {
        let (new, gone) =
            Change::between(before, fresh).map_or_else(Default::default, |change| (change.new, change.gone));
        let (fetched, counts) = (fresh.fetched(), Counts::of(fresh));
        let since = (!before.models().is_empty()).then(|| before.fetched());
        Self { fetched, since, counts, visible: None, new, gone, in_force: false }
    }
}
