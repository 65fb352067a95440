//! The order in which models are tried for one request: the failover order.
//!
//! A pure function of what was loaded, the request and the facts. Whatever can
//! be known with the catalogue is worked out once, in `Ranking::new`, so that a
//! decision handles numbers only. It judges no abilities: the host offers only
//! candidates that can answer. The order it builds on is made in `filter.rs`,
//! the codes it answers with are in `reason.rs`.

mod route;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::bindings::ollama_router::policy::types::{
    Capabilities, Decision, Denial, Fact, Model, Request, Standing, Target, Traits,
};
use crate::rank::route::Builder;
use crate::reason::Reason;
use crate::settings::Settings;

/// What a request needs to know of the settings and the catalogue.
pub(crate) struct Ranking {
    free_mode: bool,
    /// The visible models, best first. A place is an index in here.
    seats: Vec<Seat>,
    /// The place of each model of the catalogue; `None` if it is hidden.
    places: Vec<Option<usize>>,
    /// The places of the operator's fallbacks, in the operator's order.
    fallbacks: Vec<usize>,
}

/// A visible model.
struct Seat {
    model: u32,
    capabilities: Capabilities,
    is_free: bool,
    is_router: bool,
}

/// How a visible model stands in one request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It cannot answer this request.
    Absent,
    Ready,
    Cooling,
    /// It has its place in the answer.
    Placed,
}

/// Models that rest, by milliseconds and place, the next one due on top.
type Resting = BinaryHeap<Reverse<(u32, usize)>>;

/// Which candidates may be tried though nobody named them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unnamed {
    All,
    Free,
    Nobody,
}

impl Ranking {
    /// Prepares decisions about `visible`, which are numbers in `models`.
    pub(crate) fn new(settings: &Settings, models: &[Model], visible: &[u32]) -> Self {
        let mut seats = Vec::with_capacity(visible.len());
        let mut places = vec![None; models.len()];
        for &number in visible {
            let Some(model) = models.get(number as usize) else {
                continue;
            };
            places[number as usize] = Some(seats.len());
            seats.push(Seat {
                model: number,
                capabilities: model.capabilities,
                is_free: model.traits.contains(Traits::FREE),
                is_router: model.traits.contains(Traits::ROUTER),
            });
        }
        let ids: Vec<String> = seats.iter().map(|seat| plain(&models[seat.model as usize].id)).collect();
        let fallbacks = settings.fallbacks.iter().filter_map(|name| find(&ids, name)).collect();
        Self { free_mode: settings.free_mode, seats, places, fallbacks }
    }

    /// Chooses the models to try for a request, best first.
    ///
    /// Models that rest are tried too, after all others, so that a request has
    /// a chance when everything rests; a model on trial keeps its place. An
    /// error means that the candidates are not of the catalogue loaded here.
    pub(crate) fn decide(&self, request: &Request, candidates: &[u32], facts: &[Fact]) -> Result<Decision, String> {
        if candidates.is_empty() {
            return Ok(Decision::Abstain);
        }
        let mut marks = self.marks(candidates)?;
        let unnamed = self.unnamed(request.target, &marks);
        let mut cooling = self.cooling(facts, &mut marks);
        let mut route = Builder::new(request, candidates.len());

        let requested = self.requested(request.target);
        let named = requested
            .map(|place| (place, Reason::Requested))
            .into_iter()
            .chain(self.fallbacks.iter().map(|&place| (place, Reason::Fallback)));
        for (place, reason) in named {
            if marks[place] == Mark::Ready {
                marks[place] = Mark::Placed;
                route.add(self.seats[place].model, reason);
            }
        }

        // Who grants every wish comes before who does not: a model that cannot
        // write by a schema answers all the same, only not by the schema.
        let grants = |(seat, _): &(&Seat, &Mark)| seat.capabilities.contains(request.wishes);
        let granting = self.seats.iter().zip(&marks).filter(grants);
        let others = self.seats.iter().zip(&marks).filter(|seat| !grants(seat));
        for (seat, mark) in granting.chain(others) {
            if route.is_settled() {
                break;
            }
            if *mark == Mark::Ready {
                match refusal(unnamed, seat) {
                    Some(reason) => route.leave_out(seat.model, reason),
                    None if seat.is_router => route.add(seat.model, Reason::Router),
                    None => route.add(seat.model, Reason::LargestContext),
                }
            }
        }

        while !route.is_settled()
            && let Some(Reverse((_, place))) = cooling.pop()
        {
            let seat = &self.seats[place];
            let is_named = requested == Some(place) || self.fallbacks.contains(&place);
            match refusal(unnamed, seat) {
                Some(reason) if !is_named => route.leave_out(seat.model, reason),
                Some(_) | None => route.add(seat.model, Reason::LastResort),
            }
        }

        Ok(route.finish().map_or_else(|| Decision::Deny(denial(request.target)), Decision::Route))
    }

