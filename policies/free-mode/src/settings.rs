//! What an operator may set for this policy, and what is wrong with it.
//!
//! Turns the settings' JSON into a `Settings` that cannot be wrong, or reports
//! every error at once with its JSON pointer. It knows no model: whether a
//! fallback exists is known only with a catalogue, and models come and go. The
//! same rules as a schema, for editors and for the host, are in
//! `settings/schema.rs`; the users are `filter.rs` and `rank.rs`.

pub(crate) mod schema;

use std::borrow::Cow;

use hifijson::token::Lex as _;
use hifijson::{Error, SliceLexer, value};

use crate::bindings::ollama_router::policy::types::SettingError;

/// A value of JSON. Texts that have no escapes are parts of the source.
type Value<'a> = value::Value<&'a str, Cow<'a, str>>;

/// The names of all settings, by the alphabet.
const NAMES: [&str; 4] = ["fallbacks", "filter", "free_mode", "tool_use_only"];

/// The most lines a filter may have, comments included.
///
/// More than twice the models OpenRouter has: a longer one is another file
/// that was given by mistake, and would slow down each refresh.
const MAX_FILTER_LINES: usize = 1_000;

/// The most fallbacks: far more than the host tries for one request.
const MAX_FALLBACKS: usize = 32;

/// The deepest nesting that is read. Settings nest twice; the rest is room for
/// a mistake to be named as such.
const MAX_DEPTH: usize = 16;

/// The longest text in characters. The longest ids and names have about 100.
const MAX_CHARACTERS: usize = 500;

/// The tag that the host puts behind names that have none.
const LATEST: &str = ":latest";

/// The settings of one generation of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Whether only free models are visible.
    pub(crate) free_mode: bool,
    /// Whether only models that call tools are visible.
    pub(crate) tool_use_only: bool,
    /// Texts without capitals and without `:latest`, one of which a model has to
    /// contain. Never an empty text; an empty list filters nothing.
    pub(crate) patterns: Vec<String>,
    /// Ids or names of models to try after the requested one, in this order.
    pub(crate) fallbacks: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { free_mode: true, tool_use_only: false, patterns: Vec::new(), fallbacks: Vec::new() }
    }
}

impl Settings {
    /// Reads a JSON object; what it does not mention has its default.
    ///
    /// The errors are all that there are, setting by setting.
    pub(crate) fn parse(json: &str) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let mut settings = Self::default();
        match value(json) {
            Ok(Value::Object(entries)) => {
                for (name, value) in &entries {
                    settings.read(name, value, &mut errors);
                }
            }
            Ok(other) => errors.push(mismatch("", "an object of settings", &other)),
            Err(error) => {
                errors.push(SettingError { pointer: String::new(), message: format!("expected JSON: {error}") });
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    fn read(&mut self, name: &str, value: &Value<'_>, errors: &mut Vec<SettingError>) {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let mut field = Field { pointer: &pointer, value, errors };
        match name {
            "fallbacks" => self.fallbacks = field.names(),
            "filter" => self.patterns = field.patterns(),
            "free_mode" => self.free_mode = field.flag(),
            "tool_use_only" => self.tool_use_only = field.flag(),
            _ => errors.push(SettingError {
                message: format!("unknown setting; the nearest known one is `{}`", nearest(name)),
                pointer,
            }),
        }
    }
}

/// The value of one setting, and where its errors go.
///
/// After an error it yields anything of the right type: nobody reads it.
struct Field<'a> {
    pointer: &'a str,
    value: &'a Value<'a>,
    errors: &'a mut Vec<SettingError>,
}

impl<'a> Field<'a> {
    fn flag(&mut self) -> bool {
        let Value::Bool(flag) = self.value else {
            self.errors.push(mismatch(self.pointer, "true or false", self.value));
            return false;
        };
        *flag
    }

    fn patterns(&mut self) -> Vec<String> {
        self.texts(MAX_FILTER_LINES, "a pattern")
            .into_iter()
            .map(pattern)
            .filter(|pattern| !pattern.is_empty())
            .collect()
    }

    fn names(&mut self) -> Vec<String> {
        let names = self.texts(MAX_FALLBACKS, "a model's id or name");
        for (place, _) in names.iter().enumerate().filter(|(_, name)| name.is_empty()) {
            self.errors.push(SettingError {
                pointer: format!("{}/{place}", self.pointer),
                message: "expected a model's id or name, got an empty text".to_owned(),
            });
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// Returns the texts of a list, without the space around them.
    fn texts(&mut self, limit: usize, expected_entry: &str) -> Vec<&'a str> {
        let Value::Array(entries) = self.value else {
            self.errors.push(mismatch(self.pointer, "a list of texts", self.value));
            return Vec::new();
        };
        if entries.len() > limit {
            self.errors.push(SettingError {
                pointer: self.pointer.to_owned(),
                message: format!("expected at most {limit} entries, got {}", entries.len()),
            });
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(entries.len());
        for (place, entry) in entries.iter().enumerate() {
            let pointer = format!("{}/{place}", self.pointer);
            let text = match entry {
                Value::String(text) => text.as_ref(),
                other => {
                    self.errors.push(mismatch(&pointer, expected_entry, other));
                    REJECTED
                }
            };
            if text.chars().count() > MAX_CHARACTERS {
                self.errors.push(SettingError {
                    message: format!("expected {expected_entry} of at most {MAX_CHARACTERS} characters"),
                    pointer,
                });
            }
            texts.push(text.trim());
        }
        texts
    }
}

/// Returns the pattern of a line, or an empty text if it has none.
///
/// A `#` at its beginning or behind white space begins a comment. A `:latest` at its end
/// is left out: the host lists names with that tag that have none, and what is copied
/// from a list has to find its model.
fn pattern(line: &str) -> String {
    let mut before_signs = line.match_indices('#').filter_map(|(place, _)| line.get(..place));
    let begins_comment = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    let pattern = before_signs.find(begins_comment).unwrap_or(line).trim_end().to_ascii_lowercase();
    match pattern.strip_suffix(LATEST) {
        None | Some("") => pattern,
        Some(untagged) => untagged.to_owned(),
    }
}

/// Stands for an entry of a wrong type, so that the others keep their places.
const REJECTED: &str = "rejected";

fn value(json: &str) -> Result<Value<'_>, Error> {
    SliceLexer::new(json.as_bytes())
        .exactly_one(SliceLexer::ws_peek, |first, lexer| value::parse_bounded(MAX_DEPTH, first, lexer))
}

fn mismatch(pointer: &str, expected: &str, value: &Value<'_>) -> SettingError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    SettingError { pointer: pointer.to_owned(), message: format!("expected {expected}, got {found}") }
}

fn nearest(name: &str) -> &'static str {
    NAMES.into_iter().min_by_key(|known| strsim::osa_distance(name, known)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
