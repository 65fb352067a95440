//! The failure store by behaviour: through files, threads and reopening.
//!
//! Faults are made with files and with a second connection, never with stand-ins
//! for our own types. What `SQLite` itself promises is not tested again.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{fs, path::PathBuf, sync::Mutex};

use tempfile::TempDir;
use tokio::sync::oneshot::error::TryRecvError;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::routing::{health::LastFailure, lessons::Lessons, tally::Tally};

const NOW: u64 = 1_800_000_000_123;
const LIMIT: Duration = Duration::from_mins(1);

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn db(&self) -> PathBuf {
        self.0.path().join("failures.db")
    }

    fn open(&self) -> Opened {
        Store::open(&self.db())
    }

    fn open_well(&self) -> Opened {
        let opened = self.open();
        assert_eq!(opened.warnings, Vec::<String>::new());
        opened
    }

    fn sql(&self) -> Connection {
        let connection = Connection::open(self.db()).unwrap();
        connection.busy_timeout(LIMIT).unwrap();
        connection
    }

    fn count(&self, table: &str) -> usize {
        let query = format!("SELECT count(*) FROM {table}");
        self.sql().query_row(&query, [], |row| row.get::<_, isize>(0)).unwrap().unsigned_abs()
    }

    /// The names in the folder that were set aside.
    fn aside(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name.starts_with("failures.db.corrupt-"));
        names.sort();
        names
    }
}

fn model(id: &str) -> ModelId {
    ModelId::parse(id).unwrap()
}

fn failure() -> Failure {
    Failure {
        kind: FailureKind::RateLimitedModel,
        status: 429,
        message: "try later".to_owned(),
        retry_after: Some(Duration::from_millis(7500)),
    }
}

fn resting() -> Health {
    let mut health = Health::default();
    health.in_a_row = 3;
    health.rests_until = Some(NOW + 60_000);
    health.last_failure =
        Some(LastFailure { at: NOW, kind: FailureKind::RateLimitedModel, message: "try later".to_owned() });
    health.last_success = Some(NOW - 5);
    health.first_token_ms = 120.5;
    health.tokens_per_second = 31.25;
    health.lessons = Lessons::parse("no-tools;9;1800000000000;0000002a");
    health.tally = Tally::parse("answers=5 bad-calls=1 rate-limited-model=3");
    health
}

fn healthy() -> Health {
    let mut health = Health::default();
    health.last_success = Some(NOW);
    health.first_token_ms = 80.0;
    health
}

fn flush(store: &Store) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, store.flush()).await }).unwrap();
}

/// Fails every failure that is written until the trigger is dropped.
const REFUSE: &str = "CREATE TRIGGER refuse BEFORE INSERT ON failures BEGIN SELECT raise(FAIL, 'no'); END";

#[test]
fn what_was_recorded_is_there_after_reopening() {
    let folder = Folder::new();
    let (a, b) = (model("v/a:free"), model("v/b:free"));
    let block = AccountBlock { until_ms: NOW + 1, kind: FailureKind::RateLimitedDay };
    let Opened { store, healths, account, .. } = folder.open_well();
    assert_eq!((healths, account), (HashMap::new(), None));
    let mut busy = resting();
    busy.in_flight = 4;
    store.record_failure(&a, &failure(), NOW, &busy);
    store.record_success(&b, &resting());
    store.record_success(&b, &healthy());
    store.record_account(Some(block));
    assert!(store.close(LIMIT));

    let Opened { store, healths, account, .. } = folder.open_well();
    assert_eq!(healths, HashMap::from([(a, resting()), (b, healthy())]));
    assert_eq!(account, Some(block));
    store.record_account(None);
    drop(store);
    // The last clone is gone: the thread writes what is left, then lets go of the file.
    while folder.count("account") > 0 {
        thread::yield_now();
    }
}

#[test]
fn a_person_reads_iso_times_in_the_view() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_failure(&model("v/a:free"), &failure(), NOW, &resting());
    store.record_failure(&model("v/b"), &Failure::new(FailureKind::Connect, "refused"), NOW + 877, &healthy());
    flush(&store);
    let sql = folder.sql();
    let mut statement = sql.prepare("SELECT * FROM recent_failures").unwrap();
    let rows = statement
        .query_map([], |row| {
            Ok(format!(
                "{} {} {} {:?} {} {:?}",
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<u16>>(3)?,
                row.get::<_, String>(4)?,
                row.get::<_, Option<f64>>(5)?
            ))
        })
        .unwrap();
    assert_eq!(
        rows.map(Result::unwrap).collect::<Vec<_>>(),
        [
            "2027-01-15T08:00:01.000Z v/b connect None refused None",
            "2027-01-15T08:00:00.123Z v/a:free rate-limited-model Some(429) try later Some(7.5)",
        ]
    );
}

