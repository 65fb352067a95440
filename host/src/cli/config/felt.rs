//! What is said after the settings file was changed: what keeps the change from being felt,
//! and who else sees it.
//!
//! Warnings only, on standard error, and the same from every command that changes the file.
//! Nothing is taken back: a setting may need another one that follows.

use std::{
    io::{self, Write as _},
    path::Path,
};

use crate::{
    cli::{Failed, block_on, hint, rehearsal},
    config::{
        at,
        load::{Loaded, Origin, file::is_shared, keys},
    },
};

/// Says what wins over the file's value of a key here.
pub(super) fn warn_of_winner(loaded: &Loaded, key: &str) -> io::Result<()> {
    let is_own = key.strip_prefix(keys::FREE).is_some_and(|rest| rest.starts_with('.'));
    let winner = match loaded.origins.get(if is_own { keys::FREE } else { key }) {
        Some(Origin::Environment { variable }) => format!("the environment variable {variable}"),
        Some(Origin::Flag { flag }) => format!("the flag {flag}"),
        Some(Origin::Default | Origin::File { .. } | Origin::SettingsFile { .. }) | None => return Ok(()),
    };
    writeln!(anstream::stderr(), "warning: {winner} wins over the file where it is set, as it is here")
}

/// Says which variables win over what the file has for these keys, and say otherwise.
pub(super) fn warn_of_variables(alone: &Loaded, loaded: &Loaded, keys: &[&str]) -> io::Result<()> {
    let (of_file, in_force) = (alone.config.exposed(), loaded.config.exposed());
    let is_in_file = |key: &str| matches!(alone.origins.get(key), Some(Origin::File { .. }));
    let is_variable = |key: &str| matches!(loaded.origins.get(key), Some(Origin::Environment { .. }));
    let beaten = |key: &&&str| is_in_file(key) && is_variable(key) && at(&of_file, key) != at(&in_force, key);
    keys.iter().filter(beaten).try_for_each(|key| warn_of_winner(loaded, key))
}

/// Says that others can read a file that holds a secret.
pub(super) fn warn_of_readers(file: &Path) -> io::Result<()> {
    if !is_shared(file) {
        return Ok(());
    }
    writeln!(anstream::stderr(), "warning: others can read the file: chmod 600 {}", hint::path_of(file))
}

/// Says why no router would use the policy as it is set now; tells whether that is so.
pub(super) fn warn_of_refusal(loaded: &Loaded) -> Result<bool, Failed> {
    let Some(why) = block_on(async { Ok(rehearsal::refusal(loaded).await) })? else { return Ok(false) };
    let until = "until it is mended, a running router keeps the policy that it has, and none can be started";
    writeln!(anstream::stderr(), "warning: with this the policy is refused: {why}\n{until}")?;
    Ok(true)
}
