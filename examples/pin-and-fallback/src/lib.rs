//! One model for everybody, and what stands in for it.
//!
//! The smallest policy that does something: without the standard library, and
//! with a JSON reader of its own (`json.rs`). What an operator may set is in
//! `settings.rs`, the view and the order are in `order.rs`; this is the side of
//! the contract in `wit/policy.wit`.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod json;
mod order;
mod settings;

use alloc::{borrow::ToOwned as _, string::String, vec::Vec};

use spin::Mutex;

use crate::bindings::exports::ollama_router::policy::{lifecycle, selector};
use crate::bindings::ollama_router::policy::log;
use crate::bindings::ollama_router::policy::types::{
    self, Decision, Descriptor, Fact, Model, Request, SettingError, View,
};
use crate::settings::{SCHEMA, Settings};

/// The glue between the contract and Rust.
mod bindings {
    wit_bindgen::generate!({
        world: "policy",
        path: "../../wit",
        additional_derives: [PartialEq],
    });

    // The names of the exports are no symbols that a native linker takes.
    #[cfg(target_arch = "wasm32")]
    use super::PinAndFallback;

    #[cfg(target_arch = "wasm32")]
    export!(PinAndFallback);
}

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static MEMORY: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

/// Ends the call; the router then goes by `policy.on_error`.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The policy as the host sees it.
#[derive(Debug)]
pub struct PinAndFallback;

/// What the host has loaded so far. Nobody waits: an instance has one thread.
static LOADED: Mutex<Option<Settings>> = Mutex::new(None);

impl lifecycle::Guest for PinAndFallback {
    fn describe() -> Descriptor {
        Descriptor {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "One model for everybody, and those that stand in for it.".to_owned(),
            settings_schema: SCHEMA.to_owned(),
            reasons: order::REASONS
                .iter()
                .map(|(code, text)| types::Reason { code: *code, text: (*text).to_owned() })
                .collect(),
        }
    }

    fn configure(settings_json: String) -> Result<(), Vec<SettingError>> {
        *LOADED.lock() = Some(Settings::parse(&settings_json)?);
        Ok(())
    }

    fn load_catalog(_epoch: u64, models: Vec<Model>) -> Result<View, String> {
        let mut loaded = LOADED.lock();
        let settings = loaded.as_mut().ok_or("load a catalogue without settings: call `configure` first")?;
        let (view, missing) = order::view(settings, &models);
        for name in missing {
            log::emit(log::Level::Warn, &["no model, or several, are called ", name].concat());
        }
        Ok(view)
    }
}

impl selector::Guest for PinAndFallback {
    fn select(request: Request, candidates: Vec<u32>, facts: Vec<Fact>) -> Result<Decision, String> {
        let loaded = LOADED.lock();
        let settings = loaded.as_ref().ok_or("select without settings: call `configure` first")?;
        Ok(order::decide(settings, &request, &candidates, &facts))
    }
}
