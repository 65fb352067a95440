//! The failure store: what is remembered over a restart, in an `SQLite` file.
//!
//! A [`Store`] only puts records into a bounded queue; one thread writes them
//! down. Nobody reads here at run time: healths are loaded once, on opening. It
//! decides nothing about rests, and no request waits for it or fails by it.
//! Read `store/writer.rs` next for the thread, `store/file.rs` for how a file
//! is opened or set aside, `store/schema.rs` for the tables.

mod file;
mod schema;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    thread::{self, Thread},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::{
    catalog::ModelId,
    routing::{Failure, FailureKind, health::Health},
    store::{
        file::{Fault, Loaded},
        writer::{BATCH_RECORDS, Message, Record, Writer},
    },
};

/// Records that may wait to be written: minutes of failures when the disk is
/// slow, and some four megabytes at most when it is gone.
const QUEUE_RECORDS: usize = 8192;

/// What [`Store::open`] found and made.
#[derive(Debug)]
pub struct Opened {
    /// The store; memory only if the file cannot be used.
    pub store: Store,
    /// What is remembered of each model; nothing is in flight.
    pub healths: HashMap<ModelId, Health>,
    /// The limit of the account that was in force, though it may be over by now.
    pub account: Option<AccountBlock>,
    /// What did not go well and what to do about it, a sentence each.
    pub warnings: Vec<String>,
}

/// A limit that keeps the whole account from sending requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountBlock {
    /// When it ends, in milliseconds since 1970.
    pub until_ms: u64,
    /// Which limit it is.
    pub kind: FailureKind,
}

/// Writes down failures and healths. Cloning copies a pointer.
///
/// When the last clone is dropped, its thread writes what is left and ends.
#[derive(Debug, Clone)]
pub struct Store {
    queue: Option<Arc<Queue>>,
}

impl Store {
    /// Opens the file at `path`, and makes it and its folder if there is none.
    ///
    /// Never fails. A damaged file, or one of another program, is renamed to
    /// `<name>.corrupt-<seconds since 1970>` and a new one begun. A file that
    /// cannot be used (folder not writable, database locked, disk full, written
    /// by a newer version) is left alone, and the store is memory only.
    ///
    /// Blocks while it reads, up to a second longer if the file is locked.
    pub fn open(path: &Path) -> Opened {
        let mut warnings = Vec::new();
        let opened = open_or_begin(path, &mut warnings).and_then(|loaded| {
            let store = Self::start(path, loaded.connection).map_err(Fault::Thread)?;
            Ok((store, loaded.healths, loaded.account))
        });
        match opened {
            Ok((store, healths, account)) => Opened { store, healths, account, warnings },
            Err(fault) => {
                let path = path.display();
                warnings.push(format!(
                    "failures and cooldowns are kept in memory only, and a restart forgets them: {path} {fault}"
                ));
                Opened { store: Self::memory(), healths: HashMap::new(), account: None, warnings }
            }
        }
    }

    /// Makes a store that writes nothing down.
    pub fn memory() -> Self {
        Self { queue: None }
    }

    /// Appends a failure of `at_ms` (since 1970), and notes the model's health.
    ///
    /// Never waits. When the queue is full the record is dropped and counted.
    pub fn record_failure(&self, model: &ModelId, failure: &Failure, at_ms: u64, health: &Health) {
        self.push(|| Record::Failure { model: model.clone(), failure: failure.clone(), at_ms, health: health.clone() });
    }

    /// Notes the model's health after an answer. Never waits.
    pub fn record_success(&self, model: &ModelId, health: &Health) {
        self.push(|| Record::Success { model: model.clone(), health: health.clone() });
    }

    /// Notes the account's limit, or that there is none. Never waits.
    pub fn record_account(&self, block: Option<AccountBlock>) {
        self.push(|| Record::Account(block));
    }

    /// Forgets a model's health and failures, or those of all models.
    ///
    /// The account's limit stays. Never waits.
    pub fn forget(&self, model: Option<&ModelId>) {
        self.push(|| Record::Forget(model.cloned()));
    }

    /// Returns how many records were lost because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.counts.dropped.load(Ordering::Relaxed))
    }

    /// Resolves when all that was recorded before is in the file.
    ///
    /// A killed process then loses nothing of it. While the disk refuses it
    /// does not resolve, so the caller sets the limit; cancelling it leaves the
    /// records in the queue.
    pub async fn flush(&self) {
        let Some(queue) = &self.queue else { return };
        let (done, flushed) = oneshot::channel();
        queue.send(Message::Flush(done));
        // An error means that the thread has ended, and nothing is left to wait for.
        flushed.await.ok();
    }

    /// Writes what is left, closes the file, and returns whether that was done.
    ///
    /// Blocks for `limit` at most; the thread goes on after it. What other
    /// clones record from now on is dropped.
    pub fn close(self, limit: Duration) -> bool {
        let Some(queue) = &self.queue else { return true };
        let (done, closed) = mpsc::sync_channel(1);
        queue.send(Message::Close(Some(done)));
        closed.recv_timeout(limit).is_ok()
    }

    fn start(path: &Path, connection: Connection) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let writer = Writer::new(path.to_owned(), connection, receiver, Arc::clone(&counts));
        let thread = thread::Builder::new().name("failure-store".to_owned()).spawn(move || writer.run())?;
        let queue = Queue { sender, counts, writer: thread.thread().clone() };
        Ok(Self { queue: Some(Arc::new(queue)) })
    }

    fn push(&self, record: impl FnOnce() -> Record) {
        let Some(queue) = &self.queue else { return };
        let waiting = queue.counts.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= QUEUE_RECORDS {
            queue.counts.waiting.fetch_sub(1, Ordering::Relaxed);
            queue.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if queue.sender.send(Message::Record(Box::new(record()))).is_err() {
            queue.counts.dropped.fetch_add(1, Ordering::Relaxed);
        } else if (waiting + 1).is_multiple_of(BATCH_RECORDS) {
            queue.writer.unpark();
        }
    }
}

/// Returns what is remembered in the file at `path`, without a change to it.
///
/// Nothing if there is no such file, or it cannot be read: those who only look need
/// no more.
pub fn remembered(path: &Path) -> HashMap<ModelId, Health> {
    file::peek(path).unwrap_or_default()
}

/// The way to the writer. The channel itself has no bound, the count has: so
/// nothing is held for a full queue beforehand, and a flush always gets in.
#[derive(Debug)]
struct Queue {
    sender: Sender<Message>,
    counts: Arc<Counts>,
    writer: Thread,
}

impl Queue {
    /// Sends what the writer is to look at now, not with the next batch.
    fn send(&self, message: Message) {
        // An error means that the thread has ended: the message is dropped, and
        // with it the acknowledgement that somebody waits for.
        self.sender.send(message).ok();
        self.writer.unpark();
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.send(Message::Close(None));
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// Records sent and not yet in the file.
    waiting: AtomicUsize,
    /// Records lost since the start.
    dropped: AtomicU64,
}

/// Opens the file; one that is no use to anybody is set aside first.
fn open_or_begin(path: &Path, warnings: &mut Vec<String>) -> Result<Loaded, Fault> {
    let fault = match file::open(path) {
        Err(fault @ (Fault::Damaged(_) | Fault::Foreign)) => fault,
        other => return other,
    };
    let aside = file::set_aside(path).map_err(|error| Fault::Stuck { fault: fault.to_string(), error })?;
    warnings.push(format!("{} {fault}; it is now {}, and a new one was begun", path.display(), aside.display()));
    file::open(path)
}
