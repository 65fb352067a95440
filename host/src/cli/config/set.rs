//! `config set` and `config unset`: one key of the settings file, and nothing besides.
//!
//! What was and what is goes to standard error, with whatever keeps the change from being
//! felt: a variable that wins over the file, a router that has to be started anew.

use std::{
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::Value;

use crate::{
    cli::{
        Common, Failed,
        config::{felt, kind},
        prompt::{self, is_interactive, left},
    },
    config::{
        Config, is_secret,
        load::{
            self,
            file::{Change, SettingsFile},
            keys::Kind,
            listing,
        },
        sections,
    },
    tls,
};

const EXAMPLES: &str = "\
Examples:
  ollama-router config set server.port 8080
  ollama-router config set mode.tool_use_only true
  ollama-router config set server.origins https://a.example,https://b.example
  ollama-router config set policy.settings.fallbacks '[gemma-4-31b-it:free, gpt-oss-20b:free]'
  ollama-router config set openrouter.api_key -      asks for it, so that no shell keeps it

Comments, order and blank lines of the file stay. A value that is wrong changes nothing.";

/// The largest value, in bytes: more than a settings file may hold.
const LONGEST: u64 = 256 * 1024;

/// Set one key of the settings file; a running router takes over `mode` and `policy` at once
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Set {
    /// Its name, such as server.port or policy.settings.NAME
    key: String,
    /// Its value, lists with commas; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// Take one key out of the settings file, so that its default holds again
#[derive(Args)]
pub(in crate::cli) struct Unset {
    /// Its name, such as server.port or policy.settings.NAME
    key: String,
}

impl Set {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let Self { key, value } = self;
        if kind(key)? == Kind::Section {
            return Err(Failed::usage(anyhow!(
                "`{key}` is a section: name one of its keys, as `config get {key}` lists them"
            )));
        }
        let value = match value.as_str() {
            "-" if is_interactive() => match asked(key)? {
                Some(value) => value,
                None => return left("nothing was written"),
            },
            "-" => piped()?,
            value => value.to_owned(),
        };
        if value.trim().is_empty() {
            return Err(Failed::usage(anyhow!("an empty value sets nothing: use `config unset {key}`")));
        }
        let file = SettingsFile::open(&common.sources()?).map_err(Failed::usage)?;
        let change = file.set(key, &value).map_err(Failed::usage)?;
        write(common, key, &file, &change)
    }
}

/// Asks for a value; only of a secret nobody sees what is typed.
fn asked(key: &str) -> Result<Option<String>, Failed> {
    let question = format!("{key}:");
    if is_secret(key) { prompt::hidden(&question, None) } else { prompt::text(&question) }
}

/// Reads a value from standard input, which may be a file with one item of a list a line.
fn piped() -> Result<String, Failed> {
    let mut bytes = Vec::new();
    let read = io::stdin().take(LONGEST + 1).read_to_end(&mut bytes);
    read.context("cannot read the value from standard input")?;
    if bytes.len() as u64 > LONGEST {
        let most = LONGEST / 1024;
        return Err(Failed::usage(anyhow!("what is on standard input is too large for a setting: {most} KiB at most")));
    }
    String::from_utf8(bytes).context("what is on standard input is not text").map_err(Failed::usage)
}

impl Unset {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let key = &self.key;
        kind(key)?;
        let file = SettingsFile::open(&common.sources()?).map_err(Failed::usage)?;
        let Some(change) = file.unset(key).map_err(Failed::usage)? else {
            writeln!(anstream::stderr(), "{key} is not set in {}; nothing was changed", file.path().display())?;
            return Ok(ExitCode::SUCCESS);
        };
        write(common, key, &file, &change)
    }
}

fn write(common: &Common, key: &str, file: &SettingsFile, change: &Change) -> Result<ExitCode, Failed> {
    let mut err = anstream::stderr();
    let path = file.path().display();
    if change.before == change.after && file.exists() && file.text() == change.text {
        writeln!(err, "{key} is {} already; {path} is as it was", words(key, change.after.as_ref()))?;
        return Ok(ExitCode::SUCCESS);
    }
    file.write(&change.text)?;
    let made = if file.exists() { "" } else { " (a new file)" };
    writeln!(
        err,
        "{key}: {} -> {}, in {path}{made}",
        words(key, change.before.as_ref()),
        words(key, change.after.as_ref())
    )?;
    let mut is_refused = false;
    // What is wrong elsewhere is not of this change.
    if let Ok(loaded) = load::load(&common.sources()?) {
        felt::warn_of_winner(&loaded, key)?;
        if let Err(half) = tls::files(&loaded.config.server).map_err(|error| error.to_string())
            && key.starts_with("server.tls_")
        {
            writeln!(err, "warning: {half}")?;
        }
        // The policy is told of the mode too.
        is_refused = sections::is_live(key) && felt::warn_of_refusal(&loaded)?;
    }
    if is_secret(key) && change.after.is_some() {
        felt::warn_of_readers(file.path())?;
    }
    if is_refused {
        return Ok(ExitCode::SUCCESS);
    }
    let when = if sections::is_live(key) { "takes it over at once" } else { "takes it over at its next start" };
    writeln!(err, "a running router {when}")?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a value of the file for people.
fn words(key: &str, value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => listing::value(value),
        None => match Config::default().value(key) {
            Some(default) if !default.is_null() => format!("{} (default)", listing::value(&default)),
            _ => "not set".to_owned(),
        },
    }
}
