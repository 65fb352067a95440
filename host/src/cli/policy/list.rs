//! `policy list`: the policies in force, and how they stand.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use comfy_table::Color;

use crate::{
    api::admin::wire::policy::{ComparedRow, PolicyRow},
    cli::{
        Common, Failed,
        lines::tell,
        policy::{asked::Asked, ended, short},
        table::{Column, Field, Listing, coloured, figures, plain, words},
    },
};

const COLUMNS: [Column; 9] = [
    words("NAME", 0),
    words("VERSION", 3),
    words("STATE", 0),
    figures("GENERATION", 4),
    figures("DECISIONS", 1),
    figures("FAILED", 2),
    figures("P99 TIME", 5),
    words("SOURCE", 6),
    words("DIGEST", 7),
];

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    asked: Asked,
}

impl List {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let policies =
            self.asked.run(common, async |router| router.get("/router/policy").await, |all: &Vec<_>| print(all))?;
        Ok(ended(policies.is_some()))
    }
}

fn print(policies: &[PolicyRow]) -> io::Result<()> {
    listing(policies).print()?;
    said(policies).iter().try_for_each(|said| {
        writeln!(io::stdout())?;
        tell(said)
    })
}

fn listing(policies: &[PolicyRow]) -> Listing {
    let mut listing = Listing::new(&COLUMNS);
    for policy in policies {
        listing.add(vec![
            plain(&policy.name),
            plain(&policy.version),
            state(&policy.state),
            plain(policy.generation.to_string()),
            plain(policy.calls.to_string()),
            plain(policy.faults.to_string()),
            plain(policy.p99_us.map(|us| format!("{us} \u{b5}s")).unwrap_or_default()),
            plain(&policy.source),
            plain(short(&policy.digest)),
        ]);
    }
    listing
}

fn state(state: &str) -> Field {
    let colour = match state {
        "active" => Color::Green,
        "shadow" => Color::DarkGrey,
        left_alone if left_alone.starts_with("left alone") => Color::Red,
        _ => Color::Yellow,
    };
    coloured(state, colour)
}

/// Returns what is to be said of them beside the table, a paragraph each.
fn said(policies: &[PolicyRow]) -> Vec<String> {
    // All of a shadow have the same, and all of a chain.
    let compared = policies.iter().find_map(|policy| policy.compared).map(|compared| {
        let ComparedRow { sample_percent, same, other_order, other_first, failed } = compared;
        format!(
            "the shadow is asked on {sample_percent} % of the requests: {same} decisions are the same, {other_order} \
             differ in their order alone, {other_first} in the first choice, {failed} failed"
        )
    });
    let refused = policies.iter().find_map(|policy| policy.refused.as_ref());
    let refused =
        refused.map(|refused| format!("the last change was refused at {}: {}", refused.phase, refused.reason));
    compared.into_iter().chain(refused).collect()
}
