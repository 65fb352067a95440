//! The settings of a policy, held against the JSON Schema that the policy gives.
//!
//! The schema is a guest's, so it is bounded: in size, in its references, which stay
//! within it and go round in no circle, and in its patterns, which are matched in
//! linear time. The policy itself has the last word, in `configure`.

use std::collections::BTreeSet;

use jsonschema::{PatternOptions, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

use crate::policy::{Phase, Refused, instance::presentable};

/// What every policy is told, whether its schema names it or not.
pub(super) const STANDARD: [&str; 3] = ["free_mode", "tool_use_only", "filter"];

/// The largest schema, in bytes: that of the default policy has two thousand.
const MAX_BYTES: usize = 64 * 1024;

/// References in a schema. Each may be followed for each before it, so that their
/// number bounds the work.
const MAX_REFERENCES: usize = 16;

/// Settings that are named when they are refused; further ones say little.
const MAX_ERRORS: usize = 20;

/// Words about a setting that may repeat its value.
const MAX_WORDS_BYTES: usize = 300;

/// The largest compiled pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Holds settings against a schema; a policy without one has an empty text.
///
/// The standard settings count only if the schema names them. A schema that cannot be
/// used refuses the policy.
pub(super) fn check(schema: &str, settings: &Map<String, Value>) -> Result<(), Refused> {
    if schema.trim().is_empty() {
        return Ok(());
    }
    let unusable = |reason: String| refuse(format!("its schema of the settings cannot be used: {reason}"));
    let schema = bounded(schema).map_err(unusable)?;
    let validator = compile(&schema).map_err(unusable)?;
    let named = schema.get("properties").and_then(Value::as_object);
    let counts = |name: &str| !STANDARD.contains(&name) || named.is_some_and(|named| named.contains_key(name));
    let given = settings.iter().filter(|(name, _)| counts(name)).map(|(name, value)| (name.clone(), value.clone()));
    let given = Value::Object(given.collect());
    let known = named.into_iter().flat_map(Map::keys).map(String::as_str).collect::<Vec<_>>().join(", ");
    let errors: Vec<String> =
        validator.iter_errors(&given).flat_map(|error| told(&error, &known)).take(MAX_ERRORS).collect();
    if errors.is_empty() { Ok(()) } else { Err(refuse(errors.join("; "))) }
}

fn refuse(reason: String) -> Refused {
    Refused { phase: Phase::Settings, reason }
}

/// Says what is wrong with a setting, and where; of unknown names each by itself.
fn told(error: &ValidationError<'_>, known: &str) -> Vec<String> {
    let place = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } if place.is_empty() => {
            let hint = if known.is_empty() { "it has none".to_owned() } else { format!("there are {known}") };
            let one = |name: &String| format!("policy.settings/{name}: there is no such setting; {hint}");
            unexpected.iter().map(|name| plain(&one(name))).collect()
        }
        _ => {
            let words = error.to_string();
            // A long value would leave no room for what is wrong with it.
            let words = if words.len() > MAX_WORDS_BYTES { error.masked().to_string() } else { words };
            vec![plain(&format!("policy.settings{place}: {words}"))]
        }
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN_BYTES);
    let compiled = jsonschema::options().with_pattern_options(patterns).build(schema);
    compiled.map_err(|error| plain(&error.to_string()))
}

/// Makes words fit for the log: one line, and not a long one; quotes stay as they are.
fn plain(words: &str) -> String {
    presentable(words).replace("\\\"", "\"").replace("\\'", "'")
}

/// Reads a schema, and refuses one that could make a check endless.
fn bounded(text: &str) -> Result<Value, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it has more than {} KiB", MAX_BYTES / 1024));
    }
    let schema: Value = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let mut references = Vec::new();
    collect(&schema, &mut references)?;
    if references.len() > MAX_REFERENCES {
        return Err(format!("it has more than {MAX_REFERENCES} references"));
    }
    for reference in &references {
        follow(&schema, reference, &mut BTreeSet::new())?;
    }
    Ok(schema)
}

/// Finds all references below a value.
fn collect(value: &Value, found: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| match (name.as_str(), value) {
            ("$ref", Value::String(target)) => {
                found.push(target.clone());
                Ok(())
            }
            ("$dynamicRef" | "$recursiveRef", _) => Err(format!("`{name}` is not supported")),
            _ => collect(value, found),
        }),
        Value::Array(values) => values.iter().try_for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Follows a reference to its end, and refuses one that comes back to itself.
