//! Lines for people: under a label, with a mark, in whole words.
//!
//! What they say fits the terminal, and is whole where there is none. Tables are in
//! `table`.

use std::io::{self, Write as _};

use crate::cli::fit::{plain_text, shortened, width, width_of, wrapped};

/// How wide labels are, with the space after them.
pub(super) const LABEL: usize = 10;

/// Names that are listed one by one on a terminal; of more only the number is told.
const LISTED: usize = 20;

/// Prints paragraphs of data, one a line, to standard output.
pub(super) fn tell(text: &str) -> io::Result<()> {
    let (mut out, width) = (anstream::stdout(), width());
    text.lines().flat_map(|line| wrapped(line, width)).try_for_each(|line| writeln!(out, "{line}"))
}

/// Prints paragraphs of talk, one a line, to standard error.
pub(super) fn say(text: &str) -> io::Result<()> {
    let (mut err, width) = (anstream::stderr(), width_of(&io::stderr()));
    text.lines().flat_map(|line| wrapped(line, width)).try_for_each(|line| writeln!(err, "{line}"))
}

/// Returns a text in lines behind a label, each no wider than `width` if there is one.
pub(super) fn labelled(label: &str, text: &str, width: Option<usize>) -> Vec<String> {
    let pieces = wrapped(text, width.map(|width| width.saturating_sub(LABEL)));
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    pieces.iter().zip(labels).map(|(piece, label)| format!("{label:<LABEL$}{piece}")).collect()
}

/// Returns names one a line, behind a mark such as `+`: all of them, or as many as a
/// person at a terminal of this width reads.
pub(super) fn marked(mark: char, names: &[String], width: Option<usize>) -> Vec<String> {
    let listed = width.map_or(names.len(), |_| LISTED.min(names.len()));
    let more = names.len() - listed;
    let more = (more > 0).then(|| format!("{mark} {more} more"));
    let lines = names.iter().take(listed).map(|name| format!("{mark} {}", plain_text(name))).chain(more);
    lines.map(|line| width.map_or_else(|| line.clone(), |width| shortened(&line, width))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_are_whole_without_a_width() {
        assert_eq!(labelled("policy", "one two three", Some(18)), ["policy    one two", "          three"]);
        assert_eq!(labelled("policy", "one two three", None), ["policy    one two three"]);
        let names: Vec<String> = (0..LISTED + 2).map(|number| format!("vendor/model-{number}")).collect();
        let shown = marked('+', &names, Some(12));
        assert_eq!((shown.len(), &*shown[0], &*shown[LISTED]), (LISTED + 1, "+ vendor/mo…", "+ 2 more"));
        assert_eq!(marked('-', &names, None).len(), names.len());
    }
}
