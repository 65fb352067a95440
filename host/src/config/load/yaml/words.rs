//! What the YAML crate says of a text that it cannot read, in the words of those who wrote it.
//!
//! Words only: the crate's own sentences speak of tokens and nodes, and say what a reader
//! expected rather than what is to be changed. One that is not known here stays as it is.

/// A part of a sentence of the crate's, and what is said instead.
const PLAIN: [(&str, &str); 17] = [
    ("cannot start any token", "a text cannot begin with this letter: put the text in quotes"),
    (
        "mapping values are not allowed",
        "a colon that does not belong here: put a text with `: ` in it in quotes, and indent the keys of a section alike",
    ),
    ("could not find expected ':'", "there is a key without a colon before this: write it as in `port: 11434`"),
    ("expected ',' or ']'", "a list that begins with `[` is not closed, or a comma is missing in it"),
    ("expected ',' or '}'", "what begins with `{` is not closed, or a comma is missing in it"),
    ("expected node content", "something is missing before this: close every `[` and `{`, and every quote"),
    ("expected '-' indicator", "this is no item of the list before it: begin each with `- `, and indent them alike"),
    (
        "did not find expected key",
        "this does not go on with what is before it: indent the keys of a section alike, and close each quote and bracket",
    ),
    ("unexpected end of stream", "a quote is not closed before the end of the file"),
    ("unexpected document indicator", "a quote is not closed before the document ends"),
    ("unknown escape character", "between \" a `\\` begins an escape: write `\\\\`, or put the text between ' instead"),
    (
        "unknown anchor",
        "a `*` refers to a value that is named with `&` before: put a text that begins with it in quotes",
    ),
    ("more than one document", "`---` begins a second document: a settings file is one"),
    ("invalid type: enum", "a tag such as `!name` has no meaning here: write the value itself"),
    ("expected the name of a key", "the name of a key must be a plain text, as in `port: 11434`"),
    ("control characters are not allowed", "there is a control character in this file: save it as plain text"),
    ("recursion limit exceeded", "this is nested too deep, or refers to itself"),
];

/// Says it plainly, of a text and the line and column at which it was met.
pub(super) fn plain(words: &str, text: &str, place: Option<(usize, usize)>) -> String {
    let says = |part: &str| words.contains(part);
    let met = place.and_then(|(line, column)| text.lines().nth(line - 1)?.chars().nth(column - 1));
    if says("tab character") || (says("cannot start any token") && met == Some('\t')) {
        return "indent with spaces, not with tabs".to_owned();
    }
    if let Some(bracket @ (']' | '}')) = met.filter(|_| says("expected node content")) {
        return format!(
            "this `{bracket}` closes nothing, or something is missing before it: mend it, or put the text in quotes"
        );
    }
    PLAIN.iter().find(|(part, _)| says(part)).map_or(words, |(_, plain)| plain).to_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::config::load::yaml::parse;

    /// Where each is met, and how what is said of it begins.
    #[test]
    fn nothing_is_told_in_the_words_of_a_reader() {
        let table = [
            ("a:\n\tb: 1\n", (2, 1), "indent with spaces"),
            ("a:\n  b: 1\n\tc: 2\n", (3, 1), "indent with spaces"),
            ("a:\n  b: 1\n \tc: 2\n", (3, 2), "indent with spaces"),
            ("a: |\n\tx\n", (2, 1), "indent with spaces"),
            ("a: @x\n", (1, 4), "a text cannot begin with this letter"),
            ("a: b: c\n", (1, 5), "a colon that does not belong here"),
            ("a: 1\n b: 1\n", (2, 3), "a colon that does not belong here"),
            ("a:\nport 1\nmode:\n", (3, 1), "there is a key without a colon"),
            ("a: [1\n", (2, 1), "a list that begins with `[`"),
            ("a: [\n", (2, 1), "something is missing before this"),
            ("a: ]\n", (1, 4), "this `]` closes nothing"),
            ("}\n", (1, 1), "this `}` closes nothing"),
            ("a: {b: 1\n", (2, 1), "what begins with `{`"),
            ("a:\n  - b\n  c: 1\n", (3, 3), "this is no item of the list"),
            ("a:\n  b: 1\n c: 2\n", (3, 2), "this does not go on with what is before it"),
            ("a: 'it's'\n", (1, 8), "this does not go on with what is before it"),
            ("a: \"x\n", (2, 1), "a quote is not closed"),
            ("a: \"\\q\"\n", (1, 5), "between \" a `\\` begins an escape"),
            ("a: *x\n", (1, 4), "a `*` refers to a value"),
            ("a: !vault x\n", (1, 4), "a tag such as `!name`"),
            ("1: a\n", (1, 1), "the name of a key must be a plain text"),
            ("? [a]\n: b\n", (1, 3), "the name of a key must be a plain text"),
            ("a: \u{1}\n", (1, 1), "there is a control character"),
            ("a: &b\n  c: *b\n", (1, 4), "this is nested too deep"),
        ];
        for (text, place, begins) in table {
            let fault = parse(text).unwrap_err();
            assert!(fault.place == Some(place) && fault.message.starts_with(begins), "{text} {fault:?}");
        }
        let fault = parse("a: b\n---\nc: d\n").unwrap_err();
        assert!(fault.message.starts_with("`---` begins a second document"), "{fault:?}");
    }
}
