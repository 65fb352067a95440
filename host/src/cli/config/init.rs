//! `config init`: a few questions, and the settings file that follows from the answers.
//!
//! Asks only where there is a person to ask; flags answer in advance, and with `--yes` all
//! other answers are what holds already. Nothing is written before the last answer. The key
//! is looked at in [`key`], the questions are in [`questions`].

mod key;
mod questions;

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use clap::Args;

use self::questions::{Answers, Asked};
use crate::{
    cli::{
        Common, Failed, ListenFlags, ModeFlags,
        config::felt,
        hint,
        prompt::{is_interactive, left},
    },
    config::{
        Server,
        load::{
            self,
            file::{SettingsFile, make_beside},
        },
        value::{Host, Secret},
    },
};

const EXAMPLES: &str = "\
Examples:
  ollama-router config init                              asks
  ollama-router config init --yes --api-key sk-or-v1-…   asks nothing
  ollama-router config init --yes --port 8080            changes the port of a file that is there

The key is checked at OpenRouter, which costs nothing. A key that a variable holds is not
written unless you say so. In a file that is there, only what you answer is changed; without
a terminal that needs --yes. Ctrl-C leaves everything as it was, and ends with 130; No to
going on, with 1.";

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

/// What is said where the questions have led to nothing.
const NOTHING: &str = "nothing was written";

/// The settings that are asked for.
const ASKED: [&str; 5] = ["openrouter.api_key", "server.host", "server.port", "mode.free_mode", "mode.tool_use_only"];

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
        let program = hint::program(common.config.as_deref());
        // First, for what is no file is not even read.
        let file = SettingsFile::open(&sources).map_err(Failed::usage)?;
        let loaded = load::load(&sources).map_err(Failed::usage)?;
        let asks = is_interactive() && !self.yes;
        if file.exists() && !asks && !self.yes {
            let path = file.path().display();
            return Err(Failed::usage(anyhow!(
                "there is a settings file already, {path}, and no terminal to ask on. To change in it what your flags \
                 say and keep all else, add --yes; to change one key, use `{program} config set`"
            )));
        }
        if self.listen.host.as_ref().is_some_and(|host| host.trim().is_empty()) {
            return Err(Failed::usage(anyhow!("--host: an empty value sets nothing: leave it out to keep what holds")));
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
            ..Answers::default()
        };
        let answers = if asks {
            match questions::ask(given, &loaded, &file, &program)? {
                Asked::Answered(answers) => answers,
                Asked::No => {
                    writeln!(anstream::stderr(), "{NOTHING}")?;
                    return Ok(ExitCode::from(1));
                }
                Asked::Left => return left(NOTHING),
            }
        } else {
            if !key::check_given(given.key.as_ref(), &loaded)? {
                return left(NOTHING);
            }
            given
        };
        write(&file, &answers, asks)?;
        finish(&sources, &program)
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
fn finish(sources: &load::Sources, program: &str) -> Result<ExitCode, Failed> {
    let mut err = anstream::stderr();
    let loaded = load::load(sources).map_err(Failed::usage)?;
    let file = SettingsFile::open(sources).map_err(Failed::usage)?;
    // A file may need a variable to be sound.
    if let Ok(alone) = file.alone() {
        felt::warn_of_variables(&alone, &loaded, &ASKED)?;
    }
    if file.holds_secret() {
        felt::warn_of_readers(file.path())?;
    }
    if loaded.config.openrouter.keys().is_empty() {
        writeln!(
            err,
            "There is no key yet. Get one at https://openrouter.ai/keys, then:\n  {program} config set \
             openrouter.api_key -"
        )?;
    }
    writeln!(
        err,
        "Next:\n  {program} start         serve on {}\n  {program} list-models   what clients can use, best first",
        served(&loaded.config.server)
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The addresses that `localhost` stands for.
const OWN: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Says where a start would serve, as a client on this machine would name it.
fn served(server: &Server) -> String {
    if server.port == 0 {
        return "a port that the system chooses".to_owned();
    }
    let scheme = if server.tls_cert.is_some() { "https" } else { "http" };
    let host = match &server.host {
        Host::Address(address) if address.is_unspecified() || OWN.contains(address) => "localhost".to_owned(),
        Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        Host::Address(IpAddr::V4(address)) => address.to_string(),
        Host::Name(name) => name.clone(),
    };
    format!("{scheme}://{host}:{}", server.port)
}
