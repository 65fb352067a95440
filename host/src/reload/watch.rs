//! Tells when a file that matters may have changed.
//!
//! Watches folders, not files: editors replace a file by renaming another over
//! it, and mounted ConfigMaps swap a link. Says only that something may have
//! changed; what is to be done about it is decided by reading everything again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::Metadata,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use notify::RecursiveMode;
use notify_debouncer_full::{DebounceEventResult, DebouncedEvent, Debouncer, NoCache, new_debouncer_opt};
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
    folders: BTreeMap<PathBuf, (u64, u64)>,
    names: Arc<Mutex<Names>>,
}

/// The names of the files that matter, and of folders that may come to hold one.
type Names = BTreeSet<OsString>;

impl Watch {
    /// Begins to watch `files`, and sends into `changed` when one may have changed.
    pub(super) fn start(files: &[PathBuf], changed: mpsc::Sender<()>) -> Result<Self, notify::Error> {
        let names = Arc::new(Mutex::new(Names::from([CONFIG_MAP_LINK.into()])));
        let relevant_names = Arc::clone(&names);
        let on_events = move |events: DebounceEventResult| {
            // An error means that events were lost: look at everything.
            if events.is_ok_and(|events| !is_relevant(&events, &lock(&relevant_names))) {
                return;
            }
            // Full means that somebody will look anyway.
            let _full = changed.try_send(());
        };
        let debouncer = new_debouncer_opt(QUIET, Some(TICK), on_events, NoCache::new(), notify::Config::default())?;
        let mut watch = Self { debouncer, folders: BTreeMap::new(), names };
        watch.add(files);
        Ok(watch)
    }

    /// Watches these files too, and tells whether a folder is watched anew.
    ///
    /// A folder that is not there yet is left out, to be added when it has come,
    /// of which the folder above tells. One that was replaced by another of the
    /// same name is watched again.
    pub(super) fn add(&mut self, files: &[PathBuf]) -> bool {
        let parents = files.iter().filter_map(|file| file.parent());
        let named = files.iter().map(PathBuf::as_path).chain(parents.clone());
        lock(&self.names).extend(named.filter_map(Path::file_name).map(OsString::from));
        let mut anew = false;
        for folder in parents.filter(|folder| !folder.as_os_str().is_empty()) {
            let Some(now) = identity(folder) else {
                // Its watch, if it had one, is gone with it.
                self.folders.remove(folder);
                continue;
            };
            match self.folders.insert(folder.to_owned(), now) {
                Some(before) if before == now => continue,
                // The watch stayed with the folder that went away.
                Some(_) => drop(self.debouncer.unwatch(folder)),
                None => {}
            }
            anew = true;
            if let Err(error) = self.debouncer.watch(folder, RecursiveMode::NonRecursive) {
                warn(folder, &error);
            }
        }
        anew
    }
}

/// Returns files to watch with what they lead to: a link is watched on both ends, and so
/// is one to a folder above.
pub(super) fn both_ends(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    let above = files.iter().flat_map(|file| file.ancestors().skip(1)).filter(|folder| folder.is_symlink());
    let above: Vec<PathBuf> = above.map(PathBuf::from).collect();
    files.extend(above);
    let targets: Vec<PathBuf> = files.iter().filter_map(|file| file.canonicalize().ok()).collect();
    files.extend(targets);
    files
}

/// Tells one folder from another that has its name later; `None` if there is none.
#[cfg(unix)]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = folder.metadata().ok().filter(Metadata::is_dir)?;
    Some((found.dev(), found.ino()))
}

/// Tells whether a folder is there; elsewhere than on Unix no more is known.
#[cfg(not(unix))]
fn identity(folder: &Path) -> Option<(u64, u64)> {
    folder.metadata().ok().filter(Metadata::is_dir).map(|_| (0, 0))
}

fn is_relevant(events: &[DebouncedEvent], names: &Names) -> bool {
    // Some events were lost.
    if events.iter().any(|event| event.need_rescan()) {
        return true;
    }
    let changes = events.iter().filter(|event| !event.kind.is_access());
    changes.flat_map(|event| &event.paths).any(|path| path.file_name().is_some_and(|name| names.contains(name)))
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    // A set of names is whole at any time.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

fn warn(folder: &Path, error: &notify::Error) {
    tracing::warn!(%error, "failed to watch {}; after a change there, send SIGHUP or run `ollama-router policy reload`", folder.display());
}
