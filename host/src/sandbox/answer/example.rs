//! Makes a plausible value from a JSON Schema and the user's words.
//!
//! Enough for tool arguments and structured output: it follows references,
//! choices, enums, bounds and required properties; it does not know patterns
//! or conditions. Read `sandbox/answer.rs` for who asks.

use serde_json::{Map, Value, json};

/// Deep enough for real schemas, and an end for those that refer to themselves.
const DEPTH_MAX: usize = 16;

/// Returns a value that fits `schema` roughly, its texts taken from `words`.
pub(super) fn value(schema: &Value, words: &str) -> Value {
    let maker = Maker { root: schema, subject: subject(words) };
    maker.make(schema, DEPTH_MAX)
}

struct Maker<'a> {
    root: &'a Value,
    subject: String,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, depth: usize) -> Value {
        if depth == 0 {
            return Value::Null;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
            let target = self.root.pointer(target).unwrap_or(&Value::Null);
            return self.make(target, depth - 1);
        }
        if let Some(given) = schema.get("const").or_else(|| schema.get("default")) {
            return given.clone();
        }
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            let choices = schema[key].as_array().into_iter().flatten();
            let mut useful = choices.filter(|choice| choice["type"] != "null");
            if let Some(choice) = useful.next() {
                return self.make(choice, depth - 1);
            }
        }
        match kind(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "string" => json!(self.text(schema)),
            "integer" | "number" => number(schema),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let properties = schema["properties"].as_object();
        let required = schema["required"].as_array().into_iter().flatten();
        let names: Vec<&str> = required.filter_map(Value::as_str).collect();
        let mut made = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            if names.contains(&name.as_str()) {
                made.insert(name.clone(), self.make(property, depth - 1));
            }
        }
        Value::Object(made)
    }

    fn array(&self, schema: &Value, depth: usize) -> Value {
        // One entry shows the form; more only where more are demanded.
        let wanted = schema["minItems"].as_u64().unwrap_or(1).clamp(1, 8);
        (0..wanted).map(|_| self.make(&schema["items"], depth - 1)).collect()
    }

    fn text(&self, schema: &Value) -> String {
        match schema["format"].as_str() {
            Some("date") => return "2026-01-31".to_owned(),
            Some("date-time") => return "2026-01-31T12:00:00Z".to_owned(),
            Some("time") => return "12:00:00Z".to_owned(),
            Some("email") => return "someone@example.com".to_owned(),
            Some("uri") => return "https://example.com/".to_owned(),
            Some("uuid") => return "00000000-0000-4000-8000-000000000000".to_owned(),
            _ => {}
        }
        let length = |key: &str| schema[key].as_u64().and_then(|n| usize::try_from(n).ok());
        let longest = length("maxLength").unwrap_or(usize::MAX);
        let text: String = self.subject.chars().take(longest).collect();
        // The schemas of small tools ask for a few characters, not for pages.
        let shortest = length("minLength").unwrap_or_default().min(1_000);
        format!("{text:.<shortest$}")
    }
}

/// Returns the schema's type: the first that is not null, or what its keys tell.
fn kind(schema: &Value) -> &str {
    let listed = schema["type"].as_array().into_iter().flatten();
    let mut listed = listed.filter_map(Value::as_str).filter(|kind| *kind != "null");
    let told = if schema.get("properties").is_some() {
        "object"
    } else if schema.get("items").is_some() {
        "array"
    } else {
        "string"
    };
    schema["type"].as_str().or_else(|| listed.next()).unwrap_or(told)
}

/// Returns 1, or the whole or broken bound nearest to it.
fn number(schema: &Value) -> Value {
    let (lowest, highest) = (&schema["minimum"], &schema["maximum"]);
    let is_low = |bound: &f64| *bound > 1.0;
    let is_high = |bound: &f64| *bound < 1.0;
    if lowest.as_f64().as_ref().is_some_and(is_low) {
        return lowest.clone();
    }
    if highest.as_f64().as_ref().is_some_and(is_high) {
        return highest.clone();
    }
    json!(1)
}

/// Returns the word a request is about: its last name, else its longest word.
fn subject(words: &str) -> String {
    let trimmed = |word: &str| -> String { word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned() };
    let all: Vec<String> = words.split_whitespace().map(trimmed).collect();
    let starts_high = |word: &&String| word.chars().next().is_some_and(char::is_uppercase);
    // The first word of a sentence is written high in any case.
    let name = all.iter().skip(1).rfind(starts_high);
    let longest = || all.iter().max_by_key(|word| word.chars().count());
    match name.or_else(longest) {
        Some(word) if !word.is_empty() => word.clone(),
        Some(_) | None => "example".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_properties_are_filled_from_the_users_words() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
                "detailed": {"type": ["null", "boolean"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}},
                "unused": {"type": "string"},
            },
            "required": ["city", "unit", "days", "detailed", "tags"],
            "$defs": {"tag": {"anyOf": [{"type": "null"}, {"const": "weather"}]}},
        });
        let made = value(&schema, "What is the weather in Paris?");
        let expected = json!({
            "city": "Paris",
            "unit": "celsius",
            "days": 3,
            "detailed": true,
            "tags": ["weather"],
        });
        assert_eq!(made, expected);
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({
            "type": "object",
            "properties": {"next": {"$ref": "#"}},
            "required": ["next"],
        });
        assert!(value(&schema, "go").is_object());
    }
}
