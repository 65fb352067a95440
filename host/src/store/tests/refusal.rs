//! A disk that refuses while the store is open: nobody waits, nothing is lost
//! that fits into the queue, and it is told once.

use std::sync::Mutex;

use tokio::sync::oneshot::error::TryRecvError;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

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

#[test]
fn a_full_disk_keeps_the_records_until_there_is_room() {
    let folder = Folder::new();
    let loaded = file::open(&folder.db()).unwrap();
    let pages: i64 = loaded.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    // SQLite's own bound fails a write as a full disk does.
    let bound = |pages: i64| format!("PRAGMA max_page_count = {pages}");
    loaded.connection.query_row(&bound(pages), [], |_| Ok(())).unwrap();
    let (sender, receiver) = mpsc::channel();
    let counts = Arc::new(Counts { waiting: AtomicUsize::new(500), dropped: AtomicU64::new(0) });
    let mut writer = Writer::new(folder.db(), loaded.connection, receiver, Arc::clone(&counts));
    for n in 0..500 {
        let model = model(&format!("v/{n}"));
        let record = Record::Failure { model, failure: failure(), at_ms: NOW, health: resting() };
        sender.send(Message::Record(Box::new(record))).unwrap();
    }
    let log = Log::default();
    tracing::subscriber::with_default(log.subscriber(), || {
        writer.turn();
        assert_eq!(counts.waiting.load(Ordering::Relaxed), 500, "nothing is lost");
        writer.connection.query_row(&bound(1 << 20), [], |_| Ok(())).unwrap();
        let (done, _waiter) = oneshot::channel();
        sender.send(Message::Flush(done)).unwrap();
        writer.turn();
    });
    assert_eq!(counts.waiting.load(Ordering::Relaxed), 0);
    assert_eq!((folder.count("failures"), folder.count("models")), (500, 500));
    let path = folder.db().display().to_string();
    assert_eq!(
        log.lines(),
        [
            format!(
                " WARN failures and cooldowns cannot be written; trying on, requests are not affected; free some \
                 space on its disk store.path={path} error=database or disk is full"
            ),
            format!(" INFO failures and cooldowns are written again store.path={path} records=500"),
        ]
    );
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
