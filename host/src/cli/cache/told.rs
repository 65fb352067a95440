//! What is told of a cache: files, counts, ages, and what the last refresh changed.

use std::{
    io::{self, Write as _},
    path::Path,
};

use serde::Serialize;

use crate::{
    api::admin::wire::catalog::{CatalogStatus, Counts, Failed, Refreshed},
    catalog::change::Change,
    cli::{
        cache::Place,
        fit,
        lines::{LABEL, labelled, marked},
        words::{bytes, count, moment, span},
    },
    clock::now_ms,
    config::load::Loaded,
    refresh::kept::{self, Kept, List},
};

/// How far names stand to the right of what is said of them.
const INDENT: usize = 2;

/// What `cache status` says.
#[derive(Serialize)]
pub(super) struct Told {
    /// The folder of the files; none if they are on another machine.
    folder: Option<String>,
    /// The router that was asked, if one runs.
    router: Option<String>,
    /// Where the list comes from.
    source: Option<String>,
    /// When it was fetched, in seconds since 1970.
    fetched: Option<u64>,
    /// Seconds since then.
    age_s: Option<u64>,
    /// When it is fetched next, in seconds since 1970; in the past if a start would.
    due: Option<u64>,
    /// How many models are in it.
    counts: Option<Counts>,
    /// What the last refresh changed that changed anything.
    changed: Option<Change>,
    /// Why the router could not fetch it last, if it could not.
    failed: Option<Failed>,
    /// Why there is no list that can be used.
    pub(super) problem: Option<String>,
    /// The files.
    files: Vec<FileRow>,
}

/// A file, or several of one kind.
#[derive(Serialize)]
struct FileRow {
    /// What it is.
    what: &'static str,
    /// Where it is.
    path: String,
    /// How many there are.
    number: usize,
    /// Their size.
    bytes: u64,
}

impl Told {
    /// Looks at files, and at what the router says.
    pub(super) fn of(place: &Place, loaded: &Loaded, ttl_s: u64) -> io::Result<Self> {
        let now = now_ms() / 1000;
        let mut told = Self {
            folder: place.folder.as_ref().map(|folder| folder.display().to_string()),
            router: place.router.as_ref().map(|_| place.remote.base().to_owned()),
            source: None,
            fetched: None,
            age_s: None,
            due: None,
            counts: None,
            changed: None,
            failed: None,
            problem: None,
            files: Vec::new(),
        };
        if let Some(folder) = &place.folder {
            told.look_at(folder, &loaded.database, now, ttl_s)?;
        }
        match &place.router {
            Some(router) => told.hear(router, now),
            None => told.compare(loaded.config.openrouter.base_url.as_str()),
        }
        Ok(told)
    }

    fn look_at(&mut self, folder: &Path, database: &Path, now: u64, ttl_s: u64) -> io::Result<()> {
        match kept::list(folder, now) {
            List::None => {
                self.problem = Some("there is no list of models; `ollama-router cache refresh` makes one".to_owned());
            }
            List::Unusable(why) => {
                let remedy = "`ollama-router cache clear` and then `cache refresh` make another";
                self.problem = Some(format!("the list of models {why}; {remedy}"));
            }
            List::Whole { source, catalog } => {
                self.source = Some(source);
                self.fetched = Some(catalog.fetched());
                self.age_s = Some(now.saturating_sub(catalog.fetched()));
                self.due = Some(catalog.fetched() + ttl_s);
                self.counts = Some(Counts::of(&catalog));
                self.changed = catalog.changed().map(|change| Change::clone(change));
            }
        }
        self.files = kept::lists(folder)?.into_iter().map(|file| row("list of models", &[file])).collect();
        let compiled = kept::compiled(folder)?;
        if !compiled.is_empty() {
            self.files.push(FileRow {
                path: folder.join("cache").display().to_string(),
                ..row("compiled policies", &compiled)
            });
        }
        // A router of another folder, such as a demo, has its database there.
        let name = database.file_name().unwrap_or_default();
        let beside = folder.join(name);
        let database = if beside.is_file() { beside.as_path() } else { database };
        if let Ok(found) = database.metadata() {
            self.files.push(row("failures", &[Kept { path: database.to_owned(), bytes: found.len() }]));
        }
        Ok(())
    }

    /// Finds fault with a list that the next start could not use.
    fn compare(&mut self, upstream: &str) {
        if let Some(other) = self.source.as_deref().filter(|source| *source != upstream) {
            let remedy = "`ollama-router cache refresh` makes another";
            self.problem = Some(format!("the list of models is of another upstream, {other}; {remedy}"));
        }
    }

