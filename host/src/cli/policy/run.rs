//! `policy run`: one decision of a policy, and why.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::anyhow;
use clap::Args;
use comfy_table::Color;
use serde::Serialize;

use crate::{
    cli::{
        Common, Failed, block_on,
        lines::tell,
        policy::{
            question::{Remembered, Request},
            rounded,
            subject::{self, Subject},
        },
        print_json,
        table::{Column, Listing, coloured, figures, plain, words},
    },
    policy::workbench::{
        Bench,
        decision::{Answer, Decided},
    },
    routing::plan::{Fact, Query},
};

const COLUMNS: [Column; 5] =
    [figures("PLACE", 0), words("MODEL", 0), figures("SCORE", 2), words("BY", 1), words("WHY", 0)];

const EXAMPLES: &str = "\
Examples:
  ollama-router policy run my-policy.wasm
  ollama-router policy run my-policy.wasm --request '{\"target\": \"alder/oak-70b:free\", \"tools\": \"optional\"}'
  ollama-router policy run my-policy.wasm --facts '[{\"model\": \"alder/oak-70b:free\", \"cooldown_ms\": 60000}]'

A request has any of: target (\"auto\", \"gone\" or a model's id), needs and wishes (lists, such as
[\"vision\"]), tools (\"none\", \"optional\", \"required\"), streaming, input_tokens, output_tokens, limit,
quota_left, now_ms, seed. A fact has model, and any of: cooldown_ms, on_trial, in_flight, successes,
failures, failures_by_kind ([[\"timeout\", 2]]), tool_failures, failures_in_a_row, last_failure_ms,
first_token_ms, tokens_per_second. What they mean is in wit/policy.wit.";

/// Have a policy decide one request, and show what it picks, what it leaves out, and why
///
/// Needs no server, no network and no configuration. Ends with 1 if the policy fails,
/// or is offered no model.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    subject: Subject,
    /// The request: a JSON object, or a file with one [default: any model, no tools]
    #[arg(long, value_name = "JSON|FILE")]
    request: Option<String>,
    /// What is remembered of the models: a JSON list, or a file with one [default: nothing]
    #[arg(long, value_name = "JSON|FILE")]
    facts: Option<String>,
    /// The models: a router's models.json, or what OpenRouter's /models answers [default: a dozen made-up ones]
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Serialize)]
struct Told<'a> {
    policy: String,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deny: Option<Denied<'a>>,
    models: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Denied<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
}

/// A model of the catalogue.
#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    /// From 1; none if it is left out.
    place: Option<usize>,
    score: Option<f32>,
    /// Who says so: `policy`, its `view`, or the `router` that did not offer it.
    by: &'static str,
    code: Option<u16>,
    why: &'a str,
}

impl Run {
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        subject::listen(common)?;
        let setup = self.subject.setup(subject::catalog(self.catalog.as_ref())?)?;
        let (query, facts) = self.question(&setup.catalog)?;
        let (bench, decided) = block_on(async {
            let mut bench = self.subject.sound(common, setup).await?;
            let decided = bench.decide(&query, &facts).await;
            Ok((bench, decided))
        })?;
        let label = format!("{}/{}", bench.name, bench.version);
        let decided = decided.map_err(|fault| anyhow!("{label} failed to decide: {fault}"))?;
        let Some(decided) = decided else {
            let shown = bench.visible.len();
            return Err(
                anyhow!("{label} was not asked: none of the {shown} models that it shows can answer this").into()
            );
        };
        let told = told(&bench, &decided, label);
        if self.json {
            print_json(&told)?;
        } else {
            print(&told)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn question(&self, catalog: &crate::catalog::Catalog) -> Result<(Query, Vec<Fact>), Failed> {
        let request: Request = match &self.request {
            None => Request::default(),
            Some(given) => subject::json("--request", given)?,
        };
        let remembered: Vec<Remembered> = match &self.facts {
            None => Vec::new(),
            Some(given) => subject::json("--facts", given)?,
        };
        let facts = remembered.iter().map(|known| known.fact(catalog)).collect::<Result<_, _>>()?;
        Ok((request.query(catalog)?, facts))
    }
}

fn told<'a>(bench: &'a Bench, decided: &'a Decided, policy: String) -> Told<'a> {
    let mut models: Vec<Row<'a>> = Vec::new();
    let (decision, deny) = match &decided.answer {
        Answer::Abstain => ("abstain", None),
        Answer::Deny { status, code, message } => ("deny", Some(Denied { status: *status, code, message })),
        Answer::Route { order, dropped } => {
            let picks = order.iter().enumerate();
            models.extend(picks.map(|(place, pick)| Row {
                place: Some(place + 1),
                score: Some(pick.score),
                ..row(bench, pick.model, "policy", Some(pick.why))
            }));
            models.extend(dropped.iter().map(|drop| row(bench, drop.model, "policy", Some(drop.why))));
            ("route", None)
        }
    };
    let rest = (0_u32..).zip(bench.setup.catalog.models()).filter_map(|(number, model)| {
        let is_told = models.iter().any(|row| row.id == model.id.as_str());
        (!is_told).then(|| left_out(bench, decided, number))
    });
    let rest: Vec<Row<'a>> = rest.collect();
    models.extend(rest);
    Told { policy, decision, deny, models }
}

/// Returns why a model that the answer does not name has no place.
fn left_out<'a>(bench: &'a Bench, decided: &Decided, number: u32) -> Row<'a> {
    if decided.candidates.contains(&number) {
        return Row { why: "not named in the answer", ..row(bench, number, "policy", None) };
    }
    if bench.visible.contains(&number) {
        return Row { why: "cannot answer such a request", ..row(bench, number, "router", None) };
    }
    match bench.hidden.iter().find(|hidden| hidden.model == number) {
        Some(hidden) => row(bench, number, "view", Some(hidden.why)),
        None => Row { why: "not shown", ..row(bench, number, "view", None) },
    }
}

fn row<'a>(bench: &'a Bench, number: u32, by: &'static str, code: Option<u16>) -> Row<'a> {
    let id = bench.setup.catalog.model(number).map_or("", |model| model.id.as_str());
    let why = code.map_or("", |code| bench.reason(code).unwrap_or("(a code that it does not explain)"));
    Row { id, place: None, score: None, by, code, why }
}

fn print(told: &Told<'_>) -> Result<(), Failed> {
    let said = match &told.deny {
        Some(Denied { status, code, message }) => {
            Some(format!("{} refuses the request: {status} {code}: {message}", told.policy))
        }
        None if told.decision == "abstain" => {
            Some(format!("{} has no opinion: the router goes by the order of the view", told.policy))
        }
        None => None,
    };
    if let Some(said) = said {
        tell(&said)?;
        writeln!(io::stdout())?;
    }
    let mut listing = Listing::new(&COLUMNS);
    for row in &told.models {
        listing.add(vec![
            row.place.map_or_else(|| plain(""), |place| coloured(place.to_string(), Color::Green)),
            plain(row.id),
            plain(row.score.map(rounded).unwrap_or_default()),
            plain(row.by),
            plain(row.why),
        ]);
    }
    listing.print()?;
    Ok(())
}
