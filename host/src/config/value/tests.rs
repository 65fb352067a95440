//! What the value types take, refuse and show, as tables over their text.
//!
//! Amounts and networks have their tests beside their own code.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;

use super::*;

const KEY: &str = "sk-or-v1-0123456789abcdef0123456789abcdef";

#[test]
fn a_secret_shows_itself_only_when_exposed() {
    let key = Secret::parse(KEY).unwrap();
    let shown = (format!("{key}"), format!("{key:?}"), json!(key));
    assert_eq!(shown, ("[redacted]".to_owned(), "[redacted]".to_owned(), json!("sk-or-…cdef")));
    assert_eq!(key.expose(), KEY);
    let short = [Secret::parse("sk-or-123").unwrap(), Secret::parse(&KEY[6..]).unwrap()];
    assert_eq!(json!(short), json!(["[redacted]", "[redacted]"]));
}

#[test]
fn a_refused_secret_is_not_in_the_error() {
    let table = [
        (json!("sk-or- 1234"), "the key holds a space or a letter outside ASCII: copy it again, whole"),
        (json!("sk-or-…1234"), "the key holds a space or a letter outside ASCII: copy it again, whole"),
        (json!("[redacted]"), "this is the mask that stands for a key, not the key"),
        (json!(" "), "the key is empty"),
        (json!(1234), "a key must be text: put it in quotes"),
        (json!(true), "a key must be text: put it in quotes"),
    ];
    for (value, expected) in table {
        let error = serde_json::from_value::<Secret>(value).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_secret_loses_the_space_around_it() {
    let key: Secret = serde_json::from_value(json!(format!(" {KEY}\n"))).unwrap();
    assert_eq!(key.expose(), KEY);
}

#[test]
fn a_host_is_an_address_or_a_name_alone() {
    let table = [
        ("0.0.0.0", Host::Address(Ipv4Addr::UNSPECIFIED.into())),
        ("::", Host::Address(Ipv6Addr::UNSPECIFIED.into())),
        ("[::1]", Host::Address(Ipv6Addr::LOCALHOST.into())),
        ("localhost", Host::Name("localhost".to_owned())),
        ("my_host-2.lan", Host::Name("my_host-2.lan".to_owned())),
    ];
    for (text, expected) in table {
        assert_eq!(Host::parse(text), Ok(expected), "{text}");
    }
    for text in ["localhost:80", "http://localhost", "0.0.0", "1234", "a b", "", "a..b", "*"] {
        let form = "use an address or a host name alone; the port is `server.port`";
        assert_eq!(Host::parse(text), Err(format!("`{text}` is not a host: {form}")));
    }
    assert!(Host::parse(&"a".repeat(254)).is_err(), "longer than DNS allows");
}

#[test]
fn a_base_url_is_http_and_loses_its_last_slash() {
    let parsed = |text| BaseUrl::parse(text).map(String::from);
    assert_eq!(parsed("https://example.com/api/v1/"), Ok("https://example.com/api/v1".to_owned()));
    assert_eq!(parsed("http://[::1]:8080"), Ok("http://[::1]:8080".to_owned()));
    for text in ["example.com", "ftp://example.com", "https://", "https:///v1", "https://a?b", "https://a b"] {
        let form = "use one such as `https://openrouter.ai/api/v1`, with no `?` or `#`";
        assert_eq!(parsed(text), Err(format!("`{text}` is not a base URL: {form}")));
    }
    let secret = "a URL with a user or password in it: use `openrouter.api_key`".to_owned();
    assert_eq!(parsed("https://me:hidden@example.com"), Err(secret.clone()));
    assert_eq!(parsed("me:hidden@example.com"), Err(secret));
}

#[test]
fn words_of_a_choice_are_read_in_any_case_and_written_small() {
    let level = |text: &str| serde_json::from_value::<Level>(json!(text)).map_err(|e| e.to_string());
    assert_eq!(level("INFO"), Ok(Level::Info));
    assert_eq!(level("Warning"), Ok(Level::Warn));
    let words = "`error`, `warn`, `info`, `debug`, `trace`";
    assert_eq!(level("loud"), Err(format!("`loud` is not one of {words}")));
    let written = json!([Level::Warn, LogFormat::Json, OnError::Deny, UnknownModel::Gone]);
    assert_eq!(written, json!(["warn", "json", "deny", "gone"]));
}

#[test]
fn a_list_of_keys_is_a_list_or_a_text_with_commas() {
    let read = |value: Value| secrets(value).map(|keys| keys.iter().map(|key| key.0.clone()).collect());
    assert_eq!(read(json!("a, b,,c")).ok(), Some(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(read(json!(["a", "b"])).ok(), Some(vec!["a".into(), "b".into()]));
    assert_eq!(read(json!([])).ok(), Some(Vec::<String>::new()));
    assert_eq!(read(json!(["a", 1])).unwrap_err().to_string(), "a key must be text: put it in quotes");
}

#[test]
fn settings_are_an_object_or_its_json() {
    let read = |value: Value| object(value).map(Value::Object).map_err(|error| error.to_string());
    assert_eq!(read(json!({"a": [1]})), Ok(json!({"a": [1]})));
    assert_eq!(read(json!(r#"{"a": [1]}"#)), Ok(json!({"a": [1]})));
    assert_eq!(read(json!([1])), Err("not an object of names and values".to_owned()));
    let error = read(json!("{a}")).unwrap_err();
    assert!(error.starts_with("the text is not JSON: "), "{error}");
}

#[test]
fn booleans_and_counts_come_as_text_too() {
    let words = ["true", "YES", "on", "1", "false", "No", "off", "0"];
    let read: Vec<bool> = words.iter().map(|word| scalar::boolean(json!(word)).unwrap()).collect();
    assert_eq!(read, [true, true, true, true, false, false, false, false]);
    assert!(scalar::boolean(json!(1)).unwrap());
    assert_eq!(scalar::port(json!(" 11434 ")).unwrap(), 11434);
    assert_eq!(scalar::count(json!("0")).unwrap(), 0);
    let errors = [
        scalar::boolean(json!("maybe")).unwrap_err().to_string(),
        scalar::port(json!(70_000)).unwrap_err().to_string(),
        scalar::count(json!(1.5)).unwrap_err().to_string(),
        scalar::at_least_one(json!(0)).unwrap_err().to_string(),
    ];
    let expected = [
        "`maybe` is neither `true` nor `false`",
        "`70000` is not a port: use a number from 0 to 65535",
        "`1.5` is not a whole number of 0 or more",
        "`0` is not a whole number of 1 or more",
    ];
    assert_eq!(errors, expected);
}
