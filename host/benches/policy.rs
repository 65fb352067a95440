//! What policies cost: a decision, a catalogue, compiling, a whole generation.
//!
//! The default policy through the same doors as in the router. A decision has
//! the host's part in it: candidates, copies, checks. `cargo bench --bench
//! policy`; the whole router is in `overhead.rs`.

#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::{collections::BTreeSet, sync::Arc};

use divan::Bencher;
use ollama_router::{
    catalog::{Capabilities, Catalog, Model, ModelId, Traits, names::Unknown},
    policy::{
        EMBEDDED,
        cache::Cache,
        component,
        decisions::log::DecisionLog,
        engine::Engine,
        generation::{Blueprint, Generation, OnError, Part, Settings, Source},
        limits::Limits,
        steps::Steps,
    },
    routing::{
        FailureKind,
        health::Standing,
        needs::Needs,
        plan::{Fact, Query, Target},
    },
};
use serde_json::Map;
use tokio::runtime::Runtime;

/// Models of the catalogue: about as many as OpenRouter lists.
const MODELS: u32 = 400;

/// Models with a history.
const FACTS: u32 = 12;

fn main() {
    divan::main();
}

/// A decision, with so many of the 400 models visible: as many as are free
/// today, and all of them.
#[divan::bench(args = [16, 400])]
fn decision(bencher: Bencher<'_, '_>, visible: u32) {
    let runtime = runtime();
    let generation = runtime
        .block_on(Generation::build(blueprint(&engine(None), catalog(visible)), 1, &[], &Steps::default()))
        .unwrap();
    assert_eq!(generation.visible.len(), visible as usize);
    let facts: Vec<Fact> = (0..FACTS).map(fact).collect();
    bencher.bench_local(|| runtime.block_on(generation.decide(&query(), facts.clone())).unwrap());
}

/// The candidates for a request, which are part of each decision.
#[divan::bench(args = [16, 400])]
fn candidates(bencher: Bencher<'_, '_>, visible: u32) {
    let generation = runtime()
        .block_on(Generation::build(blueprint(&engine(None), catalog(visible)), 1, &[], &Steps::default()))
        .unwrap();
    bencher.bench_local(|| generation.candidates(&Needs::default()));
}

/// A whole generation of compiled code: guests made, described, configured,
/// given a catalogue of so many models, and probed. What the models add is the
/// cost of a load of the catalogue, once for each guest.
#[divan::bench(args = [1, 400])]
fn generation(bencher: Bencher<'_, '_>, models: u32) {
    let runtime = runtime();
    let all = catalog(MODELS).models().iter().take(models as usize).cloned().collect();
    let blueprint = blueprint(&engine(None), Catalog::new(all, BTreeSet::new(), 0));
    bencher.with_inputs(|| blueprint.clone()).bench_local_values(|blueprint| {
        runtime.block_on(Generation::build(blueprint, 1, &[], &Steps::default())).unwrap()
    });
}

/// Compiling the default policy.
#[divan::bench]
fn compile(bencher: Bencher<'_, '_>) {
    let engine = engine(None);
    bencher.bench_local(|| component::compile(&engine, EMBEDDED, &Steps::default()).unwrap());
}

/// Loading it from the cache instead.
#[divan::bench]
fn load_compiled(bencher: Bencher<'_, '_>) {
    let folder = tempfile::TempDir::new().unwrap();
    let engine = engine(Some(Cache::open(folder.path()).unwrap()));
    component::compile(&engine, EMBEDDED, &Steps::default()).unwrap();
    bencher.bench_local(|| component::compile(&engine, EMBEDDED, &Steps::default()).unwrap());
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn engine(cache: Option<Cache>) -> Arc<Engine> {
    Engine::new(cache).unwrap()
}

fn blueprint(engine: &Arc<Engine>, catalog: Catalog) -> Blueprint {
    let code = component::compile(engine, EMBEDDED, &Steps::default()).unwrap();
    Blueprint {
        embedded: code.clone(),
        chain: vec![Part { code, source: Source::Embedded, settings: Map::new(), limits: Limits::default() }],
        last_good: Vec::new(),
        shadow: None,
        settings: Settings { free_mode: true, tool_use_only: false, filter: Vec::new() },
        on_error: OnError::Fallback,
        unknown: Unknown::Gone,
        catalog: Arc::new(catalog),
        records: Arc::default(),
        trial: Arc::default(),
        log: DecisionLog::default(),
    }
}

/// A catalogue of 400 models that chat, the first of which are free.
fn catalog(free: u32) -> Catalog {
    let model = |number: u32| Model {
        id: ModelId::parse(&format!("vendor-{}/model-{number}-instruct:free", number % 40)).unwrap(),
        name: format!("Vendor {}: Model {number} Instruct (free)", number % 40),
        capabilities: Capabilities::TOOLS | Capabilities::TOOL_CHOICE | Capabilities::JSON_OBJECT,
        traits: if number < free { Traits::CHAT | Traits::FREE } else { Traits::CHAT },
        context_tokens: 32_768 + number * 37 % 101 * 1_024,
        max_output_tokens: 8_192,
        prompt_price: Some(if number < free { 0.0 } else { 0.5 }),
        completion_price: Some(if number < free { 0.0 } else { 1.5 }),
        created: 1_780_272_000,
        expires: None,
    };
    Catalog::new((0..MODELS).map(model).collect(), BTreeSet::new(), 1_780_272_000)
}

fn fact(number: u32) -> Fact {
    Fact {
        model: number,
        standing: if number.is_multiple_of(4) { Standing::Cooling(30_000) } else { Standing::Ready },
        unfit: false,
        in_flight: 1,
        successes: 9,
        failures: number % 4,
        by_kind: if number.is_multiple_of(4) { Vec::new() } else { vec![(FailureKind::RateLimitedModel, number % 4)] },
        bad_calls: 0,
        failures_in_a_row: 0,
        last_failure_ms: None,
        first_token_ms: 600.0,
        tokens_per_second: 55.0,
    }
}

fn query() -> Query {
    Query {
        target: Target::Any,
        needs: Needs::default(),
        wishes: Capabilities::empty(),
        streaming: true,
        limit: 4,
        quota_left: None,
        now_ms: 1_790_000_000_000,
        seed: 1,
        explain: false,
    }
}
