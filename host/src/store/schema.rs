//! The tables of the failure store, and the SQL on them.
//!
//! The names carry units, so that a person with the `sqlite3` tool can read the
//! file; times are milliseconds since 1970, and the view `recent_failures` shows
//! them in ISO form. A change of a table is a new entry of [`MIGRATIONS`], never
//! an edit of an old one. Knows neither files nor threads.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};

use crate::{
    catalog::ModelId,
    routing::{
        Failure, FailureKind,
        health::{Health, LastFailure},
        lessons::Lessons,
        tally::Tally,
    },
    store::AccountBlock,
};

/// Marks a database as ours: "orfs", for ollama-router failure store.
///
/// <https://www.sqlite.org/pragma.html#pragma_application_id>
pub(super) const APPLICATION_ID: i32 = 0x6f72_6673;

/// Failures kept, the newest: weeks of a bad time in a few megabytes.
pub(super) const FAILURES_KEPT: u32 = 10_000;

/// Models remembered, those heard of last: ten times the catalogue, which has
/// some four hundred and changes every week.
const MODELS_KEPT: u32 = 4_000;

/// Steps from an empty database to the present one; a database that went
/// through the first `n` has version `n`.
///
/// Not `STRICT`, which the `sqlite3` tools before 3.37 cannot read.
const MIGRATIONS: [&str; 3] = [
    "
    CREATE TABLE failures (
        id INTEGER PRIMARY KEY,
        model TEXT NOT NULL,
        kind TEXT NOT NULL,
        http_status INTEGER,
        message TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        retry_after_ms INTEGER
    );
    CREATE TABLE models (
        model TEXT PRIMARY KEY,
        failures_in_a_row INTEGER NOT NULL,
        rests_until_ms INTEGER,
        last_failure_kind TEXT,
        last_failure_message TEXT,
        last_failure_at_ms INTEGER,
        last_success_at_ms INTEGER,
        first_token_ms REAL NOT NULL,
        tokens_per_second REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE account (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        blocked_until_ms INTEGER NOT NULL,
        kind TEXT NOT NULL
    );
    CREATE VIEW recent_failures AS
        SELECT
            strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
            model, kind, http_status, message,
            retry_after_ms / 1000.0 AS retry_after_seconds
        FROM failures ORDER BY id DESC;
    ",
    "
    ALTER TABLE models ADD COLUMN learned TEXT NOT NULL DEFAULT '';
    ",
    "
    ALTER TABLE models ADD COLUMN counts TEXT NOT NULL DEFAULT '';
    ",
];

/// The version of the tables that this program writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Returns the application id, the version of the tables and their number.
pub(super) fn identity(connection: &Connection) -> rusqlite::Result<(i32, i64, i64)> {
    let owner = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok((owner, version, tables))
}

/// Brings the tables from `version` to [`VERSION`], all or nothing.
///
/// The pragmas are set in any case: they are the write that shows whether the
/// file can be written.
pub(super) fn migrate(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(version) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(VERSION).unwrap_or(i64::MAX))?;
    prune(&transaction)?;
    transaction.commit()
}

/// Drops the oldest failures and models beyond the bounds.
pub(super) fn prune(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM failures WHERE id <= (SELECT id FROM failures ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [FAILURES_KEPT],
    )?;
    connection.execute(
        "DELETE FROM models WHERE model IN (
            SELECT model FROM models
            ORDER BY max(coalesce(last_failure_at_ms, 0), coalesce(last_success_at_ms, 0)) DESC
            LIMIT -1 OFFSET ?1)",
        [MODELS_KEPT],
    )?;
    Ok(())
}

/// Appends a failure.
pub(super) fn add_failure(
    connection: &Connection,
    model: &ModelId,
    failure: &Failure,
    at_ms: u64,
) -> rusqlite::Result<()> {
    let status = (failure.status != 0).then_some(failure.status);
    let retry_after_ms = failure.retry_after.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
    connection.execute(
        "INSERT INTO failures (model, kind, http_status, message, at_ms, retry_after_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![model.as_str(), failure.kind.as_str(), status, failure.message, signed(at_ms), retry_after_ms],
    )?;
    Ok(())
}