    /// Marks the candidates ready, and everybody else absent.
    fn marks(&self, candidates: &[u32]) -> Result<Vec<Mark>, String> {
        let mut marks = vec![Mark::Absent; self.seats.len()];
        for &candidate in candidates {
            let place = self.place(candidate).ok_or_else(|| {
                format!(
                    "choose among candidates: model {candidate} is not visible in the catalogue \
                     loaded here; load the catalogue again"
                )
            })?;
            marks[place] = Mark::Ready;
        }
        Ok(marks)
    }

    /// Marks the candidates that rest, and returns them, shortest rest first.
    fn cooling(&self, facts: &[Fact], marks: &mut [Mark]) -> Resting {
        let mut cooling = Resting::new();
        for fact in facts {
            if !fact.standing.contains(Standing::COOLING) {
                continue;
            }
            if let Some(place) = self.place(fact.model)
                && marks[place] == Mark::Ready
            {
                marks[place] = Mark::Cooling;
                cooling.push(Reverse((fact.cooldown_ms, place)));
            }
        }
        cooling
    }

    /// Says who may be tried unnamed. `marks` has the candidates, resting or not.
    ///
    /// Without free mode only free models, for they change nobody's bill, and
    /// these only if neither the client nor the operator named one that can
    /// answer.
    fn unnamed(&self, target: Target, marks: &[Mark]) -> Unnamed {
        let is_offered = |place: &usize| marks[*place] == Mark::Ready;
        if self.free_mode {
            return Unnamed::All;
        }
        match target {
            Target::Model(_) => Unnamed::Nobody,
            Target::Any | Target::Gone if self.fallbacks.iter().any(is_offered) => Unnamed::Nobody,
            Target::Any | Target::Gone => Unnamed::Free,
        }
    }

    fn requested(&self, target: Target) -> Option<usize> {
        match target {
            Target::Model(model) => self.place(model),
            Target::Any | Target::Gone => None,
        }
    }

    fn place(&self, model: u32) -> Option<usize> {
        self.places.get(model as usize).copied().flatten()
    }
}

/// Says why an unnamed model must not be tried, or `None` if it may.
fn refusal(unnamed: Unnamed, seat: &Seat) -> Option<Reason> {
    match unnamed {
        Unnamed::All => None,
        Unnamed::Free if seat.is_free => None,
        Unnamed::Free => Some(Reason::NotFree),
        Unnamed::Nobody => Some(Reason::NotNamed),
    }
}

/// Says why nobody may be tried, and how to change that.
fn denial(target: Target) -> Denial {
    let (code, message) = match target {
        Target::Any | Target::Gone => (
            "no-free-model",
            "No free model can answer this request, and none that costs is tried unless it is \
             named: name a model, or set policy.settings.fallbacks.",
        ),
        Target::Model(_) => (
            "model-cannot-answer",
            "The model cannot answer this request, and without free mode no other is tried \
             unless it is named: name another model, or set policy.settings.fallbacks.",
        ),
    };
    Denial { status: 400, code: code.to_owned(), message: message.to_owned() }
}

/// Returns the place of the model that an operator calls `name`.
///
/// It is an id, or an id without its vendor if only one vendor uses it: a guess
/// among several might be one that costs more.
fn find(ids: &[String], name: &str) -> Option<usize> {
    let name = plain(name);
    if let Some(place) = ids.iter().position(|id| *id == name) {
        return Some(place);
    }
    let is_named = |id: &String| id.split_once('/').is_some_and(|(_, rest)| rest == name);
    let place = ids.iter().position(is_named)?;
    let is_unique = !ids[place + 1..].iter().any(is_named);
    is_unique.then_some(place)
}

/// Returns a name as it is compared: small letters, no `:latest`.
///
/// Clients of Ollama add that tag to every name without one.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_suffix(":latest").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;
