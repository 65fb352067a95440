//! `status`: what a running router is doing.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use comfy_table::{Cell, Color, Table, presets::NOTHING};
use jiff::Timestamp;

use crate::{
    api::admin::wire::{Account, Forgotten, ModelRow, ModelState, Status as State, policy::PolicyRow},
    cli::{Common, Failed, block_on, remote::Remote},
    failover::ledger::now_ms,
};

/// Characters of a failure's words that are shown: what is said first is what
/// matters, and the whole is in the JSON.
const WORDS_SHOWN: usize = 60;

/// Show the state of a running router.
#[derive(Args)]
pub(super) struct Status {
    /// Host of the router [default: this machine]
    #[arg(short = 'H', long, value_name = "HOST")]
    host: Option<String>,
    /// Port of the router [default: that of the configuration, or 11434]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// First forget the failures and cooldowns of a model, or of all and the account's limit
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "")]
    clear: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Prints the state; ends with 0 if the router is up and 1 if it is not.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let remote = Remote::new(&loaded.config, self.host.as_deref(), self.port)?;
        let state = block_on(async {
            if let Some(name) = &self.clear {
                let Some(forgotten) = remote.delete::<Forgotten>("/router/failures", name).await? else {
                    return Ok(None);
                };
                tell(&forgotten)?;
            }
            remote.get::<State>("/router/status").await
        })?;
        let Some(state) = state else {
            writeln!(
                anstream::stderr(),
                "no router is running at {}; start one with `ollama-router start`",
                remote.base()
            )?;
            return Ok(ExitCode::from(1));
        };
        if self.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&state)?)?;
        } else {
            print(&remote, &state)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn tell(Forgotten { models }: &Forgotten) -> io::Result<()> {
    let mut err = anstream::stderr();
    match models.as_slice() {
        [] => writeln!(err, "there were no failures to forget"),
        models => writeln!(err, "forgot the failures of {}", models.join(", ")),
    }
}

fn print(remote: &Remote, state: &State) -> io::Result<()> {
    let mut out = anstream::stdout();
    let simulated = if state.simulated { " (SIMULATED)" } else { "" };
    let age = (now_ms() / 1000).saturating_sub(state.catalog.fetched);
    writeln!(out, "router    {} version {}, up {}", remote.base(), state.version, span(state.uptime_s))?;
    writeln!(out, "upstream  {}{simulated}", state.upstream)?;
    let mode = match (state.free_mode, state.tool_use_only) {
        (true, true) => "free models with tools only",
        (true, false) => "free models only",
        (false, true) => "all models with tools",
        (false, false) => "all models",
    };
    writeln!(out, "mode      {mode}")?;
    writeln!(
        out,
        "models    {} of {} can be used; the list is {} old",
        state.catalog.visible,
        state.catalog.models,
        span(age)
    )?;
    writeln!(out, "account   {}", account(&state.account))?;
    for (place, policy) in state.policies.iter().enumerate() {
        let title = if place == 0 { "policy" } else { "" };
        let PolicyRow { name, version, source, generation, calls, faults, state, .. } = policy;
        let counts = format!("generation {generation}, {calls} decisions, {faults} failed");
        let state = if state == "active" { String::new() } else { format!(", {state}") };
        writeln!(out, "{title:<9} {name} {version} ({source}), {counts}{state}")?;
    }
    if let Some(refused) = &state.policy.refused {
        writeln!(out, "          a change was refused: {}: {}", refused.phase, refused.reason)?;
    }
    writeln!(out, "\n{}", table(&state.models))
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

const HEADER: [&str; 9] =
    ["MODEL", "STATE", "BECAUSE OF", "UNTIL", "LEARNED", "OK/FAILED 5M", "FIRST TOKEN", "TOKENS/S", "LAST FAILURE"];

fn table(models: &[ModelRow]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(HEADER);
    for model in models {
        let state = &model.state;
        let (word, colour) = match state.cooldown_ms {
            0 if state.standing == "ready" => ("ready".to_owned(), Color::Green),
            0 => (state.standing.clone(), Color::Yellow),
            ms => (format!("cooling {}", span(ms.div_ceil(1000))), Color::Red),
        };
        let known = |figure: f32, unit: &str| if figure > 0.0 { format!("{figure:.0}{unit}") } else { "-".to_owned() };
        table.add_row([
            Cell::new(&model.name),
            Cell::new(word).fg(colour),
            Cell::new(state.rests_for.as_deref().unwrap_or("-")),
            Cell::new(state.rests_until.and_then(moment).unwrap_or_else(|| "-".to_owned())),
            Cell::new(if model.learned.is_empty() { "-".to_owned() } else { model.learned.join(", ") }),
            Cell::new(format!("{}/{}", state.recent_successes, state.recent_failures)),
            Cell::new(known(state.first_token_ms, " ms")),
            Cell::new(known(state.tokens_per_second, "")),
            Cell::new(last_failure(state)),
        ]);
    }
    table
}

fn last_failure(state: &ModelState) -> String {
    let Some(kind) = &state.last_failure else { return "-".to_owned() };
    let words = state.last_message.as_deref().unwrap_or_default();
    match words.char_indices().nth(WORDS_SHOWN) {
        Some((end, _)) => format!("{kind}: {}…", words[..end].trim_end()),
        None if words.is_empty() => kind.clone(),
        None => format!("{kind}: {words}"),
    }
}

/// A moment for people, to the second.
fn moment(ms: u64) -> Option<String> {
    let seconds = i64::try_from(ms / 1000).ok()?;
    Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

/// A time for people: its two largest units are enough.
pub(super) fn span(seconds: u64) -> String {
    let kept = match seconds {
        0..3600 => seconds,
        3600..86_400 => seconds / 60 * 60,
        _ => seconds / 3600 * 3600,
    };
    humantime::format_duration(Duration::from_secs(kept)).to_string()
}
