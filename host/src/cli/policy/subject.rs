//! What the commands for authors of policies have in common: the file, its
//! settings, the models, and the engine in which it runs.
//!
//! No configuration is read and nothing is asked over the network, so that the
//! same arguments give the same answer on any machine. What was compiled is kept where
//! a router keeps it: compiling a guest of JavaScript or Python takes seconds.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    catalog::Catalog,
    cli::{Common, Failed, ModeFlags, policy::made_up},
    clock::now_ms,
    config::{
        Logging,
        load::file::SettingsFile,
        value::{Level, LogFormat},
    },
    policy::{
        cache::Cache,
        engine::Engine,
        generation::Settings,
        limits::Limits,
        steps::Step,
        workbench::{self, Bench, Setup},
    },
    refresh, telemetry,
};

/// A policy, and what it is given.
#[derive(Args)]
pub(super) struct Subject {
    /// The policy: a component, or a core module that carries the contract's types
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Its settings: a JSON object, or a file with one
    #[arg(long, value_name = "JSON|FILE")]
    settings: Option<String>,
    #[command(flatten)]
    mode: ModeFlags,
}

impl Subject {
    /// Returns what the policy is given, over these models.
    pub(super) fn setup(&self, catalog: Catalog) -> Result<Setup, Failed> {
        let settings: Map<String, Value> = match &self.settings {
            None => Map::new(),
            Some(given) => json("--settings", given)?,
        };
        let standard = Settings {
            free_mode: self.mode.free_mode.unwrap_or(true),
            tool_use_only: self.mode.tool_use_only.unwrap_or(false),
            filter: Vec::new(),
        };
        Ok(Setup { settings, standard, limits: Limits::default(), catalog })
    }

    /// Takes the policy through all phases.
    pub(super) async fn load(&self, common: &Common, setup: Setup) -> Result<(Vec<Step>, Option<Bench>), Failed> {
        Ok(workbench::load(&engine(common)?, &self.file, setup).await)
    }

    /// Takes the policy through all phases, or says where it was refused.
    pub(super) async fn sound(&self, common: &Common, setup: Setup) -> Result<Bench, Failed> {
        let (steps, bench) = self.load(common, setup).await?;
        let refused = steps.last().and_then(|step| Some((step.phase, step.refused()?)));
        bench.ok_or_else(|| match refused {
            Some((phase, reason)) => anyhow!("{} was refused at {phase}: {reason}", self.file.display()).into(),
            None => anyhow!("{} was refused", self.file.display()).into(),
        })
    }
}

/// Starts an engine that shares what it compiles with a router of this configuration.
pub(super) fn engine(common: &Common) -> Result<Arc<Engine>, Failed> {
    Ok(Engine::new(kept(common)).map_err(|error| anyhow!("cannot start the policy engine: {error:#}"))?)
}

/// Opens the router's folder of compiled policies; without it each run compiles anew,
/// which is no reason to fail.
fn kept(common: &Common) -> Option<Cache> {
    let file = SettingsFile::locate(&common.sources().ok()?).ok()?;
    Cache::open(&file.parent()?.join("cache")).ok()
}

/// Reads a catalogue's file, or makes one up if there is none.
pub(super) fn catalog(path: Option<&PathBuf>) -> Result<Catalog, Failed> {
    let Some(path) = path else { return Ok(made_up::dozen()) };
    let text = fs::read(path).with_context(|| format!("cannot read the catalogue {}", path.display()));
    let read = text.and_then(|text| {
        refresh::catalog_of(&text, now_ms() / 1000).map_err(|reason| {
            let want = "it is neither a router's models.json nor what OpenRouter's /models answers";
            anyhow!("{} is no catalogue: {want}: {reason}", path.display())
        })
    });
    read.map_err(Failed::usage)
}

/// Reads JSON that was typed, or that is in a file.
pub(super) fn json<T: DeserializeOwned>(flag: &str, given: &str) -> Result<T, Failed> {
    let is_typed = given.trim_start().starts_with(['{', '[']);
    let (text, place) = if is_typed {
        (given.to_owned(), String::new())
    } else {
        let path = given.strip_prefix('@').unwrap_or(given);
        let hint = "JSON begins with { or [, anything else is the name of a file";
        let text = fs::read_to_string(path)
            .with_context(|| format!("{flag}: cannot read {path} ({hint})"))
            .map_err(Failed::usage)?;
        (text, format!(" in {path}"))
    };
    serde_json::from_str(&text)
        .with_context(|| format!("{flag}: what is given{place} cannot be used"))
        .map_err(Failed::usage)
}

/// Shows what the policy logs, as a router would.
pub(super) fn listen(common: &Common) -> Result<(), Failed> {
    let level = if common.verbose { Level::Debug } else { Level::Info };
    Ok(telemetry::start(&Logging { level, format: LogFormat::Text })?)
}
