//! `policy`: look at what chooses models, change it, make one.
//!
//! How it stands is in [`list`]; what changes it, in [`change`]; what was in force
//! before, in [`history`]; why it decides as it does, in [`explain`]; what another would
//! have decided, in [`replay`]. The commands for authors ([`check`], [`inspect`], [`run`], [`mod@bench`], [`new`]) need no
//! router.

mod asked;
mod bench;
mod change;
mod check;
mod explain;
mod history;
mod inspect;
mod list;
mod made_up;
mod new;
mod phases;
mod question;
mod replay;
mod run;
mod subject;
mod templates;

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};

use crate::{
    cli::{Common, Failed, words::bytes},
    policy::{component, interfaces::Interfaces},
};

/// How much of a digest is shown to people.
const SHORT_DIGEST: usize = 12;

#[derive(Subcommand)]
pub(super) enum Policy {
    /// Show the policies in force: how they stand, how often they were asked and failed
    List(list::List),
    /// Read the policy, its settings and the filter again, and put them in force if they are sound
    Reload(change::Reload),
    /// Put an earlier policy with its settings in force again
    Rollback(change::Rollback),
    /// Show which policies and settings were in force, and why they came and went
    History(history::History),
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

impl Wrap {
    fn run(&self) -> Result<ExitCode, Failed> {
        let module = fs::read(&self.module).with_context(|| format!("cannot read {}", self.module.display()))?;
        let cannot = || format!("cannot wrap {}", self.module.display());
        let found = Interfaces::parse(&module).with_context(cannot)?;
        if !found.was_module {
            return Err(anyhow!("{} is a component already, and can be used as it is", self.module.display()).into());
        }
        found.check_version().with_context(cannot)?;
        let component = component::wrap(&module).with_context(cannot)?;
        let size = bytes(component.len() as u64);
        fs::write(&self.output, component).with_context(|| format!("cannot write {}", self.output.display()))?;
        writeln!(anstream::stderr(), "wrote {} ({size})", self.output.display())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns how a command ends that was done, or was not.
fn ended(is_done: bool) -> ExitCode {
    ExitCode::from(u8::from(!is_done))
}

/// Writes a score, which is for comparing: to the thousandth.
fn rounded(score: f32) -> String {
    let text = format!("{score:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns as much of a digest as people compare.
fn short(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}
