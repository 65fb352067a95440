//! Keys set and taken out in awkward texts: what exactly comes out, and what always holds.

#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn set_in(text: &str, key: &str, value: &Value) -> String {
    let path: Vec<&str> = key.split('.').collect();
    set(text, &path, value).unwrap_or_else(|error| panic!("{key} in {text:?}: {error}"))
}

fn unset_in(text: &str, key: &str) -> String {
    let path: Vec<&str> = key.split('.').collect();
    unset(text, &path).unwrap_or_else(|error| panic!("{key} in {text:?}: {error}")).unwrap()
}

#[test]
fn a_key_is_set_and_nothing_besides() {
    let rows = [
        // The value alone is written anew.
        ("server:\n  port: 1 # mine\n", "server.port", json!(2), "server:\n  port: 2 # mine\n"),
        ("server:\n  'port': \"1\"\n", "server.port", json!("2"), "server:\n  'port': \"2\"\n"),
        ("server: {port: 1} # one\n", "server.port", json!(2), "server: {port: 2} # one\n"),
        ("{\"server\": {\"host\": \"a\"}}", "server.host", json!("b"), "{\"server\": {\"host\": \"b\"}}"),
        ("server:\r\n  port: 1\r\nmode:\r\n", "server.port", json!(2), "server:\r\n  port: 2\r\nmode:\r\n"),
        ("server:\n    port:\n", "server.port", json!(2), "server:\n    port: 2\n"),
        ("server:\n  port:   # none\n", "server.port", json!(2), "server:\n  port: 2   # none\n"),
        ("server:\n  port: &p 1\n", "server.port", json!(2), "server:\n  port: 2\n"),
        // Sections and keys that are missing.
        ("", "server.port", json!(2), "server:\n  port: 2\n"),
        ("# words", "server.port", json!(2), "# words\nserver:\n  port: 2\n"),
        ("---\n", "server.port", json!(2), "---\nserver:\n  port: 2\n"),
        ("---\nmode: {}\n...\n", "server.port", json!(2), "---\nmode: {}\nserver:\n  port: 2\n...\n"),
        ("server:\n  # port: 1\nmode:\n", "server.port", json!(2), "server:\n  port: 2\n  # port: 1\nmode:\n"),
        ("server: ~ # words\n", "server.port", json!(2), "server: # words\n  port: 2\n"),
        ("server: {}\n", "server.port", json!(2), "server: {port: 2}\n"),
        ("{server: }\n", "server.port", json!(2), "{server: {port: 2} }\n"),
        ("server: {host: a}\n", "server.port", json!(2), "server: {host: a, port: 2}\n"),
        ("{\"mode\": {}}", "server.port", json!("x"), "{\"mode\": {}, \"server\": {\"port\": \"x\"}}"),
        ("server:\n  host: a", "server.port", json!(2), "server:\n  host: a\n  port: 2\n"),
        (
            "server:\n    host: a # h\n\n# mode\nmode:\n",
            "mode.x",
            json!(2),
            "server:\n    host: a # h\n\n# mode\nmode:\n    x: 2\n",
        ),
        ("a:\n  b: 1\nc: 1\n", "a.d.e", json!(true), "a:\n  b: 1\n  d:\n    e: true\nc: 1\n"),
        // A key of the same name elsewhere is another.
        ("x:\n  port: 1\nserver:\n  port: 1\n", "server.port", json!(2), "x:\n  port: 1\nserver:\n  port: 2\n"),
        // What stands on several lines.
        (
            "server:\n  origins:   # whose\n    - a # first\n    # last\n    - b\n  port: 1\n",
            "server.origins",
            json!(["c", "d e"]),
            "server:\n  origins: [c, d e]  # whose\n    # first\n    # last\n  port: 1\n",
        ),
        ("a:\n  t: |\n    one\n    # two\n\nb: 1\n", "a.t", json!("x"), "a:\n  t: x\n\nb: 1\n"),
        ("a:\n  t: |+\n    one\n\nb: 1\n", "a.u", json!(1), "a:\n  t: |+\n    one\n\n  u: 1\nb: 1\n"),
        ("a: [1, # one\n  2] # two\nb: 1\n", "a", json!([3]), "a: [3]  # one\n  # two\nb: 1\n"),
        ("a:\n  b: one\n    two\n  c: 1\n", "a.b", json!("x"), "a:\n  b: x\n  c: 1\n"),
        ("a:\n  b: |\n    one", "c", json!(1), "c: 1\na:\n  b: |\n    one"),
        // Texts that would be read as something else.
        ("a: b\n", "a", json!("1"), "a: \"1\"\n"),
        ("a: b\n", "a", json!("yes"), "a: \"yes\"\n"),
        ("a: b\n", "a", json!("x #y"), "a: \"x #y\"\n"),
        ("a: b\n", "a", json!("two\nlines"), "a: \"two\\nlines\"\n"),
        ("a: b\n", "a", json!("~/dir/é.wasm"), "a: ~/dir/é.wasm\n"),
        ("a: b\n", "a", json!({"x": ["1", true, null], "y z": 0.5}), "a: {x: [\"1\", true, null], y z: 0.5}\n"),
    ];
    for (text, key, value, expected) in rows {
        assert_eq!(set_in(text, key, &value), expected, "{key} in {text:?}");
    }
}

