//! Opens the file of the failure store, and sets a useless one aside.
//!
//! Only here it is judged whether a file can be used, and each fault says what
//! to do. Nothing is written into a file before it is known to be ours. Knows
//! neither the queue nor the thread; what is in the file, `schema` knows.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::{
    catalog::ModelId,
    clock::now_ms,
    routing::health::Health,
    store::{AccountBlock, schema},
};

/// How long another program's lock is waited for: longer than any write of ours
/// takes, and short enough for a start.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// `SQLite` cuts its log file back to this size, in bytes.
const LOG_SIZE_BYTES: i64 = 4 << 20;

/// Files of one name set aside within one second before giving up.
const ASIDE_NAMES: u32 = 16;

/// How every database begins.
const HEADER: &[u8] = b"SQLite format 3\0";

/// What an opened file holds.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) connection: Connection,
    pub(super) healths: HashMap<ModelId, Health>,
    pub(super) account: Option<AccountBlock>,
}

/// Why a file cannot be used; each reads on after the file's path.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("is damaged ({0})")]
    Damaged(String),
    #[error("is a database of another program")]
    Foreign,
    #[error(
        "has schema version {found}, this program knows {known} and older; run the newer program, or move the file away"
    )]
    Newer { found: i64, known: i64 },
    #[error("is not a file; remove it, or set `store.url` to another path")]
    NotAFile,
    #[error("cannot be opened ({0}); make it and its folder writable, or set `store.url` to another path")]
    Folder(io::Error),
    #[error("cannot be used ({error}); {remedy}")]
    Refused { error: rusqlite::Error, remedy: &'static str },
    #[error("{fault} and cannot be renamed ({error}); move it away, or set `store.url` to another path")]
    Stuck { fault: String, error: io::Error },
    #[error("has no thread to write it ({0}); raise the limit of threads")]
    Thread(io::Error),
}

/// Opens the file, brings its tables up to date and reads it.
pub(super) fn open(path: &Path) -> Result<Loaded, Fault> {
    make_private(path)?;
    check_header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fault)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(fault)?;
    let version = known_version(&connection)?;
    if version > 0 {
        check(&connection)?;
    }
    prepare(&mut connection, version).map_err(fault)?;
    let healths = schema::healths(&connection).map_err(fault)?;
    let account = schema::account(&connection).map_err(fault)?;
    Ok(Loaded { connection, healths, account })
}

/// Reads what is remembered, without a change to the file; `None` if it cannot be read.
pub(super) fn peek(path: &Path) -> Option<HashMap<ModelId, Health>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).ok()?;
    connection.busy_timeout(BUSY_TIMEOUT).ok()?;
    let is_ours = known_version(&connection).ok()? == schema::VERSION;
    if is_ours { schema::healths(&connection).ok() } else { None }
}

/// Renames the file, its log and its index, and returns the new name.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let seconds = now_ms() / 1000;
    let aside = (0..ASIDE_NAMES)
        .map(|again| match again {
            0 => with_suffix(path, &format!(".corrupt-{seconds}")),
            _ => with_suffix(path, &format!(".corrupt-{seconds}-{again}")),
        })
        .find(|name| !name.exists())
        .ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
    // The log first: a new database must never find the log of an old one.
    for suffix in ["-wal", "-shm", ""] {
        match fs::rename(with_suffix(path, suffix), with_suffix(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}

/// Returns what an operator can do about an error of `SQLite`.
pub(super) fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "stop the other program that has it open",
        Some(ErrorCode::DiskFull) => "free some space on its disk",
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "make the file and its folder writable, or set `store.url` to another path"
        }
        _ => "check its disk, or set `store.url` to another path",
    }
}

/// Makes an empty file that only its owner reads, because the words of a failure
/// may tell of the account. `SQLite` gives its log and index the same mode.
fn make_private(path: &Path) -> Result<(), Fault> {
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(Fault::NotAFile);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Fault::Folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(Fault::Folder)
}

/// Refuses what is no database at all before `SQLite` sees it, which would
/// delete the log beside it.
///
/// <https://www.sqlite.org/fileformat.html#magic_header_string>
fn check_header(path: &Path) -> Result<(), Fault> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(Fault::Folder)?;
    file.take(HEADER.len() as u64).read_to_end(&mut start).map_err(Fault::Folder)?;
    if start.is_empty() || start == HEADER { Ok(()) } else { Err(Fault::Damaged("no SQLite header".to_owned())) }
}

/// Returns the version of the tables; 0 if there are none yet.
fn known_version(connection: &Connection) -> Result<usize, Fault> {
    let (owner, version, tables) = schema::identity(connection).map_err(fault)?;
    let known = schema::VERSION;
    match usize::try_from(version) {
        Ok(0) if owner == 0 && tables == 0 => Ok(0),
        _ if owner != schema::APPLICATION_ID => Err(Fault::Foreign),
        Ok(found) if found > known => {
            Err(Fault::Newer { found: version, known: i64::try_from(known).unwrap_or(i64::MAX) })
        }
        Ok(found) if found > 0 => Ok(found),
        Ok(_) | Err(_) => Err(Fault::Damaged(format!("schema version {version}"))),
    }
}

fn check(connection: &Connection) -> Result<(), Fault> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fault)?;
    if verdict == "ok" { Ok(()) } else { Err(Fault::Damaged(verdict)) }
}

/// Sets the connection up. Writes in any case, so that a full disk or a missing
/// right shows now.
fn prepare(connection: &mut Connection, version: usize) -> rusqlite::Result<()> {
    // A file system without shared memory keeps the older mode, which serves too.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.query_row(&format!("PRAGMA journal_size_limit = {LOG_SIZE_BYTES}"), [], |_| Ok(()))?;
    schema::migrate(connection, version)
}

fn fault(error: rusqlite::Error) -> Fault {
    match error.sqlite_error_code() {
        // Without a code, or with that of wrong SQL, the tables are not as we made them.
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
            Fault::Damaged(error.to_string())
        }
        Some(_) => Fault::Refused { remedy: remedy(&error), error },
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