#[test]
fn senseless_figures_are_kept_within_bounds() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    let mut odd = Health::default();
    odd.rests_until = Some(u64::MAX);
    odd.first_token_ms = f32::NAN;
    odd.tokens_per_second = f32::INFINITY;
    let failure = Failure { retry_after: Some(Duration::MAX), ..failure() };
    store.record_failure(&model("v/a"), &failure, u64::MAX, &odd);
    assert!(store.close(LIMIT));
    let mut kept = Health::default();
    kept.rests_until = Some(i64::MAX.unsigned_abs());
    assert_eq!(folder.open_well().healths, HashMap::from([(model("v/a"), kept)]));
}

#[test]
fn a_kind_of_another_version_leaves_the_rest_of_the_row() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &resting());
    store.record_account(Some(AccountBlock { until_ms: NOW, kind: FailureKind::RateLimitedDay }));
    assert!(store.close(LIMIT));
    folder.sql().execute_batch("UPDATE models SET last_failure_kind = 'x'; UPDATE account SET kind = 'x'").unwrap();
    let opened = folder.open_well();
    let mut kept = resting();
    kept.last_failure = None;
    assert_eq!(opened.healths, HashMap::from([(model("v/a"), kept)]));
    assert_eq!(opened.account, None);
}

#[test]
fn forgetting_a_model_or_all_keeps_what_comes_after_it() {
    let folder = Folder::new();
    let (a, b) = (model("v/a"), model("v/b"));
    let store = folder.open_well().store;
    store.record_failure(&a, &failure(), NOW, &resting());
    store.record_failure(&b, &failure(), NOW, &resting());
    store.forget(Some(&a));
    flush(&store);
    assert_eq!((folder.count("failures"), folder.count("models")), (1, 1));
    store.forget(None);
    store.record_success(&a, &healthy());
    assert!(store.close(LIMIT));
    assert_eq!(folder.count("failures"), 0);
    assert_eq!(folder.open_well().healths, HashMap::from([(a, healthy())]));
}

#[test]
fn ten_thousand_failures_from_eight_threads_are_all_there_after_a_flush() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    thread::scope(|scope| {
        for thread in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0..1250 {
                    store.record_failure(&model(&format!("v/{thread}")), &failure(), NOW + n, &resting());
                    // Eight times this many fit into the queue.
                    if n % 500 == 499 {
                        flush(&store);
                    }
                }
            });
        }
    });
    flush(&store);
    assert_eq!(store.dropped(), 0);
    assert_eq!((folder.count("failures"), folder.count("models")), (10_000, 8));
}

#[test]
fn only_the_newest_failures_and_models_are_kept() {
    let folder = Folder::new();
    drop(folder.open_well());
    folder
        .sql()
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
             INSERT INTO failures (model, kind, message, at_ms) SELECT 'v/' || i, 'empty', '', i FROM n;
             INSERT INTO models (model, failures_in_a_row, last_success_at_ms, first_token_ms, tokens_per_second)
                SELECT model, 0, at_ms, 0, 0 FROM failures",
        )
        .unwrap();
    let opened = folder.open_well();
    let oldest = |table: &str| -> String {
        let column = if table == "failures" { "at_ms" } else { "last_success_at_ms" };
        let query = format!("SELECT model FROM {table} ORDER BY {column} LIMIT 1");
        folder.sql().query_row(&query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!((folder.count("failures"), oldest("failures")), (10_000, "v/2001".to_owned()));
    assert_eq!((folder.count("models"), oldest("models")), (4_000, "v/8001".to_owned()));
    for _ in 0..1000 {
        opened.store.record_failure(&model("v/new"), &failure(), NOW, &resting());
    }
    flush(&opened.store);
    assert_eq!((folder.count("failures"), oldest("failures")), (10_000, "v/3001".to_owned()));
}

#[test]
fn a_full_queue_drops_and_counts_without_waiting() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    let lock = folder.sql();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..10_000 {
        store.record_failure(&model("v/a"), &failure(), n, &resting());
    }
    assert_eq!(store.dropped(), 10_000 - QUEUE_RECORDS as u64);
    lock.execute_batch("COMMIT").unwrap();
    flush(&store);
    assert_eq!(folder.count("failures"), QUEUE_RECORDS);
    store.record_failure(&model("v/a"), &failure(), NOW, &resting());
    flush(&store);
    assert_eq!(folder.count("failures"), QUEUE_RECORDS + 1);
}

