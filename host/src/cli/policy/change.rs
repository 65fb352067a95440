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
        Common, Failed, fit,
        lines::{self, marked, say},
        policy::{asked::Asked, ended, phases},
        remote::Remote,
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
    #[command(flatten)]
    asked: Asked,
}

#[derive(Args)]
pub(in crate::cli) struct Rollback {
    /// A generation of `policy history`; the last good one if none is given
    generation: Option<u64>,
    #[command(flatten)]
    asked: Asked,
}

impl Reload {
    /// Ends with 0 if what is in force is what is on disk, or may be; with 1 if not.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let dry_run = self.dry_run.then_some(("dry_run", "true"));
        let name = self.name.as_deref().map(|name| ("name", name));
        let how: Vec<_> = dry_run.into_iter().chain(name).collect();
        let report =
            self.asked.run(common, async |router| router.post("/router/policy/reload", &how).await, reloaded)?;
        Ok(ended(report.is_some_and(|report| report.refused.is_none())))
    }
}

/// Tells what was changed, or would be, or why nothing was.
fn reloaded(report: &ReloadReport) -> io::Result<()> {
    let ReloadReport { changed, generation, chain, refused, dry_run, .. } = report;
    if let Some(refused) = refused {
        return refuse(report, refused);
    }
    if let Some(dry_run) = dry_run {
        return tell(dry_run);
    }
    let what = if *changed { "is in force now" } else { "is in force already, nothing has changed" };
    writeln!(anstream::stdout(), "{chain} {what}, generation {generation}")
}

/// Tells why nothing was changed, and how far it came.
fn refuse(report: &ReloadReport, refused: &Refusal) -> io::Result<()> {
    let mut err = anstream::stderr();
    let ReloadReport { chain, generation, phases, .. } = report;
    let lines = phases::listing(phases).lines(fit::width_of(&io::stderr()));
    lines.iter().try_for_each(|line| writeln!(err, "{line}"))?;
    say(&format!("refused at {}: {}", refused.phase, refused.reason))?;
    say(&format!("{chain} stays in force, generation {generation}"))
}

/// Tells what a change would change.
fn tell(run: &DryRun) -> io::Result<()> {
    let room = fit::width().map(|width| width.saturating_sub(INDENT));
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
        let which = json!({"generation": self.generation});
        let ask = async |router: &Remote| router.send("/router/policy/rollback", &which).await;
        let report = self.asked.run(common, ask, rolled_back)?;
        Ok(ended(report.is_some_and(|report| report.refused.is_none())))
    }
}

/// Tells what is in force again, or why not.
fn rolled_back(report: &ReloadReport) -> io::Result<()> {
    let ReloadReport { generation, chain, refused, .. } = report;
    if let Some(refused) = refused {
        return say(&format!("not rolled back: {}", refused.reason));
    }
    writeln!(anstream::stdout(), "{chain} is in force again, as generation {generation}")?;
    say("what the files say is held back until they change, or until `ollama-router policy reload`")
}
