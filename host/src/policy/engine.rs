//! The one configuration of wasmtime, and the threads that policies may use.
//!
//! An [`Engine`] compiles components, links them to what they may import, ticks
//! the epoch by which runaway calls are stopped, and has threads of its own for
//! calls that take longer than a tick and for compiling: no policy holds a
//! thread that streams answers. What a store may use is in `policy::limits`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::runtime::{Builder, Handle, Runtime};
use wasmtime::component::{HasSelf, Linker};

use crate::policy::{Phase, Refused, bindings::ollama_router::policy as contract, cache::Cache, limits::Guest};

/// One step of the epoch: the longest that a call may hold its thread.
const TICK: Duration = Duration::from_millis(1);

/// After so many ticks without a call the ticker sleeps until the next one. To be woken
/// costs about what a tick does, so more of them would be spent on nobody: with 200, seven
/// milliseconds of processor time went to each request that came alone.
const TICKS_UNTIL_SLEEP: u32 = 2;

/// Threads for policies that take longer than a tick.
const THREADS: usize = 2;

/// Compiles and links components; shared by all policies of the process.
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Linker<Guest>,
    cache: Option<Cache>,
    ticker: Arc<Ticker>,
    /// Taken only when the engine is dropped.
    threads: Option<Runtime>,
}

impl Engine {
    /// Makes an engine; `cache` keeps compiled components between runs.
    ///
    /// Fails if the machine can give it no threads, or is one that wasmtime
    /// cannot compile for.
    pub fn new(cache: Option<Cache>) -> Result<Arc<Self>, wasmtime::Error> {
        let wasm = wasmtime::Engine::new(&config())?;
        let mut linker = Linker::new(&wasm);
        // All of WASI is linked, because guests in Python and JavaScript ask for
        // it, and none of it is granted: see `Guest::store`.
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        contract::log::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        contract::types::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        let threads = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(THREADS)
            .thread_name("policy")
            .enable_time()
            .build()?;
        let ticker = Ticker::start(wasm.weak())?;
        Ok(Arc::new(Self { wasm, linker, cache, ticker, threads: Some(threads) }))
    }

    /// Returns wasmtime's engine.
    pub(super) fn wasm(&self) -> &wasmtime::Engine {
        &self.wasm
    }

    /// Returns what components may import.
    pub(super) fn linker(&self) -> &Linker<Guest> {
        &self.linker
    }

    /// Returns the cache of compiled components.
    pub(super) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// Returns the threads on which policies may take their time.
    ///
    /// After the engine was dropped, which no caller lives to see, this is the
    /// caller's own runtime.
    pub(super) fn threads(&self) -> Handle {
        self.threads.as_ref().map_or_else(Handle::current, |threads| threads.handle().clone())
    }

    /// Runs work that blocks, such as compiling, on the policies' threads.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        self.threads().spawn_blocking(work).await.unwrap_or_else(|error| {
            // wasmtime is not known to panic, and a file must never end the router.
            Err(Refused { phase: Phase::Compile, reason: format!("compiling it failed: {error}") })
        })
    }

    /// Keeps the epoch ticking for as long as the result lives.
    pub(super) fn ticking(&self) -> Ticking {
        self.ticker.calls.fetch_add(1, Ordering::SeqCst);
        if self.ticker.asleep.swap(false, Ordering::SeqCst) {
            self.ticker.thread.unpark();
        }
        Ticking(Arc::clone(&self.ticker))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.ticker.thread.unpark();
        if let Some(threads) = self.threads.take() {
            // A runtime may not be waited for inside another one.
            threads.shutdown_background();
        }
    }
}

fn config() -> wasmtime::Config {
    let mut config = wasmtime::Config::new();
    config
        .epoch_interruption(true)
        // Each call is cheaper without, and no guest may use it anyway.
        .concurrency_support(false)
        // The same input gives the same decision on any machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20))
        // What the guests that we know of do not use is not offered.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false);
    config
}

/// The thread that moves the epoch.
struct Ticker {
    calls: AtomicU64,
    asleep: AtomicBool,
    thread: thread::Thread,
}

/// A call in progress, during which the epoch ticks.
pub(super) struct Ticking(Arc<Ticker>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    fn start(engine: wasmtime::EngineWeak) -> std::io::Result<Arc<Self>> {
        let (to_thread, from_engine) = std::sync::mpsc::channel::<Arc<Self>>();
        let thread = thread::Builder::new().name("policy-ticker".to_owned()).spawn(move || {
            if let Ok(ticker) = from_engine.recv() {
                ticker.run(&engine);
            }
        })?;
        let ticker = Arc::new(Self {
            calls: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            thread: thread.thread().clone(),
        });
        drop(to_thread.send(Arc::clone(&ticker)));
        Ok(ticker)
    }

    /// Ticks until the engine is gone, which it does not keep alive.
    fn run(&self, engine: &wasmtime::EngineWeak) {
        let mut idle_ticks = 0_u32;
        loop {
            thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
            drop(engine);
            let idle = self.calls.load(Ordering::SeqCst) == 0;
            idle_ticks = if idle { idle_ticks + 1 } else { 0 };
            if idle_ticks >= TICKS_UNTIL_SLEEP {
                idle_ticks = 0;
                self.sleep();
            }
        }
    }

    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        // A call that began before the flag was up did not see it.
        if self.calls.load(Ordering::SeqCst) == 0 {
            thread::park_timeout(Duration::from_mins(1));
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}
