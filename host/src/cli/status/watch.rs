//! `status --watch`: the state again and again, live on a terminal.
//!
//! On a terminal it draws over what is there, without flicker, and cuts what has no
//! room; elsewhere it prints one block, or one line of JSON, each time. The terminal
//! itself is `cli::screen`'s.

use std::{
    io::{self, Write as _},
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use serde_json::json;

use crate::cli::{
    Failed,
    remote::Remote,
    screen::{Event, Screen},
    status::{Seen, text},
    words::moment,
};

/// What it ends with if it was left before it saw anything.
const LEFT: u8 = 130;

/// Shows the state every so many seconds until it is told to stop; ends with the code
/// of what was seen last.
pub(super) async fn run(remote: &Remote, seconds: u64, json: bool) -> Result<ExitCode, Failed> {
    let pause = Duration::from_secs(seconds);
    if json || !io::IsTerminal::is_terminal(&io::stdout()) {
        return blocks(remote, pause, json).await;
    }
    let mut screen = Screen::open()?;
    let mut seen = Seen::of(remote).await;
    let mut next = tokio::time::Instant::now() + pause;
    loop {
        screen.draw(&page(remote, &seen, seconds, Screen::columns()))?;
        tokio::select! {
            event = screen.event() => match event {
                Event::Leave => return Ok(seen.code()),
                // Drawn anew for the new size.
                Event::Resized => {}
            },
            () = tokio::time::sleep_until(next) => {
                seen = Seen::of(remote).await;
                next = tokio::time::Instant::now() + pause;
            }
        }
    }
}

/// Prints what is seen, each time below what was.
async fn blocks(remote: &Remote, pause: Duration, json: bool) -> Result<ExitCode, Failed> {
    let mut left = pin!(tokio::signal::ctrl_c());
    let mut code = ExitCode::from(LEFT);
    loop {
        let seen = tokio::select! {
            seen = Seen::of(remote) => seen,
            _ = &mut left => return Ok(code),
        };
        code = seen.code();
        let mut out = anstream::stdout();
        match &seen {
            Seen::Up(state) if json => writeln!(out, "{}", serde_json::to_string(state)?)?,
            Seen::Down(why) if json => writeln!(out, "{}", json!({"error": why}))?,
            Seen::Up(state) => {
                text::lines(remote, state, None).iter().try_for_each(|line| writeln!(out, "{line}"))?;
                writeln!(out)?;
            }
            Seen::Down(why) => writeln!(out, "{why}\n")?,
        }
        out.flush()?;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = &mut left => return Ok(code),
        }
    }
}

fn page(remote: &Remote, seen: &Seen, seconds: u64, columns: usize) -> Vec<String> {
    let now = moment(crate::clock::now_ms() / 1000).unwrap_or_default();
    let mut lines = vec![format!("every {seconds} s, {now}; q to leave"), String::new()];
    match seen {
        Seen::Up(state) => lines.extend(text::lines(remote, state, Some(columns))),
        Seen::Down(why) => lines.extend(crate::cli::fit::wrapped(why, Some(columns))),
    }
    lines
}
