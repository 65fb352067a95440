//! The thinking of a message, under each name by which clients look for it.
//!
//! OpenRouter calls it `reasoning` and tells it again in parts; the makers of open
//! models call it `reasoning_content`. Clients know one of the two. Works on
//! messages and deltas as they came. Pure.

use serde_json::{Map, Value};

const NAMES: [&str; 2] = ["reasoning", "reasoning_content"];

/// Gives the thinking of a message or a delta both names, if it has any.
///
/// Names that are filled stay as they are; parts count where neither is.
pub fn give_both_names(message: &mut Map<String, Value>) {
    let filled = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = match NAMES.map(filled) {
        [Some(_), Some(_)] => return,
        [Some(text), None] | [None, Some(text)] => text.to_owned(),
        [None, None] => parts(message.get("reasoning_details")),
    };
    if text.is_empty() {
        return;
    }
    for name in NAMES {
        let is_filled = message.get(name).and_then(Value::as_str).is_some_and(|old| !old.is_empty());
        if !is_filled {
            message.insert(name.to_owned(), text.clone().into());
        }
    }
}

/// Returns the text of all parts that show theirs.
fn parts(details: Option<&Value>) -> String {
    let parts = details.and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get("text").or_else(|| part.get("summary"))?.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn thinking_gets_the_name_that_it_lacks() {
        let both = json!({"content": "x", "reasoning": "a", "reasoning_content": "a"});
        let cases = [
            (json!({"content": "x"}), json!({"content": "x"})),
            (json!({"content": "x", "reasoning": null}), json!({"content": "x", "reasoning": null})),
            (json!({"content": "x", "reasoning": "a"}), both.clone()),
            (json!({"content": "x", "reasoning": "a", "reasoning_content": ""}), both.clone()),
            (json!({"content": "x", "reasoning": null, "reasoning_content": "a"}), both.clone()),
            (both.clone(), both),
            (
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"summary": "b"}, {"data": "c"}]}),
                json!({"reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"summary": "b"}, {"data": "c"}],
                       "reasoning": "ab", "reasoning_content": "ab"}),
            ),
            (json!({"reasoning_details": [{"data": "c"}]}), json!({"reasoning_details": [{"data": "c"}]})),
        ];
        for (message, expected) in cases {
            let Value::Object(mut told) = message.clone() else { panic!("{message} is no object") };
            give_both_names(&mut told);
            assert_eq!(Value::Object(told), expected, "{message}");
        }
    }
}