#[test]
fn what_a_killed_process_left_in_the_log_is_read() {
    let (folder, copy) = (Folder::new(), Folder::new());
    let store = folder.open_well().store;
    store.record_success(&model("v/a"), &resting());
    flush(&store);
    for name in ["failures.db", "failures.db-wal", "failures.db-shm"] {
        fs::copy(folder.0.path().join(name), copy.0.path().join(name)).unwrap();
    }
    assert_eq!(copy.open_well().healths, HashMap::from([(model("v/a"), resting())]));
}

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
fn a_database_of_an_older_version_is_brought_up_to_date_and_keeps_what_it_knows() {
    let folder = Folder::new();
    let Opened { store, .. } = folder.open_well();
    store.record_success(&model("v/a:free"), &resting());
    assert!(store.close(LIMIT));
    folder
        .sql()
        .execute_batch(
            "ALTER TABLE models DROP COLUMN learned; ALTER TABLE models DROP COLUMN counts; PRAGMA user_version = 1",
        )
        .unwrap();
    let mut known = resting();
    known.lessons = Lessons::default();
    known.tally = Tally::default();
    assert_eq!(folder.open_well().healths, HashMap::from([(model("v/a:free"), known)]));
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

#[test]
fn a_refusing_disk_keeps_the_records_and_is_told_once() {
    let folder = Folder::new();
    let loaded = file::open(&folder.db()).unwrap();
    let (sender, receiver) = mpsc::channel();
    let counts = Arc::new(Counts { waiting: AtomicUsize::new(1), dropped: AtomicU64::new(3) });
    let mut writer = Writer::new(folder.db(), loaded.connection, receiver, Arc::clone(&counts));
    folder.sql().execute_batch(REFUSE).unwrap();
    let record = Record::Failure { model: model("v/a"), failure: failure(), at_ms: NOW, health: resting() };
    sender.send(Message::Record(Box::new(record))).unwrap();
    let (log, mut waiters) = (Log::default(), Vec::new());
    tracing::subscriber::with_default(log.subscriber(), || {
        for turn in 0..4 {
            if turn == 2 {
                folder.sql().execute_batch("DROP TRIGGER refuse").unwrap();
            }
            let (done, waiter) = oneshot::channel();
            sender.send(Message::Flush(done)).unwrap();
            writer.turn();
            waiters.push(waiter);
            waiters.retain_mut(|waiter| matches!(waiter.try_recv(), Err(TryRecvError::Empty)));
            assert_eq!(waiters.len(), [1, 2, 0, 0][turn]);
        }
    });
    assert_eq!(counts.waiting.load(Ordering::Relaxed), 0);
    assert_eq!((folder.count("failures"), folder.count("models")), (1, 1));
    let path = folder.db().display().to_string();
    assert_eq!(
        log.lines(),
        [
            format!(
                " WARN failures and cooldowns cannot be written; trying on, requests are not affected; check its \
                 disk, or set `store.url` to another path store.path={path} error=no"
            ),
            " WARN more failures and cooldowns came than could be written; a restart forgets these dropped=3 \
             dropped_in_all=3"
                .to_owned(),
            format!(" INFO failures and cooldowns are written again store.path={path} records=1"),
        ]
    );
}

#[test]
fn closing_in_vain_tells_what_was_lost_and_ends() {
    let folder = Folder::new();
    let store = folder.open_well().store;
    folder.sql().execute_batch(REFUSE).unwrap();
    store.record_failure(&model("v/a"), &failure(), NOW, &resting());
    let clone = store.clone();
    assert!(!store.close(LIMIT));
    clone.record_success(&model("v/a"), &healthy());
    flush(&clone);
    assert_eq!((clone.dropped(), folder.count("failures")), (1, 0));
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + 'static {
        tracing_subscriber::fmt().with_writer(self.clone()).with_ansi(false).without_time().with_target(false).finish()
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
