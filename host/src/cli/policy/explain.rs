//! `policy explain`: why each model would be tried for a request, or why not.
//!
//! Asks the running router, which knows what rests; without one, or with
//! `--offline`, it does what the router would do, with nothing remembered.

use std::{io, process::ExitCode};

use anyhow::{Context as _, anyhow};
use clap::Args;
use comfy_table::Color;

use crate::{
    api::admin::wire::explain::{AskedFor, Explained, Verdict},
    app::offline,
    catalog::names::AUTO,
    cli::{
        Common, Failed, block_on,
        lines::say,
        policy::{asked::not_running, ended, rounded},
        print_json,
        remote::{Address, NAMES},
        table::{Column, Listing, coloured, figures, plain, sentences, words},
        words::span,
    },
    clock::now_ms,
    config::load::Loaded,
    failover::{self, explain::from_scratch},
};

const COLUMNS: [Column; 5] =
    [words("MODEL", 0), words("VERDICT", 0), words("BY", 2), sentences("WHY"), figures("SCORE", 3)];

#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
#[derive(Args)]
pub(in crate::cli) struct Explain {
    /// The model that the request asks for
    #[arg(long, value_name = "NAME", default_value = AUTO)]
    model: String,
    /// The request has tools
    #[arg(long)]
    tools: bool,
    /// The model has to call one of them
    #[arg(long)]
    tool_choice: bool,
    /// The request has an image
    #[arg(long)]
    vision: bool,
    /// The model has to think
    #[arg(long)]
    reasoning: bool,
    /// The answer is to be JSON by a schema
    #[arg(long)]
    json_schema: bool,
    /// Tokens in the prompt
    #[arg(long, value_name = "N", default_value_t = 0)]
    input_tokens: u32,
    /// Tokens that the client allows for the answer; 0 if it does not say
    #[arg(long, value_name = "N", default_value_t = 0)]
    output_tokens: u32,
    /// The client reads the answer as it comes
    #[arg(long)]
    stream: bool,
    /// Ask no router; go by the copy of the models and the configuration
    #[arg(long)]
    offline: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    address: Address,
}

impl Explain {
    /// Ends with 0 if there is an answer, whatever it is.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let loaded = common.load()?;
        let remote = self.address.remote(common)?;
        let asked = serde_json::to_value(self.asked())?;
        let told =
            if self.offline { None } else { block_on(remote.send::<Explained>("/router/policy/explain", &asked))? };
        let explained = match told {
            Some(explained) => explained,
            None if self.address.is_given() && !self.offline => {
                not_running(&remote)?;
                return Ok(ended(false));
            }
            None => block_on(without_router(loaded, self.asked()))?,
        };
        if self.json {
            print_json(&explained)?;
        } else {
            print(&explained)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn asked(&self) -> AskedFor {
        AskedFor {
            model: self.model.clone(),
            tools: self.tools,
            tool_choice: self.tool_choice,
            vision: self.vision,
            reasoning: self.reasoning,
            json_schema: self.json_schema,
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            stream: self.stream,
        }
    }
}

/// Does what the router would do, and says on what.
async fn without_router(loaded: Loaded, asked: AskedFor) -> Result<Explained, Failed> {
    let limit = loaded.config.failover.max_attempts.get();
    let generation = offline(loaded).await.context("without a router nothing can be explained")?;
    let age = (now_ms() / 1000).saturating_sub(generation.catalog.fetched());
    say(&format!("no router was asked: what rests is not known, and the list of models is {} old", span(age)))?;
    let explained = from_scratch(asked.asked(), limit, &generation).await.map_err(|error| match error {
        failover::Error::Unknown(_) => Failed::usage(anyhow!("{error}; {NAMES}")),
        error => error.into(),
    })?;
    Ok(Explained::of(&explained, &generation))
}

fn print(explained: &Explained) -> io::Result<()> {
    let Explained { policy, by, fault, limit, models, .. } = explained;
    if let Some(fault) = fault {
        say(&format!("the policy in force does not decide: {fault}"))?;
    }
    if let Some(policy) = policy.as_ref().filter(|_| explained.is_stand_in()) {
        say(&format!("{policy} decides in its stead ({by})"))?;
    }
    if let Some(limit) = limit {
        say(&format!("no free model is tried until the account's limit is over ({limit})"))?;
    }
    // The first to leave if there is no note at all, or else the last.
    let note = words("NOTE", if models.iter().all(|model| model.note.is_none()) { 4 } else { 1 });
    let mut listing = Listing::new(&[&COLUMNS[..], &[note]].concat());
    for Verdict { id, verdict, by, why, score, note } in models {
        let colour =
            if verdict.starts_with(|first: char| first.is_ascii_digit()) { Color::Green } else { Color::DarkGrey };
        listing.add(vec![
            plain(id),
            coloured(verdict, colour),
            plain(by),
            plain(why),
            plain(score.map(rounded).unwrap_or_default()),
            plain(note.as_deref().unwrap_or_default()),
        ]);
    }
    listing.print()
}
