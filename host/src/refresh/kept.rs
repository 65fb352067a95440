//! What a data folder keeps of the list of models and of policies: files, and what is in them.
//!
//! For `cache` and `doctor`, which look and clear. Reads the same files as a start
//! does, but sets nothing aside; never touches failures.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    catalog::Catalog,
    refresh::copy::{self, FREE_MODELS, MODELS},
};

/// The folder of compiled policies, and how its files end; the key beside them is
/// none of them.
const COMPILED: &str = "cache";
const COMPILED_END: &str = "cwasm";

/// The list of models in a folder.
#[derive(Debug)]
pub enum List {
    /// There is none.
    None,
    /// It is there, and cannot be used for this reason.
    Unusable(String),
    /// It is there.
    Whole {
        /// Which upstream it is of.
        source: String,
        /// The models.
        catalog: Catalog,
    },
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Reads the list of models in a folder.
pub fn list(folder: &Path, now: u64) -> List {
    let path = folder.join(MODELS);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return List::None,
        Err(error) => return List::Unusable(format!("cannot be read: {error}")),
    };
    match copy::parse(&text, now) {
        Ok((source, catalog, _)) => List::Whole { source, catalog },
        Err(error) => List::Unusable(format!("is damaged: {error}")),
    }
}

/// Returns the files of the list of models that are there, and damaged ones that
/// were set aside.
pub fn lists(folder: &Path) -> io::Result<Vec<Kept>> {
    let damaged = format!("{MODELS}.corrupt-");
    files(folder, |name| name == MODELS || name == FREE_MODELS || name.starts_with(&damaged))
}

/// Returns the compiled policies that are there.
pub fn compiled(folder: &Path) -> io::Result<Vec<Kept>> {
    files(&folder.join(COMPILED), |name| Path::new(name).extension().is_some_and(|end| end == COMPILED_END))
}

/// Returns the files of a folder with such names, in their order; none if there is no such folder.
fn files(folder: &Path, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            kept.push(Kept { path: entry.path(), bytes: entry.metadata()?.len() });
        }
    }
    kept.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(kept)
}
