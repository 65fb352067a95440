//! Where each node of a YAML text begins and ends, so that one can be cut out exactly.
//!
//! The only file that knows the crate which tells places. What a text *means* is for
//! `yaml.rs` to say, whose crate reads the settings: whoever changes a text by these places
//! holds the outcome against that. Read `load/edit.rs` next.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

/// One node, with its places in bytes.
#[derive(Debug)]
pub(super) struct Node {
    /// From its anchor or first letter to its last letter; for what is indented, to the last
    /// letter of what is in it. Empty where nothing is written.
    pub span: Range<usize>,
    /// What it is.
    pub form: Form,
}

/// What a node is, as far as writing it is concerned.
#[derive(Debug)]
pub(super) enum Form {
    /// Nothing is written: `port:` alone.
    Nothing,
    /// A value on its line, in quotes or not, with the text that it stands for.
    Scalar { text: String, quoted: bool },
    /// A text in lines of its own, after `|` or `>`.
    Block,
    /// `*name`.
    Alias,
    /// A list.
    List(Vec<Node>),
    /// Keys and their values.
    Map { entries: Vec<Entry>, flow: bool },
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key; empty if it is no text.
    pub name: String,
    /// Where the key stands.
    pub key: Range<usize>,
    /// Its value.
    pub value: Node,
}

/// Tells what this crate has against a text that the other one can read.
fn told(error: &ScanError) -> String {
    let line = error.marker().line();
    if error.info().contains("tab") {
        return format!("there is a tab in line {line}: use spaces");
    }
    format!("line {line}: {}", error.info())
}

impl Node {
    /// Reads a text; none if there is no document in it.
    pub(super) fn read(text: &str) -> Result<Option<Self>, String> {
        let mut events = Vec::new();
        for event in Parser::new_from_str(text) {
            events.push(event.map_err(|error| told(&error))?);
        }
        let mut reader = Reader { text, places: places(text), events: events.into_iter(), ended: 0 };
        while let Some((event, span)) = reader.events.next() {
            if matches!(event, Event::DocumentStart(_)) {
                let begins = reader.bytes(span).end;
                return reader.node(begins);
            }
        }
        Ok(None)
    }

    /// Returns the entry of a key of this node.
    pub(super) fn entry(&self, name: &str) -> Option<&Entry> {
        let Form::Map { entries, .. } = &self.form else { return None };
        entries.iter().find(|entry| entry.name == name)
    }

    /// Tells whether it says that there is nothing, in one way or another.
    pub(super) fn is_empty(&self) -> bool {
        match &self.form {
            Form::Nothing => true,
            Form::Scalar { text, quoted: false } => ["", "~", "null", "Null", "NULL"].contains(&&**text),
            Form::Scalar { text, quoted: true } => text.trim().is_empty(),
            Form::Block | Form::Alias | Form::List(_) | Form::Map { .. } => false,
        }
    }

    /// Adds the places of all that is written in it, from front to back; what is between
    /// them are signs and comments.
    pub(super) fn leaves(&self, found: &mut Vec<Range<usize>>) {
        match &self.form {
            Form::Nothing | Form::Scalar { .. } | Form::Block | Form::Alias => found.push(self.span.clone()),
            Form::List(items) => items.iter().for_each(|item| item.leaves(found)),
            Form::Map { entries, .. } => {
                for entry in entries {
                    found.push(entry.key.clone());
                    entry.value.leaves(found);
                }
            }
        }
    }
}

/// Builds the tree of what the crate tells, one event after the other.
struct Reader<'a> {
    text: &'a str,
    /// The byte at which each character begins; one more for the end.
    places: Vec<usize>,
    events: std::vec::IntoIter<(Event<'a>, Span)>,
    /// Where the last list or map ended: at its bracket, or at what comes after it.
    ended: usize,
}

impl Reader<'_> {
    /// Reads one node; none where a list or a map ends. `after` is where the text before it ends.
    fn node(&mut self, after: usize) -> Result<Option<Node>, String> {
        let Some((event, span)) = self.events.next() else { return Err("the text ends too early".to_owned()) };
        let span = self.bytes(span);
        let node = match event {
            Event::Scalar(text, style, ..) => self.scalar(&text, style, span, after),
            Event::Alias(_) => Node { span, form: Form::Alias },
            Event::SequenceStart(..) => self.list(span)?,
            Event::MappingStart(..) => self.map(span)?,
            Event::SequenceEnd | Event::MappingEnd => {
                self.ended = span.start;
                return Ok(None);
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                return Err("there is nothing where a value should be".to_owned());
            }
        };
        Ok(Some(node))
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Range<usize>, after: usize) -> Node {
        let written = &self.text[span.clone()];
        match style {
            ScalarStyle::Plain if text.is_empty() => Node { span: after..after, form: Form::Nothing },
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // After `|+` the empty lines at the end are part of it.
                let head = &self.text[after..span.start];
                let keeps_all = head.split_once(['|', '>']).is_some_and(|(_, rest)| rest.starts_with('+'));
                let kept = if keeps_all { written.len() } else { written.trim_end().len() };
                Node { span: span.start..span.start + kept, form: Form::Block }
            }
            ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                let quoted = style != ScalarStyle::Plain;
                let kept = if quoted { written.len() } else { written.trim_end().len() };
                let span = span.start..span.start + kept;
                Node { span, form: Form::Scalar { text: text.to_owned(), quoted } }
            }
        }
    }

    fn list(&mut self, start: Range<usize>) -> Result<Node, String> {
        let mut items = Vec::new();
        let mut last = start.start;
        while let Some(item) = self.node(last)? {
            last = item.span.end;
            items.push(item);
        }
        let (end, _) = self.end(last, ']');
        Ok(Node { span: start.start..end, form: Form::List(items) })
    }

    fn map(&mut self, start: Range<usize>) -> Result<Node, String> {
        let mut entries = Vec::new();
        let mut last = start.start;
        while let Some(key) = self.node(last)? {
            let name = match key.form {
                Form::Scalar { text, .. } => text,
                _ => String::new(),
            };
            let Some(value) = self.node(key.span.end)? else { return Err("a key has no value".to_owned()) };
            last = value.span.end;
            entries.push(Entry { name, key: key.span, value });
        }
        let (end, flow) = self.end(last, '}');
        Ok(Node { span: start.start..end, form: Form::Map { entries, flow } })
    }

    /// Returns where the list or the map that has just ended ends, and whether by its bracket.
    fn end(&self, last: usize, bracket: char) -> (usize, bool) {
        if self.text[self.ended..].starts_with(bracket) {
            return (self.ended + bracket.len_utf8(), true);
        }
        (last, false)
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        self.places[span.start.index()]..self.places[span.end.index().max(span.start.index())]
    }
}

fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(place, _)| place).chain([text.len()]).collect()
}
