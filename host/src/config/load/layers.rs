//! The layers of the settings, and how they are laid over one another.
//!
//! Each layer (file, environment, flags) becomes a list of settings with their origin; every
//! value is tried by itself, so that all wrong ones are reported at once, each with its
//! place. It must not read files or the process. Read `keys.rs` next for the names.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Origin, Override, Place, Problem, files, files::Variable, keys, yaml};
use crate::config::{Config, check};

/// The most problems told of one file: the place of each costs a reading of the text, and a
/// file with more is surely not one of ours.
const MOST_FILE_PROBLEMS: usize = 20;

/// Holds one value of one layer.
pub(super) struct Setting {
    /// The dotted key.
    pub key: String,
    /// The value as written; may be a secret, so it is never shown from here.
    pub value: Value,
    /// Where it is from.
    pub origin: Origin,
    /// The same for problems.
    pub place: Place,
}

/// Holds the outcome of all layers.
pub(super) struct Merged {
    /// The settings; `default` where no layer says anything.
    pub config: Config,
    /// Where the value of every key is from.
    pub origins: BTreeMap<String, Origin>,
    /// For each key that a layer set, where it did.
    pub places: BTreeMap<String, Place>,
}

/// Gathers settings and whatever is wrong with them.
#[derive(Default)]
pub(super) struct Layers {
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl Layers {
    /// Adds the settings of a file's text. A key without a value is not set.
    pub(super) fn add_file(&mut self, file: &Path, text: &str) {
        match yaml::parse(text) {
            Ok(tree) => FileLayer { file, text, layers: self }.add(&mut Vec::new(), tree),
            Err(fault) => self.problems.push(Problem::at(Place::of_fault(file, &fault), fault.message)),
        }
    }

    /// Adds the settings of the environment.
    pub(super) fn add_environment(&mut self, variables: &[Variable]) {
        let set = variables.iter().filter(|variable| !keys::is_from_platform(&variable.name, &variable.text));
        let set: BTreeMap<&str, &Variable> = set.map(|variable| (variable.name.as_str(), variable)).collect();
        let full: BTreeMap<String, String> = keys::all().into_iter().map(|key| (keys::variable(&key), key)).collect();
        let short = keys::SHORT_VARIABLES.iter().map(|(name, key)| (*name, *key));
        let long = full.iter().map(|(name, key)| (name.as_str(), key.as_str()));
        // Later settings win, so the long name of a key comes after its short one.
        for (name, key) in short.chain(long) {
            if let Some(Variable { text, shown, .. }) = set.get(name) {
                let origin = Origin::Environment { variable: shown.clone() };
                self.push(key, text.as_str().into(), origin, Place::Variable(shown.clone()));
            }
        }
        let ours = set.keys().filter(|name| name.starts_with(keys::PREFIX));
        for name in ours.filter(|name| !full.contains_key(**name)) {
            let hint = match files::nearest(name).or_else(|| keys::nearest_variable(name)) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("after `{}` comes a key such as `SERVER_PORT`", keys::PREFIX),
            };
            let message = format!("no setting has this name; {hint}");
            self.problems.push(Problem::at(Place::Variable((*name).to_owned()), message));
        }
    }

    /// Adds what was found wrong before.
    pub(super) fn add_problems(&mut self, problems: Vec<Problem>) {
        self.problems.extend(problems);
    }

    /// Adds what flags of the command line set.
    pub(super) fn add_overrides(&mut self, overrides: &[Override]) {
        let known = keys::all();
        for Override { key, text, flag } in overrides {
            let place = Place::Flag((*flag).to_owned());
            if known.contains(key) {
                self.push(key, text.as_str().into(), Origin::Flag { flag: (*flag).to_owned() }, place);
            } else {
                self.problems.push(Problem::at(place, unknown(key)).of(key));
            }
        }
    }

