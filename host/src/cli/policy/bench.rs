//! `policy bench`: how long a policy takes, and how much memory.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        Common, Failed, block_on,
        lines::{say, tell},
        policy::{
            made_up,
            question::Request,
            subject::{self, Subject},
        },
        print_json,
        table::{Column, Listing, figures, plain, words},
        words::bytes,
    },
    policy::workbench::timing::{self, Timings},
};

const COLUMNS: [Column; 4] = [words("STEP", 0), figures("TIMES", 1), figures("P50", 0), figures("P99", 2)];

const EXAMPLES: &str = "\
Example:
  ollama-router policy bench my-policy.wasm --candidates 16 --models 400";

/// Measure a policy: compiling, loading, the catalogue, a decision, memory
///
/// The figures are of this machine and this build of the router.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct BenchFile {
    #[command(flatten)]
    subject: Subject,
    /// Candidates of a decision; fewer if the policy shows fewer
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    candidates: u32,
    /// Models of the catalogue, made up
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    models: u32,
    /// A catalogue instead: a router's models.json, or what OpenRouter's /models answers
    #[arg(long, value_name = "FILE", conflicts_with = "models")]
    catalog: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was measured.
struct Measured {
    policy: String,
    models: usize,
    candidates: usize,
    memory_bytes: usize,
    timings: Vec<Timings>,
}

/// A folder that nobody had before, and nobody has afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Failed> {
        let path = std::env::temp_dir().join(format!("ollama-router-bench-{}", std::process::id()));
        // Not one that is there: what is compiled is run.
        fs::create_dir(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It is the system's folder for such files, which is emptied anyway.
        fs::remove_dir_all(&self.0).ok();
    }
}

impl BenchFile {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let measured = self.measure(common)?;
        if self.json {
            print_json(&json(&measured))?;
        } else {
            print(&measured)?;
        }
        let build = if cfg!(debug_assertions) { "a build for tests, slower than others" } else { "a release build" };
        let version = env!("CARGO_PKG_VERSION");
        say(&format!("figures of this machine and of ollama-router {version}, {build}"))?;
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, common: &Common) -> Result<Measured, Failed> {
        let catalog = match &self.catalog {
            None => made_up::many(self.models, self.candidates),
            path => subject::catalog(path.as_ref())?,
        };
        let query = Request::default().query(&catalog)?;
        let setup = self.subject.setup(catalog)?;
        let (mut bench, mut timings) = block_on(async {
            let bench = self.subject.sound(common, setup).await?;
            let timings = bench.time_loading().await.map_err(|refused| anyhow!("cannot measure it: {refused}"))?;
            Ok((bench, Vec::from(timings)))
        })?;
        let decided = block_on(async { Ok(bench.time_decisions(&query, &[], self.candidates as usize).await) })?;
        let label = format!("{}/{}", bench.name, bench.version);
        let Some((candidates, select)) = decided.map_err(|fault| anyhow!("{label} failed to decide: {fault}"))? else {
            return Err(
                anyhow!("{label} cannot be measured: it shows none of the models; try another --catalog").into()
            );
        };
        timings.push(select);
        let folder = Folder::new()?;
        timings.splice(0..0, compiled(&self.subject.file, &folder.0)?);
        Ok(Measured {
            policy: label,
            models: bench.setup.catalog.models().len(),
            candidates,
            memory_bytes: bench.memory_bytes(),
            timings,
        })
    }
}

fn compiled(file: &Path, folder: &Path) -> Result<[Timings; 2], Failed> {
    Ok(timing::compiling(file, folder).map_err(|refused| anyhow!("cannot measure {}: {refused}", file.display()))?)
}

fn json(measured: &Measured) -> Value {
    let us = |timings: &Timings, share| (timings.within(share).as_secs_f64() * 10_000_000.0).round() / 10.0;
    let step = |timings: &Timings| {
        json!({
            "step": timings.step,
            "times": timings.times(),
            "p50_us": us(timings, 0.5),
            "p99_us": us(timings, 0.99),
        })
    };
    json!({
        "policy": measured.policy,
        "models": measured.models,
        "candidates": measured.candidates,
        "memory_bytes": measured.memory_bytes,
        "steps": measured.timings.iter().map(step).collect::<Vec<_>>(),
    })
}

fn print(measured: &Measured) -> Result<(), Failed> {
    let mut listing = Listing::new(&COLUMNS);
    for timings in &measured.timings {
        let ms = |share| plain(format!("{:.3} ms", timings.within(share).as_secs_f64() * 1000.0));
        listing.add(vec![plain(timings.step), plain(timings.times().to_string()), ms(0.5), ms(0.99)]);
    }
    listing.print()?;
    let Measured { policy, models, candidates, memory_bytes, .. } = measured;
    let memory = bytes(*memory_bytes as u64);
    writeln!(io::stdout())?;
    tell(&format!("{policy}, {models} models, {candidates} candidates; {memory} of memory an instance"))?;
    Ok(())
}
