//! `policy inspect`: what is in a policy's file, and what it says of itself.
//!
//! What the file imports is told even if the policy is refused for it.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        Common, Failed, block_on,
        policy::{
            made_up,
            subject::{self, Subject},
        },
    },
    policy::{
        component,
        interfaces::{Grant, Interfaces},
        workbench::Bench,
    },
};

const EXAMPLES: &str = "\
Example:
  ollama-router policy inspect my-policy.wasm";

/// Show what a policy says of itself, what it may call, and how large it is
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Inspect {
    #[command(flatten)]
    subject: Subject,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        subject::listen(common)?;
        let shown = self.subject.file.display();
        let bytes = component::read(&self.subject.file).with_context(|| format!("cannot inspect {shown}"))?;
        let found = Interfaces::parse(&bytes).with_context(|| format!("cannot inspect {shown}"))?;
        let setup = self.subject.setup(made_up::dozen())?;
        let (steps, bench) = block_on(self.subject.load(common, setup))?;
        let refused = steps.iter().find_map(|step| Some((step.phase, step.refused()?)));
        if self.json {
            let refused = refused.map(|(phase, reason)| json!({"phase": phase.as_str(), "reason": reason}));
            let told = json!({
                "file": file(&bytes, &found),
                "policy": bench.as_ref().map(policy),
                "refused": refused,
            });
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&told)?)?;
        } else {
            if let Some(bench) = &bench {
                tell_policy(bench)?;
            }
            tell_file(&bytes, &found)?;
            if let Some((phase, reason)) = refused {
                writeln!(anstream::stderr(), "refused at {phase}: {reason}")?;
            }
        }
        Ok(ExitCode::from(u8::from(bench.is_none())))
    }
}

fn kind(found: &Interfaces<'_>) -> &'static str {
    if found.was_module { "core module" } else { "component" }
}

fn grant(import: &str) -> &'static str {
    match Grant::of(import) {
        Grant::Contract => "granted",
        Grant::Empty => "empty",
        Grant::Refused => "refused",
    }
}

fn file(bytes: &[u8], found: &Interfaces<'_>) -> Value {
    let imports: Vec<Value> = found.imports.iter().map(|name| json!({"name": name, "access": grant(name)})).collect();
    json!({
        "kind": kind(found),
        "digest": component::digest(bytes),
        "bytes": bytes.len(),
        "imports": imports,
        "exports": found.exports,
    })
}

fn policy(bench: &Bench) -> Value {
    let reasons: Vec<Value> = bench.reasons.iter().map(|(code, text)| json!({"code": code, "text": text})).collect();
    // A schema that is no JSON is shown as the text that it is.
    let schema = serde_json::from_str(&bench.settings_schema).unwrap_or_else(|_| json!(bench.settings_schema));
    json!({
        "name": bench.name,
        "version": bench.version,
        "summary": bench.summary,
        "compiled_bytes": bench.code.compiled_bytes(),
        "memory_bytes": bench.memory_bytes(),
        "has_failover": bench.has_failover(),
        "reasons": reasons,
        "settings_schema": schema,
    })
}

fn tell_policy(bench: &Bench) -> Result<(), Failed> {
    let mut out = anstream::stdout();
    writeln!(out, "{}/{}: {}\n", bench.name, bench.version, bench.summary)?;
    if let Some(bytes) = bench.code.compiled_bytes() {
        writeln!(out, "compiled   {bytes} bytes")?;
    }
    writeln!(out, "memory     {} bytes, one instance with the catalogue loaded", bench.memory_bytes())?;
    let say = if bench.has_failover() { "it is asked after each failure" } else { "the next in the order is tried" };
    writeln!(out, "failures   {say}")?;
    for (place, (code, text)) in bench.reasons.iter().enumerate() {
        writeln!(out, "{:<10} {code:>3} {}", if place == 0 { "reasons" } else { "" }, text.escape_debug())?;
    }
    let schema = match serde_json::from_str::<Value>(&bench.settings_schema) {
        Ok(schema) => serde_json::to_string_pretty(&schema)?,
        Err(_) => format!("(no JSON) {}", bench.settings_schema.escape_debug()),
    };
    writeln!(out, "settings   {}\n", schema.replace('\n', "\n           "))?;
    Ok(())
}

fn tell_file(bytes: &[u8], found: &Interfaces<'_>) -> Result<(), Failed> {
    let mut out = anstream::stdout();
    writeln!(out, "file       {}, {} bytes", kind(found), bytes.len())?;
    writeln!(out, "sha256     {}", component::digest(bytes))?;
    for (place, name) in found.imports.iter().enumerate() {
        writeln!(out, "{:<10} {:<7} {name}", if place == 0 { "imports" } else { "" }, grant(name))?;
    }
    for (place, name) in found.exports.iter().enumerate() {
        writeln!(out, "{:<10} {name}", if place == 0 { "exports" } else { "" })?;
    }
    Ok(())
}
