//! YAML or JSON text to a plain tree, with the line and column of whatever is wrong.
//!
//! The only file that knows the YAML crate. It must not know the settings: it refuses only
//! what no settings file may hold, such as a key given twice. Read `config/load.rs` next.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

mod words;

/// Tells what is wrong with a text, and where if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line and the column, from 1.
    pub place: Option<(usize, usize)>,
    /// What is wrong, without the place.
    pub message: String,
}

/// Parses a text whose root is a list of keys; an empty text has none.
pub(super) fn parse(text: &str) -> Result<Map<String, Value>, Fault> {
    let reason = RefCell::new(None);
    let node = Node { reason: &reason };
    let tree = node.deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let place = error.location().map(|place| (place.line(), place.column()));
        let own = reason.borrow_mut().take();
        let message = own.unwrap_or_else(|| words::plain(&without_place(&error.to_string()), text, place));
        Fault { place, message }
    })?;
    root(tree)
}

/// Parses a JSON text whose root is an object.
pub(super) fn parse_json(text: &str) -> Result<Map<String, Value>, Fault> {
    let reason = RefCell::new(None);
    let node = Node { reason: &reason };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let tree = node.deserialize(&mut deserializer).and_then(|tree| deserializer.end().map(|()| tree));
    let tree = tree.map_err(|error| {
        let message = reason.borrow_mut().take().unwrap_or_else(|| error.to_string());
        Fault { place: Some((error.line(), error.column())), message: without_place(&message) }
    })?;
    root(tree)
}

/// Returns the line and column at which the key of a path stands.
///
/// The YAML crate tells places in errors only, so the text is read again and reading is
/// broken off at that key. Files are small and this is done once for each key they set.
pub(super) fn position(text: &str, path: &[&str]) -> Option<(usize, usize)> {
    let found = RefCell::new(false);
    let walk = Walk { path, found: &found };
    let error = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    let place = error.location().filter(|_| *found.borrow())?;
    Some((place.line(), place.column()))
}

fn root(tree: Value) -> Result<Map<String, Value>, Fault> {
    match tree {
        Value::Object(object) => Ok(object),
        Value::Null => Ok(Map::new()),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            let message = "the file must be made of keys, as in `server:` and below it `port: 11434`";
            Err(Fault { place: None, message: message.to_owned() })
        }
    }
}

/// Cuts off the place that the crates put at the end of their messages.
fn without_place(message: &str) -> String {
    let cut = message.find(" at line ").unwrap_or(message.len());
    message[..cut].to_owned()
}

/// Builds the tree; `reason` takes our own message, which the crate would adorn.
#[derive(Clone, Copy)]
struct Node<'a> {
    reason: &'a RefCell<Option<String>>,
}

impl Node<'_> {
    fn refuse<E: serde::de::Error>(self, message: String) -> E {
        let error = E::custom(&message);
        *self.reason.borrow_mut() = Some(message);
        error
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a plain value, without a tag")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    /// What the YAML crate calls an empty text.
    fn visit_none<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).map(Value::Number);
        number.ok_or_else(|| self.refuse(format!("`{value}` is not a finite number")))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key_seed(NewKey { taken: &object, node: self })? {
            let value = entries.next_value_seed(self)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

/// Reads a key; one that is taken is refused here, where the crate knows its place.
struct NewKey<'a> {
    taken: &'a Map<String, Value>,
    node: Node<'a>,
}

impl<'de> DeserializeSeed<'de> for NewKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for NewKey<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a key")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<String, E> {
        if self.taken.contains_key(value) {
            return Err(self.node.refuse(format!("`{value}` is given twice: remove one")));
        }
        Ok(value.to_owned())
    }
}

/// Follows a path and fails at its last key.
#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a [&'a str],
    found: &'a RefCell<bool>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(is_step) = entries.next_key_seed(Step(self))? {
            if is_step {
                return entries.next_value_seed(Self { path: &self.path[1..], ..self });
            }
            entries.next_value::<serde::de::IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Tells whether a key is the next of the path; fails if it is the last.
struct Step<'a>(Walk<'a>);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Step<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a key")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<bool, E> {
        let is_step = self.0.path.first().is_some_and(|name| *name == value);
        if is_step && self.0.path.len() == 1 {
            *self.0.found.borrow_mut() = true;
            return Err(E::custom("found"));
        }
        Ok(is_step)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(place: (usize, usize), message: &str) -> Result<Value, Fault> {
        Err(Fault { place: Some(place), message: message.to_owned() })
    }

    fn parsed(text: &str) -> Result<Value, Fault> {
        parse(text).map(Value::Object)
    }

    #[test]
    fn every_plain_value_is_read() {
        let text = "a: {b: [1, -2, 0.5, yes, true, null, 'x']}\nc: &x {d: e}\nf: *x\n";
        let tree = json!({"a": {"b": [1, -2, 0.5, "yes", true, null, "x"]}, "c": {"d": "e"}, "f": {"d": "e"}});
        assert_eq!(parsed(text), Ok(tree));
        assert_eq!(
            [parsed(""), parsed("# only words\n"), parsed("---\n")],
            [Ok(json!({})), Ok(json!({})), Ok(json!({}))]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let table = [
            ("a: 1\nb:\n  c: 1\n  c: 2\n", fault((4, 3), "`c` is given twice: remove one")),
            ("a: .nan\n", fault((1, 4), "`NaN` is not a finite number")),
            ("a:\n\tb: 1\n", fault((2, 1), "indent with spaces, not with tabs")),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), expected, "{text}");
        }
        for text in ["- a\n", "just words\n", "7\n"] {
            let message = "the file must be made of keys, as in `server:` and below it `port: 11434`";
            assert_eq!(parsed(text), Err(Fault { place: None, message: message.to_owned() }));
        }
        for text in ["1: a\n", "a: !tag b\n", "a: b\n---\nc: d\n", "a: [1\n"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_is_read_with_the_same_strictness() {
        assert_eq!(parse_json("{\"a\":\t[1]}").map(Value::Object), Ok(json!({"a": [1]})));
        let twice = parse_json("{\"a\": 1,\n \"a\": 2}").map(Value::Object);
        assert_eq!(twice, fault((2, 4), "`a` is given twice: remove one"));
        assert!(parse_json("{} {}").is_err());
        assert!(parse_json("[]").is_err());
    }

    #[test]
    fn a_key_is_found_by_its_path() {
        let text = "# words\na:\n  b: 1\n  c: {d: 2}\n'e': 3\n1: 2\n";
        let places = [
            position(text, &["a"]),
            position(text, &["a", "b"]),
            position(text, &["a", "c", "d"]),
            position(text, &["e"]),
            position(text, &["b"]),
            position(text, &["a", "b", "x"]),
        ];
        let expected = [Some((2, 1)), Some((3, 3)), Some((4, 7)), Some((5, 1)), None, None];
        assert_eq!(places, expected);
    }
}
