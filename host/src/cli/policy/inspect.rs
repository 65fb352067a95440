//! `policy inspect`: what is in a policy's file, and what it says of itself.
//!
//! What the file imports is told even if the policy is refused for it.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::{
    cli::{
        Common, Failed, block_on, fit,
        lines::{labelled, say},
        policy::{
            ended, made_up,
            subject::{self, Subject},
        },
        print_json,
        words::bytes,
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
    /// Print JSON, with the whole schema of the settings
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        subject::listen(common)?;
        let shown = self.subject.file.display();
        let content = component::read(&self.subject.file).with_context(|| format!("cannot inspect {shown}"))?;
        let found = Interfaces::parse(&content).with_context(|| format!("cannot inspect {shown}"))?;
        let setup = self.subject.setup(made_up::dozen())?;
        let (steps, bench) = block_on(self.subject.load(common, setup))?;
        let refused = steps.iter().find_map(|step| Some((step.phase, step.refused()?)));
        if self.json {
            let refused = refused.map(|(phase, reason)| json!({"phase": phase.as_str(), "reason": reason}));
            let told = json!({
                "file": file(&content, &found),
                "policy": bench.as_ref().map(policy),
                "refused": refused,
            });
            print_json(&told)?;
        } else {
            let width = fit::width();
            let mut lines = bench.as_ref().map(|bench| policy_lines(bench, width)).unwrap_or_default();
            lines.extend(file_lines(&content, &found, width));
            let mut out = anstream::stdout();
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            if let Some((phase, reason)) = refused {
                say(&format!("refused at {phase}: {reason}"))?;
            }
        }
        Ok(ended(bench.is_some()))
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

fn file(content: &[u8], found: &Interfaces<'_>) -> Value {
    let imports: Vec<Value> = found.imports.iter().map(|name| json!({"name": name, "access": grant(name)})).collect();
    json!({
        "kind": kind(found),
        "digest": component::digest(content),
        "bytes": content.len(),
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

/// Returns what a policy says of itself, in lines.
fn policy_lines(bench: &Bench, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text, width));
    add("policy", &format!("{} {}", bench.name, bench.version));
    add("", &bench.summary);
    if let Some(compiled) = bench.code.compiled_bytes() {
        add("compiled", &bytes(compiled as u64));
    }
    add("memory", &format!("{}, one instance with the catalogue loaded", bytes(bench.memory_bytes() as u64)));
    let say = if bench.has_failover() { "it is asked after each failure" } else { "the next in the order is tried" };
    add("failures", say);
    for (place, (code, text)) in bench.reasons.iter().enumerate() {
        add(if place == 0 { "reasons" } else { "" }, &format!("{code}: {text}"));
    }
    for (place, setting) in settings(&bench.settings_schema).iter().enumerate() {
        add(if place == 0 { "settings" } else { "" }, setting);
    }
    lines
}

/// Returns what a file is and may call, in lines.
fn file_lines(content: &[u8], found: &Interfaces<'_>, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text, width));
    add("file", &format!("{}, {}", kind(found), bytes(content.len() as u64)));
    add("sha256", &component::digest(content));
    for (place, name) in found.imports.iter().enumerate() {
        add(if place == 0 { "imports" } else { "" }, &format!("{name} ({})", grant(name)));
    }
    for (place, name) in found.exports.iter().enumerate() {
        add(if place == 0 { "exports" } else { "" }, name);
    }
    lines
}

/// Returns a paragraph for each setting that a schema names, or one on why there is none.
fn settings(schema: &str) -> Vec<String> {
    let parsed: Value = match serde_json::from_str(schema) {
        Ok(parsed) => parsed,
        Err(_) if schema.trim().is_empty() => return vec!["not described".to_owned()],
        Err(_) => return vec![format!("(no JSON) {schema}")],
    };
    match parsed.get("properties").and_then(Value::as_object).filter(|named| !named.is_empty()) {
        Some(named) => named.iter().map(|(name, rule)| setting(name, rule)).collect(),
        None => vec!["its schema names none".to_owned()],
    }
}

/// Describes a setting: its type or its choices, its default, what it is for.
fn setting(name: &str, rule: &Value) -> String {
    let joined = |list: &Vec<Value>| list.iter().map(words).collect::<Vec<_>>().join(" or ");
    let kind = match (rule.get("enum"), rule.get("type")) {
        (Some(Value::Array(choices)), _) | (None, Some(Value::Array(choices))) => Some(joined(choices)),
        (_, Some(kind)) => Some(words(kind)),
        (_, None) => None,
    };
    let default = rule.get("default").map(|default| format!("default {default}"));
    let facts: Vec<String> = kind.into_iter().chain(default).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    let what = rule.get("description").and_then(Value::as_str).map(|what| format!(": {what}")).unwrap_or_default();
    format!("{name}{facts}{what}")
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
