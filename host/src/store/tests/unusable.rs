//! Files that are left alone: memory only, with a warning that says what to do.

use super::*;

#[test]
fn a_newer_version_is_left_alone_and_both_versions_named() {
    let folder = Folder::new();
    assert!(folder.open_well().store.close(LIMIT));
    folder.sql().execute_batch("PRAGMA user_version = 7").unwrap();
    let before = fs::read(folder.db()).unwrap();
    let opened = folder.open();
    assert!(opened.store.queue.is_none());
    assert_eq!(
        opened.warnings,
        [format!(
            "failures and cooldowns are kept in memory only, and a restart forgets them: {} has schema version 7, \
             this program knows {} and older; run the newer program, or move the file away",
            folder.db().display(),
            schema::VERSION
        )]
    );
    assert_eq!(fs::read(folder.db()).unwrap(), before);
}

#[test]
fn a_path_that_cannot_be_a_file_means_memory_only() {
    let folder = Folder::new();
    fs::create_dir(folder.db()).unwrap();
    fs::write(folder.0.path().join("taken"), b"").unwrap();
    let below_a_file = folder.0.path().join("taken").join("failures.db");
    for (path, said) in [(folder.db(), "is not a file; remove it"), (below_a_file, "make it and its folder writable")] {
        let opened = Store::open(&path);
        assert!(opened.store.queue.is_none());
        assert_eq!(opened.warnings.len(), 1);
        assert!(opened.warnings[0].contains(said), "{:?}", opened.warnings);
        opened.store.record_success(&model("v/a"), &healthy());
        flush(&opened.store);
        assert!(opened.store.close(LIMIT));
    }
    assert_eq!(folder.aside(), Vec::<String>::new());
}

#[test]
fn a_locked_database_means_memory_only() {
    let folder = Folder::new();
    assert!(folder.open_well().store.close(LIMIT));
    let lock = folder.sql();
    lock.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    let opened = folder.open();
    assert!(opened.store.queue.is_none());
    assert!(opened.warnings[0].contains("stop the other program that has it open"), "{:?}", opened.warnings);
}

#[test]
fn a_folder_that_is_missing_is_made() {
    let folder = Folder::new();
    let opened = Store::open(&folder.0.path().join("a").join("b").join("failures.db"));
    assert_eq!((opened.warnings, opened.store.queue.is_some()), (Vec::new(), true));
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &healthy());
    flush(&store);
    for entry in fs::read_dir(folder.0.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
    }
}

/// Permissions mean nothing to root, as which containers run; this folder takes
/// no file from anybody.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_means_memory_only() {
    let opened = Store::open(std::path::Path::new("/proc/self/failures.db"));
    assert!(opened.store.queue.is_none());
    assert!(opened.warnings[0].contains("make it and its folder writable"), "{:?}", opened.warnings);
}

#[test]
fn a_file_that_nobody_may_write_is_left_alone() {
    let folder = Folder::new();
    assert!(folder.open_well().store.close(LIMIT));
    // As a file system without room for a log or a journal: both names are taken.
    for name in ["failures.db-wal", "failures.db-journal"] {
        fs::create_dir(folder.0.path().join(name)).unwrap();
    }
    let before = fs::read(folder.db()).unwrap();
    let opened = folder.open();
    assert!(opened.store.queue.is_none(), "{:?}", opened.warnings);
    assert_eq!((opened.warnings.len(), folder.aside()), (1, Vec::new()));
    assert_eq!(fs::read(folder.db()).unwrap(), before);
}
