//! The order in which models are tried for one request.
//!
//! A pure function of what was loaded, the request and the facts. Time to the
//! first token is the host's moving average; a model that never answered has
//! none, and would never get one if it were not explored.

use std::collections::HashMap;

use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Denial, Drop, Fact, Model, Pick, Request, Route, Standing, Target, Traits,
};
use crate::reason::Reason;
use crate::settings::Settings;

/// What a decision needs to know of the settings and the catalogue.
pub(crate) struct Ranking {
    explore: f64,
    max_failures: u32,
    prefer_requested: bool,
    /// What each model can do, whether it is free, and whether it is a router.
    models: Vec<(Capabilities, bool, bool)>,
}

/// One candidate on its way into the order. The smallest key is the best.
struct Entry {
    model: u32,
    why: Reason,
    /// Class first, then what orders within the class, then the place in the view.
    key: (u8, bool, u32, usize),
    first_token_ms: u32,
}

/// The classes, best first.
const REQUESTED: u8 = 0;
const EXPLORED: u8 = 1;
const KNOWN: u8 = 2;
const UNKNOWN: u8 = 3;
const ROUTERS: u8 = 4;
const UNSTEADY: u8 = 5;
const COOLING: u8 = 6;

impl Ranking {
    /// Prepares decisions about `models`.
    pub(crate) fn new(settings: &Settings, models: &[Model]) -> Self {
        let known = |model: &Model| {
            let traits = model.traits;
            (model.capabilities, traits.contains(Traits::FREE), traits.contains(Traits::ROUTER))
        };
        Self {
            explore: settings.explore,
            max_failures: settings.max_failures,
            prefer_requested: settings.prefer_requested,
            models: models.iter().map(known).collect(),
        }
    }

    /// Chooses the models to try for a request, best first.
    pub(crate) fn decide(&self, request: &Request, candidates: &[u32], facts: &[Fact]) -> Decision {
        if candidates.is_empty() {
            return Decision::Abstain;
        }
        let facts: HashMap<u32, &Fact> = facts.iter().map(|fact| (fact.model, fact)).collect();
        let mut dropped = Vec::new();
        let mut entries = Vec::with_capacity(candidates.len());
        for (place, &model) in candidates.iter().enumerate() {
            match self.entry(request, model, place, facts.get(&model).copied()) {
                Some(entry) => entries.push(entry),
                None => dropped.push(Drop { model, why: Reason::NotFree.code() }),
            }
        }
        self.explore(request, &mut entries);
        entries.sort_by_key(|entry| entry.key);

        let limit = (request.limit as usize).max(1);
        dropped.extend(
            entries.iter().skip(limit).map(|entry| Drop { model: entry.model, why: Reason::BeyondLimit.code() }),
        );
        entries.truncate(limit);
        if entries.is_empty() {
            return Decision::Deny(denial());
        }
        let order = entries.iter().map(Entry::pick).collect();
        Decision::Route(Route { order, dropped: if request.explain { dropped } else { Vec::new() } })
    }

    /// Classifies a candidate; `None` if it must not be tried because it may
    /// cost something and nobody asked for it.
    fn entry(&self, request: &Request, model: u32, place: usize, fact: Option<&Fact>) -> Option<Entry> {
        let (capabilities, is_free, is_router) = self.models.get(model as usize).copied()?;
        let is_requested = matches!(request.target, Target::Model(asked) if asked == model);
        if !is_free && !is_requested {
            return None;
        }
        let first_token_ms = fact.map_or(0, |fact| fact.first_token_ms);
        let (class, why) = if fact.is_some_and(|fact| fact.standing.contains(Standing::COOLING)) {
            (COOLING, Reason::LastResort)
        } else if is_requested && self.prefer_requested {
            (REQUESTED, Reason::Requested)
        } else if fact.is_some_and(|fact| fact.failures > self.max_failures) {
            (UNSTEADY, Reason::Unsteady)
        } else if first_token_ms > 0 {
            (KNOWN, Reason::Fastest)
        } else if is_router {
            (ROUTERS, Reason::Unknown)
        } else {
            (UNKNOWN, Reason::Unknown)
        };
        let order = match class {
            COOLING => fact.map_or(0, |fact| fact.cooldown_ms),
            UNKNOWN | ROUTERS | REQUESTED => 0,
            _ if first_token_ms > 0 => first_token_ms,
            _ => u32::MAX,
        };
        let falls_short = !capabilities.contains(request.wishes);
        Some(Entry { model, why, key: (class, falls_short, order, place), first_token_ms })
    }

    /// Puts one model of unknown speed in front, if the dice say so.
    ///
    /// Not before a model that was asked for, nor in place of one that does what
    /// the request wishes.
    fn explore(&self, request: &Request, entries: &mut [Entry]) {
        let is_asked = entries.iter().any(|entry| entry.key.0 == REQUESTED);
        let (chance, choice) = dice(request.seed);
        if is_asked || chance >= self.explore {
            return;
        }
        let falls_short = entries.iter().all(|entry| entry.key.1);
        let mut unknown: Vec<&mut Entry> =
            entries.iter_mut().filter(|entry| entry.key.0 == UNKNOWN && entry.key.1 == falls_short).collect();
        let count = u64::try_from(unknown.len()).unwrap_or(u64::MAX);
        if let Some(place) = choice.checked_rem(count)
            && let Some(entry) = usize::try_from(place).ok().and_then(|place| unknown.get_mut(place))
        {
            entry.key.0 = EXPLORED;
            entry.why = Reason::Explored;
        }
    }
}

impl Entry {
    /// The score is 1 for an answer at once, a half for one after a second, and 0
    /// if nobody knows.
    fn pick(&self) -> Pick {
        let seconds = self.first_token_ms as f32 / 1000.0;
        let score = if self.first_token_ms == 0 { 0.0 } else { 1.0 / (1.0 + seconds) };
        Pick { model: self.model, why: self.why.code(), score }
    }
}

fn denial() -> Denial {
    Denial {
        status: 400,
        code: "no-free-model".to_owned(),
        message: "No free model can answer this request, and one that costs is tried only if it is asked for by name."
            .to_owned(),
    }
}

/// Makes a number from 0 to less than 1 and another of the request's seed.
///
/// `SplitMix64`: seeds that follow each other give numbers that do not.
fn dice(seed: u64) -> (f64, u64) {
    let mix = |state: u64| {
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let first = mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15));
    let second = mix(first.wrapping_add(0x9e37_79b9_7f4a_7c15));
    // 53 bits are all that such a number holds.
    let chance = (first >> 11) as f64 / (1_u64 << 53) as f64;
    (chance, second)
}

#[cfg(test)]
pub(crate) mod tests;
