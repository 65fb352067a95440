//! Files that are damaged, or no file of ours: set aside, and a new one begun.

use super::*;

#[test]
fn random_bytes_are_set_aside_with_their_log() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..9000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    fs::write(folder.db(), &bytes).unwrap();
    fs::write(folder.0.path().join("failures.db-wal"), b"old log").unwrap();
    let opened = folder.open();
    let aside = folder.aside();
    let [file, log] = aside.as_slice() else { panic!("a file and its log, not {aside:?}") };
    assert_eq!(*log, format!("{file}-wal"));
    assert_eq!(fs::read(folder.0.path().join(file)).unwrap(), bytes);
    assert_eq!(
        opened.warnings,
        [format!(
            "{} is damaged (no SQLite header); it is now {}, and a new one was begun",
            folder.db().display(),
            folder.0.path().join(file).display()
        )]
    );
    opened.store.record_success(&model("v/a"), &healthy());
    assert!(opened.store.close(LIMIT));
    assert_eq!(folder.open_well().healths.len(), 1);
}

#[test]
fn a_database_cut_short_is_set_aside() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    for n in 0..500 {
        store.record_failure(&model(&format!("v/{n}")), &failure(), NOW, &resting());
    }
    assert!(store.close(LIMIT));
    let length = fs::metadata(folder.db()).unwrap().len();
    for cut in [length - 4096, length / 2, 4096, 1000, 60] {
        fs::OpenOptions::new().write(true).open(folder.db()).unwrap().set_len(cut).unwrap();
        let opened = folder.open();
        assert_eq!((opened.healths.len(), opened.warnings.len()), (0, 1), "cut to {cut}");
        let aside = folder.0.path().join(folder.aside().last().unwrap());
        assert_eq!(fs::metadata(&aside).unwrap().len(), cut);
        assert!(opened.store.close(LIMIT));
        fs::rename(aside, folder.db()).unwrap();
    }
}

#[test]
fn damage_and_a_missing_table_are_found_on_opening() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    for n in 0..500 {
        store.record_failure(&model(&format!("v/{n}")), &failure(), NOW, &resting());
    }
    assert!(store.close(LIMIT));
    let mut bytes = fs::read(folder.db()).unwrap();
    let last_page = bytes.len() - 4096;
    bytes[last_page..].fill(0xff);
    fs::write(folder.db(), bytes).unwrap();
    let opened = folder.open();
    assert_eq!((folder.aside().len(), opened.warnings.len()), (1, 1));
    assert!(opened.store.close(LIMIT));
    folder.sql().execute_batch("DROP TABLE account").unwrap();
    let opened = folder.open();
    assert_eq!((folder.aside().len(), opened.warnings.len()), (2, 1));
    assert!(opened.store.close(LIMIT));
    // A wrong count of free pages, which no query of ours would come upon.
    let mut bytes = fs::read(folder.db()).unwrap();
    bytes[36..40].copy_from_slice(&5_u32.to_be_bytes());
    fs::write(folder.db(), bytes).unwrap();
    let opened = folder.open();
    assert_eq!((folder.aside().len(), opened.warnings.len()), (3, 1));
}

#[test]
fn a_database_of_another_program_is_set_aside_unchanged() {
    let folder = Folder::new();
    folder.sql().execute_batch("CREATE TABLE failures (model_name TEXT); PRAGMA user_version = 1").unwrap();
    let before = fs::read(folder.db()).unwrap();
    let opened = folder.open();
    let aside = folder.aside();
    assert_eq!(fs::read(folder.0.path().join(&aside[0])).unwrap(), before);
    assert!(opened.warnings[0].contains("is a database of another program"), "{:?}", opened.warnings);
    assert!(opened.store.queue.is_some());
}

#[test]
fn a_page_in_the_middle_that_is_torn_is_found_on_opening() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    for n in 0..2000 {
        store.record_failure(&model(&format!("v/{n}")), &failure(), NOW, &resting());
    }
    assert!(store.close(LIMIT));
    let sound = fs::read(folder.db()).unwrap();
    for page in [1, sound.len() / 4096 / 2, sound.len() / 4096 - 2] {
        let mut torn = sound.clone();
        torn[page * 4096..page * 4096 + 600].fill(0x5a);
        fs::write(folder.db(), &torn).unwrap();
        let opened = folder.open();
        assert_eq!((opened.healths.len(), opened.warnings.len()), (0, 1), "page {page}");
        assert!(opened.warnings[0].contains("is damaged"), "{:?}", opened.warnings);
        assert!(opened.store.close(LIMIT));
        fs::remove_file(folder.0.path().join(folder.aside().remove(0))).unwrap();
    }
}

#[test]
fn a_file_without_a_byte_is_a_new_one() {
    let folder = Folder::new();
    fs::write(folder.db(), b"").unwrap();
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &healthy());
    assert!(store.close(LIMIT));
    assert_eq!(folder.open_well().healths.len(), 1);
    assert_eq!(folder.aside(), Vec::<String>::new());
}

#[test]
fn a_log_of_nonsense_does_not_spoil_a_sound_file() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &healthy());
    assert!(store.close(LIMIT));
    let junk: Vec<u8> = (0..20_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let begun = [0x37, 0x7f, 0x06, 0x82].into_iter().chain(junk.clone()).collect();
    for log in [junk, begun, b"x".to_vec(), Vec::new()] {
        fs::write(folder.0.path().join("failures.db-wal"), &log).unwrap();
        let opened = folder.open_well();
        assert_eq!(opened.healths, HashMap::from([(model("v/a"), healthy())]), "a log of {} bytes", log.len());
        assert!(opened.store.close(LIMIT));
    }
}
