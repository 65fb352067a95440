//! The texts at which a client wants an answer to end.
//!
//! Many models leave `stop` out in silence, and the upstream takes four texts at
//! most; a client that gave more, or asked such a model, still gets an answer
//! that ends where it should. Text that may be the beginning of a stop is held
//! until it is clear. Pure; without stops nothing is copied.

use std::borrow::Cow;

/// The most texts that the upstream takes as `stop`.
pub const MAX_UPSTREAM: usize = 4;

/// Looks for the first stop in a text that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Stops {
    texts: Vec<String>,
    /// What may be the beginning of a stop.
    held: String,
    /// The stop that came.
    came: Option<String>,
}

impl Stops {
    /// Looks for these; an empty one is none.
    pub fn new(mut texts: Vec<String>) -> Self {
        texts.retain(|stop| !stop.is_empty());
        Self { texts, held: String::new(), came: None }
    }

    /// Takes the next piece, and returns what may be shown now.
    pub fn pass<'a>(&mut self, piece: &'a str) -> Cow<'a, str> {
        if self.is_over() || piece.is_empty() {
            return "".into();
        }
        if self.texts.is_empty() {
            return piece.into();
        }
        let mut text = std::mem::take(&mut self.held);
        text.push_str(piece);
        let found = self.texts.iter().filter_map(|stop| Some((text.find(stop.as_str())?, stop)));
        if let Some((end, stop)) = found.min_by_key(|(end, _)| *end) {
            self.came = Some(stop.clone());
            text.truncate(end);
            return text.into();
        }
        self.held = text.split_off(text.len() - self.begun(&text));
        text.into()
    }

    /// Returns what is held, once no more text can come.
    pub fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Tells whether a stop came: the answer is to end.
    pub fn is_over(&self) -> bool {
        self.came.is_some()
    }

    /// Returns the stop that came, if one did.
    pub fn came(&self) -> Option<&str> {
        self.came.as_deref()
    }

    /// Returns the length of the longest end of a text with which a stop begins.
    fn begun(&self, text: &str) -> usize {
        let ends = text.char_indices().map(|(place, _)| text.get(place..).unwrap_or_default());
        ends.filter(|end| self.texts.iter().any(|stop| stop.starts_with(end))).map(str::len).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stop_that_came_first_is_told() {
        let mut stops = Stops::new(vec!["b".to_owned(), "a".to_owned()]);
        assert_eq!((stops.pass("x").as_ref(), stops.came()), ("x", None));
        assert_eq!((stops.pass("yab").as_ref(), stops.came()), ("y", Some("a")));
    }

    /// Returns what is shown of each piece, then what is held at the end, and
    /// `.` if a stop came, joined by bars.
    fn shown(stops: &[&str], pieces: &[&str]) -> String {
        let mut stops = Stops::new(stops.iter().map(|stop| (*stop).to_owned()).collect());
        let mut shown: Vec<String> = pieces.iter().map(|piece| stops.pass(piece).into_owned()).collect();
        shown.push(stops.rest());
        shown.push(if stops.is_over() { "." } else { "" }.to_owned());
        shown.join("|")
    }

    #[test]
    fn an_answer_ends_before_the_first_stop_however_it_is_cut() {
        let cases: [(&[&str], &[&str], &str); 9] = [
            (&[], &["a", "b"], "a|b||"),
            (&[""], &["a"], "a||"),
            (&["END"], &["one END two", "three"], "one |||."),
            (&["END"], &["one E", "N", "D two"], "one ||||."),
            (&["END"], &["one E", "x"], "one |Ex||"),
            (&["END"], &["one EN"], "one |EN|"),
            (&["aab"], &["aa", "ab"], "|a||."),
            (&["long stop", "st"], &["a long st", "op"], "a long |||."),
            (&["\u{e4}\u{f6}"], &["x\u{e4}", "\u{f6}y"], "x|||."),
        ];
        for (stops, pieces, expected) in cases {
            assert_eq!(shown(stops, pieces), expected, "{stops:?} {pieces:?}");
        }
    }
}
