//! One line of `doctor`: what was checked, how it is, and what to do.

use std::io::{self, Write as _};

use crossterm::style::Stylize as _;
use serde::Serialize;

use crate::cli::fit::{width, wrapped};

/// How wide the first two columns are, with the spaces after them.
const VERDICT: usize = 9;
const CHECK: usize = 16;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// All is well.
    Ok,
    /// It works, and may not for long, or not as somebody thinks.
    Warning,
    /// It does not work.
    Failed,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was checked.
    check: &'static str,
    /// How it came out.
    pub(super) verdict: Verdict,
    /// What was found.
    what: String,
    /// What to do, if something is to be done.
    remedy: Option<String>,
}

impl Finding {
    /// Tells that all is well.
    pub(super) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, what: what.into(), remedy: None }
    }

    /// Tells of something to look at.
    pub(super) fn warning(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// Tells of something that does not work.
    pub(super) fn failed(check: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failed, what: what.into(), remedy: Some(remedy.into()) }
    }
}

/// Prints findings, each with its remedy below.
pub(super) fn print(findings: &[Finding]) -> io::Result<()> {
    crossterm::style::force_color_output(true);
    let room = width().map(|width| width.saturating_sub(VERDICT + CHECK));
    let mut out = anstream::stdout();
    for Finding { check, verdict, what, remedy } in findings {
        let word = match verdict {
            Verdict::Ok => format!("{:<VERDICT$}", "ok").green(),
            Verdict::Warning => format!("{:<VERDICT$}", "warning").yellow(),
            Verdict::Failed => format!("{:<VERDICT$}", "FAILED").red(),
        };
        let remedy = remedy.iter().flat_map(|remedy| wrapped(&format!("→ {remedy}"), room));
        for (place, line) in wrapped(what, room).into_iter().chain(remedy).enumerate() {
            match place {
                0 => writeln!(out, "{word}{check:<CHECK$}{line}")?,
                _ => writeln!(out, "{:<width$}{line}", "", width = VERDICT + CHECK)?,
            }
        }
    }
    Ok(())
}