#[test]
fn a_key_is_taken_out_and_nothing_besides() {
    let rows = [
        ("server:\n  # the port\n  port: 1 # mine\n  host: a\n", "server.port", "server:\n  # the port\n  host: a\n"),
        ("server:\n  port: 1\nmode:\n", "server.port", "server:\nmode:\n"),
        ("server:\n  port: 1\nmode:\n", "server", "mode:\n"),
        ("server:\r\n  port: 1\r\n  host: a\r\n", "server.port", "server:\r\n  host: a\r\n"),
        ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
        ("a: {b: 1}\n", "a.b", "a: {}\n"),
        ("a:\n  b:\n    - 1 # one\n    # two\n    - 2\n  c: 1\n", "a.b", "a:\n  # two\n  c: 1\n"),
        ("b:\n  c: |\n    x\n  d: [1,\n      # two\n      2]\n", "b.d", "b:\n  c: |\n    x\n  # two\n"),
        ("a: 1", "a", ""),
        ("a:\n  b:\n  c: 1\n", "a.b", "a:\n  c: 1\n"),
        ("a: |\n  x\n\nb: 1\n", "a", "\nb: 1\n"),
    ];
    for (text, key, expected) in rows {
        assert_eq!(unset_in(text, key), expected, "{key} in {text:?}");
    }
    for text in ["", "# a: 1\n", "a: {c: 1}\n", "a: *x\n", "a: 1\n"] {
        assert!(!matches!(unset(text, &["a", "b"]), Ok(Some(_))), "{text}");
    }
}

#[test]
fn what_would_change_more_is_refused() {
    let rows = [
        ("a: &x {b: 1}\nc: *x\n", "a.b", "this file is written in a way in which more than this key would change"),
        ("a: &x {b: 1}\nc: *x\n", "c.b", "it is written once for several places (`*name`)"),
        ("a: words\n", "a.b", "what should be a section is a value"),
    ];
    for (text, key, expected) in rows {
        let path: Vec<&str> = key.split('.').collect();
        assert_eq!(set(text, &path, &json!(2)), Err(expected.to_owned()), "{text}");
    }
    assert!(set("a: [\n", &["b"], &json!(1)).is_err());
}

/// Lines that are comments alone, and not within a text; no text below has such a line.
fn comment_lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).collect()
}

/// One entry of a section, in one of many spellings.
fn entry(name: &'static str) -> impl Strategy<Value = String> {
    let values = prop::sample::select(vec![
        " 1",
        " one # why",
        " 'it''s' ",
        " \"a # b\"",
        "",
        " ~",
        " {x: 1, y: [2, 3]}",
        " [a,\n      # inner\n      b]",
        "\n    - a\n    # between\n    - b # last",
        "\n    x: 1\n    # deep\n    y:\n      z: é",
        " |\n    one\n    two",
        " >-\n    one\n\n    two",
        " plain\n    goes on",
        " &here 5",
    ]);
    let before = prop::sample::select(vec!["", "  # above\n", "\n", "  # port: 7\n", "# out\n"]);
    (before, values, any::<bool>()).prop_map(move |(before, value, quoted)| {
        let name = if quoted { format!("'{name}'") } else { name.to_owned() };
        format!("{before}  {name}:{value}\n")
    })
}

fn section(name: &'static str) -> impl Strategy<Value = String> {
    let entries = (prop::option::of(entry("one")), prop::option::of(entry("two")), prop::option::of(entry("three")));
    let tail = prop::sample::select(vec!["", "  # tail of it\n", "\n", " \n# next\n"]);
    let body = (entries, tail)
        .prop_map(|((one, two, three), tail)| [one, two, three].into_iter().flatten().collect::<String>() + tail);
    prop_oneof![
        4 => body.prop_map(move |body| format!("{name}: # of {name}\n{body}")),
        1 => Just(format!("{name}: {{one: 1, \"two\": [2]}} # flow\n")),
        1 => Just(format!("{name}: {{}}\n")),
    ]
}

fn document() -> impl Strategy<Value = String> {
    let parts = (prop::option::of(section("a")), prop::option::of(section("b")), prop::option::of(section("c")));
    let head = prop::sample::select(vec!["", "# head\n\n", "---\n", "%YAML 1.1\n---\n# head\n"]);
    (head, parts, any::<bool>(), any::<bool>()).prop_map(|(head, (a, b, c), windows, open)| {
        let mut text: String = [Some(head.to_owned()), a, b, c].into_iter().flatten().collect();
        if open {
            text.truncate(text.trim_end().len());
        }
        if windows { text.replace('\n', "\r\n") } else { text }
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(8080),
        json!(true),
        json!("plain"),
        json!("needs: quotes # here"),
        json!("two\nlines"),
        json!(["x", "y, z"]),
        json!({"k": {"n": [1]}}),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_change_yields_the_wanted_tree_and_keeps_every_comment_line(
        text in document(),
        section in prop::sample::select(vec!["a", "b", "new"]),
        name in prop::sample::select(vec!["one", "two", "three", "four"]),
        value in prop::option::weighted(0.7, value()),
    ) {
        let before = yaml::parse(&text).map(Value::Object).unwrap();
        let path = [section, name];
        let changed = value.as_ref().map_or_else(|| unset(&text, &path), |value| set(&text, &path, value).map(Some));
        let Some(after) = changed.map_err(TestCaseError::fail)? else {
            prop_assert!(before.get(section).and_then(|section| section.get(name)).is_none());
            return Ok(());
        };
        let found = yaml::parse(&after).map(Value::Object).unwrap();
        prop_assert!(same(&found, &with(before, &path, value.as_ref())), "{after}");
        let mut left = comment_lines(&after);
        for comment in comment_lines(&text) {
            let place = left.iter().position(|line| *line == comment);
            prop_assert!(place.is_some(), "{comment} is lost:\n{after}");
            left.remove(place.unwrap());
        }
    }
}
