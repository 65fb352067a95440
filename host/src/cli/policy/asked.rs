//! What the commands have in common that ask a running router: the flags, and both forms of
//! the answer.
//!
//! It knows no route and no answer: each command brings its own.

use std::io::{self, Write as _};

use clap::Args;
use serde::Serialize;

use crate::cli::{
    Common, Failed, block_on, print_json,
    remote::{Address, Remote},
};

/// Which router is asked, and for whom the answer is.
#[derive(Args)]
pub(super) struct Asked {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

impl Asked {
    /// Asks, and prints the answer as JSON, or by `tell` for people.
    ///
    /// Returns it, or none if no router runs there, which it has said then.
    pub(super) fn run<T: Serialize>(
        &self,
        common: &Common,
        ask: impl AsyncFnOnce(&Remote) -> Result<Option<T>, Failed>,
        tell: impl FnOnce(&T) -> io::Result<()>,
    ) -> Result<Option<T>, Failed> {
        let remote = self.address.remote(common)?;
        let Some(answer) = block_on(ask(&remote))? else {
            not_running(&remote)?;
            return Ok(None);
        };
        if self.json {
            print_json(&answer)?;
        } else {
            tell(&answer)?;
        }
        Ok(Some(answer))
    }
}

/// Says that no router runs where one was asked.
pub(super) fn not_running(remote: &Remote) -> Result<(), Failed> {
    let missing = block_on(async { Ok(remote.missing().await) })?;
    writeln!(anstream::stderr(), "{missing}")?;
    Ok(())
}
