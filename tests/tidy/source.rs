//! Rust source as words and signs, without comments and literals.
//!
//! Enough to find paths and keywords where they are code, not where they are
//! talked about. No parser: what does not compile may be read wrongly. The rules
//! are in `tidy.rs`.

/// A word, a `::` or another sign, with the line on which it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path, such as `catalog::Model` in `use crate::{catalog::Model}`.
#[derive(Debug, PartialEq)]
pub struct Named {
    pub path: String,
    pub line: usize,
}

/// Splits source into tokens.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader { rest: source, line: 1, tokens: Vec::new() };
    while let Some(first) = reader.rest.chars().next() {
        reader.step(first);
    }
    reader.tokens
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn step(&mut self, first: char) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(comment(rest));
        } else if first == '"' {
            self.skip(text(rest));
        } else if first == '\'' {
            self.skip(character(rest));
        } else if let Some(length) = raw_text(rest) {
            self.skip(length);
        } else if is_word(first) {
            self.take(rest.find(|sign| !is_word(sign)).unwrap_or(rest.len()));
        } else if rest.starts_with("::") {
            self.take(2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.take(first.len_utf8());
        }
    }

    fn skip(&mut self, length: usize) {
        let (skipped, rest) = self.rest.split_at(length);
        self.line += skipped.matches('\n').count();
        self.rest = rest;
    }

    fn take(&mut self, length: usize) {
        let text = self.rest[..length].to_owned();
        self.tokens.push(Token { text, line: self.line });
        self.skip(length);
    }
}

fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// Returns the length of a block comment, which may hold others.
fn comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut place = 0;
    while place < rest.len() {
        let (step, change) = match &rest[place..] {
            here if here.starts_with("/*") => (2, 1),
            here if here.starts_with("*/") => (2, -1),
            here => (here.chars().next().map_or(1, char::len_utf8), 0),
        };
        place += step;
        depth += change;
        if depth == 0 {
            break;
        }
    }
    place
}

fn text(rest: &str) -> usize {
    let mut escaped = false;
    for (place, sign) in rest.char_indices().skip(1) {
        match sign {
            '"' if !escaped => return place + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// Returns the length of a character, or of the quote alone where it opens a lifetime.
fn character(rest: &str) -> usize {
    let inner = &rest[1..];
    if let Some(escape) = inner.strip_prefix('\\') {
        let escaped = escape.chars().next().map_or(0, char::len_utf8);
        let end = escape[escaped..].find('\'').unwrap_or_default();
        return 2 + escaped + end + 1;
    }
    let length = inner.chars().next().map_or(0, char::len_utf8);
    if inner[length..].starts_with('\'') { 1 + length + 1 } else { 1 }
}

fn raw_text(rest: &str) -> Option<usize> {
    let opened = ["br", "cr", "r"].iter().find_map(|prefix| rest.strip_prefix(prefix))?;
    let inner = opened.trim_start_matches('#');
    let hashes = &opened[..opened.len() - inner.len()];
    let inner = inner.strip_prefix('"')?;
    let end = format!("\"{hashes}");
    let length = inner.find(&end).map_or(inner.len(), |place| place + end.len());
    Some(rest.len() - inner.len() + length)
}

/// Returns each path that starts with `head::`, groups taken apart, without the head.
pub fn paths_below(tokens: &[Token], head: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for place in 0..tokens.len() {
        let starts = tokens[place].text == head && is_sign(tokens, place + 1, "::");
        let within = place > 0 && is_sign(tokens, place - 1, "::");
        if starts && !within {
            tree(tokens, place + 2, "", &mut found);
        }
    }
    found
}

/// Tells whether a crate is named: `head::…`, `use head;` or `use head as …`.
pub fn line_naming(tokens: &[Token], head: &str) -> Option<usize> {
    let named = |place: usize| {
        let within = place > 0 && is_sign(tokens, place - 1, "::");
        let imported = place > 0 && is_sign(tokens, place - 1, "use");
        tokens[place].text == head && !within && (imported || is_sign(tokens, place + 1, "::"))
    };
    (0..tokens.len()).find(|place| named(*place)).map(|place| tokens[place].line)
}

fn is_sign(tokens: &[Token], place: usize, text: &str) -> bool {
    tokens.get(place).is_some_and(|token| token.text == text)
}

/// Reads a use tree or a plain path; returns the place behind it.
fn tree(tokens: &[Token], mut place: usize, prefix: &str, found: &mut Vec<Named>) -> usize {
    let Some(token) = tokens.get(place) else {
        return place;
    };
    if token.text == "{" {
        place += 1;
        while tokens.get(place).is_some_and(|token| token.text != "}") {
            let before = place;
            place = tree(tokens, place, prefix, found);
            // `as name` and commas are of no interest.
            while tokens.get(place).is_some_and(|token| token.text != "}" && token.text != ",") {
                place += 1;
            }
            place += usize::from(is_sign(tokens, place, ","));
            assert!(place > before, "cannot read the use tree on line {}", token.line);
        }
        return place + 1;
    }
    let path = if prefix.is_empty() { token.text.clone() } else { format!("{prefix}::{}", token.text) };
    if is_sign(tokens, place + 1, "::") {
        return tree(tokens, place + 2, &path, found);
    }
    found.push(Named { path, line: token.line });
    place + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_taken_apart_and_talk_is_no_code() {
        let source = r##"
            //! crate::comment /* "open
            use crate::{a::{self, B as C}, d, /* crate::block */ e::*};
            pub(in crate::f) fn g<'a>(c: char) -> &'a str {
                let quote = ('"', '\'', '\u{1F}', b'"');
                let texts = ["crate::text \" crate::text", r#"crate::raw " "#];
                crate::h::i::<u8>(other::crate::no)
            }
        "##;
        let found = paths_below(&tokens(source), "crate");
        let named: Vec<_> = found.iter().map(|named| (named.path.as_str(), named.line)).collect();
        let expected = [("a::self", 3), ("a::B", 3), ("d", 3), ("e::*", 3), ("f", 4), ("h::i::<", 7)];
        assert_eq!(named, expected);
    }

    #[test]
    fn a_crate_is_found_where_it_is_named_and_not_where_a_part_has_its_name() {
        let line = |source: &str| line_naming(&tokens(source), "axum");
        assert_eq!(line("\nuse axum::Router;"), Some(2));
        assert_eq!(line("use axum as web;"), Some(1));
        assert_eq!(line("fn f() -> axum::Router {}"), Some(1));
        assert_eq!(line("use crate::axum::Router; let axum = 1; // axum::Router"), None);
    }
}
