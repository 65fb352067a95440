//! The answer while it is being made: picks up to the limit, then drops.
//!
//! It only counts. Who is added, and in which order, is decided in `rank.rs`.

use crate::bindings::ollama_router::policy::types::{self, Pick, Request, Route};
use crate::reason::Reason;

/// A route that takes picks until it has as many as the host will try.
pub(super) struct Builder {
    order: Vec<Pick>,
    dropped: Vec<types::Drop>,
    limit: usize,
    is_explained: bool,
}

impl Builder {
    /// Starts an empty route for a request with so many candidates.
    pub(super) fn new(request: &Request, candidates: usize) -> Self {
        // A route has at least one pick, even if the host asks for none.
        let limit = (request.limit as usize).clamp(1, candidates.max(1));
        Self { order: Vec::with_capacity(limit), dropped: Vec::new(), limit, is_explained: request.explain }
    }

    /// Says whether further models change nothing any more.
    pub(super) fn is_settled(&self) -> bool {
        self.order.len() == self.limit && !self.is_explained
    }

    /// Puts a model at the end, or leaves it out if the limit is reached.
    pub(super) fn add(&mut self, model: u32, reason: Reason) {
        if self.order.len() == self.limit {
            self.leave_out(model, Reason::BeyondLimit);
            return;
        }
        self.order.push(Pick { model, why: reason.code(), score: score(self.order.len()) });
    }

    /// Notes that a model is not tried, if anybody reads that.
    pub(super) fn leave_out(&mut self, model: u32, reason: Reason) {
        if self.is_explained {
            self.dropped.push(types::Drop { model, why: reason.code() });
        }
    }

    /// Returns the route, or `None` if nobody was added.
    pub(super) fn finish(self) -> Option<Route> {
        (!self.order.is_empty()).then_some(Route { order: self.order, dropped: self.dropped })
    }
}

/// Returns 1 for the first place, a half for the second, and so on.
///
/// This policy has an order and no scale; a reader sees the place again.
fn score(place: usize) -> f32 {
    1.0 / (1.0 + f32::from(u16::try_from(place).unwrap_or(u16::MAX)))
}
