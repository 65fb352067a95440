//! Tables that fit the terminal, and are whole where there is none.
//!
//! On a narrow terminal the columns that are needed least are left out, and if that
//! is not enough the widest ones are narrowed: sentences are broken into lines, all else is
//! shortened. Colours are always put in; the stream that prints them takes them out where
//! they are not wanted. Lines that are no table are in `lines`.

use std::io::{self, Write as _};

use comfy_table::{Cell, CellAlignment, Color, Table, presets::NOTHING};
use unicode_width::UnicodeWidthStr as _;

use crate::cli::fit::{plain_text, shortened, width, wrapped};

/// Spaces between columns.
const GAP: usize = 2;

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// Its title.
    pub(super) title: &'static str,
    /// When it is left out: the highest first, 0 never.
    pub(super) spare: u8,
    /// Whether its figures stand at the right.
    pub(super) right: bool,
    /// Whether a text in it may have several lines.
    pub(super) breaks: bool,
}

/// What stands in a place of a table.
#[derive(Clone)]
pub(super) struct Field {
    text: String,
    colour: Option<Color>,
}

/// Rows under titles.
pub(super) struct Listing {
    columns: Vec<Column>,
    rows: Vec<Vec<Field>>,
}

/// Names a column of words.
pub(super) const fn words(title: &'static str, spare: u8) -> Column {
    Column { title, spare, right: false, breaks: false }
}

/// Names a column of figures.
pub(super) const fn figures(title: &'static str, spare: u8) -> Column {
    Column { title, spare, right: true, breaks: false }
}

/// Names a column of sentences, which always has room.
pub(super) const fn sentences(title: &'static str) -> Column {
    Column { title, spare: 0, right: false, breaks: true }
}

/// Returns a field of some text; nothing is shown as `-`.
pub(super) fn plain(text: impl Into<String>) -> Field {
    let text = plain_text(&text.into());
    Field { text: if text.is_empty() { "-".to_owned() } else { text }, colour: None }
}

/// Returns a field of some text in a colour.
pub(super) fn coloured(text: impl Into<String>, colour: Color) -> Field {
    Field { colour: Some(colour), ..plain(text) }
}

impl Listing {
    /// Begins a table.
    pub(super) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, which has a field for each column.
    pub(super) fn add(&mut self, row: Vec<Field>) {
        self.rows.push(row);
    }

