//! How models are shown: a table that fits the terminal. Asks nothing.

use std::io;

use comfy_table::Color;

use crate::{
    api::admin::wire::ModelRow,
    cli::{
        table::{Column, Field, Listing, coloured, figures, plain, words},
        words::{day, price, span, tokens},
    },
    clock::now_ms,
};

/// A model that will be gone within this many seconds is pointed out: a week.
const SOON_S: u64 = 7 * 86_400;

const MODEL: Column = words("MODEL", 0);
const FACTS: [Column; 8] = [
    figures("CONTEXT", 0),
    words("TOOLS", 2),
    words("VISION", 3),
    words("REASONING", 4),
    words("STATE", 1),
    words("PRICE", 6),
    words("EXPIRES", 5),
    words("EMBEDS", 7),
];
const ID: Column = words("ID", 8);
const WHY: Column = words("WHY NOT", 0);

/// Prints models; if hidden ones are among them, why they are.
pub(super) fn print(models: &[ModelRow], with_hidden: bool) -> io::Result<()> {
    let last = if with_hidden { [WHY, ID] } else { [ID, WHY] };
    let last = &last[..if with_hidden { 2 } else { 1 }];
    let mut listing = Listing::new(&[&[MODEL], &FACTS[..], last].concat());
    for model in models {
        let mut row = facts(model);
        if with_hidden {
            row.push(plain(model.hidden.as_deref().unwrap_or_default()));
        }
        row.push(plain(&model.id));
        listing.add(row);
    }
    listing.print()
}

fn facts(model: &ModelRow) -> Vec<Field> {
    let mark = |has: bool| plain(if has { "yes" } else { "-" });
    vec![
        plain(&model.name),
        plain(tokens(model.context)),
        mark(model.tools),
        mark(model.vision),
        mark(model.reasoning),
        state(model),
        plain(price(model.free, model.prompt_price, model.completion_price)),
        expiry(model.expires),
        mark(model.embeds),
    ]
}

fn state(model: &ModelRow) -> Field {
    let state = &model.state;
    match state.cooldown_ms {
        _ if model.hidden.is_some() => coloured("hidden", Color::DarkGrey),
        0 if state.standing == "ready" => coloured("ready", Color::Green),
        0 => coloured(&state.standing, Color::Yellow),
        ms => coloured(format!("cooling {}", span(ms.div_ceil(1000))), Color::Red),
    }
}

fn expiry(expires: Option<u64>) -> Field {
    let Some(end) = expires else { return plain("") };
    // The last day is the one before the moment at which it is over.
    let text = day(end.saturating_sub(1)).unwrap_or_default();
    if end < now_ms() / 1000 + SOON_S { coloured(text, Color::Yellow) } else { plain(text) }
}
