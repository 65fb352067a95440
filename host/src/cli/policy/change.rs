//! `policy reload`, `policy rollback`: what is to be in force.
//!
//! A running router does the work; here is only what is asked and how it is told.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use serde_json::json;

use crate::{
    api::admin::wire::policy::{DryRun, Refusal, ReloadReport},
    cli::{
        Common, Failed, block_on,
        lines::{self, marked, say},
        policy::{not_running, phases},
        remote::Address,
        table,
        words::count,
    },
};

/// How far ids stand to the right of what is said of them.
const INDENT: usize = 2;

#[derive(Args)]
pub(in crate::cli) struct Reload {
    /// Only the policy of this name, as `policy list` tells it, with its settings; else all that
    /// the configuration says
    name: Option<String>,
    /// Change nothing; tell what would be refused, which models clients would see, and which of
    /// the last decisions would be others
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

#[derive(Args)]
pub(in crate::cli) struct Rollback {
    /// A generation of `policy history`; the last good one if none is given
    generation: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

impl Reload {
    /// Ends with 0 if what is in force is what is on disk, or may be; with 1 if not.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        let dry_run = self.dry_run.then_some(("dry_run", "true"));
        let name = self.name.as_deref().map(|name| ("name", name));
        let how: Vec<_> = dry_run.into_iter().chain(name).collect();
        let Some(report) = block_on(remote.post::<ReloadReport>("/router/policy/reload", &how))? else {
            return not_running(&remote);
        };
        let ReloadReport { changed, generation, chain, refused, dry_run, .. } = &report;
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
        } else if let Some(refused) = refused {
            refuse(&report, refused)?;
        } else if let Some(dry_run) = dry_run {
            tell(dry_run)?;
        } else {
            let what = if *changed { "is in force now" } else { "is in force already, nothing has changed" };
            writeln!(anstream::stdout(), "{chain} {what}, generation {generation}")?;
        }
        Ok(ended(&report))
    }
}

/// Tells why nothing was changed, and how far it came.
fn refuse(report: &ReloadReport, refused: &Refusal) -> io::Result<()> {
    let mut err = anstream::stderr();
    let ReloadReport { chain, generation, phases, .. } = report;
    let lines = phases::listing(phases).lines(table::width_of(&io::stderr()));
    lines.iter().try_for_each(|line| writeln!(err, "{line}"))?;
    say(&format!("refused at {}: {}", refused.phase, refused.reason))?;
    say(&format!("{chain} stays in force, generation {generation}"))
}

/// Tells what a change would change.
fn tell(run: &DryRun) -> io::Result<()> {
    let room = table::width().map(|width| width.saturating_sub(INDENT));
    let mut out = anstream::stdout();
    lines::tell(&format!("{} would be in force", run.chain))?;
    for (mark, word, ids) in [('+', "shown", &run.shown), ('-', "hidden", &run.hidden)] {
        if !ids.is_empty() {
            writeln!(out, "{} would be {word}:", count(ids.len(), "more model"))?;
            marked(mark, ids, room).iter().try_for_each(|line| writeln!(out, "{:INDENT$}{line}", ""))?;
        }
    }
    let DryRun { decisions, other_order, other_first, failed, .. } = run;
    if *decisions == 0 {
        return lines::tell("nothing was decided over these models yet that could be compared");
    }
    let others = other_order + other_first + failed;
    lines::tell(&format!(
        "of the last {} {others} would change: {other_order} in their order alone, {other_first} in the first choice, \
         {failed} could not be made",
        count(usize::try_from(*decisions).unwrap_or(usize::MAX), "decision")
    ))
}

impl Rollback {
    /// Ends with 0 if an earlier policy is in force again, with 1 if not.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        let asked = json!({"generation": self.generation});
        let Some(report) = block_on(remote.send::<ReloadReport>("/router/policy/rollback", &asked))? else {
            return not_running(&remote);
        };
        let ReloadReport { generation, chain, refused, .. } = &report;
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
        } else if let Some(refused) = refused {
            say(&format!("not rolled back: {}", refused.reason))?;
        } else {
            writeln!(anstream::stdout(), "{chain} is in force again, as generation {generation}")?;
            let hint = "what the files say is held back until they change, or until `ollama-router policy reload`";
            say(hint)?;
        }
        Ok(ended(&report))
    }
}

fn ended(report: &ReloadReport) -> ExitCode {
    if report.refused.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
