//! The model that speaks first, found by trying.
//!
//! The thin side of the contract in `wit/policy.wit`: it keeps what the host
//! loaded, and hands each call to a pure function. Read next: `settings.rs` (what
//! an operator may set), `view.rs` (who is visible), `rank.rs` (who is tried, in
//! which order), `reason.rs` (what is said of each).

mod rank;
mod reason;
mod settings;
mod view;

use std::cell::RefCell;

use crate::bindings::exports::ollama_router::policy::{lifecycle, selector};
use crate::bindings::ollama_router::policy::types::{
    self, Decision, Descriptor, Fact, Model, Request, SettingError, View,
};
use crate::rank::Ranking;
use crate::reason::Reason;
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
    use super::PreferFast;

    #[cfg(target_arch = "wasm32")]
    export!(PreferFast);
}

/// The policy as the host sees it.
#[derive(Debug)]
pub struct PreferFast;

thread_local! {
    /// What the host has loaded so far. An instance has one thread, its own.
    static SETTINGS: RefCell<Option<Settings>> = const { RefCell::new(None) };
    static RANKING: RefCell<Option<Ranking>> = const { RefCell::new(None) };
}

impl lifecycle::Guest for PreferFast {
    fn describe() -> Descriptor {
        Descriptor {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "The requested model, then the one with the shortest time to the first token; now and then one \
                      whose time is not known yet."
                .to_owned(),
            settings_schema: SCHEMA.to_owned(),
            reasons: Reason::ALL
                .iter()
                .map(|reason| types::Reason { code: reason.code(), text: reason.text().to_owned() })
                .collect(),
        }
    }

    fn configure(settings_json: String) -> Result<(), Vec<SettingError>> {
        SETTINGS.set(Some(Settings::parse(&settings_json)?));
        RANKING.set(None);
        Ok(())
    }

    fn load_catalog(_epoch: u64, models: Vec<Model>) -> Result<View, String> {
        SETTINGS.with_borrow(|settings| {
            let settings = settings.as_ref().ok_or("load a catalogue without settings: call `configure` first")?;
            let view = view::view(settings, &models);
            RANKING.set(Some(Ranking::new(settings, &models)));
            Ok(view)
        })
    }
}

impl selector::Guest for PreferFast {
    fn select(request: Request, candidates: Vec<u32>, facts: Vec<Fact>) -> Result<Decision, String> {
        RANKING.with_borrow(|ranking| {
            let ranking = ranking.as_ref().ok_or("select without a catalogue: call `load-catalog` first")?;
            Ok(ranking.decide(&request, &candidates, &facts))
        })
    }
}