    fn hear(&mut self, router: &CatalogStatus, now: u64) {
        self.due = router.due;
        self.failed.clone_from(&router.failed);
        if self.folder.is_none() {
            self.fetched = Some(router.fetched);
            self.age_s = Some(now.saturating_sub(router.fetched));
            self.counts = Some(Counts { models: router.models, ..Counts::default() });
            self.changed.clone_from(&router.changed);
        }
    }

    /// Prints it for people.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = anstream::stdout();
        let now = now_ms() / 1000;
        let width = fit::width();
        let room = width.map(|width| width.saturating_sub(LABEL));
        let mut add =
            |label: &str, text: &str| labelled(label, text, width).iter().try_for_each(|line| writeln!(out, "{line}"));
        if let Some(problem) = &self.problem {
            add("list", problem)?;
        }
        if let (Some(age), Some(fetched)) = (self.age_s, self.fetched) {
            add("list", &format!("{} old, fetched {}", span(age), moment(fetched).unwrap_or_default()))?;
        }
        if let Some(counts) = &self.counts {
            add("models", &counted(counts))?;
        }
        if let Some(due) = self.due {
            add("next", &next(due, now, self.router.is_some()))?;
        }
        if let Some(failed) = &self.failed {
            add("", &format!("the last fetch failed {} ago: {}", span(now.saturating_sub(failed.at)), failed.why))?;
            add("", "→ `ollama-router doctor` finds out why")?;
        }
        match &self.changed {
            Some(change) => {
                let ago = span(now.saturating_sub(change.at));
                let kind = if Some(change.at) == self.fetched { "the last refresh" } else { "an earlier refresh" };
                add("changed", &format!("{ago} ago, by {kind}: {} new, {} gone", change.new.len(), change.gone.len()))?;
                let names = [marked('+', &change.new, room), marked('-', &change.gone, room)].concat();
                names.iter().try_for_each(|line| add("", line))?;
            }
            None if self.fetched.is_some() => add("changed", "nothing yet")?,
            None => {}
        }
        if let Some(source) = &self.source {
            add("from", source)?;
        }
        for (place, FileRow { what, path, number, bytes: size }) in self.files.iter().enumerate() {
            let number = if *number > 1 { format!("{number} ") } else { String::new() };
            add(if place == 0 { "files" } else { "" }, &format!("{path} ({number}{what}, {})", bytes(*size)))?;
        }
        Ok(())
    }
}

/// Tells what came of a refresh.
pub(super) fn refreshed(refreshed: &Refreshed) -> io::Result<()> {
    let mut out = anstream::stdout();
    let Refreshed { since, counts, visible, new, gone, in_force, .. } = refreshed;
    writeln!(out, "{}", counted(counts))?;
    match since {
        Some(_) => writeln!(out, "{} new, {} gone since the last list", new.len(), gone.len())?,
        None => writeln!(out, "there was no list before")?,
    }
    let room = fit::width().map(|width| width.saturating_sub(INDENT));
    let names = [marked('+', new, room), marked('-', gone, room)].concat();
    names.iter().try_for_each(|line| writeln!(out, "{:INDENT$}{line}", ""))?;
    match visible {
        Some(visible) if *in_force => writeln!(out, "in force: clients can use {}", count(*visible, "model")),
        Some(_) => writeln!(out, "not in force yet; see `ollama-router status`"),
        None => Ok(()),
    }
}

fn row(what: &'static str, files: &[Kept]) -> FileRow {
    let path = files.first().map(|file| file.path.display().to_string()).unwrap_or_default();
    FileRow { what, path, number: files.len(), bytes: files.iter().map(|file| file.bytes).sum() }
}

fn counted(counts: &Counts) -> String {
    let Counts { models, free, chat, tools, free_chat } = *counts;
    if free + chat + tools + free_chat == 0 {
        return models.to_string();
    }
    format!("{models} in all: {free} free, {chat} for chat, {tools} with tools; {free_chat} are free and chat")
}

fn next(due: u64, now: u64, is_running: bool) -> String {
    match due.checked_sub(now).filter(|wait| *wait > 0) {
        Some(wait) if is_running => format!("fetched again in {}", span(wait)),
        Some(wait) => format!("good for {} more; a start fetches it anew all the same", span(wait)),
        None if is_running => "is being fetched".to_owned(),
        None => "grown old: the next start fetches it anew".to_owned(),
    }
}
