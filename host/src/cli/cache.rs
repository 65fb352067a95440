//! `cache`: the list of models and the compiled policies that are kept on disk.
//!
//! Looks, fetches, clears. The files are those of the router that runs on this machine,
//! or else of the configuration. How it is told is in [`told`], what is removed in [`clear`].

mod clear;
mod told;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    api::admin::wire::{
        Status,
        catalog::{CatalogStatus, Refreshed},
    },
    app,
    catalog::Catalog,
    cli::{
        Common, Failed, block_on, print_json,
        remote::{Address, Remote},
        words::count,
    },
    clock::now_ms,
    config::load::Loaded,
    refresh::kept::{self, List},
};

/// How often the sign of work turns.
const TICK: Duration = Duration::from_millis(100);

#[derive(Subcommand)]
pub(super) enum Cache {
    /// Show what is kept: how old it is, how large, and what the last refresh changed
    Status(Look),
    /// Fetch the list of models now, by the running router or without one
    Refresh(Refresh),
    /// Remove the list of models and the compiled policies
    Clear(clear::Clear),
}

/// Show what is kept: how old it is, how large, and what the last refresh changed
///
/// Asks the running router when it fetches next; without one it goes by the files alone.
/// Ends with 1 if there is no list of models, or it cannot be used.
#[derive(Args)]
pub(super) struct Look {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

/// Fetch the list of models now, by the running router or without one
///
/// A running router puts the list in force. Without one it is fetched from here, which
/// needs no key, and kept for the next start. A fetch that fails leaves the last list.
#[derive(Args)]
pub(super) struct Refresh {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

/// What a cache is of: files, and who uses them.
struct Place {
    /// The folder of the files; none if they are on another machine.
    folder: Option<PathBuf>,
    /// What the running router says of its list.
    router: Option<CatalogStatus>,
    remote: Remote,
}

impl Cache {
    /// Runs the command.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        match self {
            Self::Status(look) => look.run(common),
            Self::Refresh(refresh) => refresh.run(common),
            Self::Clear(clear) => clear.run(common),
        }
    }
}

impl Place {
    /// Finds out which files are meant.
    async fn find(loaded: &Loaded, address: &Address) -> Result<Self, Failed> {
        let remote = address.of(&loaded.config)?;
        let router = match remote.get::<Status>("/router/status").await {
            Ok(Some(status)) => Some(status.catalog),
            Ok(None) if address.is_given() => return Err(anyhow!("{}", remote.missing().await).into()),
            Err(failed) if address.is_given() => return Err(failed),
            // Nothing is there, or something else; the files are here all the same.
            Ok(None) | Err(_) => None,
        };
        let of_router = router.as_ref().map(|catalog| PathBuf::from(&catalog.folder)).filter(|folder| folder.is_dir());
        let folder = if remote.is_here() { Some(of_router.unwrap_or_else(|| loaded.state.clone())) } else { None };
        Ok(Self { folder, router, remote })
    }
}

impl Look {
    fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let place = block_on(Place::find(&loaded, &self.address))?;
        let ttl = loaded.config.cache.ttl_hours.duration();
        let told = told::Told::of(&place, &loaded, ttl.as_secs())?;
        if self.json {
            print_json(&told)?;
        } else {
            told.print()?;
        }
        Ok(if told.problem.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}

impl Refresh {
    fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let turning = turning("fetching the list of models");
        let refreshed = block_on(self.refresh(&loaded, &turning));
        turning.finish_and_clear();
        let refreshed = refreshed?;
        if self.json {
            print_json(&refreshed)?;
        } else {
            told::refreshed(&refreshed)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn refresh(&self, loaded: &Loaded, turning: &ProgressBar) -> Result<Refreshed, Failed> {
        let remote = self.address.of(&loaded.config)?;
        match remote.post::<Refreshed>("/router/models/refresh", &[]).await {
            Ok(Some(refreshed)) => return Ok(refreshed),
            Ok(None) if self.address.is_given() => return Err(anyhow!("{}", remote.missing().await).into()),
            Ok(None) => {}
            Err(failed) => return Err(failed),
        }
        let told = format!("{}; the list is fetched from here, for the next start", remote.none_here().await);
        turning.suspend(|| writeln!(anstream::stderr(), "{told}"))?;
        let before = last_list(&loaded.state);
        let mut refresh = app::refresh(loaded)?;
        let fresh = refresh.fetch().await.map_err(|failure| anyhow!("{}", stays(&failure.message, &before, loaded)))?;
        match refresh.unkept() {
            None => Ok(Refreshed::kept(&before, &fresh)),
            Some(why) => {
                let remedy = "make the folder writable, or free some space";
                Err(anyhow!("the list cannot be kept in {}: {why}; {remedy}", loaded.state.display()).into())
            }
        }
    }
}

/// Returns the list that is kept, or an empty one.
fn last_list(folder: &Path) -> Arc<Catalog> {
    match kept::list(folder, now_ms() / 1000) {
        List::Whole { catalog, .. } => Arc::new(catalog),
        List::None | List::Unusable(_) => Arc::default(),
    }
}

fn stays(why: &str, before: &Catalog, loaded: &Loaded) -> String {
    let upstream = loaded.config.openrouter.base_url.as_str();
    let last = match before.models().len() {
        0 => "There is no list to go on with".to_owned(),
        models => format!("The last list, of {}, stays", count(models, "model")),
    };
    format!("cannot fetch the list of models from {upstream}: {why}. {last}; `ollama-router doctor` finds out more")
}

/// Returns a sign of work on standard error, which is shown on a terminal alone.
fn turning(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
