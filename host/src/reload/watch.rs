//! Tells when a file that matters may have changed.
//!
//! Watches folders, not files: editors replace a file by renaming another over
//! it, and mounted ConfigMaps swap a link. Says only that something may have
//! changed; what is to be done about it is decided by reading everything again.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, Debouncer, NoCache, new_debouncer_opt};
use tokio::sync::mpsc;

/// A file has to be quiet for this long: an editor's save is over by then.
const QUIET: Duration = Duration::from_millis(40);

/// How often the quiet is looked for.
const TICK: Duration = Duration::from_millis(10);

/// The link that a ConfigMap swaps.
const CONFIG_MAP_LINK: &str = "..data";

/// Watches the folders of some files for as long as it lives.
pub(super) struct Watch {
    debouncer: Debouncer<notify::RecommendedWatcher, NoCache>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    /// Begins to watch `files`, and sends into `changed` when one may have changed.
    ///
    /// A folder that is not there is left out: see [`Watch::add`].
    pub(super) fn start(files: &[PathBuf], changed: mpsc::Sender<()>) -> Result<Self, notify::Error> {
        let mut names: BTreeSet<OsString> =
            files.iter().filter_map(|file| file.file_name()).map(OsString::from).collect();
        // A folder that appears may hold one of the files.
        names.extend(files.iter().filter_map(|file| file.parent()?.file_name()).map(OsString::from));
        names.insert(CONFIG_MAP_LINK.into());
        let on_events = move |events: DebounceEventResult| {
            let relevant = match &events {
                Ok(events) => events
                    .iter()
                    .filter(|event| !event.kind.is_access())
                    .flat_map(|event| &event.paths)
                    .any(|path| path.file_name().is_some_and(|name| names.contains(name))),
                // Events were lost: look at everything.
                Err(_) => true,
            };
            if relevant {
                // Full means that somebody will look anyway.
                let _full = changed.try_send(());
            }
        };
        let debouncer = new_debouncer_opt(QUIET, Some(TICK), on_events, NoCache::new(), notify::Config::default())?;
        let mut watch = Self { debouncer, folders: BTreeSet::new() };
        watch.add(files);
        Ok(watch)
    }

    /// Watches the folders of these files too, as far as they are there now.
    pub(super) fn add(&mut self, files: &[PathBuf]) {
        for folder in files.iter().filter_map(|file| file.parent()).filter(|folder| !folder.as_os_str().is_empty()) {
            let known = self.folders.contains(folder);
            if !known && folder.is_dir() {
                match self.debouncer.watch(folder, RecursiveMode::NonRecursive) {
                    Ok(()) => drop(self.folders.insert(folder.to_owned())),
                    Err(error) => warn(folder, &error),
                }
            }
        }
    }
}

fn warn(folder: &Path, error: &notify::Error) {
    tracing::warn!(%error, "failed to watch {}; after a change there, run `ollama-router policy reload`", folder.display());
}
