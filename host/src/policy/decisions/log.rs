//! The file of decisions: a queue, and one thread that writes lines.
//!
//! No request waits for it, and none fails by it: a line that the queue cannot take
//! or the disk does not, is dropped, and that is said once. The file is begun anew at
//! [`LIMIT`], one old one is kept, and each can be replayed alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

use crate::policy::{
    decisions::{Aside, Entry, Line, Origin},
    records::Record,
};

/// Bytes after which another file is begun.
const LIMIT: u64 = 64 << 20;

/// Decisions that may wait to be written: a second of them under the heaviest load.
const QUEUE: usize = 4_096;

/// Where decisions are written, if anywhere. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct DecisionLog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    place: Mutex<Place>,
    is_on: AtomicBool,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Place {
    path: Option<Arc<Path>>,
    /// There once the thread runs.
    queue: Option<SyncSender<Message>>,
}

enum Message {
    Write { path: Arc<Path>, origin: Arc<Origin>, what: What },
    Flush(SyncSender<()>),
}

/// What is written of a generation's.
enum What {
    Decided(Arc<Record>),
    Said(Box<Aside>),
}

impl DecisionLog {
    /// Writes to this file from now on, or to none.
    pub(crate) fn move_to(&self, path: Option<&Path>) {
        let mut place = self.0.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.queue.is_none() && path.is_some() {
            let (queue, messages) = mpsc::sync_channel(QUEUE);
            let started = thread::Builder::new().name("decision-log".to_owned()).spawn(|| run(messages, LIMIT));
            match started {
                Ok(_) => place.queue = Some(queue),
                Err(error) => tracing::warn!(%error, "no thread for the decision log; decisions are not written"),
            }
        }
        place.path = path.map(Arc::from);
        self.0.is_on.store(place.path.is_some() && place.queue.is_some(), Ordering::Release);
    }

    /// Has a decision written down; never waits.
    pub(in crate::policy) fn add(&self, origin: &Arc<Origin>, record: &Arc<Record>) {
        if self.0.is_on.load(Ordering::Acquire) {
            self.send(origin, What::Decided(Arc::clone(record)));
        }
    }

    /// Has written down what a shadow said; never waits.
    pub(in crate::policy) fn add_aside(&self, origin: &Arc<Origin>, aside: impl FnOnce() -> Aside) {
        if self.0.is_on.load(Ordering::Acquire) {
            self.send(origin, What::Said(Box::new(aside())));
        }
    }

    fn send(&self, origin: &Arc<Origin>, what: What) {
        let place = self.0.place.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(path), Some(queue)) = (place.path.clone(), &place.queue) else { return };
        let taken = queue.try_send(Message::Write { path, origin: Arc::clone(origin), what });
        drop(place);
        if taken.is_err() && self.0.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!("the decision log cannot keep up; decisions are missing in it from here on");
        }
    }

    /// Returns how many decisions were dropped because the file could not keep up.
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until all that was decided is written, for `limit` at most; tells
    /// whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        let queue = self.0.place.lock().unwrap_or_else(PoisonError::into_inner).queue.clone();
        let Some(queue) = queue else { return true };
        let (done, flushed) = mpsc::sync_channel(1);
        queue.try_send(Message::Flush(done)).is_ok() && flushed.recv_timeout(limit).is_ok()
    }
}

/// Writes until nobody can decide any more.
fn run(messages: Receiver<Message>, limit: u64) {
    let mut writer = Writer { limit, open: None, has_failed: false };
    for message in messages {
        match message {
            Message::Write { path, origin, what } => match writer.write(&path, &origin, what) {
                Ok(()) => writer.has_failed = false,
                Err(error) => {
                    if !writer.has_failed {
                        let path = path.display();
                        tracing::warn!(%error, "cannot write decisions to {path}; they are missing until it goes again");
                    }
                    writer.has_failed = true;
                }
            },
            // Who waited may have gone.
            Message::Flush(done) => drop(done.try_send(())),
        }
    }
}

struct Writer {
    limit: u64,
    open: Option<Open>,
    /// Whether that was said.
    has_failed: bool,
}

