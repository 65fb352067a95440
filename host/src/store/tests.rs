//! The failure store by behaviour: through files, threads and reopening.
//!
//! Faults are made with files and with a second connection, never with stand-ins
//! for our own types. What `SQLite` itself promises is not tested again. What a
//! killed process leaves is in `tests/e2e/crash.rs`.

#![expect(clippy::unwrap_used, reason = "tests")]

mod damage;
mod kept;
mod refusal;
mod unusable;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

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
