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

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

/// A file has to be quiet for this long: an editor's save is over by then.
const QUIET: Duration = Duration::from_millis(40);

/// A file that is never quiet is looked at after this time all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// The link that a ConfigMap swaps.
const CONFIG_MAP_LINK: &str = "..data";

/// Watches the folders of some files for as long as it lives.
pub(super) struct Watch {
    watcher: RecommendedWatcher,
    folders: BTreeMap<PathBuf, (u64, u64)>,
    names: Arc<Mutex<Names>>,
}

/// The names of the files that matter, and of folders that may come to hold one.
type Names = BTreeSet<OsString>;

/// Tells of changes, once the files are quiet.
pub(super) struct Changes {
    seen: mpsc::Receiver<()>,
    /// Since when they are not, and until when they have to be; none while they are.
    unrest: Option<(Instant, Instant)>,
}

/// Returns what a watch says that it has seen, and what is heard of it.
pub(super) fn changes() -> (mpsc::Sender<()>, Changes) {
    let (saw, seen) = mpsc::channel(1);
    (saw, Changes { seen, unrest: None })
}

impl Changes {
    /// Waits until something may have changed, and nothing changes any more; `None` if
    /// nobody watches.
    ///
    /// Who stops waiting loses nothing: it is told at the next call.
    pub(super) async fn come(&mut self) -> Option<()> {
        if self.unrest.is_none() {
            self.seen.recv().await?;
            let now = Instant::now();
            self.unrest = Some((now, now + QUIET));
        }
        while let Some((since, quiet)) = &mut self.unrest {
            match timeout_at((*quiet).min(*since + PATIENCE), self.seen.recv()).await {
                Ok(Some(())) => *quiet = Instant::now() + QUIET,
                Ok(None) | Err(_) => self.unrest = None,
            }
        }
        Some(())
    }
}

impl Watch {
    /// Begins to watch `files`, and sends into `changed` when one may have changed.
    pub(super) fn start(files: &[PathBuf], changed: mpsc::Sender<()>) -> Result<Self, notify::Error> {
        let names = Arc::new(Mutex::new(Names::from([CONFIG_MAP_LINK.into()])));
        let relevant_names = Arc::clone(&names);
        let on_event = move |event: notify::Result<Event>| {
            // An error means that events were lost: look at everything.
            if event.is_ok_and(|event| !is_relevant(&event, &lock(&relevant_names))) {
                return;
            }
            // Full means that somebody will look anyway.
            let _full = changed.try_send(());
        };
        let watcher = notify::recommended_watcher(on_event)?;
        let mut watch = Self { watcher, folders: BTreeMap::new(), names };
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
                Some(_) => drop(self.watcher.unwatch(folder)),
                None => {}
            }
            anew = true;
            if let Err(error) = self.watcher.watch(folder, RecursiveMode::NonRecursive) {
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

fn is_relevant(event: &Event, names: &Names) -> bool {
    let is_named = |path: &PathBuf| path.file_name().is_some_and(|name| names.contains(name));
    // Some events were lost, if it has to be looked at anew.
    event.need_rescan() || (!event.kind.is_access() && event.paths.iter().any(is_named))
}

fn lock(names: &Mutex<Names>) -> MutexGuard<'_, Names> {
    // A set of names is whole at any time.
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

fn warn(folder: &Path, error: &notify::Error) {
    tracing::warn!(%error, "failed to watch {}; after a change there, send SIGHUP or run `ollama-router policy reload`", folder.display());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn several_changes_are_one_once_it_is_quiet() {
        let (saw, mut changes) = changes();
        let began = Instant::now();
        for _ in 0..3 {
            saw.try_send(()).unwrap();
            // Who stops waiting is told at the next call.
            assert!(timeout_at(Instant::now() + QUIET / 2, changes.come()).await.is_err());
        }
        assert_eq!(changes.come().await, Some(()));
        assert_eq!(began.elapsed(), QUIET * 2);
        drop(saw);
        assert_eq!(changes.come().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_quiet_is_told_all_the_same() {
        let (saw, mut changes) = changes();
        let began = Instant::now();
        let come = changes.come();
        tokio::pin!(come);
        saw.try_send(()).unwrap();
        while timeout_at(Instant::now() + QUIET / 2, &mut come).await.is_err() {
            saw.try_send(()).ok();
        }
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
