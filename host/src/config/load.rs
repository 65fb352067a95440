//! Reads the settings: file, environment and flags over the defaults.
//!
//! The only reader of the process environment. It must not know what a setting is for, and
//! never puts a value of a secret into an error. A flag wins over the environment, that over
//! the file, that over the default. Read `load/layers.rs` next for how, `load/keys.rs` for names,
//! `load/files.rs` for variables that name a file, `load/file.rs` for how the file is changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use self::layers::{Layers, Merged};
use super::{Config, module::Module};

pub use self::problem::{Error, Place, Problem};

mod edit;
pub mod file;
mod files;
pub mod keys;
mod layers;
pub mod listing;
mod problem;
mod typed;
mod yaml;

/// The largest settings file, in bytes: the longest sensible one has some 10 KiB.
const FILE_BYTES: u64 = 256 * 1024;

/// The largest file of policy settings, in bytes: lists of models and prices fit.
const SETTINGS_BYTES: u64 = 1024 * 1024;

/// The largest filter file, in bytes: patterns for all of `OpenRouter`'s models fit twice.
const FILTER_BYTES: u64 = 64 * 1024;

/// The name of the database in the data folder, unless `store.url` names another.
const DATABASE: &str = "failures.db";

/// Holds what settings are read from. No `Debug`: keys are among it.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that was asked for; none means the default one.
    pub file: Option<PathBuf>,
    /// Names and texts of the environment, as `process_environment` gives them.
    pub environment: Vec<(String, String)>,
    /// What flags set; later ones win.
    pub overrides: Vec<Override>,
}

/// Holds a setting given on the command line. No `Debug`: it may be a key.
#[derive(Clone)]
pub struct Override {
    /// The dotted key.
    pub key: String,
    /// The value as typed.
    pub text: String,
    /// The flag's long name with its dashes, for errors and origins.
    pub flag: &'static str,
}

/// Holds the settings in force and where they are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The settings; all paths in them are absolute.
    pub config: Config,
    /// Where the value of every key is from.
    pub origins: BTreeMap<String, Origin>,
    /// The data folder: the one that the file is in. It may not exist yet.
    pub folder: PathBuf,
    /// Where the router keeps its own files; the data folder, unless moved.
    pub state: PathBuf,
    /// The database of failures, as `store.url` names it.
    pub database: PathBuf,
    /// The settings file, absolute.
    pub file: PathBuf,
    /// Whether there is such a file; without it all else still holds.
    pub file_exists: bool,
}

/// Says where a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file.
    File {
        /// The line of its key, from 1; 0 if unknown.
        line: usize,
    },
    /// The file that `policy.settings_file` names; of `policy.settings` alone.
    SettingsFile {
        /// Its path, absolute.
        path: PathBuf,
    },
    /// The environment.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// The command line.
    Flag {
        /// The flag's long name.
        flag: String,
    },
}

/// Reads all settings and checks them.
///
/// A missing file is as good as an empty one.
///
/// In the file and the environment, relative paths start at the data folder, `~/` at the
/// home folder; after a flag they start at the current folder, as the shell completes them.
pub fn load(sources: &Sources) -> Result<Loaded, Error> {
    let file = settings_file(sources)?;
    let text = read_text(&file, FILE_BYTES).map_err(|message| Problem::at(Place::file(&file), message))?;
    load_text(sources, file, text.as_deref())
}

/// Does the same with the text that a file has or would have.
fn load_text(sources: &Sources, file: PathBuf, text: Option<&str>) -> Result<Loaded, Error> {
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let mut layers = Layers::default();
    layers.add_file(&file, text.unwrap_or_default());
    let home = home(&sources.environment);
    let (variables, problems) = files::read(&sources.environment, &folder, home.as_deref());
    layers.add_environment(&variables);
    layers.add_problems(problems);
    layers.add_overrides(&sources.overrides);
    let mut merged = layers.merge().map_err(|problems| Error { problems })?;
    let mut problems = merged.check();
    let database = resolve_paths(&mut merged, &folder, home.as_deref());
    problems.extend(merge_settings_files(&mut merged));
    if !problems.is_empty() {
        return Err(Error { problems });
    }
    let Merged { config, origins, .. } = merged;
    Ok(Loaded { config, origins, state: folder.clone(), folder, database, file, file_exists: text.is_some() })
}

