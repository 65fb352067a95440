//! The command line: what can be typed, and where each command is.
//!
//! Parsing touches nothing of the world. Standard output is data, standard error
//! is talk. Exit codes: 0 it worked; 1 it did not; 2 what was typed, or the
//! configuration, is wrong.

mod config;
mod models;
mod policy;
mod remote;
mod start;
mod status;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{ArgAction, Args, Parser, Subcommand};

use crate::config::load::{self, Loaded, Override, Sources};

/// Ollama, OpenAI and Anthropic clients on OpenRouter's free models.
///
/// Point a client at <http://localhost:11434> and it gets answers from free
/// models: found by themselves, chosen by a policy, failed over before the
/// client notices.
#[derive(Parser)]
#[command(name = "ollama-router", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ollama-router start --demo         try it without a key, with simulated answers
  ollama-router config init          make the settings file, by a few questions
  ollama-router start                serve on port 11434
  ollama-router list-models          what clients can use, best first
  ollama-router policy list          what chooses among them";

/// Flags that every command has.
#[derive(Args)]
struct Common {
    /// Configuration file [default: ~/.config/ollama-router/config.yaml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// OpenRouter API key
    #[arg(short = 'k', long, global = true, value_name = "KEY")]
    api_key: Option<String>,
    /// Log in detail, as with --log-level debug
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Start the router
    Start(start::Start),
    /// List the models that clients can use, in the order in which they are tried
    ListModels(models::ListModels),
    /// Show the state of a running router
    Status(status::Status),
    /// Make the settings file, look at the settings, change them
    #[command(subcommand)]
    Config(config::Config),
    /// Look at the policy that chooses models, change it, or write an own one
    #[command(subcommand)]
    Policy(policy::Policy),
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
    let Cli { common, command } = Cli::parse();
    let done = match command {
        Command::Start(start) => start.run(&common),
        Command::ListModels(list) => list.run(&common),
        Command::Status(status) => status.run(&common),
        Command::Config(config) => config.run(&common),
        Command::Policy(policy) => policy.run(&common),
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
        load::load(&self.sources()?).map_err(Failed::usage)
    }
}

fn over(key: &str, text: &impl ToString, flag: &'static str) -> Override {
    Override { key: key.to_owned(), text: text.to_string(), flag }
}

/// Runs a command's work on a small runtime.
fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
