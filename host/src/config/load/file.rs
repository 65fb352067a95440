//! The settings file as something that is changed: one key, or the whole text.
//!
//! Every change is a new text, held against all rules before anything is written, and takes
//! the place of the old one at once or not at all. What somebody else wrote meanwhile is
//! never overwritten. How one key is changed within the text, `load/edit.rs` knows.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Error, FILE_BYTES, Loaded, Place, Problem, Sources, edit, home_variable, keys, load_text, read_text, settings_file,
    too_large, typed,
};
use crate::config::{is_secret, load::yaml, value::Secret};

/// What a file of ours begins with on some systems.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The settings file as it was found.
pub struct SettingsFile {
    /// Where it is, absolute; perhaps a link.
    path: PathBuf,
    /// Its text, without a byte order mark; none if there is no such file.
    text: Option<String>,
    /// The bytes as they were found.
    found: Option<Vec<u8>>,
    /// What is read besides it: the home folder alone, for paths in it.
    beside: Sources,
}

/// A key with another value.
pub struct Change {
    /// The text of the whole file with it.
    pub text: String,
    /// The value as the file had it, masked if it is a secret; none if it had none.
    pub before: Option<Value>,
    /// The value that it has then.
    pub after: Option<Value>,
}

/// Tells why a change cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unchangeable(String);

impl SettingsFile {
    /// Reads it in order to change it; a file that is not there is as good as an empty one.
    ///
    /// What is there and no file, such as a device or a pipe, is refused: it is read as settings,
    /// but must not be replaced by a file.
    pub fn open(sources: &Sources) -> Result<Self, Error> {
        let path = settings_file(sources)?;
        // Before it is read: a pipe may have nobody who writes.
        replaceable(&path).map_err(|why| Problem::at(Place::file(&path), why))?;
        let text = read_text(&path, FILE_BYTES).map_err(|message| Problem::at(Place::file(&path), message))?;
        let found = fs::read(&path).ok();
        let home = sources.environment.iter().filter(|(name, _)| name == home_variable()).cloned();
        let beside = Sources { file: Some(path.clone()), environment: home.collect(), overrides: Vec::new() };
        Ok(Self { path, text, found, beside })
    }

    /// Returns where it is or would be, without reading it.
    pub fn locate(sources: &Sources) -> Result<PathBuf, Error> {
        settings_file(sources)
    }

    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether there is such a file.
    pub fn exists(&self) -> bool {
        self.text.is_some()
    }

    /// Returns its text; an empty one if there is no such file.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Returns the value that the file has for a key, masked if it is a secret.
    pub fn value(&self, key: &str) -> Option<Value> {
        let tree = yaml::parse(self.text()).ok()?;
        typed::found(&tree, &typed::path(key)).filter(|value| !value.is_null()).map(|value| masked(key, value))
    }

    /// Returns the settings that the file makes by itself, without variables and flags.
    pub fn alone(&self) -> Result<Loaded, Error> {
        load_text(&self.beside, self.path.clone(), self.text.as_deref())
    }

    /// Tells whether it holds a secret.
    pub fn holds_secret(&self) -> bool {
        keys::all().iter().any(|key| is_secret(key) && self.value(key).is_some())
    }

    /// Tells what would be wrong with the file if it had this text.
    pub fn check(&self, text: &str) -> Result<(), Error> {
        if (self.mark().len() + text.len()) as u64 > FILE_BYTES {
            let message = format!("with this the {}", too_large(FILE_BYTES));
            return Err(Problem::at(Place::file(&self.path), message).into());
        }
        load_text(&self.beside, self.path.clone(), Some(text)).map(drop)
    }

    /// Returns the file with another value for a key, as a person typed it.
    pub fn set(&self, key: &str, typed: &str) -> Result<Change, Error> {
        let text = self.set_in(self.text(), key, typed)?;
        let after = typed::value(key, typed).ok().map(|value| masked(key, &value));
        Ok(Change { text, before: self.value(key), after })
    }

    /// Returns a text for this file with another value for a key.
    pub fn set_in(&self, text: &str, key: &str, typed: &str) -> Result<String, Error> {
        let value = typed::value(key, typed).map_err(|message| Problem::new(message).of(key))?;
        self.read(text)?;
        let text = edit::set(text, &typed::path(key), &value).map_err(|reason| self.by_hand(key, &reason))?;
        self.check(&text).map_err(|error| as_typed(key, error))?;
        Ok(text)
    }

    /// Returns the file without a key; none if it has no such key.
    pub fn unset(&self, key: &str) -> Result<Option<Change>, Error> {
        self.read(self.text())?;
        let changed = edit::unset(self.text(), &typed::path(key)).map_err(|reason| self.by_hand(key, &reason))?;
        let Some(text) = changed else { return Ok(None) };
        self.check(&text)?;
        Ok(Some(Change { text, before: self.value(key), after: None }))
    }

