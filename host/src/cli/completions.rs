//! `completions` and `man`: what shells and manuals know of the command line.
//!
//! Both are made of the same definition as the parser, and so tell the truth.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Failed, command};

const PROGRAM: &str = "ollama-router";

/// Print what a shell completes
///
/// Put it where your shell looks for completions; see the examples.
#[derive(Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Print the manual page, or write one for each command
#[derive(Args)]
pub(super) struct Manual {
    /// Write ollama-router.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Completions {
    /// Prints them.
    pub(super) fn run(&self) -> Result<ExitCode, Failed> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command(), PROGRAM, &mut text);
        if self.shell == Shell::Bash {
            text = one_name_each(&text).into_bytes();
        }
        io::stdout().write_all(&text)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Gives each command one name within Bash's text: where the crate looks a command up, the
/// hyphen of the program's own name is written otherwise than where it notes which one it is.
fn one_name_each(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace("ollama__subcmd__router", "ollama__router")
}

impl Manual {
    /// Prints it, or writes the pages.
    pub(super) fn run(&self) -> Result<ExitCode, Failed> {
        let Some(dir) = &self.dir else {
            let mut text = Vec::new();
            Man::new(command()).render(&mut text)?;
            io::stdout().write_all(&text)?;
            return Ok(ExitCode::SUCCESS);
        };
        let written = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir));
        written.with_context(|| format!("cannot write manual pages into {}; choose another folder", dir.display()))?;
        writeln!(anstream::stderr(), "the pages are in {}", dir.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