struct Open {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// The generation whose line is the last one of its kind in it: decisions of two
    /// may come mixed while one takes the place of the other.
    last: Option<u64>,
}

impl Writer {
    fn write(&mut self, path: &Path, origin: &Origin, what: What) -> io::Result<()> {
        let (at_ms, line) = match what {
            What::Decided(record) => (record.query.now_ms, Line::Decision(Entry::of(&record))),
            What::Said(aside) => (aside.at_ms, Line::Shadow(*aside)),
        };
        let line = text(&line)?;
        let mut open = match self.open.take() {
            Some(open) if open.path == path && path.exists() => open,
            _ => Open::at(path)?,
        };
        if open.bytes > 0 && open.bytes + line.len() as u64 > self.limit {
            let mut old = path.as_os_str().to_owned();
            old.push(".1");
            fs::rename(path, old)?;
            open = Open::at(path)?;
        }
        let written = if open.last == Some(origin.number) {
            open.append(&line)
        } else {
            let both = text(&Line::Generation(origin.head(at_ms))).and_then(|head| open.append(&(head + &line)));
            both.inspect(|()| open.last = Some(origin.number))
        };
        self.open = Some(open);
        written
    }
}

impl Open {
    /// Opens a file to go on after its last whole line.
    fn at(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            let text = fs::read(path)?;
            let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1) as u64;
            if whole < bytes {
                file.set_len(whole)?;
                bytes = whole;
            }
        }
        Ok(Self { path: path.to_owned(), file, bytes, last: None })
    }

    /// Writes lines whole or not at all.
    fn append(&mut self, lines: &str) -> io::Result<()> {
        match self.file.write_all(lines.as_bytes()) {
            Ok(()) => self.bytes += lines.len() as u64,
            Err(error) => {
                self.file.set_len(self.bytes)?;
                return Err(error);
            }
        }
        Ok(())
    }
}

fn text(line: &Line) -> io::Result<String> {
    Ok(serde_json::to_string(line)? + "\n")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{
        catalog::{Capabilities, Catalog},
        policy::records::{Outcome, Rung},
        routing::{
            needs::Needs,
            plan::{Query, Target},
        },
    };

    fn record(generation: u64) -> Record {
        let query = Query {
            target: Target::Any,
            needs: Needs::default(),
            wishes: Capabilities::empty(),
            streaming: false,
            limit: 1,
            quota_left: None,
            now_ms: 7,
            seed: u64::MAX,
            explain: false,
        };
        let (outcome, candidates, facts) = (Outcome::Failed, vec![0], Vec::new());
        let (abstained, by, took) = (false, Rung::Policy, Duration::ZERO);
        Record { generation, query, candidates, facts, outcome, abstained, by, took }
    }

    fn kinds(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let kind = |line| match serde_json::from_str(line).unwrap() {
            Line::Generation(head) => format!("generation {}", head.generation),
            Line::Decision(entry) => format!("decision of {}", entry.generation),
            Line::Shadow(aside) => format!("shadow of {}", aside.generation),
        };
        text.lines().map(kind).collect()
    }

    #[test]
    fn a_file_that_is_full_is_put_aside_and_the_next_one_can_be_read_alone() {
        let folder = TempDir::new().unwrap();
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let catalog = Arc::<Catalog>::default();
        let origin = |number| Origin { number, policies: Vec::new(), catalog: Arc::clone(&catalog) };
        let mut writer = Writer { limit: 2_000, open: None, has_failed: false };
        for generation in [1, 2, 1] {
            writer.write(&path, &origin(generation), What::Decided(Arc::new(record(generation)))).unwrap();
        }
        let of = |number: u64| [format!("generation {number}"), format!("decision of {number}")];
        let three = [of(1), of(2), of(1)].concat();
        assert_eq!(kinds(&path), three);
        while !old.exists() {
            writer.write(&path, &origin(2), What::Decided(Arc::new(record(2)))).unwrap();
        }
        assert_eq!(kinds(&path), of(2));
        assert_eq!(kinds(&old)[..6], three);
        assert!(fs::metadata(&old).unwrap().len() <= 2_000);
    }
}
