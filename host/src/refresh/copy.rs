//! The last good catalogue on disk, for a start without the network.
//!
//! `models.json` holds what OpenRouter sent, both its list of models and that of
//! embedding models, with where it came from and when;
//! `free-models` holds the ids of the free chat models, one a line, as the
//! ancestor of this program wrote them. A copy that cannot be read is set aside
//! and never stops a start.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    catalog::{Catalog, Model, Traits, change::Change},
    openrouter::models,
};

/// The files' names.
pub(super) const MODELS: &str = "models.json";
pub(super) const FREE_MODELS: &str = "free-models";

/// Ids of models that were served once and are not any more; more are not kept.
const MAX_FORMERLY: usize = 5_000;

/// The copy in a data folder.
pub(super) struct Copy {
    folder: PathBuf,
    /// Where the catalogue comes from; a copy from elsewhere is not used.
    source: String,
}

#[derive(Deserialize)]
struct Saved<'a> {
    source: String,
    fetched: u64,
    #[serde(default)]
    formerly: BTreeSet<String>,
    #[serde(default)]
    changed: Option<Change>,
    #[serde(borrow)]
    models: &'a RawValue,
    #[serde(borrow, default)]
    embeddings: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Saving<'a> {
    source: &'a str,
    fetched: u64,
    formerly: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<&'a Change>,
    models: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<&'a RawValue>,
}

impl Copy {
    /// Names the copy of `source` in a folder.
    pub(super) fn new(folder: &Path, source: &str) -> Self {
        Self { folder: folder.to_owned(), source: source.to_owned() }
    }

    /// Returns where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads the copy, and the list of embedding models in it as it came; `None`
    /// if there is none, or none of this source.
    pub(super) fn read(&self, now: u64) -> Option<(Catalog, Option<Bytes>)> {
        let path = self.folder.join(MODELS);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                let path = path.display();
                tracing::warn!(%error, "failed to read {path}, the list of models is fetched anew; `chmod u+rw {path}`, or remove it");
                return None;
            }
        };
        match parse(&text, now) {
            Ok((source, catalog, embeddings)) => (source == self.source).then_some((catalog, embeddings)),
            Err(error) => {
                self.set_aside(&path, now, &error);
                None
            }
        }
    }

    /// Writes a catalogue as it came, and the list of its free models.
    pub(super) fn write(&self, body: &[u8], embeddings: Option<&[u8]>, catalog: &Catalog) -> io::Result<()> {
        let saving = Saving {
            source: &self.source,
            fetched: catalog.fetched(),
            formerly: catalog.formerly(),
            changed: catalog.changed().map(|change| &**change),
            models: serde_json::from_slice(body)?,
            embeddings: embeddings.map(serde_json::from_slice).transpose()?,
        };
        fs::create_dir_all(&self.folder)?;
        replace(&self.folder.join(MODELS), &serde_json::to_vec(&saving)?)?;
        replace(&self.folder.join(FREE_MODELS), free_models(catalog).as_bytes())
    }

    fn set_aside(&self, path: &Path, now: u64, error: &str) {
        let aside = self.folder.join(format!("{MODELS}.corrupt-{now}"));
        match fs::rename(path, &aside) {
            Ok(()) => {
                tracing::warn!(error, "{} cannot be used and was set aside as {}", path.display(), aside.display());
            }
            Err(rename) => tracing::warn!(error, %rename, "{} can neither be used nor set aside", path.display()),
        }
    }
}

/// Returns all ids that were ever served, up to a catalogue; [`Catalog::new`]
/// takes out those that the next one still has.
pub(super) fn formerly(old: &Catalog) -> BTreeSet<String> {
    let gone = old.formerly().iter().cloned();
    old.models().iter().map(|model| model.id.to_string()).chain(gone).take(MAX_FORMERLY).collect()
}

/// Reads a catalogue from a file that somebody names: a copy as it is kept here, or
/// what OpenRouter's `/models` answers, which is then taken as fetched `now`.
///
/// Models are those that were served when it was fetched, however long ago.
pub fn catalog_of(text: &[u8], now: u64) -> Result<Catalog, String> {
    if let Ok((_, catalog, _)) = parse(text, 0) {
        return Ok(catalog.without_over(catalog.fetched()));
    }
    let found = models::parse(text, now).map_err(|error| error.to_string())?.models;
    if found.is_empty() {
        return Err("it holds no model".to_owned());
    }
    Ok(Catalog::new(found, BTreeSet::new(), now))
}

pub(super) fn parse(text: &[u8], now: u64) -> Result<(String, Catalog, Option<Bytes>), String> {
    let saved: Saved<'_> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let read = |list: &RawValue| models::parse(list.get().as_bytes(), now).map_err(|error| error.to_string());
    let mut found = read(saved.models)?.models;
    if found.is_empty() {
        return Err("it holds no model".to_owned());
    }
    if let Some(list) = saved.embeddings {
        found.extend(read(list)?.models);
    }
    let embeddings = saved.embeddings.map(|list| Bytes::copy_from_slice(list.get().as_bytes()));
    let catalog = Catalog::new(found, saved.formerly, saved.fetched).with_change(saved.changed.map(Arc::new));
    Ok((saved.source, catalog, embeddings))
}

fn free_models(catalog: &Catalog) -> String {
    let mut free: Vec<&Model> =
        catalog.models().iter().filter(|model| model.traits.contains(Traits::FREE | Traits::CHAT)).collect();
    free.sort_by_key(|model| std::cmp::Reverse(model.context_tokens));
    free.iter().flat_map(|model| [model.id.as_str(), "\n"]).collect()
}

/// Writes beside and renames, so that a reader never meets half a file.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension(format!("partial-{}", std::process::id()));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&partial, path)).inspect_err(|_| {
        // On a full disk every byte counts; what cannot be removed is overwritten some day.
        fs::remove_file(&partial).ok();
    })
}
