//! `config init`: a few questions, and the settings file that follows from the answers.
//!
//! Asks only where there is a person to ask; flags answer in advance, and with `--yes` all
//! other answers are what holds already. Nothing is written before the last answer. The key
//! is looked at in [`key`], the questions are in [`questions`].

mod key;
mod questions;

use std::{io::Write as _, path::Path, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;

use self::questions::Answers;
use crate::{
    cli::{
        Common, Failed, ListenFlags, ModeFlags,
        prompt::{is_interactive, left},
    },
    config::{
        load::{
            self,
            file::{SettingsFile, make_beside},
        },
        value::Secret,
    },
};

const EXAMPLES: &str = "\
Examples:
  ollama-router config init                              asks
  ollama-router config init --yes --api-key sk-or-v1-…   asks nothing
  ollama-router config init --yes --port 8080            changes the port of a file that is there

The key is checked at OpenRouter, which costs nothing. A key that a variable holds is not
written unless you say so. In a file that is there, only what you answer is changed; without
a terminal that needs --yes. Ctrl-C leaves everything as it was, and ends with 130.";

/// Make the settings file, or change the most important settings in it, by a few questions
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Init {
    /// Ask nothing: what no flag sets stays as it is
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    listen: ListenFlags,
    #[command(flatten)]
    mode: ModeFlags,
}

/// The settings file that is begun: what most people change, with its defaults.
pub(super) const FRESH: &str = "\
# Settings of ollama-router. Whatever is left out has its default: `ollama-router config show`
# has them all. Change them here, or with `ollama-router config set KEY VALUE`.

openrouter:
  # Your key from https://openrouter.ai/keys. Whoever can read this file can use it.
  api_key: null

server:
  # Where to listen; 127.0.0.1 for this machine alone.
  host: 0.0.0.0
  port: 11434

mode:
  # Use only models without a price.
  free_mode: true
  # Use only models that can call tools.
  tool_use_only: false
";

/// The filter file that is begun.
const FILTER: &str = "\
# Which models are used: one pattern a line, a part of a model's name or id, in any case.
# `gemini` lets gemini-2.0-flash-exp:free through. Without a pattern all models are used.
# A running router takes a change over at once.
";

impl Init {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let sources = common.sources()?;
        let loaded = load::load(&sources).map_err(Failed::usage)?;
        let file = SettingsFile::open(&sources).map_err(Failed::usage)?;
        let asks = is_interactive() && !self.yes;
        if file.exists() && !asks && !self.yes {
            let path = file.path().display();
            return Err(Failed::usage(anyhow!(
                "there is a settings file already, {path}, and no terminal to ask on. To change in it what your flags \
                 say and keep all else, add --yes; to change one key, use `ollama-router config set`"
            )));
        }
        let given = Answers {
            key: common
                .api_key
                .as_deref()
                .map(Secret::parse)
                .transpose()
                .map_err(|why| Failed::usage(anyhow!("--api-key: {why}")))?,
            port: self.listen.port,
            host: self.listen.host.clone(),
            free_mode: self.mode.free_mode,
            tool_use_only: self.mode.tool_use_only,
        };
        let answers = if asks {
            match questions::ask(given, &loaded, &file)? {
                Some(answers) => answers,
                None => return left("nothing was written"),
            }
        } else {
            if !key::check_given(given.key.as_ref(), &loaded)? {
                return left("nothing was written");
            }
            given
        };
        write(&file, &answers, asks)?;
        finish(common, &sources)
    }
}

/// Writes all answers at once.
fn write(file: &SettingsFile, answers: &Answers, asked: bool) -> Result<(), Failed> {
    let fresh = !file.exists();
    let path = file.path().to_owned();
    let old = file.text().to_owned();
    let mut text = if fresh { FRESH.to_owned() } else { old.clone() };
    for (key, value) in answers.settings() {
        text = file.set_in(&text, key, &value).map_err(Failed::usage)?;
    }
    let mut err = anstream::stderr();
    if asked {
        writeln!(err)?;
    }
    if !fresh && text == old {
        writeln!(err, "{} says all this already, and is as it was", path.display())?;
    } else {
        file.write(&text)?;
        let how = if fresh { ", for you alone to read" } else { "; all else in it is as it was" };
        writeln!(err, "wrote {}{how}", path.display())?;
    }
    let filter = Path::new("models-filter").join("filter");
    if make_beside(&path, &filter, FILTER).with_context(|| format!("cannot make {}", filter.display()))? {
        let filter = path.with_file_name("models-filter").join("filter");
        writeln!(err, "made {}, where you may say which models are used", filter.display())?;
    }
    Ok(())
}

/// Says what comes next.
fn finish(common: &Common, sources: &load::Sources) -> Result<ExitCode, Failed> {
    let mut err = anstream::stderr();
    let loaded = load::load(sources).map_err(Failed::usage)?;
    if loaded.config.openrouter.keys().is_empty() {
        writeln!(
            err,
            "There is no key yet. Get one at https://openrouter.ai/keys, then:\n  ollama-router config set \
             openrouter.api_key -"
        )?;
    }
    let flag = common.config.as_ref().map(|path| format!(" -c {}", path.display())).unwrap_or_default();
    let server = &loaded.config.server;
    let (scheme, port) = (if server.tls_cert.is_some() { "https" } else { "http" }, server.port);
    writeln!(
        err,
        "Next:\n  ollama-router{flag} start         serve on {scheme}://localhost:{port}\n  \
         ollama-router{flag} list-models   what clients can use, best first"
    )?;
    Ok(ExitCode::SUCCESS)
}
