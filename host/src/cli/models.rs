//! `list-models`: what clients can use, in the order in which it is tried.
//!
//! Asks the running router; without one, reads the copy of the catalogue, and
//! without that asks OpenRouter, and lets the policy say what is visible.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use comfy_table::{CellAlignment, Table, presets::NOTHING};

use crate::{
    api::admin::wire::{self, ModelRow},
    app::offline,
    cli::{Common, Failed, block_on, remote::Remote, status::span},
    config::load::Loaded,
    failover::ledger::now_ms,
};

/// List the models that clients can use, in the order in which they are tried.
#[derive(Args)]
pub(super) struct ListModels {
    /// Only models that can call tools
    #[arg(long)]
    tool_use_only: bool,
    /// Only models whose name or id holds this, in any case
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Host of the router to ask [default: this machine]
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,
    /// Port of the router to ask [default: that of the configuration, or 11434]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
}

impl ListModels {
    /// Prints the list.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let remote = Remote::new(&loaded.config, self.host.as_deref(), self.port)?;
        let asked = self.host.is_some() || self.port.is_some();
        let models = match block_on(remote.get::<Vec<ModelRow>>("/router/models"))? {
            Some(models) => models,
            None if asked => {
                writeln!(anstream::stderr(), "no router is running at {}", remote.base())?;
                return Ok(ExitCode::from(1));
            }
            None => block_on(without_router(loaded))?,
        };
        let pattern = self.filter.as_deref().unwrap_or_default().trim().to_lowercase();
        let wanted = |model: &ModelRow| {
            let named =
                [&model.id, &model.name, &model.title].iter().any(|text| text.to_lowercase().contains(&pattern));
            named && (model.tools || !self.tool_use_only)
        };
        let models: Vec<ModelRow> = models.into_iter().filter(wanted).collect();
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&models)?)?;
        } else {
            print(&models)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Does what the router would do, and says on what.
async fn without_router(loaded: Loaded) -> Result<Vec<ModelRow>, Failed> {
    let generation = offline(loaded).await.context("no router is running, and there is no list of models here")?;
    let age = (now_ms() / 1000).saturating_sub(generation.catalog.fetched());
    writeln!(anstream::stderr(), "no router is running; this list is {} old", span(age))?;
    Ok(wire::rows(&generation, &HashMap::new(), now_ms()))
}

fn print(models: &[ModelRow]) -> io::Result<()> {
    if models.is_empty() {
        return writeln!(
            anstream::stderr(),
            "no model can be used: see --filter, the file models-filter/filter and --tool-use-only"
        );
    }
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["MODEL", "CONTEXT", "TOOLS", "VISION", "REASONING", "EMBEDS", "STATE", "ID"]);
    let mark = |has: bool| if has { "yes" } else { "-" };
    for model in models {
        let state = match model.state.cooldown_ms {
            0 => model.state.standing.clone(),
            ms => format!("cooling {}", span(ms.div_ceil(1000))),
        };
        table.add_row([
            &model.name,
            &context(model.context),
            mark(model.tools),
            mark(model.vision),
            mark(model.reasoning),
            mark(model.embeds),
            &state,
            &model.id,
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(anstream::stdout(), "{table}")
}

fn context(tokens: u32) -> String {
    if tokens == 0 { "-".to_owned() } else { tokens.to_string() }
}
