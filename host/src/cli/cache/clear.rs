//! `cache clear`: removes what can be made again, and nothing else unasked.
//!
//! Failures are no cache: they are kept unless `--failures` says otherwise.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;

use crate::{
    api::admin::wire::Forgotten,
    cli::{
        Common, Failed, block_on,
        cache::Place,
        lines::say,
        print_json,
        prompt::{confirm, is_interactive, left},
        remote::Address,
        words::{bytes, count},
    },
    config::load::Loaded,
    refresh::kept::{self, Kept},
    store::{self, Store},
};

/// What is said if the answer is no.
const UNTOUCHED: &str = "nothing was removed";

/// How long the database may take to forget.
const STORE_GRACE: Duration = Duration::from_secs(3);

/// Remove the list of models and the compiled policies
///
/// All of it is made again when it is needed. Failures and cooldowns stay, unless
/// --failures is given. A running router keeps serving from memory, and writes the list
/// again when it fetches it next. Asks first on a terminal.
#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
#[derive(Args)]
pub(in crate::cli) struct Clear {
    /// Only the list of models
    #[arg(long, conflicts_with = "policies")]
    models: bool,
    /// Only the compiled policies
    #[arg(long)]
    policies: bool,
    /// Forget the failures and cooldowns of all models too
    #[arg(long)]
    failures: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

impl Clear {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let place = block_on(Place::find(&loaded, &self.address))?;
        let Some(folder) = &place.folder else {
            let there = "its files are on its own machine: run `ollama-router cache clear` there";
            return Err(Failed::usage(anyhow!("{} is another machine; {there}", place.remote.base())));
        };
        let files = self.files(folder)?;
        match self.may(&files)? {
            Some(true) => {}
            Some(false) => {
                writeln!(anstream::stderr(), "{UNTOUCHED}")?;
                return Ok(ExitCode::from(1));
            }
            None => return left(UNTOUCHED),
        }
        remove(&files)?;
        let forgotten = if self.failures { Some(forget(&loaded, &place)?) } else { None };
        self.tell(&files, forgotten.as_deref(), place.router.is_some())?;
        Ok(ExitCode::SUCCESS)
    }

    fn files(&self, folder: &Path) -> Result<Vec<Kept>, Failed> {
        let look = || format!("cannot look into {}; check its rights", folder.display());
        let mut files = Vec::new();
        if !self.policies {
            files.extend(kept::lists(folder).with_context(look)?);
        }
        if !self.models {
            files.extend(kept::compiled(folder).with_context(look)?);
        }
        Ok(files)
    }

    /// Asks, if there is somebody to ask and something to remove; none if they left.
    fn may(&self, files: &[Kept]) -> Result<Option<bool>, Failed> {
        if self.yes || (files.is_empty() && !self.failures) {
            return Ok(Some(true));
        }
        if !is_interactive() {
            // A list is fetched again; what was learnt of models is not.
            if self.failures {
                let want = "there is no terminal to ask on: add --yes to forget all failures";
                return Err(Failed::usage(anyhow!(want)));
            }
            return Ok(Some(true));
        }
        let failures = if self.failures { " and all failures" } else { "" };
        let question = format!("Remove {} ({}){failures}?", count(files.len(), "file"), bytes(size(files)));
        confirm(&question, false, None)
    }

    fn tell(&self, files: &[Kept], forgotten: Option<&[String]>, is_running: bool) -> Result<(), Failed> {
        if self.json {
            let paths: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
            let told =
                json!({"removed": paths, "bytes": size(files), "forgotten": forgotten, "router_runs": is_running});
            print_json(&told)?;
        } else {
            let mut out = anstream::stdout();
            files
                .iter()
                .try_for_each(|file| writeln!(out, "removed {} ({})", file.path.display(), bytes(file.bytes)))?;
            if let Some(forgotten) = forgotten {
                writeln!(out, "forgot the failures of {}", count(forgotten.len(), "model"))?;
            }
            match files {
                [] => writeln!(out, "there was nothing to remove")?,
                _ => writeln!(out, "{} in {}", bytes(size(files)), count(files.len(), "file"))?,
            }
        }
        if is_running && !files.is_empty() {
            let goes_on = "a router is running; it keeps serving from memory, and `ollama-router cache refresh` has it \
                           write the list again";
            say(goes_on)?;
        }
        Ok(())
    }
}

fn size(files: &[Kept]) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}

fn remove(files: &[Kept]) -> Result<(), Failed> {
    for file in files {
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let path = file.path.display();
                return Err(anyhow!(error)
                    .context(format!("cannot remove {path}; check the rights of its folder"))
                    .into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Has failures forgotten: by the router, which holds them in memory, or on disk.
fn forget(loaded: &Loaded, place: &Place) -> Result<Vec<String>, Failed> {
    if place.router.is_some() {
        let forgotten = block_on(place.remote.delete::<Forgotten>("/router/failures", ""))?;
        return Ok(forgotten.map(|forgotten| forgotten.models).unwrap_or_default());
    }
    let mut known: Vec<String> = store::remembered(&loaded.database).keys().map(ToString::to_string).collect();
    known.sort();
    if loaded.database.is_file() {
        let opened = Store::open(&loaded.database);
        opened.store.forget(None);
        opened.store.record_account(None);
        if !opened.warnings.is_empty() || !opened.store.close(STORE_GRACE) {
            let why = opened.warnings.join("; ");
            return Err(anyhow!("cannot forget the failures in {}: {why}", loaded.database.display()).into());
        }
    }
    Ok(known)
}
