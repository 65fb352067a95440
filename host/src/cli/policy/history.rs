//! `policy history`: what was in force since the router started, why it came, and why it
//! went.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use comfy_table::Color;

use crate::{
    api::admin::wire::policy::PastRow,
    cli::{
        Common, Failed,
        lines::tell,
        policy::{asked::Asked, ended, short},
        table::{Column, Field, Listing, coloured, figures, plain, words},
        words::moment,
    },
};

const COLUMNS: [Column; 7] = [
    figures("GENERATION", 0),
    words("SINCE", 3),
    words("CAUSE", 2),
    words("CHANGED", 1),
    words("STATE", 0),
    words("POLICY", 0),
    words("DIGEST", 4),
];

#[derive(Args)]
pub(in crate::cli) struct History {
    #[command(flatten)]
    asked: Asked,
}

impl History {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let past = self.asked.run(
            common,
            async |router| router.get("/router/policy/history").await,
            |all: &Vec<_>| print(all),
        )?;
        Ok(ended(past.is_some()))
    }
}

fn print(past: &[PastRow]) -> io::Result<()> {
    listing(past).print()?;
    for PastRow { generation, state, why, .. } in past {
        if let Some(why) = why {
            writeln!(io::stdout())?;
            tell(&format!("generation {generation} was {state}: {why}"))?;
        }
    }
    Ok(())
}

fn listing(past: &[PastRow]) -> Listing {
    let mut listing = Listing::new(&COLUMNS);
    for row in past {
        let digests: Vec<&str> = row.digests.iter().map(|digest| short(digest)).collect();
        listing.add(vec![
            plain(row.generation.to_string()),
            plain(moment(row.since_ms / 1000).unwrap_or_default()),
            plain(&row.cause),
            plain(row.changed.join(", ")),
            state(&row.state),
            plain(&row.policy),
            plain(digests.join(", ")),
        ]);
    }
    listing
}

fn state(state: &str) -> Field {
    match state {
        "in force" => coloured(state, Color::Green),
        "rolled back" => coloured(state, Color::Yellow),
        _ => plain(state),
    }
}
