//! The upstream's words: dug out, and made fit to be shown.
//!
//! OpenRouter wraps what a provider said in `metadata.raw`, often as JSON in a
//! string, sometimes several times over. The result may reach clients, logs and
//! terminals, so it is one line, short, and without keys. Decides nothing.

use serde_json::Value;

/// The longest message in bytes: two or three sentences, as all known ones are.
const MAX_MESSAGE_BYTES: usize = 600;

/// How deep JSON in strings and objects is followed: twice what was ever seen.
const MAX_DEPTH: u8 = 8;

/// The title of a page is near its start, or there is none worth reading.
const MAX_TITLE_BYTES: usize = 4096;

/// What OpenRouter writes when the provider's own words are in `raw`.
const WRAPPER: &str = "Provider returned error";

/// How many characters after `sk-` make a key of it, and not a word.
const LEAST_KEY_BYTES: usize = 8;

/// Returns all that the error says, the provider's words included; not cut.
pub(super) fn told(error: &Value) -> Option<String> {
    dig(error, MAX_DEPTH)
}

/// Makes a text fit to be shown: one line, no keys, at most 600 bytes.
pub(super) fn presentable(text: &str) -> String {
    let words = text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty());
    let mut line = without_keys(&words.collect::<Vec<_>>().join(" "));
    line.truncate(line.floor_char_boundary(MAX_MESSAGE_BYTES));
    line
}

/// Tells whether a text is a page of HTML.
pub(super) fn is_page(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// Returns the title of a page of HTML, made presentable.
pub(super) fn page_title(page: &str) -> Option<String> {
    let head = &page[..page.floor_char_boundary(MAX_TITLE_BYTES)];
    // Only ASCII letters change, so the places stay the same.
    let lower = head.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let start = tag + lower[tag..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(presentable(&head[start..end])).filter(|title| !title.is_empty())
}

fn dig(value: &Value, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => dig_text(text, depth),
        Value::Array(items) => dig(items.first()?, depth),
        Value::Object(fields) => {
            let names = ["message", "error", "detail", "errors"];
            let outer = names.iter().find_map(|name| dig(fields.get(*name)?, depth));
            let inner = value.pointer("/metadata/raw").and_then(|raw| dig(raw, depth));
            joined(outer, inner)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn dig_text(text: &str, depth: u8) -> Option<String> {
    let text = text.trim();
    if is_page(text) {
        return page_title(text);
    }
    let inside = if text.starts_with(['{', '[', '"']) { serde_json::from_str(text).ok() } else { None };
    inside.and_then(|value| dig(&value, depth)).or_else(|| Some(text.to_owned()).filter(|text| !text.is_empty()))
}

fn joined(outer: Option<String>, inner: Option<String>) -> Option<String> {
    match (outer, inner) {
        (Some(outer), Some(inner)) if outer == WRAPPER || inner.contains(&outer) => Some(inner),
        (Some(outer), Some(inner)) if outer.contains(&inner) => Some(outer),
        (Some(outer), Some(inner)) => Some(format!("{outer}: {inner}")),
        (outer, inner) => outer.or(inner),
    }
}

/// Replaces what looks like a key, as in `sk-or-v1-0123…`.
fn without_keys(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("sk-") {
        let (before, key) = rest.split_at(at);
        clean.push_str(before);
        let starts_word = !clean.ends_with(char::is_alphanumeric);
        let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
        let end = key.find(|c| !of_key(c)).unwrap_or(key.len());
        if starts_word && end >= "sk-".len() + LEAST_KEY_BYTES {
            clean.push_str("sk-***");
            rest = &key[end..];
        } else {
            clean.push_str("sk-");
            rest = &key["sk-".len()..];
        }
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(error: &Value) -> String {
        presentable(&told(error).unwrap_or_default())
    }

    #[test]
    fn the_words_of_the_provider_are_dug_out() {
        let inner = json!({"error": {"code": 400, "message": "not supported"}});
        let rows = [
            (json!("acme/fox:free is busy"), "acme/fox:free is busy"),
            (json!(inner.to_string()), "not supported"),
            (inner.clone(), "not supported"),
            (json!(json!([inner]).to_string()), "not supported"),
            (json!(json!(inner.to_string()).to_string()), "not supported"),
            (json!("{\"cut\": "), "{\"cut\":"),
            (json!("<html><title>502 Bad Gateway</title></html>"), "502 Bad Gateway"),
            (json!(""), "Provider returned error"),
            (json!(null), "Provider returned error"),
        ];
        for (raw, expected) in rows {
            let error = json!({"message": "Provider returned error", "metadata": {"raw": raw}});
            assert_eq!(shown(&error), expected, "{error}");
        }
        let both = json!({"message": "Upstream error from Acme", "metadata": {"raw": "out of memory"}});
        assert_eq!(shown(&both), "Upstream error from Acme: out of memory");
    }

    #[test]
    fn wrapping_is_followed_only_so_deep() {
        let mut raw = json!("the end");
        for _ in 0..50 {
            raw = json!({"metadata": {"raw": raw}});
        }
        assert_eq!(shown(&json!({"message": WRAPPER, "metadata": {"raw": raw}})), WRAPPER);
    }

    #[test]
    fn a_message_is_one_short_line_without_keys() {
        assert_eq!(presentable(" a\n\tb\u{1b}[31m\0 c\r\n"), "a b [31m c");
        assert_eq!(presentable("key sk-or-v1-0123456789, (sk-proj_ABCDEFGH)"), "key sk-***, (sk-***)");
        assert_eq!(presentable("a task-management-system, sk-short"), "a task-management-system, sk-short");
        assert_eq!(presentable(&"ä".repeat(1000)), "ä".repeat(300));
        let long = "x".repeat(590);
        assert_eq!(presentable(&format!("{long} sk-or-v1-0123456789")), format!("{long} sk-***"));
    }
}
