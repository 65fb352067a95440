//! What an operator may set for this policy, and what is wrong with it.

use alloc::{borrow::ToOwned as _, string::String, vec::Vec};

use crate::bindings::ollama_router::policy::types::SettingError;
use crate::json::{self, Value};

/// JSON Schema of the settings. It says what `Settings::parse` does.
pub(crate) const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"required":["pin"],"properties":{
"pin":{"type":"string","minLength":1,"description":"The model for everybody, by id, or by name if only one vendor uses it."},
"fallbacks":{"type":"array","items":{"type":"string","minLength":1},"default":[],"description":"The models that stand in for it, in this order."},
"free_mode":{"type":"boolean","default":true,"description":"Only free models are visible."},
"tool_use_only":{"type":"boolean","default":false,"description":"Only models that call tools are visible."},
"filter":{"type":"array","items":{"type":"string"},"default":[],"description":"Only models are visible whose id or name contains one of these texts."}
}}"#;

/// The settings, and what was learned of them with the catalogue.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    /// The pinned model and then the fallbacks, in small letters.
    pub(crate) names: Vec<String>,
    pub(crate) free_mode: bool,
    pub(crate) tool_use_only: bool,
    /// Texts in small letters, one of which a model has to contain.
    pub(crate) filter: Vec<String>,
    /// The number of the pinned model, if the catalogue has it.
    pub(crate) pinned: Option<u32>,
}

impl Settings {
    /// Reads a JSON object. The errors are all that there are.
    pub(crate) fn parse(json: &str) -> Result<Self, Vec<SettingError>> {
        let mut errors = Vec::new();
        let mut wrong = |pointer: &[&str], message: &str| {
            errors.push(SettingError { pointer: pointer.concat(), message: message.to_owned() });
        };
        let mut pin = None;
        let mut settings =
            Self { names: Vec::new(), free_mode: true, tool_use_only: false, filter: Vec::new(), pinned: None };
        let Some(Value::Object(entries)) = json::parse(json) else {
            wrong(&[], "expected an object of settings");
            return Err(errors);
        };
        for (name, value) in entries {
            match (&*name, value) {
                ("pin", Value::Text(text)) if !text.trim().is_empty() => pin = Some(small(&text)),
                ("fallbacks", Value::List(list)) => {
                    settings.names = texts(list, |place| wrong(&["/fallbacks/", place], "expected a model"), true);
                }
                ("filter", Value::List(list)) => {
                    let lines = texts(list, |place| wrong(&["/filter/", place], "expected a text"), false);
                    let patterns = lines.iter().map(|line| pattern(line));
                    settings.filter = patterns.filter(|pattern| !pattern.is_empty()).map(String::from).collect();
                }
                ("free_mode", Value::Flag(flag)) => settings.free_mode = flag,
                ("tool_use_only", Value::Flag(flag)) => settings.tool_use_only = flag,
                ("pin", _) => {
                    // Told once: that it is wrong, not that it is missing too.
                    pin = Some(String::new());
                    wrong(&["/pin"], "expected a model's id, such as a/b:free");
                }
                ("fallbacks" | "filter", _) => wrong(&["/", &name], "expected a list of texts"),
                ("free_mode" | "tool_use_only", _) => wrong(&["/", &name], "expected true or false"),
                _ => {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    wrong(&["/", &name], "unknown setting; there are pin and fallbacks");
                }
            }
        }
        match pin {
            Some(pin) => settings.names.insert(0, pin),
            None => wrong(&["/pin"], "expected a model's id: which one is everybody to get?"),
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

/// Returns a text as it is compared.
fn small(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

/// Returns the pattern of a line: without the comment in it, and without the tag that names have in lists.
fn pattern(line: &str) -> &str {
    let mut before_signs = line.match_indices('#').filter_map(|(place, _)| line.get(..place));
    let begins_comment = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    let text = before_signs.find(begins_comment).unwrap_or(line).trim_end();
    text.strip_suffix(":latest").filter(|untagged| !untagged.is_empty()).unwrap_or(text)
}

/// Returns the texts of a list, and tells the place of what is none.
fn texts(list: Vec<Value>, mut wrong: impl FnMut(&str), is_name: bool) -> Vec<String> {
    let mut texts = Vec::new();
    for (place, entry) in list.into_iter().enumerate() {
        match entry {
            Value::Text(text) if !is_name || !text.trim().is_empty() => texts.push(small(&text)),
            _ => wrong(&decimal(place)),
        }
    }
    texts
}

/// Writes a number; the standard way would bring all of formatting.
fn decimal(number: usize) -> String {
    let mut text = if number < 10 { String::new() } else { decimal(number / 10) };
    text.push(char::from(b'0'.wrapping_add((number % 10).to_le_bytes()[0])));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_can_be_set() {
        let json = r##"{"pin": " A/B:free", "fallbacks": ["c"], "free_mode": false, "tool_use_only": true,
            "filter": [" X:latest # yes", "", "# no"]}"##;
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = Settings {
            names: owned(&["a/b:free", "c"]),
            free_mode: false,
            tool_use_only: true,
            filter: owned(&["x"]),
            pinned: None,
        };
        assert_eq!(Settings::parse(json), Ok(expected));
        let least = Settings::parse(r#"{"pin": "a"}"#).unwrap();
        assert!(least.free_mode && !least.tool_use_only && least.filter.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pointer() {
        let cases = [
            ("[]", vec![""]),
            ("{", vec![""]),
            ("{}", vec!["/pin"]),
            (r#"{"pin": ""}"#, vec!["/pin"]),
            (r#"{"pin": null}"#, vec!["/pin"]),
            (r#"{"pin": "a", "fallbacks": "b"}"#, vec!["/fallbacks"]),
            (r#"{"pin": "a", "fallbacks": ["b", "", 7]}"#, vec!["/fallbacks/1", "/fallbacks/2"]),
            (r#"{"pin": "a", "filter": [1], "free_mode": 1}"#, vec!["/filter/0", "/free_mode"]),
            (r#"{"pin": "a", "x/y~z": 1}"#, vec!["/x~1y~0z"]),
        ];
        for (json, expected) in cases {
            let errors = Settings::parse(json).expect_err(json);
            let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(pointers, expected, "{json}: {errors:?}");
        }
        assert_eq!(decimal(0) + &decimal(1078), "01078");
    }
}
