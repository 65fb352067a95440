//! `policy check`: would a router take this file?

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::json;

use crate::{
    api::admin::wire::policy::PhaseRow,
    cli::{
        Common, Failed, block_on,
        lines::say,
        policy::{
            phases,
            subject::{self, Subject},
        },
        print_json,
    },
    policy::steps::Step,
};

const EXAMPLES: &str = "\
Examples:
  ollama-router policy check my-policy.wasm
  ollama-router policy check my-policy.wasm --settings '{\"prefer\": \"gemma\"}' --json";

/// Take a policy through every phase of a reload, without a router
///
/// Needs no server, no network and no configuration. Ends with 1 at the first phase
/// that refuses it, and says why.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    subject: Subject,
    /// The models: a router's models.json, or what OpenRouter's /models answers [default: a dozen made-up ones]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        subject::listen(common)?;
        let setup = self.subject.setup(subject::catalog(self.catalog.as_ref())?)?;
        let (steps, bench) = block_on(self.subject.load(common, setup))?;
        if self.json {
            let rows: Vec<_> = steps.iter().map(row).collect();
            print_json(&rows)?;
        } else {
            phases::listing(&PhaseRow::all(&steps)).print()?;
        }
        if let Some((phase, reason)) = steps.iter().find_map(|step| Some((step.phase, step.refused()?))) {
            say(&format!("refused at {phase}: {reason}"))?;
        }
        let Some(bench) = bench else { return Ok(ExitCode::from(1)) };
        let (shown, all) = (bench.visible.len(), bench.setup.catalog.models().len());
        say(&format!("{}/{} is sound; it shows {shown} of {all} models", bench.name, bench.version))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn ms(step: &Step) -> f64 {
    (step.took.as_secs_f64() * 10_000.0).round() / 10.0
}

fn row(step: &Step) -> serde_json::Value {
    json!({"phase": step.phase.as_str(), "ok": step.refused().is_none(), "ms": ms(step), "reason": step.refused()})
}
