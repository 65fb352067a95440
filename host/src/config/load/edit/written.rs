//! How a value is written into a YAML text, on one line.
//!
//! A text goes without quotes only where the reader of the settings takes it for the same
//! text, and where no other reader would take it for a yes or no. Read `load/edit.rs` next.

use serde_json::{Map, Value};

use crate::config::load::yaml;

/// Which signs a value may be written with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config::load) enum Style {
    /// As a person would.
    Plain,
    /// The same, with quotes around a text: those that were there stay.
    Quoted,
    /// Within braces or brackets.
    Flow,
    /// Within those of a JSON text.
    Json,
}

/// Words that readers of older YAML take for a yes or no.
const SWITCHES: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// Writes a value.
pub(in crate::config::load) fn inline(value: &Value, style: Style) -> String {
    let within = if style == Style::Json { Style::Json } else { Style::Flow };
    match value {
        Value::String(text) if matches!(style, Style::Plain | Style::Flow) && is_plain(text) => text.clone(),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| inline(item, within)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            let entry = |(name, value): (&String, &Value)| format!("{}: {}", key(name, within), inline(value, within));
            let entries: Vec<String> = object.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Writes the name of a key.
pub(in crate::config::load) fn key(name: &str, style: Style) -> String {
    inline(&Value::String(name.to_owned()), style)
}

/// Writes a value below the names of a path, each on a line of its own; no line end after the last.
pub(super) fn nested(path: &[&str], value: &Value, column: usize, step: usize, newline: &str) -> String {
    let line = |(depth, name): (usize, &&str)| {
        let indent = " ".repeat(column + depth * step);
        let end = if depth + 1 == path.len() { " " } else { newline };
        format!("{indent}{}:{end}", key(name, Style::Plain))
    };
    let lines: Vec<String> = path.iter().enumerate().map(line).collect();
    lines.concat() + &inline(value, Style::Plain)
}

/// Tells whether a text needs no quotes, on a line of its own and within brackets.
fn is_plain(text: &str) -> bool {
    let looks_plain = text.chars().all(|sign| sign.is_alphanumeric() || " _-./:@~+*%=".contains(sign));
    let is_switch = SWITCHES.iter().any(|word| text.eq_ignore_ascii_case(word));
    let reads_back = |written: String| {
        let wanted = Map::from_iter([("k".to_owned(), Value::from(text))]);
        yaml::parse(&written).is_ok_and(|found| found == wanted)
    };
    looks_plain
        && !is_switch
        && reads_back(format!("k: {text}\n"))
        && yaml::parse(&format!("k: [{text}]\n")).is_ok_and(|found| found.get("k") == Some(&Value::from(vec![text])))
}