/// Notes the health of a model in place of what was known.
pub(super) fn set_health(connection: &Connection, model: &ModelId, health: &Health) -> rusqlite::Result<()> {
    let last = health.last_failure.as_ref();
    connection.execute(
        "INSERT OR REPLACE INTO models (
            model, failures_in_a_row, rests_until_ms, last_failure_kind, last_failure_message,
            last_failure_at_ms, last_success_at_ms, first_token_ms, tokens_per_second, learned, counts
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            model.as_str(),
            health.in_a_row,
            health.rests_until.map(signed),
            last.map(|last| last.kind.as_str()),
            last.map(|last| &last.message),
            last.map(|last| signed(last.at)),
            health.last_success.map(signed),
            finite(health.first_token_ms),
            finite(health.tokens_per_second),
            health.lessons.to_string(),
            health.tally.to_string(),
        ],
    )?;
    Ok(())
}

/// Notes the account's limit, or that there is none.
pub(super) fn set_account(connection: &Connection, block: Option<AccountBlock>) -> rusqlite::Result<()> {
    match block {
        Some(AccountBlock { until_ms, kind }) => connection.execute(
            "INSERT OR REPLACE INTO account (id, blocked_until_ms, kind) VALUES (1, ?1, ?2)",
            params![signed(until_ms), kind.as_str()],
        )?,
        None => connection.execute("DELETE FROM account", [])?,
    };
    Ok(())
}

/// Forgets a model, or all models.
pub(super) fn forget(connection: &Connection, model: Option<&ModelId>) -> rusqlite::Result<()> {
    for table in ["failures", "models"] {
        match model {
            Some(model) => {
                connection.execute(&format!("DELETE FROM {table} WHERE model = ?1"), [model.as_str()])?;
            }
            None => {
                connection.execute(&format!("DELETE FROM {table}"), [])?;
            }
        }
    }
    Ok(())
}

/// Reads what is remembered of each model.
pub(super) fn healths(connection: &Connection) -> rusqlite::Result<HashMap<ModelId, Health>> {
    let mut statement = connection.prepare(
        "SELECT model, failures_in_a_row, rests_until_ms, last_failure_kind, last_failure_message,
            last_failure_at_ms, last_success_at_ms, first_token_ms, tokens_per_second, learned, counts
         FROM models",
    )?;
    let rows = statement.query_map([], |row| Ok((ModelId::parse(&row.get::<_, String>(0)?), health(row)?)))?;
    rows.filter_map(|row| match row {
        Ok((model, health)) => model.map(|model| Ok((model, health))),
        Err(error) => Some(Err(error)),
    })
    .collect()
}

/// Reads the account's limit.
pub(super) fn account(connection: &Connection) -> rusqlite::Result<Option<AccountBlock>> {
    let row = connection
        .query_row("SELECT blocked_until_ms, kind FROM account", [], |row| {
            Ok((unsigned(row.get(0)?), row.get::<_, String>(1)?))
        })
        .optional()?;
    Ok(row.and_then(|(until_ms, kind)| Some(AccountBlock { until_ms, kind: FailureKind::parse(&kind)? })))
}

fn health(row: &Row<'_>) -> rusqlite::Result<Health> {
    let kind: Option<String> = row.get(3)?;
    let message: Option<String> = row.get(4)?;
    let at: Option<i64> = row.get(5)?;
    // A kind of another version of this program means nothing here.
    let kind = kind.as_deref().and_then(FailureKind::parse);
    let last_failure =
        kind.zip(at).map(|(kind, at)| LastFailure { at: unsigned(at), kind, message: message.unwrap_or_default() });
    let mut health = Health::default();
    health.in_a_row = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
    health.rests_until = row.get::<_, Option<i64>>(2)?.map(unsigned);
    health.last_failure = last_failure;
    health.last_success = row.get::<_, Option<i64>>(6)?.map(unsigned);
    health.first_token_ms = finite(row.get(7)?);
    health.tokens_per_second = finite(row.get(8)?);
    health.lessons = Lessons::parse(&row.get::<_, String>(9)?);
    health.tally = Tally::parse(&row.get::<_, String>(10)?);
    Ok(health)
}

/// `SQLite` has signed integers only; no time of ours is that large.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// `SQLite` keeps what is no number as `NULL`; 0 means unknown anyway.
fn finite(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}
