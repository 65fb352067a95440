//! One running guest: a store, and the calls of the contract.
//!
//! Every call sets a fresh deadline first. After a fault the instance must not
//! be called again, the store may be poisoned: who holds it drops it. Which
//! thread runs a call, and how long it may take in all, is `policy::executor`'s
//! business.

use std::{sync::Arc, time::Duration};

use wasmtime::{Store, Trap, WasmBacktrace};

use crate::policy::{
    Fault, Phase, Refused,
    bindings::{
        exports::ollama_router::policy::{failover, lifecycle, selector},
        ollama_router::policy::types,
    },
    component::{Code, first_line},
    limits::{Guest, Limits},
};

/// How much of a guest's words is kept.
const MAX_WORDS_BYTES: usize = 1_000;

/// A guest with its store.
pub(super) struct Instance {
    store: Store<Guest>,
    lifecycle: lifecycle::Guest,
    selector: selector::Guest,
    failover: Option<failover::Guest>,
    limits: Limits,
    engine: Arc<crate::policy::engine::Engine>,
}

impl Instance {
    /// Makes a guest; its start functions run here.
    pub(super) async fn new(code: &Code, name: Arc<str>, limits: Limits) -> Result<Self, Refused> {
        let refuse = |error: wasmtime::Error| Refused {
            phase: Phase::Instantiate,
            reason: fault(&error, limits.loading_time()).to_string(),
        };
        let mut store = Guest::store(code.engine.wasm(), name, limits);
        Guest::prepare(&mut store, limits.loading_time(), 0, 0);
        let _ticking = code.engine.ticking();
        let instance = code.pre.instantiate_async(&mut store).await.map_err(refuse)?;
        let mistyped = |error: wasmtime::Error| Refused {
            phase: Phase::Version,
            reason: format!("its functions are not those of wit/policy.wit: {}", first_line(&error)),
        };
        Ok(Self {
            lifecycle: code.lifecycle.load(&mut store, &instance).map_err(mistyped)?,
            selector: code.selector.load(&mut store, &instance).map_err(mistyped)?,
            failover: match &code.failover {
                Some(failover) => Some(failover.load(&mut store, &instance).map_err(mistyped)?),
                None => None,
            },
            store,
            limits,
            engine: Arc::clone(&code.engine),
        })
    }

    /// Returns what the guest may use.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Returns the bytes of all its memories.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes()
    }

    /// Asks the guest what it is.
    pub(super) async fn describe(&mut self) -> Result<types::Descriptor, Fault> {
        let _ticking = self.prepare(self.limits.loading_time(), 0, 0);
        let limit = self.limits.loading_time();
        self.lifecycle.call_describe(&mut self.store).await.map_err(|error| fault(&error, limit))
    }

    /// Gives the guest its settings; the inner error lists what it refused.
    pub(super) async fn configure(&mut self, settings: &str) -> Result<Result<(), Vec<types::SettingError>>, Fault> {
        let _ticking = self.prepare(self.limits.loading_time(), 0, 0);
        let limit = self.limits.loading_time();
        self.lifecycle.call_configure(&mut self.store, settings).await.map_err(|error| fault(&error, limit))
    }

    /// Gives the guest the catalogue.
    pub(super) async fn load_catalog(&mut self, epoch: u64, models: &[types::Model]) -> Result<types::View, Fault> {
        let _ticking = self.prepare(self.limits.loading_time(), 0, 0);
        let limit = self.limits.loading_time();
        let answer = self.lifecycle.call_load_catalog(&mut self.store, epoch, models).await;
        answer.map_err(|error| fault(&error, limit))?.map_err(failed)
    }

    /// Asks the guest for a decision.
    pub(super) async fn select(
        &mut self,
        request: &types::Request,
        candidates: &[u32],
        facts: &[types::Fact],
    ) -> Result<types::Decision, Fault> {
        let _ticking = self.prepare(self.limits.time, request.now_ms, request.seed);
        let limit = self.limits.time;
        let answer = self.selector.call_select(&mut self.store, request, candidates, facts).await;
        answer.map_err(|error| fault(&error, limit))?.map_err(failed)
    }

    /// Asks the guest what to do after a failure; `None` if it has no say.
    pub(super) async fn after_failure(
        &mut self,
        request: &types::Request,
        tried: &[failover::Attempt],
        left: &[u32],
        facts: &[types::Fact],
    ) -> Option<Result<failover::Verdict, Fault>> {
        let _ticking = self.prepare(self.limits.time, request.now_ms, request.seed);
        let limit = self.limits.time;
        let failover = self.failover.as_ref()?;
        let verdict = failover.call_after_failure(&mut self.store, request, tried, left, facts).await;
        Some(verdict.map_err(|error| fault(&error, limit)))
    }

    fn prepare(&mut self, time: Duration, now_ms: u64, seed: u64) -> crate::policy::engine::Ticking {
        Guest::prepare(&mut self.store, time, now_ms, seed);
        self.engine.ticking()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn failed(words: String) -> Fault {
    Fault::Failed(presentable(&words))
}

/// Makes words of a guest's fit for the log: one line, and not a long one.
pub(super) fn presentable(words: &str) -> String {
    let end = words.floor_char_boundary(MAX_WORDS_BYTES);
    words.get(..end).unwrap_or_default().escape_debug().to_string()
}

fn fault(error: &wasmtime::Error, limit: Duration) -> Fault {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Fault::Deadline { limit_ms: limit.as_millis() },
        Some(trap) => Fault::Trapped(trap.to_string()),
        // A function of the host failed, and the outermost words tell only who called it.
        None if error.is::<WasmBacktrace>() => Fault::Trapped(presentable(&error.root_cause().to_string())),
        None => Fault::Trapped(first_line(error)),
    }
}
