//! What is wrong with the settings: each problem with its place, its key and its message.
//!
//! Apart until they are printed, so that nobody has to cut a finished sentence up again. It
//! must not read anything, and no message that is given to it holds a secret.

use std::fmt;
use std::path::{Path, PathBuf};

use super::yaml::Fault;

/// Tells why settings cannot be used; prints one problem a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(problems))]
pub struct Error {
    /// All problems; never empty.
    pub problems: Vec<Problem>,
}

/// Tells of one thing that is wrong; prints as `place: key: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What a person would change; none if there is no such place.
    pub place: Option<Place>,
    /// The dotted key; none if it is about no single one.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Says where a setting was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line and the column, from 1; none if the file as a whole is meant.
        position: Option<(usize, usize)>,
    },
    /// A variable of the environment, by its name.
    Variable(String),
    /// A flag, by its long name with its dashes.
    Flag(String),
}

impl Problem {
    /// Makes a problem that has no place.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { place: None, key: None, message: message.into() }
    }

    /// Makes a problem of a place, about no single key.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), ..Self::new(message) }
    }

    /// Returns the same, told of a key.
    pub(super) fn of(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Tells whether it has a line in this file.
    pub fn is_within(&self, file: &Path) -> bool {
        matches!(&self.place, Some(Place::File { path, position: Some(_) }) if path == file)
    }
}

impl Place {
    /// Returns a file as a whole.
    pub(super) fn file(path: &Path) -> Self {
        Self::File { path: path.to_owned(), position: None }
    }

    /// Returns where in a file a fault is.
    pub(super) fn of_fault(path: &Path, fault: &Fault) -> Self {
        Self::File { path: path.to_owned(), position: fault.place }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(formatter, "{place}: ")?;
        }
        if let Some(key) = &self.key {
            write!(formatter, "{key}: ")?;
        }
        formatter.write_str(&self.message)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, position: None } => write!(formatter, "{}", path.display()),
            Self::File { path, position: Some((line, column)) } => {
                write!(formatter, "{}:{line}:{column}", path.display())
            }
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::Flag(flag) => formatter.write_str(flag),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
