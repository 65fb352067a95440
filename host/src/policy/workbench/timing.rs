//! How long a policy takes: compiled, loaded from the cache, made, given the
//! catalogue, asked.
//!
//! Figures of this machine and this build. Each step is taken again and again,
//! until it was taken often or for long enough; nothing is told, only returned.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    policy::{Fault, Phase, Refused, cache::Cache, component, engine::Engine, loading, steps::Steps, workbench::Bench},
    routing::plan::{Fact, Query},
};

/// How long a step is taken again at most.
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// How often a step of loading is taken, and how often a decision is asked for.
const LOADS: usize = 20;
const DECISIONS: usize = 5_000;

/// How long a step took, each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// What was done.
    pub step: &'static str,
    /// How long it took, the shortest first; never empty.
    took: Vec<Duration>,
}

impl Timings {
    /// Returns how often it was done.
    pub fn times(&self) -> usize {
        self.took.len()
    }

    /// Returns within which time so great a share of them was done, 0 to 1.
    pub fn within(&self, share: f64) -> Duration {
        let last = self.took.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a place in a short list"
        )]
        let place = (last as f64 * share).round() as usize;
        self.took.get(place.min(last)).copied().unwrap_or_default()
    }
}

/// Times compiling a file, and loading what was compiled from a cache in `folder`.
pub fn compiling(path: &Path, folder: &Path) -> Result<[Timings; 2], Refused> {
    let start = |cache: Option<Cache>| {
        let refuse = |error: wasmtime::Error| Refused { phase: Phase::Compile, reason: format!("{error:#}") };
        Engine::new(cache).map_err(refuse)
    };
    let bytes = component::read(path)?;
    let unnoted = Steps::default();
    let engine = start(None)?;
    let compile = repeat("compile", LOADS, || component::compile(&engine, &bytes, &unnoted).map(drop))?;
    let cache = Cache::open(folder).map_err(|error| Refused {
        phase: Phase::Compile,
        reason: format!("cannot keep compiled code in {}: {error}", folder.display()),
    })?;
    let engine = start(Some(cache))?;
    component::compile(&engine, &bytes, &unnoted)?;
    let load = repeat("load from cache", LOADS, || component::compile(&engine, &bytes, &unnoted).map(drop))?;
    Ok([compile, load])
}

impl Bench {
    /// Times making guests, and giving them the catalogue.
    pub async fn time_loading(&self) -> Result<[Timings; 2], Refused> {
        let settings = self.setup.standard.members(&self.setup.settings);
        let (mut made, mut loaded) = (Vec::new(), Vec::new());
        let began = Instant::now();
        while made.is_empty() || (made.len() < LOADS && began.elapsed() < LONG_ENOUGH) {
            let before = Instant::now();
            let mut guest = loading::instantiate(&self.code, self.name.as_str().into(), self.setup.limits).await?;
            made.push(before.elapsed());
            loading::describe(&mut guest).await?;
            loading::configure(&mut guest, &settings).await?;
            let before = Instant::now();
            loading::load_catalog(&mut guest, 1, &self.models).await?;
            loaded.push(before.elapsed());
        }
        Ok([timings("instantiate", made), timings("load-catalog", loaded)])
    }

    /// Times decisions over the first `limit` candidates, and tells how many there
    /// were; `None` if it shows no model that can answer.
    pub async fn time_decisions(
        &mut self,
        query: &Query,
        facts: &[Fact],
        limit: usize,
    ) -> Result<Option<(usize, Timings)>, Fault> {
        let mut candidates = self.offer().fit(query, facts);
        candidates.truncate(limit);
        if candidates.is_empty() {
            return Ok(None);
        }
        let mut took = Vec::new();
        let began = Instant::now();
        while took.is_empty() || (took.len() < DECISIONS && began.elapsed() < LONG_ENOUGH) {
            let before = Instant::now();
            self.ask(query, &candidates, facts).await?;
            took.push(before.elapsed());
        }
        Ok(Some((candidates.len(), timings("select", took))))
    }
}

fn repeat(step: &'static str, times: usize, mut work: impl FnMut() -> Result<(), Refused>) -> Result<Timings, Refused> {
    let began = Instant::now();
    let mut took = Vec::new();
    while took.is_empty() || (took.len() < times && began.elapsed() < LONG_ENOUGH) {
        let before = Instant::now();
        work()?;
        took.push(before.elapsed());
    }
    Ok(timings(step, took))
}

fn timings(step: &'static str, mut took: Vec<Duration>) -> Timings {
    took.sort();
    Timings { step, took }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_from_the_sorted_times() {
        let ms = Duration::from_millis;
        let all = timings("select", (1..=101).rev().map(ms).collect());
        assert_eq!((all.times(), all.within(0.5), all.within(0.99), all.within(1.0)), (101, ms(51), ms(100), ms(101)));
        assert_eq!(timings("select", vec![ms(7)]).within(0.99), ms(7));
    }
}
