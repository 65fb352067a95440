//! `config`: make the settings file, look at the settings, change them.
//!
//! What is shown are the settings in force here: file, environment and flags over the
//! defaults. What is changed is the file. The questions are in [`init`], what is shown in
//! [`show`], changes of one key in [`set`], of the whole file in [`edit`]; what all of them
//! say of a change, in [`felt`]; how a person is asked, in [`crate::cli::prompt`].

mod edit;
mod felt;
mod get;
mod init;
mod set;
mod show;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Subcommand;

use crate::{
    cli::{Common, Failed, hint},
    config::load::{file::SettingsFile, keys},
};

#[derive(Subcommand)]
pub(super) enum Config {
    Init(init::Init),
    Show(show::Show),
    Get(get::Get),
    Set(set::Set),
    Unset(set::Unset),
    /// Print where the settings file is, or would be
    Path,
    Edit(edit::Edit),
}

impl Config {
    /// Runs the command.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        match self {
            Self::Init(init) => init.run(common),
            Self::Show(show) => show.run(common),
            Self::Get(get) => get.run(common),
            Self::Set(set) => set.run(common),
            Self::Unset(unset) => unset.run(common),
            Self::Path => path(common),
            Self::Edit(edit::Edit {}) => edit::run(common),
        }
    }
}

/// Prints the path even of a file that cannot be read, so that it can be mended.
fn path(common: &Common) -> Result<ExitCode, Failed> {
    let path = SettingsFile::locate(&common.sources()?).map_err(Failed::usage)?;
    if !path.exists() {
        let program = hint::program(common.config.as_deref());
        writeln!(anstream::stderr(), "there is no such file yet: `{program} config init` makes it")?;
    }
    writeln!(io::stdout(), "{}", path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// Checks that a name is one, before anything is read.
fn kind(name: &str) -> Result<keys::Kind, Failed> {
    keys::kind(name).map_err(|message| Failed::usage(anyhow::anyhow!(message)))
}
