//! One question to the person at the terminal, and its answer or none.
//!
//! The only file that knows the crate for it. A question that is left, with Ctrl-C or
//! Escape, has no answer; what follows from that is for the asker to say.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use inquire::{Confirm, CustomType, InquireError, Password, PasswordDisplayMode, Text};

use crate::cli::{Failed, block_on};

/// Tells whether there is a person to ask.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Ends a command that the person at the terminal has left, as a shell ends one.
pub(super) fn left(words: &str) -> Result<ExitCode, Failed> {
    writeln!(anstream::stderr(), "{words}")?;
    Ok(ExitCode::from(130))
}

/// Asks for something that nobody should see: each letter is shown as a star.
pub(super) fn hidden(question: &str, help: Option<&str>) -> Result<Option<String>, Failed> {
    outlive_ctrl_c()?;
    let _quiet = Quiet::begin();
    let mut password = Password::new(question).without_confirmation().with_display_mode(PasswordDisplayMode::Masked);
    password.help_message = help;
    password.prompt().map(Some).or_else(unless_left)
}

/// Asks for something that anybody may see.
pub(super) fn text(question: &str) -> Result<Option<String>, Failed> {
    outlive_ctrl_c()?;
    Text::new(question).prompt().map(Some).or_else(unless_left)
}

/// Asks for a yes or no.
pub(super) fn confirm(question: &str, now: bool, help: Option<&str>) -> Result<Option<bool>, Failed> {
    outlive_ctrl_c()?;
    let mut confirm = Confirm::new(question).with_default(now);
    confirm.help_message = help;
    confirm.prompt().map(Some).or_else(unless_left)
}

/// Asks for a number that a port may have.
pub(super) fn number(question: &str, now: u16, help: &str) -> Result<Option<u16>, Failed> {
    outlive_ctrl_c()?;
    let number = CustomType::<u16>::new(question).with_default(now).with_help_message(help);
    number.with_error_message("a port is a number from 0 to 65535").prompt().map(Some).or_else(unless_left)
}

/// Has Ctrl-C end what runs in the terminal, or be an answer, but not this program.
pub(super) fn outlive_ctrl_c() -> Result<(), Failed> {
    block_on(async {
        // Who has listened once is not ended by it any more.
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => {}
            () = std::future::ready(()) => {}
        }
        Ok(())
    })
}

fn unless_left<T>(error: InquireError) -> Result<Option<T>, Failed> {
    match error {
        InquireError::OperationInterrupted | InquireError::OperationCanceled => Ok(None),
        InquireError::IO(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        error => Err(error.into()),
    }
}

/// Keeps the terminal from showing what is typed or pasted between two letters that are read.
struct Quiet {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Quiet {
    fn begin() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut quiet) = before.clone() {
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
            // Where it cannot be done, it is no terminal that shows anything.
            tcsetattr(io::stdin(), OptionalActions::Now, &quiet).ok();
        }
        Self { before }
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, before).ok();
        }
    }
}

#[cfg(not(unix))]
impl Quiet {
    /// There the system shows nothing by itself while keys are read.
    fn begin() -> Self {
        Self {}
    }
}
