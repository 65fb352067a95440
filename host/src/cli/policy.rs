//! `policy`: look at what chooses models, change it, make one.
//!
//! What changes it, and what was in force before, is in [`change`]; why it decides as
//! it does, in [`explain`]; what another would have decided, in [`replay`]. The
//! commands for authors ([`check`], [`inspect`], [`run`], [`mod@bench`], [`new`]) need no
//! router.

mod bench;
mod change;
mod check;
mod explain;
mod inspect;
mod made_up;
mod new;
mod question;
mod replay;
mod run;
mod subject;
mod templates;

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};

use crate::{
    api::admin::wire::policy::{ComparedRow, PolicyRow},
    cli::{
        Common, Failed, block_on,
        remote::{Address, Remote},
    },
    policy::component,
};

#[derive(Subcommand)]
pub(super) enum Policy {
    /// Show the policies in force: how they stand, how often they were asked and failed
    List(List),
    /// Read the policy, its settings and the filter again, and put them in force if they are sound
    Reload(change::Reload),
    /// Put an earlier policy with its settings in force again
    Rollback(change::Rollback),
    /// Show which policies and settings were in force, and why they went
    History(change::History),
    Check(check::Check),
    Inspect(inspect::Inspect),
    Run(run::Run),
    Bench(bench::BenchFile),
    New(new::New),
    /// Tell for every model why it would be tried for a request, or why not
    Explain(explain::Explain),
    /// Tell how a policy would have decided what is in a decision log
    Replay(replay::ReplayLog),
    /// Make a component of a core module that Cargo built for wasm32-unknown-unknown
    Wrap(Wrap),
}

#[derive(Args)]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

#[derive(Args)]
pub(super) struct Wrap {
    /// The core module
    module: PathBuf,
    /// Where to write the component
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Policy {
    /// Runs the command.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(common),
            Self::Reload(reload) => reload.run(common),
            Self::Rollback(rollback) => rollback.run(common),
            Self::History(history) => history.run(common),
            Self::Check(check) => check.run(common),
            Self::Inspect(inspect) => inspect.run(common),
            Self::Run(run) => run.run(common),
            Self::Bench(bench) => bench.run(common),
            Self::New(new) => new.run(),
            Self::Explain(explain) => explain.run(common),
            Self::Replay(replay) => replay.run(common),
            Self::Wrap(wrap) => wrap.run(),
        }
    }
}

impl List {
    fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        let Some(policies) = block_on(remote.get::<Vec<PolicyRow>>("/router/policy"))? else {
            return not_running(&remote);
        };
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&policies)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header([
            "NAME",
            "VERSION",
            "DIGEST",
            "STATE",
            "GENERATION",
            "CALLS",
            "FAILED",
            "P99",
            "SOURCE",
        ]);
        for policy in &policies {
            table.add_row([
                policy.name.as_str(),
                policy.version.as_str(),
                policy.digest.get(..12).unwrap_or(&policy.digest),
                policy.state.as_str(),
                &policy.generation.to_string(),
                &policy.calls.to_string(),
                &policy.faults.to_string(),
                &policy.p99_us.map_or_else(|| "-".to_owned(), |us| format!("{us} \u{b5}s")),
                policy.source.as_str(),
            ]);
        }
        let mut out = anstream::stdout();
        writeln!(out, "{table}")?;
        for compared in policies.iter().filter_map(|policy| policy.compared) {
            let ComparedRow { sample_percent, same, other_order, other_first, failed } = compared;
            writeln!(
                out,
                "\nthe shadow is asked on {sample_percent} % of the requests: {same} decisions are the same, \
                 {other_order} differ in their order alone, {other_first} in the first choice, {failed} failed"
            )?;
        }
        // All of a chain have the same.
        if let Some(refused) = policies.iter().find_map(|policy| policy.refused.as_ref()) {
            writeln!(out, "\nrefused at {}: {}", refused.phase, refused.reason)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Wrap {
    fn run(&self) -> Result<ExitCode, Failed> {
        let module = fs::read(&self.module).with_context(|| format!("cannot read {}", self.module.display()))?;
        let component = component::wrap(&module).with_context(|| format!("cannot wrap {}", self.module.display()))?;
        fs::write(&self.output, component).with_context(|| format!("cannot write {}", self.output.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn not_running(remote: &Remote) -> Result<ExitCode, Failed> {
    writeln!(anstream::stderr(), "no router is running at {}; start one with `ollama-router start`", remote.base())?;
    Ok(ExitCode::from(1))
}
