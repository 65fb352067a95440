//! A reader of JSON for settings: texts, lists, objects; numbers are only seen.
//!
//! As small as it can be: what the host sends is JSON of its own writing, so that
//! an error says no more than that it is none.

use alloc::{string::String, vec::Vec};

/// The deepest nesting that is read.
const MAX_DEPTH: u32 = 16;

/// A value of JSON.
#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Flag(bool),
    Number,
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// Reads one value and nothing after it; `None` if that is not what it is.
pub(crate) fn parse(json: &str) -> Option<Value> {
    let mut reader = Reader { rest: json.as_bytes() };
    let value = reader.value(MAX_DEPTH)?;
    reader.skip_space();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    /// Takes a text if it comes next, space apart.
    fn take(&mut self, text: &[u8]) -> Option<()> {
        self.skip_space();
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.skip_space();
        match self.rest.first()? {
            b'"' => self.text().map(Value::Text),
            b'[' => {
                let mut entries = Vec::new();
                self.entries(b'[', b']', |reader| {
                    entries.push(reader.value(depth)?);
                    Some(())
                })?;
                Some(Value::List(entries))
            }
            b'{' => {
                let mut entries = Vec::new();
                self.entries(b'{', b'}', |reader| {
                    let name = reader.text()?;
                    reader.take(b":")?;
                    entries.push((name, reader.value(depth)?));
                    Some(())
                })?;
                Some(Value::Object(entries))
            }
            b't' => self.take(b"true").map(|()| Value::Flag(true)),
            b'f' => self.take(b"false").map(|()| Value::Flag(false)),
            b'n' => self.take(b"null").map(|()| Value::Null),
            b'-' | b'0'..=b'9' => {
                while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.rest.first() {
                    self.byte();
                }
                Some(Value::Number)
            }
            _ => None,
        }
    }

    /// Reads what is between two brackets, entry by entry.
    fn entries(&mut self, open: u8, close: u8, mut entry: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(&[open])?;
        if self.take(&[close]).is_some() {
            return Some(());
        }
        loop {
            entry(self)?;
            if self.take(&[close]).is_some() {
                return Some(());
            }
            self.take(b",")?;
        }
    }

    fn text(&mut self) -> Option<String> {
        self.take(b"\"")?;
        let mut bytes = Vec::new();
        loop {
            match self.byte()? {
                b'"' => return String::from_utf8(bytes).ok(),
                b'\\' => {
                    let sign = self.escape()?;
                    bytes.extend_from_slice(sign.encode_utf8(&mut [0; 4]).as_bytes());
                }
                0..=0x1f => return None,
                byte => bytes.push(byte),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.byte()? {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            sign @ (b'"' | b'\\' | b'/') => char::from(sign),
            b'u' => {
                let high = self.hex()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                self.rest = self.rest.strip_prefix(b"\\u")?;
                let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let mut number = 0;
        for _ in 0..4 {
            number = number * 16 + char::from(self.byte()?).to_digit(16)?;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_is_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(parse(" \"a\\n\\\"\\u00e9\\ud83d\\ude00é\" "), Some(text("a\n\"é😀é")));
        assert_eq!(parse("[]"), Some(Value::List(vec![])));
        assert_eq!(
            parse("[1.5e-3, true,null]"),
            Some(Value::List(vec![Value::Number, Value::Flag(true), Value::Null]))
        );
        let object = vec![("a".to_owned(), Value::Object(vec![])), ("b".to_owned(), text(""))];
        assert_eq!(parse("{\"a\": { } ,\n\"b\":\"\"}"), Some(Value::Object(object)));
    }

    #[test]
    fn what_is_none_is_refused() {
        let deep = "[".repeat(1000);
        for json in [
            "",
            "{",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{a:1}",
            "\"\\x\"",
            "\"\\ud83d\"",
            "\"\n\"",
            "tru",
            "1 1",
            "\"",
            &deep,
        ] {
            assert_eq!(parse(json), None, "{json}");
        }
    }
}
