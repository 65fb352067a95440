//! Policies: components that decide which models a request is tried with.
//!
//! The only room that knows wasmtime. A policy is untrusted: it may loop, trap,
//! eat memory, lie or be the wrong file, and the server goes on. It never sees a
//! prompt or a key, and its answer becomes a plan only through
//! `routing::plan::Plan::parse`. The contract is `wit/policy.wit`.
//!
//! In reading order: [`component`] (file to code), [`instance`] (a running
//! guest), [`executor`] (warm guests of one policy), [`in_force`] (one policy that
//! is asked), [`chain`] (several, one after the other), [`generation`] (what is in
//! force, and the decision itself), [`trial`] and [`records`] (how it is watched),
//! [`decisions`] (how it is written down and replayed), [`steps`] (how a reload went).
//! [`workbench`] is for those who
//! write policies: one guest, without a router.

pub mod bindings;
mod breaker;
pub mod cache;
pub mod chain;
pub mod component;
mod convert;
pub mod decisions;
pub mod engine;
pub mod executor;
pub mod generation;
pub mod in_force;
mod instance;
pub mod interfaces;
mod latency;
pub mod limits;
mod loading;
pub mod records;
mod schema;
pub mod shadow;
pub mod steps;
pub mod trial;
mod view;
pub mod workbench;

use std::fmt;

/// The default policy, as built from `policies/free-mode`.
pub const EMBEDDED: &[u8] = include_bytes!("../../policies/free-mode.wasm");

/// A policy that was not taken into force, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{phase}: {reason}")]
pub struct Refused {
    /// How far it came.
    pub phase: Phase,
    /// What was wrong, and what to do.
    pub reason: String,
}

impl Refused {
    /// Says which policy of several it was, counted from 0.
    fn of_stage(self, place: usize) -> Self {
        Self { reason: format!("policy.chain[{place}]: {}", self.reason), ..self }
    }

    /// Says that it was the one that is asked along.
    pub(crate) fn of_shadow(self) -> Self {
        Self { reason: format!("policy.shadow: {}", self.reason), ..self }
    }
}

/// The steps from a file to a policy in force, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The file is read.
    Read,
    /// Its digest is held against `policy.sha256`.
    Pin,
    /// It is found to be a component.
    Parse,
    /// Its imports are found to be offered.
    Imports,
    /// Its version of the contract is found to be ours.
    Version,
    /// It is compiled.
    Compile,
    /// It runs for the first time.
    Instantiate,
    /// It says what it is.
    Describe,
    /// The settings are held against its schema.
    Settings,
    /// It takes the settings.
    Configure,
    /// It takes the catalogue.
    LoadCatalog,
    /// It decides some requests that are made up, and some of the last ones.
    Probe,
    /// More of its instances are made.
    Warm,
    /// It is put in force.
    Swap,
}

impl Phase {
    /// Returns the name used in messages and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Pin => "pin",
            Self::Parse => "parse",
            Self::Imports => "imports",
            Self::Version => "version",
            Self::Compile => "compile",
            Self::Instantiate => "instantiate",
            Self::Describe => "describe",
            Self::Settings => "settings",
            Self::Configure => "configure",
            Self::LoadCatalog => "load-catalog",
            Self::Probe => "probe",
            Self::Warm => "warm",
            Self::Swap => "swap",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call into a policy that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// All its instances were at work or being replaced.
    #[error("all instances of the policy are busy")]
    Busy,
    /// It took too long.
    #[error("the policy took longer than its {limit_ms} ms")]
    Deadline {
        /// The limit in milliseconds.
        limit_ms: u128,
    },
    /// It answered with an error of its own.
    #[error("the policy failed: {0}")]
    Failed(String),
    /// It failed so often that it is not asked for a while.
    #[error("the policy failed too often and is not asked for {wait_ms} ms more")]
    Tripped {
        /// How long it is still left alone, in milliseconds.
        wait_ms: u128,
    },
    /// It stopped in the middle: a trap, a limit, a panic.
    #[error("the policy trapped: {0}")]
    Trapped(String),
    /// Its answer broke the rules.
    #[error("the policy gave an answer that cannot be used: {0}")]
    Unusable(#[from] crate::routing::plan::PlanError),
}
