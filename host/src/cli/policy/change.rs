//! `policy reload`, `policy rollback`, `policy history`: what is in force, and what was.
//!
//! A running router does the work; here is only what is asked and how it is told.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use jiff::Timestamp;
use serde_json::json;

use crate::{
    api::admin::wire::policy::{DryRun, PastRow, PhaseRow, ReloadReport},
    cli::{
        Common, Failed, block_on,
        policy::{Address, not_running},
    },
};

/// How much of a digest is shown to people.
const SHORT_DIGEST: usize = 12;

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

#[derive(Args)]
pub(in crate::cli) struct History {
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
            let stays = format!("{chain} stays in force, generation {generation}");
            let mut err = anstream::stderr();
            report.phases.iter().try_for_each(|phase| writeln!(err, "{}", line(phase)))?;
            writeln!(err, "refused at {}: {}\n{stays}", refused.phase, refused.reason)?;
        } else if let Some(dry_run) = dry_run {
            tell(dry_run)?;
        } else {
            let what = if *changed { "is in force now" } else { "is in force already, nothing has changed" };
            writeln!(anstream::stdout(), "{chain} {what}, generation {generation}")?;
        }
        Ok(ended(&report))
    }
}

/// A phase in a line.
fn line(PhaseRow { policy, phase, status, took_us, .. }: &PhaseRow) -> String {
    let ms = std::time::Duration::from_micros(*took_us).as_secs_f64() * 1000.0;
    format!("{phase:<12} {status:<6} {ms:>8.1} ms  {policy}")
}

/// Tells what a change would change.
fn tell(run: &DryRun) -> io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{} would be in force", run.chain)?;
    for (word, ids) in [("shown", &run.shown), ("hidden", &run.hidden)] {
        if !ids.is_empty() {
            writeln!(out, "{} more models {word}: {}", ids.len(), ids.join(", "))?;
        }
    }
    let DryRun { decisions, other_order, other_first, failed, .. } = run;
    let others = other_order + other_first + failed;
    writeln!(
        out,
        "of the last {decisions} decisions {others} would change: {other_order} in their order alone, {other_first} in \
         the first choice, {failed} could not be made"
    )
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
            writeln!(anstream::stderr(), "not rolled back: {}", refused.reason)?;
        } else {
            writeln!(anstream::stdout(), "{chain} is in force again, as generation {generation}")?;
            let hint = "what the files say is held back until they change, or until `ollama-router policy reload`";
            writeln!(anstream::stderr(), "{hint}")?;
        }
        Ok(ended(&report))
    }
}

impl History {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        let Some(past) = block_on(remote.get::<Vec<PastRow>>("/router/policy/history"))? else {
            return not_running(&remote);
        };
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&past)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["GENERATION", "SINCE", "POLICY", "DIGEST", "STATE", "WHY"]);
        for row in &past {
            let since = i64::try_from(row.since_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
            let digests = row.digests.iter().map(|digest| digest.get(..SHORT_DIGEST).unwrap_or(digest));
            table.add_row([
                row.generation.to_string(),
                since.map(|since| format!("{since:.0}")).unwrap_or_default(),
                row.policy.clone(),
                digests.collect::<Vec<_>>().join(", "),
                row.state.clone(),
                row.why.clone().unwrap_or_default(),
            ]);
        }
        writeln!(anstream::stdout(), "{table}")?;
        Ok(ExitCode::SUCCESS)
    }
}

fn ended(report: &ReloadReport) -> ExitCode {
    if report.refused.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
