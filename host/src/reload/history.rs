//! What was in force before: the last recipes, and which of them proved bad.
//!
//! A recipe is everything a generation is made of but its models, so a refresh of
//! the catalogue makes no history. Bounded. It makes nothing and swaps nothing.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    current::{Past, Standing},
    policy::generation::{Blueprint, Part},
};

/// Recipes that are kept, with the one in force.
const KEPT: usize = 5;

/// The last recipes, the one in force last.
#[derive(Default)]
pub(super) struct History {
    kept: VecDeque<Entry>,
    /// What was rolled back from while it is still what the files say: it comes
    /// into force again only if somebody asks, or if the files change.
    held: Option<Blueprint>,
}

struct Entry {
    blueprint: Blueprint,
    past: Past,
}

impl History {
    /// Returns in a word each what a recipe has that the last one has not.
    pub(super) fn changed_by(&self, blueprint: &Blueprint) -> Vec<&'static str> {
        self.kept.back().map(|last| blueprint.changed_since(&last.blueprint)).unwrap_or_default()
    }

    /// Notes a recipe that is in force from now on.
    pub(super) fn begin(&mut self, blueprint: &Blueprint, past: Past) {
        if let Some(last) = self.kept.back_mut()
            && last.past.standing == Standing::InForce
        {
            last.past.standing = Standing::Replaced;
        }
        while self.kept.len() >= KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Entry { blueprint: blueprint.clone(), past });
    }

    /// Notes that what is in force has to go, and why; it is held back.
    pub(super) fn give_up(&mut self, why: String) {
        if let Some(last) = self.kept.back_mut() {
            last.past.standing = Standing::RolledBack;
            last.past.why = Some(why);
            self.held = Some(last.blueprint.clone());
        }
    }

    /// Takes back that what is in force has to go.
    pub(super) fn keep_on(&mut self) {
        self.held = None;
        if let Some(last) = self.kept.back_mut() {
            last.past.standing = Standing::InForce;
            last.past.why = None;
        }
    }

    /// Returns the recipe to go back to: that of a generation, or else the last
    /// good one that is another than what is in force.
    pub(super) fn earlier(&self, generation: Option<u64>) -> Option<Blueprint> {
        let mut before = self.kept.iter().rev();
        let now = before.next()?;
        let mut before = before.filter(|entry| !entry.blueprint.is_same_recipe(&now.blueprint));
        let found = match generation {
            Some(number) => before.find(|entry| entry.past.generation == number),
            None => before.find(|entry| entry.past.standing != Standing::RolledBack),
        };
        found.map(|entry| entry.blueprint.clone())
    }

    /// Says why there is no recipe to go back to.
    pub(super) fn why_none_earlier(&self, generation: Option<u64>) -> String {
        let Some(number) = generation else {
            return "no other policy or settings were in force before, since the router started".to_owned();
        };
        match (self.kept.iter().find(|entry| entry.past.generation == number), self.kept.back()) {
            (Some(asked), Some(now)) if asked.past.generation != now.past.generation => format!(
                "generation {number} decides as generation {} does, which is in force: nothing to roll back to",
                now.past.generation
            ),
            (Some(_), _) => format!("generation {number} is in force: nothing to roll back to"),
            (None, _) => format!("generation {number} is not among those that are kept: see `policy history`"),
        }
    }

    /// Returns the policies that may stand in for those of a recipe: the last ones
    /// that were in force, were not given up, and are others.
    pub(super) fn last_good(&self, blueprint: &Blueprint) -> Vec<Part> {
        let is_other = |parts: &[Part]| {
            parts.len() != blueprint.chain.len()
                || parts.iter().zip(&blueprint.chain).any(|(theirs, ours)| !theirs.is_same(ours))
        };
        let good = self.kept.iter().rev().filter(|entry| entry.past.standing != Standing::RolledBack);
        let mut chains = good.map(|entry| &entry.blueprint.chain).filter(|chain| is_other(chain));
        chains.next().cloned().unwrap_or_default()
    }

    /// Returns what is to be made in the place of what the files say, if that is
    /// held back because it was rolled back from.
    ///
    /// If other policies were gone back to, those are held and all else follows the
    /// files; if it was the settings beside them, the whole is.
    pub(super) fn instead_of(&self, files: &Blueprint) -> Option<Blueprint> {
        let (held, now) = (self.held.as_ref()?, &self.kept.back()?.blueprint);
        let (catalog, records) = (Arc::clone(&files.catalog), Arc::clone(&files.records));
        if !held.has_same_policies(now) {
            let (chain, shadow) = (now.chain.clone(), now.shadow.clone());
            return held.has_same_policies(files).then(|| Blueprint { chain, shadow, ..files.clone() });
        }
        held.is_same_recipe(files).then(|| Blueprint { catalog, records, ..now.clone() })
    }

    /// Holds nothing back any more.
    pub(super) fn release(&mut self) {
        self.held = None;
    }

    /// Returns what was in force, the newest last.
    pub(super) fn past(&self) -> Vec<Past> {
        self.kept.iter().map(|entry| entry.past.clone()).collect()
    }
}
