//! What the program uses: memory, threads, open files, the cache on the disk.
//!
//! By `/proc`; where there is none, by the cache alone. The bounds stand here.

use std::{fmt, fs, path::Path};

use crate::soak::operator::Operator;

/// How much memory may be added between the first measurement and the last, however
/// many changes are between them.
const MEMORY_KIB: u64 = 8 << 10;

/// Threads come and go with what blocks, and connections with their use.
const THREADS: u64 = 6;
const FILES: u64 = 16;

/// Files of the cache, with its key: as many as it keeps, and one that is being written.
const CACHED: u64 = 64 + 1 + 1;
const CACHED_KIB: u64 = 32 << 10;

/// What is used at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    changes: u32,
    process: Option<Process>,
    cached: u64,
    cached_kib: u64,
}

/// What the system tells of a process.
#[derive(Debug, Clone, Copy)]
struct Process {
    resident_kib: u64,
    anonymous_kib: u64,
    threads: u64,
    files: u64,
}

/// What was used, the newest last.
#[derive(Debug, Default)]
pub struct Sampled(Vec<Measured>);

impl Measured {
    /// Measures now.
    pub async fn of(operator: &Operator<'_>) -> Self {
        let (cached, cached_kib) = folder(&operator.cache());
        let process = Process::of(operator.process());
        // The traffic goes on, so the least of some moments is what lasts.
        let mut least = Self { changes: operator.changes, process, cached, cached_kib };
        for _ in 0..20 {
            operator.ask(false).await;
            if let (Some(least), Some(now)) = (&mut least.process, Process::of(operator.process())) {
                least.resident_kib = least.resident_kib.min(now.resident_kib);
                least.anonymous_kib = least.anonymous_kib.min(now.anonymous_kib);
                least.threads = least.threads.min(now.threads);
                least.files = least.files.min(now.files);
            }
        }
        least
    }
}

impl Process {
    fn of(number: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(number.to_string());
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        };
        Some(Self {
            resident_kib: value("VmRSS")?,
            anonymous_kib: value("RssAnon")?,
            threads: value("Threads")?,
            files: fs::read_dir(folder.join("fd")).ok()?.count() as u64,
        })
    }
}

/// Returns how many files a folder has, and the KiB in them.
fn folder(path: &Path) -> (u64, u64) {
    let files = fs::read_dir(path).unwrap().filter_map(Result::ok);
    // One may be renamed between the list and the look at it.
    let sizes: Vec<u64> = files.map(|file| file.metadata().map_or(0, |found| found.len())).collect();
    (sizes.len() as u64, sizes.iter().sum::<u64>() / 1024)
}

impl Sampled {
    /// Adds the newest.
    pub fn add(&mut self, measured: Measured) {
        self.0.push(measured);
    }

    /// Panics if the last is larger than the first and what is allowed.
    pub fn check(&self) {
        let [first, .., last] = &self.0[..] else { panic!("two measurements are needed: {self}") };
        assert!(last.cached <= CACHED && last.cached_kib <= CACHED_KIB, "the cache grows:\n{self}");
        let (Some(first), Some(last)) = (first.process, last.process) else { return };
        let grows = |first: u64, last: u64, bound: u64| last > first + bound;
        assert!(!grows(first.anonymous_kib, last.anonymous_kib, MEMORY_KIB), "memory grows:\n{self}");
        assert!(!grows(first.threads, last.threads, THREADS), "threads grow:\n{self}");
        assert!(!grows(first.files, last.files, FILES), "open files grow:\n{self}");
    }
}

impl fmt::Display for Sampled {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Measured { changes, process, cached, cached_kib } in &self.0 {
            write!(to, "{changes} changes: {cached} files of {cached_kib} KiB in the cache")?;
            match process {
                Some(Process { resident_kib, anonymous_kib, threads, files }) => writeln!(
                    to,
                    ", {resident_kib} KiB resident, {anonymous_kib} KiB of it anonymous, {threads} threads, {files} open files"
                )?,
                None => writeln!(to, "; this system tells no more")?,
            }
        }
        Ok(())
    }
}