fn follow(schema: &Value, reference: &str, before: &mut BTreeSet<String>) -> Result<(), String> {
    let place = reference.strip_prefix('#').filter(|place| place.starts_with('/'));
    let Some(place) = place else {
        return Err(format!("the reference {reference:?} is not to a part of it, such as \"#/$defs/name\""));
    };
    if !before.insert(reference.to_owned()) {
        return Err(format!("the reference {reference:?} leads back to itself"));
    }
    let target = schema.pointer(place).ok_or_else(|| format!("nothing is at the reference {reference:?}"))?;
    let mut further = Vec::new();
    collect(target, &mut further)?;
    further.iter().try_for_each(|next| follow(schema, next, before))?;
    before.remove(reference);
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(schema: &Value, settings: Value) -> Result<(), String> {
        let Value::Object(settings) = settings else { panic!("no object") };
        check(&schema.to_string(), &settings).map_err(|refused| refused.to_string())
    }

    #[test]
    fn settings_are_named_by_their_place_with_what_is_wrong() {
        let schema = json!({
            "additionalProperties": false,
            "properties": {"prefer": {"type": "array", "items": {"type": "string"}}, "share": {"maximum": 1}},
        });
        assert_eq!(checked(&schema, json!({"prefer": ["a"], "share": 1})), Ok(()));
        let wrong = checked(&schema, json!({"prefer": ["a", 3], "share": 2, "colour": "red"}));
        let told = "settings: policy.settings/prefer/1: 3 is not of type \"string\"; \
                    policy.settings/share: 2 is greater than the maximum of 1; \
                    policy.settings/colour: there is no such setting; there are prefer, share";
        let sorted = |text: &str| {
            let mut parts: Vec<String> = text.split("; ").map(|part| part.replace("settings: ", "")).collect();
            parts.sort();
            parts
        };
        assert_eq!(sorted(&wrong.unwrap_err()), sorted(told));
    }

    #[test]
    fn standard_settings_count_only_if_the_schema_names_them() {
        let settings = json!({"free_mode": true, "tool_use_only": false, "filter": ["x"]});
        assert_eq!(checked(&json!({"additionalProperties": false}), settings.clone()), Ok(()));
        let none = json!({"properties": {"filter": {"maxItems": 0}}});
        assert!(checked(&none, settings).unwrap_err().contains("policy.settings/filter"));
    }

    #[test]
    fn no_schema_is_no_rule_and_one_that_cannot_be_used_refuses_the_policy() {
        assert_eq!(check(" \n", &Map::new()), Ok(()));
        let long = format!("{{\"title\": \"{}\"}}", "x".repeat(MAX_BYTES));
        let many = json!({"allOf": vec![json!({"$ref": "#/$defs/a"}); 17], "$defs": {"a": {}}}).to_string();
        for (schema, told) in [
            ("no JSON", "it is no JSON"),
            (r#"{"type": "strnig"}"#, "strnig"),
            (r#"{"pattern": "("}"#, "regex"),
            (r#"{"$ref": "https://example.com/schema.json"}"#, "is not to a part of it"),
            (r##"{"$ref": "#"}"##, "is not to a part of it"),
            (r##"{"$ref": "#/$defs/b"}"##, "nothing is at"),
            (r##"{"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/a"}}}}"##, "leads back to itself"),
            (r##"{"$dynamicRef": "#a"}"##, "is not supported"),
            (&*many, "more than 16 references"),
            (&*long, "more than 64 KiB"),
        ] {
            let refused = check(schema, &Map::new()).unwrap_err();
            assert_eq!(refused.phase, Phase::Settings);
            assert!(refused.reason.contains(told), "{schema}: {}", refused.reason);
        }
    }

    #[test]
    fn a_part_may_be_referred_to_and_a_pattern_costs_linear_time() {
        let schema = json!({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"pattern": "^(a+)+$"}}});
        let wrong = checked(&schema, json!({"a": format!("{}!", "a".repeat(10_000))}));
        assert!(wrong.unwrap_err().contains("does not match"));
    }
}
