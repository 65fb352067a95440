//! `config show`: all settings in force, as a file could say them.
//!
//! Secrets are masked, always. With `--origin` each line says who set it.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{Common, Failed, print_json},
    config::load::{
        Loaded, Origin, keys,
        listing::{self, Line},
    },
};

const EXAMPLES: &str = "\
Examples:
  ollama-router config show                    as YAML that a settings file may hold
  ollama-router config show --origin           and who set what: file, variable, flag
  ollama-router config show --json | jq .server";

/// Show all settings in force; keys are masked
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Show {
    /// Tell where each value is from: a line of the file, a variable, a flag
    #[arg(long)]
    origin: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let mut out = anstream::stdout();
        if self.json {
            let shown = if self.origin { origins(&loaded) } else { serde_json::to_value(&loaded.config)? };
            print_json(&shown)?;
            return Ok(ExitCode::SUCCESS);
        }
        let missing = if loaded.file_exists { "" } else { ", which does not exist" };
        writeln!(anstream::stderr(), "settings file: {}{missing}", loaded.file.display())?;
        let lines = listing::lines(&serde_json::to_value(&loaded.config)?, "");
        if self.origin {
            with_origins(&mut out, &lines, &loaded)?;
        } else {
            print(&mut out, &lines)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints lines as they are.
pub(super) fn print(out: &mut impl io::Write, lines: &[Line]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{}", line.text))
}

/// The widest column of settings; longer ones push their origin to the right.
const WIDEST: usize = 60;

fn with_origins(out: &mut impl io::Write, lines: &[Line], loaded: &Loaded) -> io::Result<()> {
    let length = |line: &Line| line.text.chars().count();
    let width = lines.iter().map(length).filter(|length| *length <= WIDEST).max().unwrap_or_default();
    for line in lines {
        match line.key.as_ref().and_then(|key| loaded.origins.get(key)) {
            Some(origin) => writeln!(out, "{:width$}  # {origin}", line.text)?,
            None => writeln!(out, "{}", line.text)?,
        }
    }
    Ok(())
}

/// Returns value and origin of every key.
fn origins(loaded: &Loaded) -> Value {
    let one = |key: String| {
        let origin = match loaded.origins.get(&key).unwrap_or(&Origin::Default) {
            Origin::Default => json!({"from": "default"}),
            Origin::File { line } => json!({"from": "file", "file": loaded.file, "line": line}),
            Origin::SettingsFile { path } => json!({"from": "settings_file", "file": path}),
            Origin::Environment { variable } => json!({"from": "environment", "variable": variable}),
            Origin::Flag { flag } => json!({"from": "flag", "flag": flag}),
        };
        let value = loaded.config.value(&key).unwrap_or_default();
        (key, json!({"value": value, "origin": origin}))
    };
    Value::Object(keys::all().into_iter().map(one).collect())
}
