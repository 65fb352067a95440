//! Settings as lines of YAML that can be put into a file.
//!
//! Sections are indented, each setting is one line, and each line names its key, so that
//! more can be said beside it. Pure. Read `cli/config/show.rs` next.

use serde_json::Value;

use super::{
    edit::{Style, inline, key},
    keys::{self, Kind},
};

/// One line.
pub struct Line {
    /// The dotted key of the setting; none on the line of a section.
    pub key: Option<String>,
    /// What it says, with its indentation.
    pub text: String,
}

/// Writes the part of the settings that is at a dotted name, or all of them at none.
pub fn lines(tree: &Value, name: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    add(tree, name, 0, &mut lines);
    lines
}

/// Writes one value on one line.
pub fn value(value: &Value) -> String {
    inline(value, Style::Plain)
}

fn add(tree: &Value, name: &str, depth: usize, lines: &mut Vec<Line>) {
    let Value::Object(section) = tree else { return };
    let indent = "  ".repeat(depth);
    for (last, below) in section {
        let dotted = if name.is_empty() { last.clone() } else { format!("{name}.{last}") };
        let written = key(last, Style::Plain);
        if keys::kind(&dotted) == Ok(Kind::Section) {
            lines.push(Line { key: None, text: format!("{indent}{written}:") });
            add(below, &dotted, depth + 1, lines);
        } else {
            lines.push(Line { key: Some(dotted), text: format!("{indent}{written}: {}", value(below)) });
        }
    }
}
