//! `policy history`: what was in force since the router started, and why it went.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use comfy_table::Color;

use crate::{
    api::admin::wire::policy::PastRow,
    cli::{
        Common, Failed, block_on,
        lines::tell,
        policy::{not_running, short},
        remote::Address,
        table::{Column, Field, Listing, coloured, figures, plain, words},
        words::moment,
    },
};

const COLUMNS: [Column; 5] =
    [figures("GENERATION", 0), words("SINCE", 1), words("STATE", 0), words("POLICY", 0), words("DIGEST", 2)];

#[derive(Args)]
pub(in crate::cli) struct History {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

impl History {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        let Some(past) = block_on(remote.get::<Vec<PastRow>>("/router/policy/history"))? else {
            return not_running(&remote);
        };
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&past)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        listing(&past).print()?;
        for PastRow { generation, state, why, .. } in &past {
            if let Some(why) = why {
                writeln!(io::stdout())?;
                tell(&format!("generation {generation} was {state}: {why}"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listing(past: &[PastRow]) -> Listing {
    let mut listing = Listing::new(&COLUMNS);
    for row in past {
        let digests: Vec<&str> = row.digests.iter().map(|digest| short(digest)).collect();
        listing.add(vec![
            plain(row.generation.to_string()),
            plain(moment(row.since_ms / 1000).unwrap_or_default()),
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