    /// Tries every value, then lays later ones over earlier ones.
    pub(super) fn merge(self) -> Result<Merged, Vec<Problem>> {
        let mut problems = self.problems;
        let mut tree = Value::Object(Map::new());
        let mut origins: BTreeMap<String, Origin> = keys::all().into_iter().map(|key| (key, Origin::Default)).collect();
        let mut places = BTreeMap::new();
        for setting in self.settings {
            if let Err(message) = try_alone(&setting) {
                problems.push(Problem::at(setting.place, message).of(setting.key));
                continue;
            }
            put(&mut tree, &setting.key, setting.value);
            origins.insert(setting.key.clone(), setting.origin);
            places.insert(setting.key, setting.place);
        }
        match serde_json::from_value(tree) {
            Ok(config) if problems.is_empty() => Ok(Merged { config, origins, places }),
            Ok(_) => Err(problems),
            Err(error) => {
                problems.push(Problem::new(error.to_string()));
                Err(problems)
            }
        }
    }

    fn push(&mut self, key: &str, value: Value, origin: Origin, place: Place) {
        self.settings.push(Setting { key: key.to_owned(), value, origin, place });
    }
}

impl Merged {
    /// Returns a problem of a key, with the place that set it.
    pub(super) fn problem(&self, key: &str, message: String) -> Problem {
        Problem { place: self.places.get(key).cloned(), key: Some(key.to_owned()), message }
    }

    /// Returns the problems between settings, each told where a person set one of its keys.
    pub(super) fn check(&self) -> Vec<Problem> {
        let told = |problem: check::Problem| {
            let is_set = |key: &&&str| self.places.contains_key(**key);
            let key = problem.keys.iter().find(is_set).or(problem.keys.first()).copied().unwrap_or_default();
            self.problem(key, problem.message)
        };
        self.config.check().into_iter().map(told).collect()
    }
}

/// Walks the tree of one file down to its settings.
struct FileLayer<'a> {
    file: &'a Path,
    text: &'a str,
    layers: &'a mut Layers,
}

impl FileLayer<'_> {
    fn add(&mut self, path: &mut Vec<String>, tree: Map<String, Value>) {
        let known = keys::all();
        for (name, value) in tree {
            if self.layers.problems.len() >= MOST_FILE_PROBLEMS {
                return;
            }
            let is_dotted = name.contains('.');
            path.push(name);
            let key = path.join(".");
            let is_section =
                known.iter().any(|known| known.strip_prefix(&key).is_some_and(|rest| rest.starts_with('.')));
            // `title: ""` is how one says "none" in a template filled in by a tool.
            let is_empty = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
            match value {
                _ if is_dotted => self.refuse(path, "a key has no dots here: put `port: 1` below `server:`, indented"),
                _ if !is_section && !known.contains(&key) => self.refuse(path, &unknown(&key)),
                _ if is_empty => {}
                Value::Object(section) if is_section => self.add(path, section),
                _ if is_section => self.refuse(path, "it is a section: put its keys below it, indented"),
                value => self.set(path, value),
            }
            path.pop();
        }
    }

    fn set(&mut self, path: &[String], value: Value) {
        let line = self.position(path).map_or(0, |(line, _)| line);
        let place = self.place(path);
        self.layers.push(&path.join("."), value, Origin::File { line }, place);
    }

    fn refuse(&mut self, path: &[String], message: &str) {
        self.layers.problems.push(Problem::at(self.place(path), message).of(path.join(".")));
    }

    fn place(&self, path: &[String]) -> Place {
        Place::File { path: self.file.to_owned(), position: Some(self.position(path).unwrap_or((1, 1))) }
    }

    fn position(&self, path: &[String]) -> Option<(usize, usize)> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        yaml::position(self.text, &path)
    }
}

fn unknown(key: &str) -> String {
    match keys::nearest(key) {
        Some(nearest) => format!("unknown key, did you mean `{nearest}`?"),
        None => "unknown key: remove it, or see `config show` for all keys".to_owned(),
    }
}

/// Parses the whole with this one value in it, so that an error can only be about it.
fn try_alone(setting: &Setting) -> Result<(), String> {
    let mut tree = Value::Object(Map::new());
    put(&mut tree, &setting.key, setting.value.clone());
    serde_json::from_value::<Config>(tree).map(drop).map_err(|error| error.to_string())
}

fn put(tree: &mut Value, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => put(&mut tree[section], rest, value),
        None => tree[key] = value,
    }
}
