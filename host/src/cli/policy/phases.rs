//! The phases that a policy was taken through, as a table. Asks nothing.

use std::time::Duration;

use comfy_table::Color;

use crate::{
    api::admin::wire::policy::PhaseRow,
    cli::table::{Column, Field, Listing, coloured, figures, plain, words},
};

const COLUMNS: [Column; 3] = [words("PHASE", 0), words("STATUS", 0), figures("TIME", 1)];

/// Whose the phases are, where they are of several.
const POLICY: Column = words("POLICY", 2);

/// Returns phases in their order, and whose each is unless all are of one policy.
pub(super) fn listing(phases: &[PhaseRow]) -> Listing {
    let of_several = phases.windows(2).any(|pair| pair[0].policy != pair[1].policy);
    let mut columns = COLUMNS.to_vec();
    columns.extend(of_several.then_some(POLICY));
    let mut listing = Listing::new(&columns);
    for phase in phases {
        let ms = Duration::from_micros(phase.took_us).as_secs_f64() * 1000.0;
        let mut row = vec![plain(&phase.phase), status(&phase.status), plain(format!("{ms:.1} ms"))];
        row.extend(of_several.then(|| plain(&phase.policy)));
        listing.add(row);
    }
    listing
}

fn status(status: &str) -> Field {
    match status {
        "failed" => coloured("FAILED", Color::Red),
        "kept" => coloured(status, Color::DarkGrey),
        _ => coloured(status, Color::Green),
    }
}
