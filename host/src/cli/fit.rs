//! Text that fits the terminal: how wide it is, and how a text is cut or broken for that.
//!
//! It knows no table and no label: those are in `table` and `lines`.

use std::io;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Returns how wide the terminal is on which standard output is shown; `None` if
/// it goes elsewhere, and is to be whole.
pub(super) fn width() -> Option<usize> {
    width_of(&io::stdout())
}

/// Returns how wide the terminal is on which a stream is shown; `None` if it goes
/// elsewhere.
pub(super) fn width_of(stream: &impl io::IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0)
}

/// Returns a text that does nothing to a terminal: what others wrote may hold anything.
pub(super) fn plain_text(text: &str) -> String {
    text.split(|letter: char| letter.is_control()).collect::<Vec<_>>().join(" ")
}

/// Returns a text that is no wider than `width`, with an ellipsis where it was cut.
pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut room = width.saturating_sub(1);
    let fits = |letter: &char| {
        let wide = letter.width().unwrap_or_default();
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

/// Returns a text in lines of whole words, each no wider than `width` if there is one.
pub(super) fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let text = plain_text(text);
    let Some(width) = width else { return vec![text] };
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_broken_between_words_and_whole_without_a_width() {
        assert_eq!(wrapped("one two three", Some(8)), ["one two", "three"]);
        assert_eq!(wrapped("a\nb\u{1b}[1m", None), ["a b [1m"]);
    }

    #[test]
    fn what_is_cut_says_so_and_counts_wide_letters_twice() {
        assert_eq!(["夜夜夜", "one two", "one"].map(|text| shortened(text, 5)), ["夜夜…", "one…", "one"]);
    }
}