    /// Prints it to standard output.
    pub(super) fn print(&self) -> io::Result<()> {
        let mut out = anstream::stdout();
        self.lines(width()).iter().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// Returns its lines, each no wider than `width` if there is one, and no space at their ends.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<String> {
        // Colours are for the stream that prints them to take out, not for the table to guess at.
        crossterm::style::force_color_output(true);
        let mut widths: Vec<usize> = (0..self.columns.len()).map(|place| self.natural(place)).collect();
        let kept = match width {
            Some(width) => self.fit(&mut widths, width),
            None => (0..widths.len()).collect(),
        };
        let mut table = Table::new();
        table.load_style(NOTHING).enforce_styling().style_text_only();
        table.set_header(kept.iter().map(|place| shortened(self.columns[*place].title, widths[*place])));
        for row in &self.rows {
            let cells = kept.iter().filter_map(|place| Some((self.columns[*place], row.get(*place)?, widths[*place])));
            table.add_row(cells.map(|(column, field, width)| cell(column, field, width)));
        }
        for (shown, place) in kept.iter().enumerate() {
            let is_last = shown + 1 == kept.len();
            if let Some(column) = table.column_mut(shown) {
                column.set_padding((0, if is_last { 0 } else { 2 }));
                if self.columns[*place].right {
                    column.set_cell_alignment(CellAlignment::Right);
                }
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Returns how wide a column would like to be.
    fn natural(&self, place: usize) -> usize {
        let fields = self.rows.iter().filter_map(|row| row.get(place)).map(|field| field.text.width());
        fields.chain([self.columns[place].title.width()]).max().unwrap_or_default()
    }

    /// Returns the columns that have room, and narrows the widest if need be: as far as
    /// the next, and then both.
    fn fit(&self, widths: &mut [usize], width: usize) -> Vec<usize> {
        let (mut kept, mut left): (Vec<usize>, Vec<usize>) = ((0..widths.len()).collect(), Vec::new());
        let total = |kept: &[usize], widths: &[usize]| {
            kept.iter().map(|place| widths[*place] + GAP).sum::<usize>().saturating_sub(GAP)
        };
        while total(&kept, widths) > width {
            let sparest = kept.iter().copied().max_by_key(|place| (self.columns[*place].spare, *place));
            match sparest.filter(|place| self.columns[*place].spare > 0) {
                Some(place) => {
                    kept.retain(|other| *other != place);
                    left.push(place);
                }
                None => break,
            }
        }
        // A wide one that left may have made room for narrower ones that left before it.
        for place in left.into_iter().rev() {
            if total(&kept, widths) + GAP + widths[place] <= width {
                kept.push(place);
                kept.sort_unstable();
            }
        }
        let mut surplus = total(&kept, widths).saturating_sub(width);
        while surplus > 0 {
            let Some(widest) = kept.iter().copied().max_by_key(|place| widths[*place]) else { break };
            if widths[widest] <= 1 {
                break;
            }
            widths[widest] -= 1;
            surplus -= 1;
        }
        kept
    }
}

fn cell(column: Column, field: &Field, width: usize) -> Cell {
    let lines = if column.breaks { wrapped(&field.text, Some(width)) } else { vec![field.text.clone()] };
    let cell = Cell::new(lines.iter().map(|line| shortened(line, width)).collect::<Vec<_>>().join("\n"));
    match field.colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let mut listing = Listing::new(&[words("NAME", 0), figures("REQUESTS", 0), words("WHY", 0), words("NOTE", 1)]);
        listing.add(vec![plain("a-long-name"), plain("12"), plain("some words on it"), plain("")]);
        listing.add(vec![plain("ночь 夜"), plain("3456"), plain("a\nb"), plain("more")]);
        listing
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 7..60 {
            let lines = listing().lines(Some(width));
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
        }
    }

    #[test]
    fn a_narrow_column_comes_back_where_a_wide_one_has_left() {
        let mut listing = Listing::new(&[words("NAME", 0), words("BY", 2), words("NOTE", 1), figures("N", 3)]);
        listing.add(vec![plain("one"), plain("me"), plain("many words that have no room"), plain("1")]);
        assert_eq!(listing.lines(Some(16)), ["NAME  BY  N", "one   me  1"]);
        assert_eq!(listing.lines(Some(10)), ["NAME  BY", "one   me"]);
    }

    #[test]
    fn sentences_are_broken_where_words_are_shortened() {
        let mut listing = Listing::new(&[words("MODEL", 0), sentences("WHY"), figures("SCORE", 1)]);
        let why = "it can do what is needed, and rests for a while after failures";
        listing.add(vec![plain("vendor/model-with-a-name"), plain(why), plain("1")]);
        listing.add(vec![plain("other"), plain("short"), plain("2")]);
        let broken = [
            "MODEL                     WHY",
            "vendor/model-with-a-name  it can do what is needed,",
            "                          and rests for a while",
            "                          after failures",
            "other                     short",
        ];
        assert_eq!(listing.lines(Some(52)), broken);
        let lines = listing.lines(Some(30));
        assert!(lines.iter().all(|line| line.width() <= 30), "{lines:#?}");
    }

    #[test]
    fn spare_columns_leave_first_and_then_the_widest_are_shortened() {
        let whole = [
            "NAME         REQUESTS  WHY               NOTE",
            "a-long-name        12  some words on it  -",
            "ночь 夜          3456  a b               more",
        ];
        assert_eq!(listing().lines(None), whole);
        assert_eq!(listing().lines(Some(45)), whole);
        let spared = whole.map(|line| line.chars().take(40).collect::<String>().trim_end().to_owned());
        assert_eq!(listing().lines(Some(44))[..2], spared[..2]);
        let narrow = ["NAME       REQUESTS  WHY", "a-long-n…        12  some wor…", "ночь 夜        3456  a b"];
        assert_eq!(listing().lines(Some(30)), narrow);
    }
}