    /// Puts a text in the place of the old one, at once or not at all.
    ///
    /// A link stays a link, and the file keeps its permissions; a new one is for its owner alone.
    pub fn write(&self, text: &str) -> Result<(), Unchangeable> {
        let told =
            |error: io::Error| Unchangeable(format!("cannot write {}: {error}{}", self.path.display(), remedy(&error)));
        let target = target(&self.path).map_err(told)?;
        replaceable(&target).map_err(|why| Unchangeable(format!("cannot write {}: {why}", self.path.display())))?;
        if fs::read(&target).ok() != self.found {
            let path = self.path.display();
            return Err(Unchangeable(format!("{path} has changed meanwhile, and is left as it is: try again")));
        }
        replace(&target, &[self.mark(), text].concat()).map_err(told)
    }

    /// Returns what the file begins with before its text.
    fn mark(&self) -> &'static str {
        let has_mark = self.found.as_ref().is_some_and(|found| found.starts_with(BYTE_ORDER_MARK.as_bytes()));
        if has_mark { BYTE_ORDER_MARK } else { "" }
    }

    /// Tells where a text is not YAML, before anything is looked for in it.
    fn read(&self, text: &str) -> Result<(), Error> {
        let told = |fault: yaml::Fault| {
            let message = format!("{}; mend it first, as with `config edit`", fault.message);
            Problem::at(Place::of_fault(&self.path, &fault), message)
        };
        Ok(yaml::parse(text).map(drop).map_err(told)?)
    }

    fn by_hand(&self, key: &str, reason: &str) -> Error {
        let message = format!("cannot change this key alone: {reason}; use `config edit`");
        Problem::at(Place::file(&self.path), message).of(key).into()
    }
}

/// Takes out the places of what is wrong with a value that was just typed: the line
/// that it would have is in no file yet.
fn as_typed(key: &str, mut error: Error) -> Error {
    for problem in error.problems.iter_mut().filter(|problem| problem.key.as_deref() == Some(key)) {
        problem.place = None;
    }
    error
}

/// Says what to do where a file cannot be replaced.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; you must be allowed to write to it and its folder, or name another with -c"
        }
        io::ErrorKind::ResourceBusy => {
            "; a file that is mounted by itself cannot be replaced: mount its folder instead"
        }
        io::ErrorKind::StorageFull => "; it is as it was: make room on the disk",
        _ => "",
    }
}

/// Returns a value as it may be shown.
fn masked(key: &str, value: &Value) -> Value {
    let mask = |value: &Value| match value {
        Value::Null => Value::Null,
        Value::String(text) => {
            Secret::parse(text.trim()).map_or_else(|_| "[redacted]".into(), |key| key.masked().into())
        }
        _ => Value::from("[redacted]"),
    };
    match value {
        Value::Array(items) if is_secret(key) => items.iter().map(mask).collect(),
        value if is_secret(key) => mask(value),
        Value::Object(section) => {
            let one = |(name, value): (&String, &Value)| (name.clone(), masked(&format!("{key}.{name}"), value));
            Value::Object(section.iter().map(one).collect())
        }
        value => value.clone(),
    }
}

/// Refuses what is there and no file: a folder is told of where it is read.
fn replaceable(path: &Path) -> Result<(), &'static str> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            Err("this is a device, a pipe or a socket, which can be read but not changed: name a file with -c")
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Follows links to the file that is meant, which need not be there.
fn target(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(link) => Ok(path.parent().unwrap_or(Path::new("/")).join(link)),
            Err(_) => Ok(path.to_owned()),
        },
        found => found,
    }
}

/// Writes beside and renames, so that a reader never meets half a file.
fn replace(target: &Path, text: &str) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("/"));
    private_folder(folder)?;
    // Readable for nobody else, unless the old file was.
    let mut partial = tempfile::Builder::new().prefix(".config-").suffix(".yaml").tempfile_in(folder)?;
    if let Ok(old) = fs::metadata(target) {
        if old.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is write-protected"));
        }
        partial.as_file().set_permissions(old.permissions())?;
        keep_owner(partial.as_file(), &old);
    }
    partial.write_all(text.as_bytes())?;
    partial.as_file().sync_all()?;
    partial.persist(target).map_err(|error| error.error)?;
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Makes a folder that is for its owner alone; one that is there stays as it is.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Root may change a file that another user's router has to read.
#[cfg(unix)]
fn keep_owner(file: &fs::File, old: &fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    // Who may not is the owner already, or writes where others may.
    drop(std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid())));
}

#[cfg(not(unix))]
fn keep_owner(_file: &fs::File, _old: &fs::Metadata) {}

/// Makes a file beside the settings unless it is there, and tells whether it made one.
pub fn make_beside(settings: &Path, name: &Path, text: &str) -> io::Result<bool> {
    let path = settings.parent().unwrap_or(Path::new("/")).join(name);
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Tells whether others than its owner may read a file.
pub fn is_shared(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        drop(path.components());
        false
    }
}
