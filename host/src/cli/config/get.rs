//! `config get`: one setting in force, for people and scripts.
//!
//! Prints the value and nothing else: a list one item a line, a section as YAML.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use serde_json::Value;

use crate::{
    cli::{
        Common, Failed,
        config::{kind, show},
        print_json,
    },
    config::{
        at,
        load::{keys::Kind, listing},
    },
};

const EXAMPLES: &str = "\
Examples:
  ollama-router config get server.port
  ollama-router config get failover                      a whole section
  ollama-router config get openrouter.api_key --reveal   the key itself, not its mask

Ends with 1 if the setting has no value, and with 2 if there is no such setting.";

/// Print the value of one setting in force, or of a section
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Get {
    /// Its name, such as server.port or policy.settings.NAME
    key: String,
    /// Print secrets themselves instead of masks
    #[arg(long)]
    reveal: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Get {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let kind = kind(&self.key)?;
        let config = common.load()?.config;
        let (masked, exposed) = (serde_json::to_value(&config)?, config.exposed());
        let tree = if self.reveal { &exposed } else { &masked };
        let value = at(tree, &self.key).unwrap_or(&Value::Null);
        let mut out = io::stdout();
        if !self.reveal && at(&exposed, &self.key) != at(&masked, &self.key) {
            writeln!(anstream::stderr(), "secrets are masked; --reveal shows them")?;
        }
        match value {
            _ if self.json => print_json(value)?,
            Value::Null => {
                writeln!(anstream::stderr(), "{} is not set", self.key)?;
                return Ok(ExitCode::from(1));
            }
            Value::Object(_) if kind == Kind::Section => {
                show::print(&mut out, &listing::lines(value, &self.key))?;
            }
            Value::Array(items) => items.iter().try_for_each(|item| writeln!(out, "{}", plain(item)))?,
            value => writeln!(out, "{}", plain(value))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a value for a script: a text without quotes, what has parts as YAML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => listing::value(value),
    }
}
