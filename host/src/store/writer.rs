//! The thread that writes failures and healths down.
//!
//! It owns the connection, takes what has come in some two hundred milliseconds
//! as one transaction, and keeps trying with growing pauses while the disk
//! refuses. Decides nothing, and nobody waits for it but who asks for a flush.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use crate::{
    catalog::ModelId,
    routing::{Failure, health::Health},
    store::{AccountBlock, Counts, file, schema},
};

/// As many records are written at once, however little time has passed.
pub(super) const BATCH_RECORDS: usize = 256;

/// How long records gather: what a killed process loses, against one disk write.
const BATCH_WAIT: Duration = Duration::from_millis(200);

/// The first pause after a failed write; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause: a disk that has space again is noticed within a minute.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Failures between two prunings: the table grows a tenth beyond its bound.
const PRUNE_AFTER: u32 = schema::FAILURES_KEPT / 10;

/// At least this long between two warnings of dropped records.
const WARN_AGAIN: Duration = Duration::from_mins(1);

/// What is sent to the writer.
#[derive(Debug)]
pub(super) enum Message {
    /// Something to write down.
    Record(Box<Record>),
    /// Write now, and tell when it is done.
    Flush(oneshot::Sender<()>),
    /// Write what is left, close the file, tell when it is done, and end.
    Close(Option<SyncSender<()>>),
}

/// Something to write down.
#[derive(Debug)]
pub(super) enum Record {
    Failure { model: ModelId, failure: Failure, at_ms: u64, health: Health },
    Success { model: ModelId, health: Health },
    Account(Option<AccountBlock>),
    Forget(Option<ModelId>),
}

/// The connection and what is still to be written.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    pub(super) connection: Connection,
    receiver: Receiver<Message>,
    counts: Arc<Counts>,
    batch: Vec<Record>,
    flushes: Vec<oneshot::Sender<()>>,
    /// Somebody waits: write without gathering further.
    urgent: bool,
    closing: bool,
    closes: Vec<SyncSender<()>>,
    /// The pause before the next try, while writing fails.
    pause: Option<Duration>,
    unpruned: u32,
    dropped_told: u64,
    dropped_told_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(path: PathBuf, connection: Connection, receiver: Receiver<Message>, counts: Arc<Counts>) -> Self {
        Self {
            path,
            connection,
            receiver,
            counts,
            batch: Vec::new(),
            flushes: Vec::new(),
            urgent: false,
            closing: false,
            closes: Vec::new(),
            pause: None,
            unpruned: 0,
            dropped_told: 0,
            dropped_told_at: None,
        }
    }

    /// Writes until it is told to close.
    pub(super) fn run(mut self) {
        while !self.closing {
            self.turn();
        }
        let lost = self.batch.len();
        if lost > 0 {
            tracing::warn!(store.path = %self.path.display(), lost, "last failures and cooldowns were not written");
        }
        // Closing empties the log into the file; only then all is done.
        drop((self.receiver, self.connection));
        if lost == 0 {
            for closed in self.closes {
                // An error means that nobody waited so long.
                closed.send(()).ok();
            }
        }
    }

    /// Gathers records for a while and writes them.
    pub(super) fn turn(&mut self) {
        self.gather();
        match self.write() {
            Ok(()) => self.written(),
            Err(error) => self.refused(&error),
        }
        self.tell_dropped();
    }

    fn gather(&mut self) {
        self.urgent = false;
        if self.batch.is_empty() {
            match self.receiver.recv() {
                Ok(message) => self.take(message),
                Err(_) => self.closing = true,
            }
        }
        let end = Instant::now() + self.pause.unwrap_or(BATCH_WAIT);
        loop {
            // Ends: no more than a full queue is sent before something is written.
            while let Ok(message) = self.receiver.try_recv() {
                self.take(message);
            }
            let full = self.pause.is_none() && self.batch.len() >= BATCH_RECORDS;
            let left = end.saturating_duration_since(Instant::now());
            if full || self.urgent || self.closing || left.is_zero() {
                return;
            }
            // Not `recv_timeout`: that would wake this thread for every record.
            thread::park_timeout(left);
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Record(record) => self.batch.push(*record),
            Message::Flush(done) => {
                self.flushes.push(done);
                self.urgent = true;
            }
            Message::Close(closed) => {
                self.closes.extend(closed);
                self.closing = true;
            }
        }
    }

    fn write(&mut self) -> rusqlite::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let failures = write_batch(&transaction, &self.batch)?;
        let unpruned = self.unpruned.saturating_add(failures);
        let prune = unpruned >= PRUNE_AFTER;
        if prune {
            schema::prune(&transaction)?;
        }
        transaction.commit()?;
        self.unpruned = if prune { 0 } else { unpruned };
        Ok(())
    }

    fn written(&mut self) {
        let records = self.batch.len();
        self.counts.waiting.fetch_sub(records, Ordering::Relaxed);
        self.batch.clear();
        self.batch.shrink_to(BATCH_RECORDS);
        for flush in self.flushes.drain(..) {
            // An error means that the flush was cancelled.
            flush.send(()).ok();
        }
        if self.pause.take().is_some() {
            tracing::info!(store.path = %self.path.display(), records, "failures and cooldowns are written again");
        }
    }

    fn refused(&mut self, error: &rusqlite::Error) {
        if self.pause.is_none() {
            tracing::warn!(
                store.path = %self.path.display(),
                %error,
                "failures and cooldowns cannot be written; trying on, requests are not affected; {}",
                file::remedy(error)
            );
        }
        self.pause = Some(self.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE)));
    }

    fn tell_dropped(&mut self) {
        let dropped = self.counts.dropped.load(Ordering::Relaxed);
        if dropped > self.dropped_told && self.dropped_told_at.is_none_or(|at| at.elapsed() >= WARN_AGAIN) {
            tracing::warn!(
                dropped = dropped - self.dropped_told,
                dropped_in_all = dropped,
                "more failures and cooldowns came than could be written; a restart forgets these"
            );
            self.dropped_told = dropped;
            self.dropped_told_at = Some(Instant::now());
        }
    }
}

/// Writes the records in their order and returns how many were failures.
///
/// Of the healths of a model only the last is written: a busy hour has many
/// answers and few models.
fn write_batch(connection: &Connection, batch: &[Record]) -> rusqlite::Result<u32> {
    let mut healths: HashMap<&ModelId, &Health> = HashMap::new();
    let mut failures = 0;
    for record in batch {
        match record {
            Record::Failure { model, failure, at_ms, health } => {
                schema::add_failure(connection, model, failure, *at_ms)?;
                healths.insert(model, health);
                failures += 1;
            }
            Record::Success { model, health } => {
                healths.insert(model, health);
            }
            Record::Account(block) => schema::set_account(connection, *block)?,
            Record::Forget(model) => {
                schema::forget(connection, model.as_ref())?;
                healths.retain(|known, _| model.as_ref().is_some_and(|model| model != *known));
            }
        }
    }
    for (model, health) in healths {
        schema::set_health(connection, model, health)?;
    }
    Ok(failures)
}
