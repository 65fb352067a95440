//! What an operator may set for this policy, and what is wrong with it.
//!
//! Turns the settings' JSON into a `Settings` that cannot be wrong, or reports
//! every error at once with its JSON pointer.

use serde_json::Value;

use crate::bindings::ollama_router::policy::types::SettingError;

/// JSON Schema of the settings. It says what `Settings::read` does.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Settings of the policy prefer-fast",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "explore": {
      "type": "number", "minimum": 0, "maximum": 1, "default": 0.05,
      "description": "How often, of all requests that name no model, one is given to a model whose speed is not known."
    },
    "max_failures": {
      "type": "integer", "minimum": 0, "maximum": 1000, "default": 3,
      "description": "A model that failed more often than this in the last five minutes comes after the others, however fast."
    },
    "prefer_requested": {
      "type": "boolean", "default": true,
      "description": "The requested model is tried first. Without it the fastest is, whatever was asked for."
    },
    "free_mode": { "type": "boolean", "default": true, "description": "Only free models are visible." },
    "tool_use_only": { "type": "boolean", "default": false, "description": "Only models that call tools are visible." },
    "filter": {
      "type": "array", "items": { "type": "string" }, "default": [],
      "description": "Only models are visible whose id or name contains one of these texts, with or without `:latest`. What follows a `#` is a comment."
    }
  }
}
"#;

/// The settings of one generation of the policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The share of requests that try a model of unknown speed, 0 to 1.
    pub(crate) explore: f64,
    /// Failures in five minutes that are forgiven.
    pub(crate) max_failures: u32,
    /// Whether the requested model comes first.
    pub(crate) prefer_requested: bool,
    /// Whether only free models are visible.
    pub(crate) free_mode: bool,
    /// Whether only models that call tools are visible.
    pub(crate) tool_use_only: bool,
    /// Texts without capitals, one of which a model has to contain.
    pub(crate) filter: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            explore: 0.05,
            max_failures: 3,
            prefer_requested: true,
            free_mode: true,
            tool_use_only: false,
            filter: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads a JSON object; what it does not mention has its default.
    ///
    /// The errors are all that there are.
    pub(crate) fn parse(json: &str) -> Result<Self, Vec<SettingError>> {
        let error = |message: String| vec![SettingError { pointer: String::new(), message }];
        let entries = match serde_json::from_str(json) {
            Ok(Value::Object(entries)) => entries,
            Ok(_) => return Err(error("expected an object of settings".to_owned())),
            Err(wrong) => return Err(error(format!("expected JSON: {wrong}"))),
        };
        let mut settings = Self::default();
        let mut errors = Vec::new();
        for (name, value) in &entries {
            let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            if let Err((below, message)) = settings.read(name, value) {
                errors.push(SettingError { pointer: pointer + &below, message });
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }

    /// Takes one setting. The error is where in the value it is, and what.
    fn read(&mut self, name: &str, value: &Value) -> Result<(), (String, String)> {
        let wrong = |expected: &str| (String::new(), format!("expected {expected}, got {value}"));
        let flag = || value.as_bool().ok_or_else(|| wrong("true or false"));
        match name {
            "explore" => {
                let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
                self.explore = share.ok_or_else(|| wrong("a number from 0 to 1"))?;
            }
            "max_failures" => {
                let count = value.as_u64().and_then(|count| u32::try_from(count).ok()).filter(|count| *count <= 1000);
                self.max_failures = count.ok_or_else(|| wrong("a whole number from 0 to 1000"))?;
            }
            "prefer_requested" => self.prefer_requested = flag()?,
            "free_mode" => self.free_mode = flag()?,
            "tool_use_only" => self.tool_use_only = flag()?,
            "filter" => self.filter = lines(value)?,
            _ => {
                let known = "explore, max_failures, prefer_requested, free_mode, tool_use_only and filter";
                return Err((String::new(), format!("unknown setting; there are {known}")));
            }
        }
        Ok(())
    }
}

/// Reads the lines of a filter, without those that mean nothing.
fn lines(value: &Value) -> Result<Vec<String>, (String, String)> {
    let entries = value.as_array().ok_or_else(|| (String::new(), format!("expected a list of texts, got {value}")))?;
    let mut lines = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        let text = entry.as_str().ok_or_else(|| (format!("/{place}"), format!("expected a text, got {entry}")))?;
        let pattern = pattern(text);
        if !pattern.is_empty() {
            lines.push(pattern);
        }
    }
    Ok(lines)
}

/// Returns the pattern of a line: without the comment in it, and without the tag that names have in lists.
fn pattern(line: &str) -> String {
    let mut before_signs = line.match_indices('#').filter_map(|(place, _)| line.get(..place));
    let begins_comment = |before: &&str| before.is_empty() || before.ends_with(char::is_whitespace);
    let text = before_signs.find(begins_comment).unwrap_or(line).trim().to_ascii_lowercase();
    text.strip_suffix(":latest").filter(|untagged| !untagged.is_empty()).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_has_the_default_of_the_schema() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let defaults: serde_json::Map<String, Value> = schema["properties"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, entry)| (name.clone(), entry["default"].clone()))
            .collect();

        assert_eq!(Settings::parse("{}"), Ok(Settings::default()));
        assert_eq!(Settings::parse(&Value::Object(defaults).to_string()), Ok(Settings::default()));
    }

    #[test]
    fn everything_can_be_set() {
        let json = r##"{"explore": 1, "max_failures": 0, "prefer_requested": false, "free_mode": false,
            "tool_use_only": true, "filter": [" Gemma:latest # yes", "", "# none"]}"##;
        let expected = Settings {
            explore: 1.0,
            max_failures: 0,
            prefer_requested: false,
            free_mode: false,
            tool_use_only: true,
            filter: vec!["gemma".to_owned()],
        };
        assert_eq!(Settings::parse(json), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_pointer() {
        let cases = [
            ("[]", vec![""]),
            ("{", vec![""]),
            (r#"{"explore": 1.5}"#, vec!["/explore"]),
            (r#"{"explore": -0.1}"#, vec!["/explore"]),
            (r#"{"explore": "0.1"}"#, vec!["/explore"]),
            (r#"{"explore": null, "max_failures": 1.5}"#, vec!["/explore", "/max_failures"]),
            (r#"{"max_failures": -1}"#, vec!["/max_failures"]),
            (r#"{"max_failures": 4294967297}"#, vec!["/max_failures"]),
            (r#"{"prefer_requested": 1}"#, vec!["/prefer_requested"]),
            (r#"{"filter": "gemma"}"#, vec!["/filter"]),
            (r#"{"filter": ["a", 7]}"#, vec!["/filter/1"]),
            (r#"{"a/b~c": 1}"#, vec!["/a~1b~0c"]),
        ];
        for (json, expected) in cases {
            let errors = Settings::parse(json).expect_err(json);
            let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(pointers, expected, "{json}: {errors:?}");
        }
    }
}
