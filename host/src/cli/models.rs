//! `list-models`: what clients can use, in the order in which it is tried.
//!
//! Asks the running router; without one, reads the copy of the catalogue, and
//! without that asks OpenRouter, and lets the policy say what is visible. How the
//! rows are shown is in [`shown`].

mod shown;

use std::{io::Write as _, process::ExitCode, sync::Arc};

use anyhow::anyhow;
use clap::{Args, ValueEnum};

use crate::{
    api::admin::wire::{self, Healths, ModelRow},
    app,
    cli::{
        Common, Failed, block_on, print_json,
        remote::{Address, Remote},
        words::span,
    },
    clock::now_ms,
    config::load::Loaded,
    policy::generation::Generation,
    refresh::kept::{self, List},
    store,
};

/// List the models that clients can use, in the order in which they are tried
///
/// Asks the running router. Without one it goes by the list of models that is kept in
/// the data folder, or else fetches it, and lets the policy say what can be used. An
/// empty list is an answer too: it says why on standard error, and ends with 0.
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
#[derive(Args)]
pub(super) struct ListModels {
    /// Show the models too that clients cannot use, and why
    #[arg(short, long)]
    all: bool,
    /// Only models whose name or id holds this, in any case; of several, any counts
    #[arg(short, long, value_name = "PATTERN")]
    filter: Vec<String>,
    /// Only models that can call tools
    #[arg(long)]
    tool_use_only: bool,
    /// Only models that can read images
    #[arg(long)]
    vision: bool,
    /// What comes first
    #[arg(short, long, value_name = "ORDER", value_enum, default_value_t = Order::Policy)]
    sort: Order,
    /// Ask neither a router nor the network; go by the list that is kept here
    #[arg(long, conflicts_with_all = ["host", "port"])]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

/// Orders of the list.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// As the policy would try them
    Policy,
    /// The largest context first
    Context,
    /// By name
    Name,
    /// The cheapest first
    Price,
    /// The fastest first, as far as they have answered
    Speed,
    /// Those that are ready first, and those that rest longest last
    State,
    /// Those that will be gone first
    Expiry,
}

impl ListModels {
    /// Prints the list.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let mut models = block_on(self.models(loaded))?;
        let found = models.len();
        models.retain(|model| self.wants(model));
        self.sort.apply(&mut models);
        if self.json {
            print_json(&models)?;
        } else if !models.is_empty() {
            shown::print(&models, self.all)?;
        }
        if models.is_empty() {
            writeln!(anstream::stderr(), "{}", self.why_nothing(found))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn models(&self, loaded: Loaded) -> Result<Vec<ModelRow>, Failed> {
        if self.offline {
            return self.by_copy(&loaded).await;
        }
        let remote = self.address.of(&loaded.config)?;
        let path = if self.all { "/router/models?all=true" } else { "/router/models" };
        match remote.get::<Vec<ModelRow>>(path).await? {
            Some(models) => Ok(models),
            None if self.address.is_given() => Err(anyhow!("{}", remote.missing().await).into()),
            None => self.without_router(loaded, &remote).await,
        }
    }

    /// Does what the router would do, and says on what.
    async fn without_router(&self, loaded: Loaded, remote: &Remote) -> Result<Vec<ModelRow>, Failed> {
        let database = loaded.database.clone();
        let generation = app::offline(loaded).await.map_err(|error| {
            let remedy = "`ollama-router doctor` finds out more, and `start --demo` needs no network";
            anyhow!("no router is running, and without one there is no list of models: {error:#}; {remedy}")
        })?;
        let age = (now_ms() / 1000).saturating_sub(generation.catalog.fetched());
        writeln!(anstream::stderr(), "{}; this list is {} old", remote.none_here().await, span(age))?;
        Ok(self.rows(&generation, &store::remembered(&database)))
    }

    async fn by_copy(&self, loaded: &Loaded) -> Result<Vec<ModelRow>, Failed> {
        let folder = loaded.state.display();
        let remedy = "`ollama-router cache refresh` makes one";
        let catalog = match kept::list(&loaded.state, now_ms() / 1000) {
            List::Whole { source, catalog } if source == loaded.config.openrouter.base_url.as_str() => catalog,
            List::Whole { source, .. } => {
                return Err(anyhow!("the list of models in {folder} is of another upstream, {source}; {remedy}").into());
            }
            List::None => return Err(anyhow!("there is no list of models in {folder}; {remedy}").into()),
            List::Unusable(why) => return Err(anyhow!("the list of models in {folder} {why}; {remedy}").into()),
        };
        let generation = app::rehearse(loaded, Arc::new(catalog)).await?;
        let age = (now_ms() / 1000).saturating_sub(generation.catalog.fetched());
        writeln!(anstream::stderr(), "no router was asked; this list is {} old", span(age))?;
        Ok(self.rows(&generation, &store::remembered(&loaded.database)))
    }

    fn rows(&self, generation: &Generation, healths: &Healths) -> Vec<ModelRow> {
        let mut rows = wire::rows(generation, healths, now_ms());
        if self.all {
            rows.extend(wire::hidden_rows(generation, healths, now_ms()));
        }
        rows
    }

    fn wants(&self, model: &ModelRow) -> bool {
        let texts = [&model.id, &model.name, &model.title].map(|text| text.to_lowercase());
        let patterns: Vec<String> = self.filter.iter().map(|pattern| pattern.trim().to_lowercase()).collect();
        let named = patterns.iter().all(String::is_empty)
            || patterns.iter().any(|part| !part.is_empty() && texts.iter().any(|text| text.contains(part)));
        named && (model.tools || !self.tool_use_only) && (model.vision || !self.vision)
    }

    /// Says why the list is empty, and what to do.
    fn why_nothing(&self, found: usize) -> String {
        if found == 0 {
            return "no model can be used; `ollama-router list-models --all` shows why: the file \
                    models-filter/filter, mode.tool_use_only or the policy's settings hide them"
                .to_owned();
        }
        let flags = [
            (!self.filter.is_empty()).then_some("--filter"),
            self.tool_use_only.then_some("--tool-use-only"),
            self.vision.then_some("--vision"),
        ];
        let flags: Vec<&str> = flags.into_iter().flatten().collect();
        let hint = if self.all { "" } else { "; with --all those are looked through too that clients cannot use" };
        format!("none of {found} models is left by {}{hint}", flags.join(" and "))
    }
}

impl Order {
    /// Sorts; what is equal stays as the policy has it.
    fn apply(self, models: &mut [ModelRow]) {
        let price = |model: &ModelRow| {
            let sum = model.prompt_price.zip(model.completion_price).map(|(prompt, answer)| prompt + answer);
            if model.free { 0.0 } else { sum.unwrap_or(f64::INFINITY) }
        };
        match self {
            Self::Policy => {}
            Self::Context => models.sort_by_key(|model| std::cmp::Reverse(model.context)),
            Self::Name => models.sort_by_key(|model| model.name.to_lowercase()),
            Self::Price => models.sort_by(|one, other| price(one).total_cmp(&price(other))),
            Self::Speed => {
                let speed = |model: &ModelRow| model.state.tokens_per_second;
                models.sort_by(|one, other| speed(other).total_cmp(&speed(one)));
            }
            Self::State => models.sort_by_key(|model| {
                (model.hidden.is_some(), model.state.cooldown_ms, model.state.standing != "ready")
            }),
            Self::Expiry => models.sort_by_key(|model| model.expires.unwrap_or(u64::MAX)),
        }
    }
}
