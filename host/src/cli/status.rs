//! `status`: what a running router is doing.
//!
//! Asks, prints, and ends with a code that scripts can go by. How the state is told is
//! in [`text`], the live view in [`watch`].

mod text;
mod watch;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;

use crate::{
    api::admin::wire::{Forgotten, Status as State},
    cli::{
        Common, Failed, block_on, fit, print_json,
        remote::{Address, Remote},
    },
};

/// The code of a router that is down, and of one that does not serve well.
const DOWN: u8 = 1;
const DEGRADED: u8 = 2;

/// The longest pause of the live view: an hour.
const LONGEST_PAUSE_S: u64 = 3600;

/// Show the state of a running router
///
/// What it serves, how its models stand, what the account has left, which policy
/// decides. Ends with 0 if the router is up, 1 if it is not, and 2 if it is up and
/// degraded: no model can be used, all of them rest, the account's limit is reached, the
/// key is refused, the policy fails or a change of it was refused or rolled back, or the
/// list of models could not be fetched. It says which, and so does `degraded` in the JSON.
#[derive(Args)]
pub(super) struct Status {
    #[command(flatten)]
    address: Address,
    /// Show it again every so many seconds, until `q` or Ctrl-C [default: 2]
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..=LONGEST_PAUSE_S))]
    watch: Option<u64>,
    /// First forget the failures and cooldowns of a model, or of all and the account's limit
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "")]
    clear: Option<String>,
    /// Print JSON; with --watch one line each time
    #[arg(long)]
    json: bool,
}

/// What came of asking.
enum Seen {
    /// The router's state.
    Up(Box<State>),
    /// Why there is none.
    Down(String),
}

impl Status {
    /// Prints the state; ends with 0 if the router is up, 1 if it is not, 2 if it is
    /// degraded.
    pub(super) fn run(&self, common: &Common) -> Result<ExitCode, Failed> {
        let remote = self.address.remote(common)?;
        block_on(async {
            if let Some(name) = &self.clear {
                let Some(forgotten) = remote.delete::<Forgotten>("/router/failures", name).await? else {
                    return down(&remote.missing().await);
                };
                tell(&forgotten)?;
            }
            match self.watch {
                Some(seconds) => watch::run(&remote, seconds, self.json).await,
                None => self.once(&remote).await,
            }
        })
    }

    async fn once(&self, remote: &Remote) -> Result<ExitCode, Failed> {
        let Some(state) = remote.get::<State>("/router/status").await? else {
            return down(&remote.missing().await);
        };
        if self.json {
            print_json(&state)?;
        } else {
            let mut out = anstream::stdout();
            text::lines(remote, &state, fit::width()).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        Ok(code(&state))
    }
}

impl Seen {
    /// Asks; what goes wrong is one way of being down.
    async fn of(remote: &Remote) -> Self {
        match remote.get::<State>("/router/status").await {
            Ok(Some(state)) => Self::Up(Box::new(state)),
            Ok(None) => Self::Down(remote.missing().await),
            Err(failed) => Self::Down(format!("{:#}", failed.error)),
        }
    }

    fn code(&self) -> ExitCode {
        match self {
            Self::Up(state) => code(state),
            Self::Down(_) => ExitCode::from(DOWN),
        }
    }
}

fn code(state: &State) -> ExitCode {
    if state.degraded.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DEGRADED) }
}

fn down(why: &str) -> Result<ExitCode, Failed> {
    writeln!(anstream::stderr(), "{why}")?;
    Ok(ExitCode::from(DOWN))
}

fn tell(Forgotten { models }: &Forgotten) -> io::Result<()> {
    let mut err = anstream::stderr();
    match models.as_slice() {
        [] => writeln!(err, "there were no failures to forget"),
        models => writeln!(err, "forgot the failures of {}", models.join(", ")),
    }
}
