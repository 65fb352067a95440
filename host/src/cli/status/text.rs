//! A router's state in lines: what it is, what is wrong with it, and its models.
//!
//! Asks nothing and prints nothing, so that the live view can show the same.

use comfy_table::Color;
use crossterm::style::Stylize as _;

use crate::{
    api::admin::wire::{Account, ModelRow, ModelState, Status as State, policy::PolicyRow},
    cli::{
        lines::labelled,
        remote::Remote,
        table::{Column, Field, Listing, coloured, figures, plain, words},
        words::{count, moment, span},
    },
    clock::now_ms,
};

/// Characters of a failure's words that are shown on a terminal: what is said first is
/// what matters.
const WORDS_SHOWN: usize = 60;

const COLUMNS: [Column; 9] = [
    words("MODEL", 0),
    words("STATE", 0),
    words("BECAUSE OF", 1),
    words("UNTIL", 5),
    words("LEARNED", 6),
    words("OK/FAILED 5M", 2),
    figures("FIRST TOKEN", 3),
    figures("TOKENS/S", 4),
    words("LAST FAILURE", 7),
];

/// Returns the state in lines, each no wider than `width` if there is one.
pub(super) fn lines(remote: &Remote, state: &State, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |label: &str, text: &str| lines.extend(labelled(label, text, width));
    add("router", &format!("{} version {}, up {}", remote.base(), state.version, span(state.uptime_s)));
    if state.degraded.is_empty() {
        add("state", "up");
    }
    for (place, reason) in state.degraded.iter().enumerate() {
        add(if place == 0 { "state" } else { "" }, &format!("DEGRADED: {}", reason.what));
        add("", &format!("→ {}", reason.remedy));
    }
    let simulated = if state.simulated { " (SIMULATED)" } else { "" };
    add("upstream", &format!("{}{simulated}", state.upstream));
    add("mode", mode(state));
    let age = (now_ms() / 1000).saturating_sub(state.catalog.fetched);
    let (visible, all) = (state.catalog.visible, state.catalog.models);
    add("models", &format!("{visible} of {all} can be used; the list is {} old", span(age)));
    if !state.models.is_empty() {
        add("", &standings(&state.models));
    }
    add("account", &account(&state.account));
    for (place, policy) in state.policies.iter().enumerate() {
        add(if place == 0 { "policy" } else { "" }, &decides(policy));
    }
    for line in &mut lines {
        *line = line.replace("DEGRADED", &"DEGRADED".yellow().to_string());
    }
    if !state.models.is_empty() {
        lines.push(String::new());
        lines.extend(table(&state.models, width).lines(width));
    }
    lines
}

fn mode(state: &State) -> &'static str {
    match (state.free_mode, state.tool_use_only) {
        (true, true) => "free models with tools only",
        (true, false) => "free models only",
        (false, true) => "all models with tools",
        (false, false) => "all models",
    }
}

/// Returns how many models stand how, such as `17 ready, 2 cooling`.
fn standings(models: &[ModelRow]) -> String {
    let having = |standing: &str| models.iter().filter(|model| model.state.standing == standing).count();
    let counts = ["ready", "cooling", "on trial"].map(|standing| (having(standing), standing));
    let named =
        counts.iter().filter(|(number, _)| *number > 0).map(|(number, standing)| format!("{number} {standing}"));
    let busy: u32 = models.iter().map(|model| model.state.in_flight).sum();
    let busy = (busy > 0).then(|| format!("{} under way", count(busy as usize, "request")));
    named.chain(busy).collect::<Vec<_>>().join(", ")
}

fn decides(policy: &PolicyRow) -> String {
    let PolicyRow { name, version, source, generation, calls, faults, state, .. } = policy;
    let state = if state == "active" { String::new() } else { format!(", {state}") };
    format!("{name} {version} ({source}), generation {generation}, {calls} decisions, {faults} failed{state}")
}

fn account(account: &Account) -> String {
    let day = match (account.remaining, account.daily_requests) {
        (Some(left), Some(all)) => format!("{left} of {all} free requests left today"),
        _ => "free requests left today: unknown".to_owned(),
    };
    let limit = match (&account.limit, account.until_ms) {
        (Some(limit), Some(until)) => format!("{limit}, over in {}; ", span(until.saturating_sub(now_ms()) / 1000)),
        _ => String::new(),
    };
    let keys = match (account.keys_usable, account.keys) {
        (usable, all) if usable == all && all < 2 => String::new(),
        (usable, all) => format!("; {usable} of {all} keys can be used"),
    };
    let queued = match account.queued {
        0 => String::new(),
        waiting => format!("; {waiting} requests wait for their turn"),
    };
    format!("{limit}{day}{keys}{queued}")
}

fn table(models: &[ModelRow], width: Option<usize>) -> Listing {
    let mut listing = Listing::new(&COLUMNS);
    for model in models {
        let state = &model.state;
        let known = |figure: f32, unit: &str| if figure > 0.0 { format!("{figure:.0}{unit}") } else { String::new() };
        listing.add(vec![
            plain(&model.name),
            standing(state),
            plain(state.rests_for.as_deref().unwrap_or_default()),
            plain(state.rests_until.and_then(|ms| moment(ms / 1000)).unwrap_or_default()),
            plain(model.learned.join(", ")),
            plain(format!("{}/{}", state.recent_successes, state.recent_failures)),
            plain(known(state.first_token_ms, " ms")),
            plain(known(state.tokens_per_second, "")),
            plain(last_failure(state, width)),
        ]);
    }
    listing
}

fn standing(state: &ModelState) -> Field {
    match state.cooldown_ms {
        0 if state.standing == "ready" => coloured("ready", Color::Green),
        0 => coloured(&state.standing, Color::Yellow),
        ms => coloured(format!("cooling {}", span(ms.div_ceil(1000))), Color::Red),
    }
}

fn last_failure(state: &ModelState, width: Option<usize>) -> String {
    let Some(kind) = &state.last_failure else { return String::new() };
    let words = state.last_message.as_deref().unwrap_or_default();
    match words.char_indices().nth(WORDS_SHOWN).filter(|_| width.is_some()) {
        Some((end, _)) => format!("{kind}: {}…", words[..end].trim_end()),
        None if words.is_empty() => kind.clone(),
        None => format!("{kind}: {words}"),
    }
}
