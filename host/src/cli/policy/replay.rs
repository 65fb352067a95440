//! `policy replay`: what another policy would have decided, by the decision log.
//!
//! Needs no router, no network and no configuration: the log has the models, the
//! settings and the requests.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    cli::{Common, Failed, block_on, policy::subject, print_json},
    policy::{
        EMBEDDED,
        component::{self, Code},
        decisions::{Entry, Head, Line, replay::Replay},
        engine::Engine,
        limits::Limits,
        shadow::Difference,
        steps::Steps,
    },
};

/// What stands for the policy in the program.
const DEFAULT: &str = "free-mode";

/// The time for a decision: here nobody waits for it, and a slow machine is no fault.
const TIME: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(in crate::cli) struct ReplayLog {
    /// The policy: a .wasm file, or `free-mode` for the one in the program
    file: PathBuf,
    /// The decisions: the file of `policy.decision_log`
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Its settings, as JSON or a file of JSON [default: those that are in the log]
    #[arg(long, value_name = "JSON|FILE")]
    settings: Option<String>,
    /// Make a new instance for every decision; the result must be the same
    #[arg(long)]
    fresh: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How the decisions compare.
#[derive(Debug, Default, Serialize)]
struct Compared {
    /// Name and version of the policy.
    policy: String,
    /// Decisions that were asked again.
    decisions: u64,
    /// Those that are the same.
    same: u64,
    /// The first model is the same, and then the order is another.
    other_order: u64,
    /// The first model is another, or one of the two refuses the request.
    other_first: u64,
    /// The policy shows none of the models that were offered, so that nothing would be tried.
    not_made: u64,
    /// The policy failed.
    failed: u64,
}

impl ReplayLog {
    /// Ends with 0 if all decisions were made, whatever they are; with 1 if the
    /// policy is refused or fails, with 2 if the log cannot be read.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let settings = self.settings.as_deref().map(settings).transpose().map_err(Failed::usage)?;
        let log = File::open(&self.log).with_context(|| format!("cannot open {}", self.log.display()));
        let log = log.map_err(Failed::usage)?;
        let code = code(&subject::engine(common)?, &self.file)
            .with_context(|| format!("{} is refused", self.file.display()))?;
        let compared = block_on(self.replay(BufReader::new(log), &code, settings.as_ref()))?;
        if self.json {
            print_json(&compared)?;
        } else {
            let Compared { decisions, other_order, other_first, not_made, failed, .. } = compared;
            let [all, changed, other_order, other_first, not_made, faults] =
                [decisions, other_order + other_first + not_made, other_order, other_first, not_made, failed]
                    .map(grouped);
            writeln!(
                anstream::stdout(),
                "of {all} decisions {changed} would change: {other_order} in their order alone, {other_first} in the \
                 first choice, {not_made} could not be made; {faults} faults"
            )?;
        }
        Ok(if compared.failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    async fn replay(
        &self,
        mut log: BufReader<File>,
        code: &Code,
        settings: Option<&Map<String, Value>>,
    ) -> Result<Compared, Failed> {
        let limits = Limits { time: TIME, ..Limits::default() };
        let (mut compared, mut running, mut text) = (Compared::default(), None::<Replay>, String::new());
        for number in 1_u64.. {
            text.clear();
            let unreadable = |error: anyhow::Error| {
                Failed::usage(error.context(format!("cannot read line {number} of {}", self.log.display())))
            };
            if log.read_line(&mut text).map_err(|error| unreadable(error.into()))? == 0 {
                break;
            }
            match serde_json::from_str(&text) {
                Ok(Line::Generation(head)) => {
                    let started = start(code, head, settings, limits).await?;
                    compared.policy.clone_from(&started.label);
                    running = Some(started);
                }
                Ok(Line::Decision(entry)) => {
                    let running = running.as_mut().filter(|running| running.generation == entry.generation);
                    let running = running.ok_or_else(|| {
                        unreadable(anyhow!("a decision of generation {}, and no line of it before", entry.generation))
                    })?;
                    self.ask(running, &entry, number, &mut compared).await?;
                }
                // It decided nothing.
                Ok(Line::Shadow(_)) => {}
                Err(_) if !text.ends_with('\n') => {
                    writeln!(anstream::stderr(), "line {number}, the last one, is cut short and left out")?;
                }
                Err(error) => return Err(unreadable(error.into())),
            }
        }
        Ok(compared)
    }

    async fn ask(
        &self,
        running: &mut Replay,
        entry: &Entry,
        number: u64,
        compared: &mut Compared,
    ) -> Result<(), Failed> {
        let again = "it was taken before, and now it is refused";
        if self.fresh {
            running.renew().await.context(again)?;
        }
        compared.decisions += 1;
        match running.compare(entry).await {
            Ok(Some(Difference::None)) => compared.same += 1,
            Ok(Some(Difference::Order)) => compared.other_order += 1,
            Ok(Some(Difference::First)) => compared.other_first += 1,
            Ok(None) => compared.not_made += 1,
            Err(fault) => {
                if compared.failed == 0 {
                    writeln!(anstream::stderr(), "the first fault is at line {number}: {fault}")?;
                }
                compared.failed += 1;
                // The instance was stopped in the middle.
                running.renew().await.context(again)?;
            }
        }
        Ok(())
    }
}

async fn start(
    code: &Code,
    head: Head,
    settings: Option<&Map<String, Value>>,
    limits: Limits,
) -> Result<Replay, Failed> {
    let generation = head.generation;
    let started = Replay::start(code, head, settings, limits).await;
    Ok(started.with_context(|| format!("the policy is refused over the models of generation {generation}"))?)
}

/// Reads and compiles a policy.
fn code(engine: &Arc<Engine>, file: &Path) -> anyhow::Result<Code> {
    if file == Path::new(DEFAULT) {
        return Ok(component::compile(engine, EMBEDDED, &Steps::default())?);
    }
    Ok(component::compile(engine, &component::read(file)?, &Steps::default())?)
}

/// Reads settings that were given as text, or as a file of it.
fn settings(given: &str) -> anyhow::Result<Map<String, Value>> {
    if given.trim_start().starts_with('{') {
        return serde_json::from_str(given).context("--settings is no JSON object");
    }
    let text = fs::read_to_string(given).with_context(|| format!("cannot read the settings in {given}"))?;
    serde_json::from_str(&text).with_context(|| format!("{given} is no JSON object"))
}

/// Returns a number as people read it, such as `10,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
