//! What a policy may use: memory, tables, instances, copies, handles, lines.
//!
//! Four families of limits guard the host, and a hostile guest gets through if
//! one is missing: the store's sizes, the bytes copied between guest and host,
//! the handles, and time (epochs, in `policy::engine`, with a wall clock around
//! each call, in `policy::executor`). The figures are measured on Rust,
//! JavaScript and Python guests.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use wasmtime::{ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::policy::bindings::ollama_router::policy as contract;

/// Epoch ticks until a call has to give way to other tasks of its thread: one
/// whole tick, and the rest of the one in which it began.
const SLICE_TICKS: u64 = 2;

/// Memories of one component: Python has one, and shims add their own.
const MEMORIES: usize = 8;

/// Core instances: Python components have 14.
const INSTANCES: usize = 64;

/// Tables, and entries in each: JavaScript has one of 7,689.
const TABLES: usize = 16;
const TABLE_ELEMENTS: usize = 20_000;

/// Bytes that cross between guest and host in one call, twice a catalogue of
/// two thousand models.
const HOSTCALL_BYTES: usize = 2 << 20;

/// Handles that a guest may hold: enough for the streams of WASI, no more.
const HANDLES: usize = 1_000;

/// The longest piece of random bytes, and of a line in the log.
const RANDOM_BYTES: u64 = 4 << 10;
const LOG_BYTES: usize = 1_000;

/// Lines that a guest may log in one call.
const LOG_LINES: u32 = 20;

/// What one policy may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a decision may take.
    pub time: Duration,
    /// Bytes of each linear memory.
    pub memory: usize,
}

impl Default for Limits {
    /// Those of a configuration that says nothing of them.
    fn default() -> Self {
        Self { time: Duration::from_millis(50), memory: 64 << 20 }
    }
}

impl Limits {
    /// Returns the time for a step of loading: compiled code that runs its
    /// first time, an interpreter that starts, a catalogue that is read.
    pub(super) fn loading_time(&self) -> Duration {
        self.time.saturating_mul(100).clamp(Duration::from_secs(1), Duration::from_secs(30))
    }
}

/// The host's side of one store: limits, an empty WASI, the log.
pub(super) struct Guest {
    sizes: Sizes,
    wasi: WasiCtx,
    table: ResourceTable,
    name: Arc<str>,
    lines: u32,
    slices_left: u64,
    moment: Arc<Moment>,
}

/// The only time and chance that a guest has: those of the request.
#[derive(Debug, Default)]
struct Moment {
    now_ms: AtomicU64,
    dice: AtomicU64,
}

impl Guest {
    /// Makes a store in which nothing is granted and everything is limited.
    pub(super) fn store(engine: &wasmtime::Engine, name: Arc<str>, limits: Limits) -> Store<Self> {
        let moment = Arc::<Moment>::default();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let wasi = WasiCtxBuilder::new()
            .wall_clock(Clock(Arc::clone(&moment)))
            .monotonic_clock(Clock(Arc::clone(&moment)))
            .secure_random(Dice(Arc::clone(&moment)))
            .insecure_random(Dice(Arc::clone(&moment)))
            .insecure_random_seed(0)
            .max_random_size(RANDOM_BYTES)
            .build();
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits.memory)
            .memories(MEMORIES)
            .instances(INSTANCES)
            .tables(TABLES)
            .table_elements(TABLE_ELEMENTS)
            .build();
        let guest =
            Self { sizes: Sizes { limits, memory_bytes: 0 }, wasi, table, name, lines: 0, slices_left: 0, moment };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.sizes);
        store.set_hostcall_fuel(HOSTCALL_BYTES);
        store.set_max_component_handles(HANDLES);
        // The first deadline makes the guest give way; only when its slices are
        // used up is it stopped. The wall clock ends those that sleep.
        store.epoch_deadline_callback(|mut context| {
            let guest = context.data_mut();
            if guest.slices_left == 0 {
                return Ok(wasmtime::UpdateDeadline::Interrupt);
            }
            guest.slices_left -= 1;
            Ok(wasmtime::UpdateDeadline::Yield(1))
        });
        store
    }

    /// Returns the bytes of all its memories.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sizes.memory_bytes
    }

    /// Sets the deadline, the clock and the chance of the next call.
    pub(super) fn prepare(store: &mut Store<Self>, time: Duration, now_ms: u64, seed: u64) {
        let guest = store.data_mut();
        guest.lines = 0;
        guest.slices_left = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        guest.moment.now_ms.store(now_ms, Ordering::Relaxed);
        guest.moment.dice.store(seed, Ordering::Relaxed);
        store.set_epoch_deadline(SLICE_TICKS);
    }
}

/// The sizes of a store, and how much of its memory is taken.
struct Sizes {
    limits: StoreLimits,
    memory_bytes: usize,
}

impl ResourceLimiter for Sizes {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let may = self.limits.memory_growing(current, desired, maximum)?;
        if may {
            self.memory_bytes = self.memory_bytes.saturating_add(desired.saturating_sub(current));
        }
        Ok(may)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl contract::types::Host for Guest {}

impl contract::log::Host for Guest {
    fn emit(&mut self, level: contract::log::Level, message: String) -> wasmtime::Result<()> {
        if self.lines >= LOG_LINES {
            return Ok(());
        }
        self.lines += 1;
        let end = message.floor_char_boundary(LOG_BYTES);
        let text = message.get(..end).unwrap_or_default().escape_debug();
        match level {
            contract::log::Level::Debug => tracing::debug!(policy.name = &*self.name, "{text}"),
            contract::log::Level::Info => tracing::info!(policy.name = &*self.name, "{text}"),
            contract::log::Level::Warn => tracing::warn!(policy.name = &*self.name, "{text}"),
        }
        Ok(())
    }
}

/// The clock of the request, which stands still during a call.
struct Clock(Arc<Moment>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms.load(Ordering::Relaxed))
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        self.0.now_ms.load(Ordering::Relaxed).saturating_mul(1_000_000)
    }
}

/// Random numbers that follow from the request's seed (SplitMix64).
struct Dice(Arc<Moment>);

impl rand_core::TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.dice.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Ok(mixed ^ (mixed >> 31))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            let number = self.try_next_u64()?.to_le_bytes();
            piece.copy_from_slice(&number[..piece.len()]);
        }
        Ok(())
    }
}
