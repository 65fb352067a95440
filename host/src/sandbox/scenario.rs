//! How a sandbox behaves: its catalogue, its manner, its chance.
//!
//! Two manners: quiet for tests (at once, the same each time, never failing)
//! and demo for people (a human pace, a failure now and then). It holds no
//! running state; read `sandbox/shared.rs` for that, and `sandbox/mishap.rs`
//! for the failures of the demo.

use serde_json::Value;

use crate::sandbox::reply::Reply;
use crate::sandbox::{catalog, mishap};

/// The chance of a demo and the ids of answers, when no seed is given.
const DEFAULT_SEED: u64 = 20_260_822;

/// Enough for any test to look back on, and a bound for a benchmark's memory.
const QUIET_REMEMBERED_MAX: usize = 4_096;

/// A demo may run for days with large images: it keeps only what is recent.
const DEMO_REMEMBERED_MAX: usize = 16;

/// The free calls of a simulated day: more than a demo, a test or a benchmark makes,
/// for nothing may end because the real account's 1,000 are used up.
const DAILY_REQUESTS: u64 = 1_000_000;

/// What a sandbox is started with.
#[derive(Clone, Debug)]
#[must_use]
pub struct Scenario {
    pub(super) manner: Manner,
    pub(super) catalog: Value,
    pub(super) embeddings: Value,
    pub(super) seed: u64,
    pub(super) remembered_max: usize,
    /// The account's free calls of a day.
    pub(super) per_day: u64,
    /// The account's free calls of a minute, if they are limited.
    pub(super) per_minute: Option<u64>,
    pub(super) always: Vec<(String, Reply)>,
}

/// Whether answers are for tests or for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Short, at once, the same each time, and never a failure.
    Quiet,
    /// Paced, talkative, and with a failure now and then.
    Demo,
}

impl Scenario {
    /// Returns the scenario of the tests: short answers at once, no failure.
    pub fn quiet() -> Self {
        Self {
            manner: Manner::Quiet,
            catalog: catalog::demo(),
            embeddings: catalog::embeddings(),
            seed: DEFAULT_SEED,
            remembered_max: QUIET_REMEMBERED_MAX,
            per_day: DAILY_REQUESTS,
            per_minute: None,
            always: Vec::new(),
        }
    }

    /// Returns the scenario of the demo: a plausible pace, one failure in six.
    ///
    /// Three models fail each time, each in a way of its own, for those who want
    /// to see what their client makes of it.
    pub fn demo() -> Self {
        let always = [
            (catalog::GATED_MODEL, Reply::harness_gate()),
            (catalog::BRITTLE_MODEL, mishap::broken_off()),
            (catalog::MODERATED_MODEL, Reply::moderated()),
        ];
        let always = always.map(|(model, reply)| (model.to_owned(), reply)).to_vec();
        Self { manner: Manner::Demo, remembered_max: DEMO_REMEMBERED_MAX, always, ..Self::quiet() }
    }

    /// Serves `catalog`, a whole `/models` body, in place of the built-in one,
    /// and no embedding models.
    pub fn catalog(self, catalog: Value) -> Self {
        Self { catalog, embeddings: catalog::none(), ..self }
    }

    /// Serves `embeddings`, a whole `/embeddings/models` body.
    pub fn embeddings(self, embeddings: Value) -> Self {
        Self { embeddings, ..self }
    }

    /// Gives the account so many free calls a day, in place of more than anyone makes.
    pub fn per_day(self, calls: u64) -> Self {
        Self { per_day: calls, ..self }
    }

    /// Gives the account so many free calls a minute, in place of any number.
    pub fn per_minute(self, calls: u64) -> Self {
        Self { per_minute: Some(calls), ..self }
    }

    /// Sets the seed of the demo's chance: one seed, one course of events.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}