impl Loaded {
    /// Moves what the router itself keeps to another folder.
    ///
    /// Settings, filter and policies stay where they are, and so does a
    /// database that `store.url` names.
    pub fn move_state(&mut self, folder: PathBuf) {
        if self.config.store.url.is_none() {
            self.database = folder.join(DATABASE);
        }
        self.state = folder;
    }
}

/// Returns the process environment.
///
/// Variables that are not Unicode are left out, unless they are settings: then it fails.
pub fn process_environment() -> Result<Vec<(String, String)>, Error> {
    decode(std::env::vars_os())
}

/// Returns the lines of a data folder's filter file as they are.
///
/// Each is a pattern. Blank lines and comments are in it too: what they mean is for the policy to say.
/// No file means no pattern.
pub fn load_filter(folder: &Path) -> Result<Vec<String>, Error> {
    let file = folder.join("models-filter").join("filter");
    let text = read_text(&file, FILTER_BYTES).map_err(|message| Problem::at(Place::file(&file), message))?;
    Ok(text.unwrap_or_default().lines().map(str::to_owned).collect())
}

/// Returns the settings file that is used when none is asked for.
///
/// None if the environment names no home folder.
pub fn default_file(environment: &[(String, String)]) -> Option<PathBuf> {
    Some(home(environment)?.join(".config").join("ollama-router").join("config.yaml"))
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { line } => write!(formatter, "file, line {line}"),
            Self::SettingsFile { path } => write!(formatter, "policy.settings_file, {}", path.display()),
            Self::Environment { variable } => write!(formatter, "environment, {variable}"),
            Self::Flag { flag } => write!(formatter, "flag, {flag}"),
        }
    }
}

/// Returns the settings file that is meant, whether it is there or not.
fn settings_file(sources: &Sources) -> Result<PathBuf, Error> {
    let asked = sources.file.clone().or_else(|| default_file(&sources.environment));
    let Some(file) = asked else {
        let remedy = format!("set {}, or name a settings file with --config", home_variable());
        return Err(Problem::new(format!("cannot find the home folder: {remedy}")).into());
    };
    std::path::absolute(&file)
        .map_err(|error| Problem::at(Place::file(&file), format!("cannot find this path: {error}")).into())
}

/// Makes the paths of the settings absolute and returns the database's.
fn resolve_paths(merged: &mut Merged, folder: &Path, home: Option<&Path>) -> PathBuf {
    let Merged { config, origins, .. } = merged;
    let resolve = |key: &str, path: &Path| {
        let is_flag = matches!(origins.get(key), Some(Origin::Flag { .. }));
        match in_home(path, home) {
            Some(path) => path,
            None if is_flag => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            None => folder.join(path),
        }
    };
    let (policy, server) = (&mut config.policy, &mut config.server);
    let chain = policy.chain.iter_mut().map(|module| ("policy.chain", module));
    let others = chain.chain(policy.shadow.iter_mut().map(|shadow| ("policy.shadow", &mut shadow.module)));
    let of_others = others.flat_map(|(key, Module { file, settings_file, .. })| [(key, file), (key, settings_file)]);
    let own = [
        ("server.tls_cert", &mut server.tls_cert),
        ("server.tls_key", &mut server.tls_key),
        ("policy.module", &mut policy.module),
        ("policy.settings_file", &mut policy.settings_file),
        ("policy.decision_log", &mut policy.decision_log),
    ];
    for (key, path) in own.into_iter().chain(of_others) {
        *path = path.take().map(|path| resolve(key, &path));
    }
    resolve("store.url", Path::new(config.store.path().unwrap_or(DATABASE)))
}

