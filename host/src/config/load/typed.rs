//! What a person types for a setting, as the value that is written into the file.
//!
//! Typed text has no types, the file has: `8080` is a number there, `a,b` a list. Whether
//! the value is right is not decided here; the settings are read with it in them. Read
//! `load/file.rs` next.

use serde_json::{Map, Value};

use super::{keys, yaml};
use crate::config::{Config, at, value::scalar::pieces};

/// Settings that take a list, though their default is one word.
const LISTS_BY_COMMA: [&str; 1] = ["server.allow"];

/// Returns the value that a text stands for, as the value of a key.
pub(super) fn value(key: &str, text: &str) -> Result<Value, String> {
    let text = text.trim();
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    match at(&defaults, key) {
        // A name of a policy's own: what YAML makes of it.
        None => Ok(yaml(text).filter(|value| !is_changed(value, text)).unwrap_or_else(|| text.into())),
        _ if text == "null" => Ok(Value::Null),
        Some(Value::Array(_)) => list(text),
        Some(Value::Object(_)) => braces(text),
        Some(Value::Bool(_)) => Ok(switch(text).map_or_else(|| text.into(), Value::Bool)),
        Some(Value::Number(_)) => Ok(yaml(text).filter(Value::is_number).unwrap_or_else(|| text.into())),
        Some(Value::Null) if key == "policy.shadow" && text.starts_with('{') => braces(text),
        Some(_) if LISTS_BY_COMMA.contains(&key) && text.contains([',', '\n', '[']) => list(text),
        Some(_) => Ok(text.into()),
    }
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads `[a, b]`, or `a, b`, or one a line.
fn list(text: &str) -> Result<Value, String> {
    if text.starts_with('[') {
        let value = yaml(text).filter(Value::is_array);
        return value.ok_or_else(|| "this is no list: use `a,b` or `[a, b]`".to_owned());
    }
    Ok(pieces(text).map(Value::from).collect())
}

/// Reads `{a: 1}`, in YAML or JSON.
fn braces(text: &str) -> Result<Value, String> {
    let value = yaml(text).filter(Value::is_object);
    value.ok_or_else(|| {
        let form = "use braces, as in `{name: value}`, or set one name alone as `policy.settings.NAME`";
        format!("these are no names and values: {form}")
    })
}

/// Reads one value of YAML.
fn yaml(text: &str) -> Option<Value> {
    let mut tree = yaml::parse(&format!("value: {text}\n")).ok()?;
    if tree.len() != 1 {
        return None;
    }
    tree.remove("value")
}

/// Tells whether a number is no longer written as it was: `0.20` is a version, `007` a name.
fn is_changed(value: &Value, text: &str) -> bool {
    value.as_number().is_some_and(|number| number.to_string() != text)
}

/// Returns where a setting stands: the names of its sections and its own.
pub(super) fn path(key: &str) -> Vec<&str> {
    match key.strip_prefix(keys::FREE).and_then(|rest| rest.strip_prefix('.')) {
        Some(own) => keys::FREE.split('.').chain(own.split('.')).collect(),
        None => key.split('.').collect(),
    }
}

/// Returns what is at a path of a tree.
pub(super) fn found<'a>(tree: &'a Map<String, Value>, path: &[&str]) -> Option<&'a Value> {
    let (first, below) = path.split_first()?;
    below.iter().try_fold(tree.get(*first)?, |tree, name| tree.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_typed_becomes_what_is_written() {
        let rows = [
            ("server.port", "8080", json!(8080)),
            ("server.port", "x", json!("x")),
            ("mode.free_mode", "No", json!(false)),
            ("mode.free_mode", "perhaps", json!("perhaps")),
            ("server.version", "0.20", json!("0.20")),
            ("openrouter.title", "[mine] 7", json!("[mine] 7")),
            ("openrouter.title", "null", json!(null)),
            ("server.client_keys", "null", json!(null)),
            ("policy.settings", "null", json!(null)),
            ("failover.deadline", "90", json!("90")),
            ("cache.ttl_hours", "0.5", json!(0.5)),
            ("server.origins", "https://a, b", json!(["https://a", "b"])),
            ("server.origins", "https://a\r\nhttps://b\n", json!(["https://a", "https://b"])),
            ("server.allow", "private\n10.0.0.0/8", json!(["private", "10.0.0.0/8"])),
            ("server.origins", "[https://a, 'b,c']", json!(["https://a", "b,c"])),
            ("server.allow", "private", json!("private")),
            ("server.allow", "private,10.0.0.0/8", json!(["private", "10.0.0.0/8"])),
            ("policy.chain", "[{module: a.wasm}, free-mode]", json!([{"module": "a.wasm"}, "free-mode"])),
            ("policy.shadow", "{module: a.wasm, sample: 0.5}", json!({"module": "a.wasm", "sample": 0.5})),
            ("policy.shadow", "a.wasm", json!("a.wasm")),
            ("policy.settings", "{\"a\": [1]}", json!({"a": [1]})),
            ("policy.settings.a", "1", json!(1)),
            ("policy.settings.a", "0.20", json!("0.20")),
            ("policy.settings.a", "true", json!(true)),
            ("policy.settings.a", "[x, 2]", json!(["x", 2])),
            ("policy.settings.a", "'1'", json!("1")),
            ("policy.settings.a", "b: c", json!("b: c")),
            ("policy.settings.a", "1\nb: 2", json!("1\nb: 2")),
        ];
        for (key, text, expected) in rows {
            assert_eq!(value(key, text), Ok(expected), "{key} {text}");
        }
        let form = "use braces, as in `{name: value}`, or set one name alone as `policy.settings.NAME`";
        assert_eq!(value("policy.settings", "a"), Err(format!("these are no names and values: {form}")));
        assert_eq!(value("server.origins", "[a"), Err("this is no list: use `a,b` or `[a, b]`".to_owned()));
    }
}
