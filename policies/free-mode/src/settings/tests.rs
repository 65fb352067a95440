//! What settings are taken, and how wrong ones are reported.
#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::schema::SCHEMA;
use super::{MAX_CHARACTERS, MAX_FALLBACKS, MAX_FILTER_LINES, NAMES, Settings};

/// Returns the errors as pairs of pointer and message.
fn errors(json: &str) -> Vec<(String, String)> {
    let errors = Settings::parse(json).unwrap_err();
    errors.into_iter().map(|error| (error.pointer, error.message)).collect()
}

fn check(json: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(pointer, message)| ((*pointer).to_owned(), (*message).to_owned())).collect();
    assert_eq!(errors(json), expected, "{json}");
}

#[test]
fn an_empty_object_gives_the_defaults() {
    let expected = Settings { free_mode: true, tool_use_only: false, patterns: vec![], fallbacks: vec![] };
    assert_eq!(Settings::parse(" {} \n"), Ok(expected));
}

#[test]
fn every_setting_is_read_and_its_texts_are_trimmed() {
    let json = r##"{
        "free_mode": false, "tool_use_only": true,
        "filter": ["# mine", " Gemini ", "", "caf\u00e9/\"Q\"", " Lumen-4:Latest\t# no. 1 "],
        "fallbacks": [" z-ai/GLM ", "qwen"]
    }"##;
    let expected = Settings {
        free_mode: false,
        tool_use_only: true,
        patterns: vec!["gemini".to_owned(), "café/\"q\"".to_owned(), "lumen-4".to_owned()],
        fallbacks: vec!["z-ai/GLM".to_owned(), "qwen".to_owned()],
    };
    assert_eq!(Settings::parse(json), Ok(expected));
}

#[test]
fn every_error_is_reported_with_its_pointer() {
    check(
        r#"{"free_mode": "yes", "filters": [], "filter": ["a", 7, null], "fallbacks": [" ", {}], "tool_use_only": []}"#,
        &[
            ("/free_mode", "expected true or false, got a text"),
            ("/filters", "unknown setting; the nearest known one is `filter`"),
            ("/filter/1", "expected a pattern, got a number"),
            ("/filter/2", "expected a pattern, got null"),
            ("/fallbacks/1", "expected a model's id or name, got an object"),
            ("/fallbacks/0", "expected a model's id or name, got an empty text"),
            ("/tool_use_only", "expected true or false, got a list"),
        ],
    );
}

#[test]
fn an_unknown_name_is_escaped_in_its_pointer_and_gets_the_nearest_known_one() {
    check(r#"{"free/mode~": 1}"#, &[("/free~1mode~0", "unknown setting; the nearest known one is `free_mode`")]);
    check(r#"{"tool_only": 1}"#, &[("/tool_only", "unknown setting; the nearest known one is `tool_use_only`")]);
    check(r#"{"fallback": 1}"#, &[("/fallback", "unknown setting; the nearest known one is `fallbacks`")]);
}

#[test]
fn what_is_no_object_or_no_json_is_one_error() {
    check("[]", &[("", "expected an object of settings, got a list")]);
    check("-1.5e3", &[("", "expected an object of settings, got a number")]);
    for broken in ["", "{", r#"{"free_mode": tru}"#, "{} {}", r#"{"filter": ["a",]}"#, &"[".repeat(100_000)] {
        let errors = errors(broken);
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(errors[0].0, "");
        assert!(errors[0].1.starts_with("expected JSON: "), "{errors:?}");
    }
}

#[test]
fn lists_and_texts_are_bounded() {
    let long = "é".repeat(MAX_CHARACTERS);
    assert!(Settings::parse(&json!({ "filter": vec![&long; MAX_FILTER_LINES] }).to_string()).is_ok());
    assert!(Settings::parse(&json!({ "fallbacks": vec!["a"; MAX_FALLBACKS] }).to_string()).is_ok());

    let too_long = format!("{long}é");
    check(
        &json!({ "filter": ["a", &too_long], "fallbacks": [too_long] }).to_string(),
        &[
            ("/fallbacks/0", "expected a model's id or name of at most 500 characters"),
            ("/filter/1", "expected a pattern of at most 500 characters"),
        ],
    );
    check(
        &json!({ "filter": vec!["a"; 1_001], "fallbacks": vec!["a"; 33] }).to_string(),
        &[
            ("/fallbacks", "expected at most 32 entries, got 33"),
            ("/filter", "expected at most 1000 entries, got 1001"),
        ],
    );
}

#[test]
fn the_schema_says_what_the_reader_does() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let properties = schema["properties"].as_object().unwrap();

    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    assert_eq!(names, NAMES);
    assert_eq!(schema["additionalProperties"], json!(false));
    for (name, rules) in properties {
        assert!(rules["description"].is_string(), "{name}");
    }

    let defaults: Value = properties.iter().map(|(name, rules)| (name.clone(), rules["default"].clone())).collect();
    assert_eq!(Settings::parse(&defaults.to_string()), Ok(Settings::default()));

    for (name, max_items) in [("filter", MAX_FILTER_LINES), ("fallbacks", MAX_FALLBACKS)] {
        assert_eq!(properties[name]["maxItems"], json!(max_items), "{name}");
        assert_eq!(properties[name]["items"]["maxLength"], json!(MAX_CHARACTERS), "{name}");
    }
}