/// Puts the names of each policy's `settings_file` under those of its `settings`, which
/// win whole; returns the problems of those that cannot be read.
fn merge_settings_files(merged: &mut Merged) -> Vec<Problem> {
    let policy = &mut merged.config.policy;
    let chain = policy.chain.iter_mut().map(|module| ("policy.chain", module));
    let others = chain.chain(policy.shadow.iter_mut().map(|shadow| ("policy.shadow", &mut shadow.module)));
    let others = others.map(|(key, module)| (key, &mut module.settings, &module.settings_file));
    let own = ("policy.settings_file", &mut policy.settings, &policy.settings_file);
    let mut problems = Vec::new();
    for (key, settings, file) in std::iter::once(own).chain(others) {
        let Some(file) = file else { continue };
        match read_settings(file) {
            Ok(object) => {
                if key == "policy.settings_file" && settings.is_empty() && !object.is_empty() {
                    let origin = Origin::SettingsFile { path: file.clone() };
                    merged.origins.insert(keys::FREE.to_owned(), origin);
                }
                for (name, value) in object {
                    settings.entry(name).or_insert(value);
                }
            }
            Err(message) => problems.push((key, message)),
        }
    }
    problems.into_iter().map(|(key, message)| merged.problem(key, message)).collect()
}

fn read_settings(file: &Path) -> Result<Map<String, Value>, String> {
    let text = read_text(file, SETTINGS_BYTES).map_err(|message| format!("{}: {message}", file.display()))?;
    let Some(text) = text else {
        return Err(format!("{}: no such file", file.display()));
    };
    let is_json = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("json"));
    let object = if is_json { yaml::parse_json(&text) } else { yaml::parse(&text) };
    object.map_err(|fault| format!("{}: {}", Place::of_fault(file, &fault), fault.message))
}

/// Reads a whole text, none if there is no such file; a byte order mark is left out.
fn read_text(file: &Path, most_bytes: u64) -> Result<Option<String>, String> {
    let unreadable = |error: io::Error| format!("cannot read this file: {error}{}", remedy(error.kind(), file));
    let reader = match File::open(file) {
        Ok(reader) => reader,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    reader.take(most_bytes + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > most_bytes {
        return Err(format!("this {}", too_large(most_bytes)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = good.matches('\n').count() + 1;
        format!("line {line} is not UTF-8: save this file as UTF-8 text")
    })?;
    Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
}

fn too_large(most_bytes: u64) -> String {
    format!("file is too large: {} KiB at most", most_bytes / 1024)
}

/// Says what to do about a file that cannot be read.
fn remedy(kind: io::ErrorKind, file: &Path) -> String {
    match kind {
        io::ErrorKind::PermissionDenied => {
            format!(
                "; let the user that runs this read it (`chown` it to them, or `chmod a+r {}` if it holds no key), and \
                 enter its folder",
                file.display()
            )
        }
        io::ErrorKind::IsADirectory => "; it is a folder: name a file in it, or move it away".to_owned(),
        io::ErrorKind::NotADirectory => "; a part of its path is no folder: check the path".to_owned(),
        _ => String::new(),
    }
}

fn decode(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Error> {
    let mut environment = Vec::new();
    let mut problems = Vec::new();
    for (name, text) in variables {
        let Ok(mut name) = name.into_string() else { continue };
        if cfg!(windows) {
            // There the names are the same in any case.
            name.make_ascii_uppercase();
        }
        let is_ours = || keys::is_variable(&name) || files::of_file(&name).is_some();
        match text.into_string() {
            Ok(text) => environment.push((name, text)),
            Err(_) if is_ours() || name.starts_with(keys::PREFIX) => {
                problems.push(Problem::at(Place::Variable(name), "not UTF-8: set it anew"));
            }
            Err(_) => {}
        }
    }
    if problems.is_empty() { Ok(environment) } else { Err(Error { problems }) }
}

/// Returns where a path is that begins with `~/`.
fn in_home(path: &Path, home: Option<&Path>) -> Option<PathBuf> {
    path.strip_prefix("~").ok().and_then(|rest| Some(home?.join(rest)))
}

fn home(environment: &[(String, String)]) -> Option<PathBuf> {
    let found = environment.iter().find(|(name, text)| name == home_variable() && !text.is_empty());
    found.map(|(_, text)| PathBuf::from(text))
}

const fn home_variable() -> &'static str {
    if cfg!(windows) { "USERPROFILE" } else { "HOME" }
}

#[cfg(test)]
mod tests;
