//! The command line: what can be typed, and where each command is.
//!
//! Parsing touches nothing of the world. Standard output is data, standard error
//! is talk. Exit codes: 0 it worked; 1 it did not; 2 what was typed, or the
//! configuration, is wrong (`status`: the router is degraded); 101 a bug. All of it
//! for users: `host/CLI.md`.

mod cache;
mod completions;
mod config;
mod crash;
mod doctor;
mod examples;
mod fit;
mod hint;
mod lines;
mod models;
mod policy;
mod prompt;
mod rehearsal;
mod remote;
mod screen;
mod start;
mod status;
mod table;
mod words;

use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anstream::ColorChoice;
use anyhow::{Context as _, anyhow};
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::config::load::{self, Loaded, Override, Sources, file::SettingsFile};

/// Ollama, OpenAI and Anthropic clients on OpenRouter's free models.
///
/// Point a client at <http://localhost:11434> and it gets answers from free
/// models: found by themselves, chosen by a policy, failed over before the
/// client notices.
#[derive(Parser)]
#[command(name = "ollama-router", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Where they stand in the help of each.
const GLOBAL: &str = "Global options";

/// Flags that every command has.
#[derive(Args)]
struct Common {
    /// Configuration file [default: ~/.config/ollama-router/config.yaml]
    #[arg(short, long, global = true, help_heading = GLOBAL, value_name = "FILE")]
    config: Option<PathBuf>,
    /// OpenRouter API key
    #[arg(short = 'k', long, global = true, help_heading = GLOBAL, value_name = "KEY")]
    api_key: Option<String>,
    /// Log in detail, as with --log-level debug
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    verbose: bool,
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "WHEN", value_enum, default_value_t = Colours::Auto,
          help = "When to use colours, in help, tables and logs; auto: on a terminal, unless NO_COLOR is set")]
    color: Colours,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colours {
    Auto,
    Always,
    Never,
}

impl Colours {
    fn choice(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

#[derive(Subcommand)]
enum Command {
    Start(start::Start),
    ListModels(models::ListModels),
    /// Look at the list of models that is kept on disk, fetch it anew, or remove it
    #[command(subcommand)]
    Cache(cache::Cache),
    Status(status::Status),
    Doctor(doctor::Doctor),
    /// Make the settings file, look at the settings, change them
    #[command(subcommand)]
    Config(config::Config),
    /// Look at the policy that chooses models, change it, or write an own one
    #[command(subcommand)]
    Policy(policy::Policy),
    Completions(completions::Completions),
    Man(completions::Manual),
}

/// A yes or no that may be given as `--flag`, `--flag=true` or `--flag=false`.
#[derive(Args)]
struct ModeFlags {
    /// Use free models only [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    free_mode: Option<bool>,
    /// Use only models that can call tools [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    tool_use_only: Option<bool>,
}

/// Where a router listens, for the commands that may say so.
#[derive(Args)]
struct ListenFlags {
    /// Port to listen on [default: 11434]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// Address to listen on [default: 0.0.0.0]
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,
}

/// A command that did not work, and the code to end with.
pub(crate) struct Failed {
    code: u8,
    error: anyhow::Error,
}

impl Failed {
    /// The configuration or what was typed is wrong.
    fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 2, error: error.into() }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { code: 1, error: error.into() }
    }
}

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    crash::listen();
    let arguments: Vec<OsString> = env::args_os().collect();
    // Before anything is parsed, for help and errors have colours too.
    colours(&arguments).write_global();
    let matches = command().get_matches_from(arguments);
    let Cli { common, command } = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    common.color.choice().write_global();
    let done = match command {
        Command::Start(start) => start.run(&common),
        Command::ListModels(list) => list.run(&common),
        Command::Cache(cache) => cache.run(&common),
        Command::Status(status) => status.run(&common),
        Command::Doctor(doctor) => doctor.run(&common),
        Command::Config(config) => config.run(&common),
        Command::Policy(policy) => policy.run(&common),
        Command::Completions(completions) => completions.run(),
        Command::Man(manual) => manual.run(),
    };
    match done {
        Ok(code) => code,
        Err(Failed { code, error }) => {
            let broken_pipe = error.chain().any(|cause| {
                cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            });
            if broken_pipe {
                // Who read our output has read enough.
                return ExitCode::SUCCESS;
            }
            // Nothing is left to do if even this cannot be written.
            drop(writeln!(anstream::stderr(), "error: {error:#}"));
            ExitCode::from(code)
        }
    }
}

/// Returns all that can be typed.
fn command() -> clap::Command {
    examples::shown(Cli::command())
}

/// Returns when colours are wanted, as far as that can be told without parsing.
fn colours(arguments: &[OsString]) -> ColorChoice {
    let texts: Vec<&str> =
        arguments.iter().map(|text| text.to_str().unwrap_or_default()).take_while(|text| *text != "--").collect();
    let after = texts.windows(2).filter(|pair| pair[0] == "--color").map(|pair| pair[1]);
    let joined = texts.iter().filter_map(|text| text.strip_prefix("--color="));
    match after.chain(joined).next() {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        Some(_) | None => ColorChoice::Auto,
    }
}

impl Common {
    /// Returns what the configuration is read from.
    fn sources(&self) -> Result<Sources, Failed> {
        let environment = load::process_environment().map_err(Failed::usage)?;
        let mut sources = Sources { file: self.config.clone(), environment, overrides: Vec::new() };
        if let Some(key) = &self.api_key {
            sources.overrides.push(over("openrouter.api_key", key, "--api-key"));
        }
        if self.verbose {
            sources.overrides.push(over("logging.level", &"debug", "--verbose"));
        }
        Ok(sources)
    }

    /// Reads the configuration.
    fn load(&self) -> Result<Loaded, Failed> {
        read(&self.sources()?)
    }
}

/// Reads a configuration, or says what is wrong with it and how to come to the file.
fn read(sources: &Sources) -> Result<Loaded, Failed> {
    load::load(sources).map_err(|error| {
        // Of a file that cannot be read no line is told, and no editor helps.
        let file = SettingsFile::locate(sources).ok();
        if !file.is_some_and(|file| error.problems.iter().any(|problem| problem.is_within(&file))) {
            return Failed::usage(error);
        }
        let program = hint::program(sources.file.as_deref());
        Failed::usage(anyhow!("{error}\n`{program} config edit` opens this file, and saves only what is sound"))
    })
}

fn over(key: &str, text: &impl ToString, flag: &'static str) -> Override {
    Override { key: key.to_owned(), text: text.to_string(), flag }
}

/// Prints what a command found, for programs.
fn print_json(found: &impl Serialize) -> Result<(), Failed> {
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(found)?)?;
    Ok(())
}

/// Runs a command's work on a small runtime.
fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("the system gives nothing to wait for the network with; see `ulimit -n`")?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        command().debug_assert();
    }
}
