//! A bug of the program's own: what it says of it, in place of a trace.
//!
//! Users cannot mend it, but they can report it. Developers still get a trace with
//! `RUST_BACKTRACE`. The terminal is given back first.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write as _,
    panic::{self, PanicHookInfo},
};

use crate::cli::screen;

/// Where bugs are reported.
const REPORTS: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/issues/new");

/// Has panics told as bugs from now on.
pub(super) fn listen() {
    panic::set_hook(Box::new(|info| {
        screen::restore();
        let told = told(info);
        if tracing::dispatcher::has_been_set() {
            tracing::error!("{told}");
        } else {
            // Nothing is left to do if even this cannot be written.
            writeln!(anstream::stderr(), "error: {told}").ok();
        }
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            writeln!(anstream::stderr(), "{trace}").ok();
        }
    }));
}

fn told(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    words(text.unwrap_or("no words"), &place)
}

fn words(text: &str, place: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "this is a bug in ollama-router {version}, not a mistake of yours: {text} ({place}). Please report it at \
         {REPORTS}, with this line and with what you did"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_told_with_what_to_do() {
        let told = words("index out of bounds", "host/src/a.rs:1:2");
        for part in ["index out of bounds", "host/src/a.rs:1:2", env!("CARGO_PKG_VERSION"), "/issues/new"] {
            assert!(told.contains(part), "{part} is not in: {told}");
        }
    }
}
