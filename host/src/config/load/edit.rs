//! Changes one key of a YAML text, and not a letter besides: comments, order, blank lines,
//! quotes and line ends stay.
//!
//! Text in, text out. What comes out is read again by the reader of the settings, and has to
//! be the old tree with that one change; otherwise nothing comes out but words that say why.
//! Which keys there are and what they may hold is not known here. Where things stand in the
//! text, `edit/outline.rs` finds out; how a value is written, `edit/written.rs` knows.

use std::ops::Range;

use serde_json::{Map, Value};

use self::outline::{Entry, Form, Node};
use self::written::nested;
pub(super) use self::written::{Style, inline, key};
use super::yaml;

mod outline;
mod written;

/// Returns the text with a key set to a value; sections that are missing are begun.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, String> {
    let root = Node::read(text)?;
    let attempt = |goes_first| {
        let edit = Edit { goes_first, ..Edit::new(text, root.as_ref()) };
        let pieces = match &root {
            Some(node) if !node.is_empty() => edit.put(node, path, value)?,
            _ => edit.begin_document(root.as_ref(), path, value),
        };
        finished(text, pieces, path, Some(value))
    };
    // A text in lines at the very end, without a line end, would get one by what comes after it.
    attempt(false).or_else(|reason| attempt(true).or(Err(reason)))
}

/// Returns the text without a key; none if it has no such key.
pub(super) fn unset(text: &str, path: &[&str]) -> Result<Option<String>, String> {
    let Some(root) = Node::read(text)? else { return Ok(None) };
    let mut parent = &root;
    for name in &path[..path.len() - 1] {
        match parent.entry(name) {
            Some(entry) => parent = &entry.value,
            None => return Ok(None),
        }
    }
    let Some(entry) = path.last().and_then(|name| parent.entry(name)) else { return Ok(None) };
    let edit = Edit::new(text, Some(&root));
    let pieces = if parent.is_flow() { edit.cut_from_line(entry) } else { edit.cut_lines(entry) };
    finished(text, pieces, path, None).map(Some)
}

/// A place, and what comes there instead.
type Piece = (Range<usize>, String);

struct Edit<'a> {
    text: &'a str,
    newline: &'static str,
    /// How much deeper each section stands.
    step: usize,
    /// Whether a new key comes before the others of its section instead of after them.
    goes_first: bool,
}

impl<'a> Edit<'a> {
    fn new(text: &'a str, root: Option<&Node>) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut edit = Self { text, newline, step: 2, goes_first: false };
        if let Some(Node { form: Form::Map { entries, flow: false }, .. }) = root {
            let firsts = entries.iter().filter_map(|entry| match &entry.value.form {
                Form::Map { entries, flow: false } => entries.first(),
                _ => None,
            });
            let deeper = firsts.map(|entry| edit.column(entry.key.start)).find(|column| *column > 0);
            edit.step = deeper.unwrap_or(edit.step);
        }
        edit
    }

    /// Sets what is below a node that is not empty.
    fn put(&self, node: &Node, path: &[&str], value: &Value) -> Result<Vec<Piece>, String> {
        let Form::Map { entries, flow } = &node.form else {
            return Err(match node.form {
                Form::Alias => "it is written once for several places (`*name`)".to_owned(),
                _ => "what should be a section is a value".to_owned(),
            });
        };
        let (name, below) = path.split_first().ok_or_else(|| "there is no key".to_owned())?;
        let Some(entry) = node.entry(name) else {
            return Ok(if *flow {
                vec![self.add_to_line(node, entries, path, value)]
            } else {
                vec![self.add_line(entries, path, value)]
            });
        };
        match below {
            [] => Ok(self.replace(entry, *flow, value)),
            _ if !entry.value.is_empty() => self.put(&entry.value, below, value),
            _ if *flow => Ok(self.replace(entry, true, &tree(below, value))),
            _ => Ok(self.begin_section(entry, below, value)),
        }
    }

    /// Writes the first key of a text that has none.
    fn begin_document(&self, root: Option<&Node>, path: &[&str], value: &Value) -> Vec<Piece> {
        let mut pieces = Vec::new();
        if let Some(Node { span, form: Form::Scalar { .. } }) = root {
            pieces.push((span.clone(), String::new()));
        }
        // Before the sign that ends a document, if there is one.
        let end = self.text.match_indices("...").map(|(place, _)| place).find(|place| {
            let is_alone = self.text[*place..].lines().next().is_some_and(|line| line.trim_end() == "...");
            self.column(*place) == 0 && is_alone
        });
        pieces.push(self.line_at(end.unwrap_or(self.text.len()), &nested(path, value, 0, self.step, self.newline)));
        pieces
    }

    /// Writes the first key of a section that has none.
    fn begin_section(&self, entry: &Entry, below: &[&str], value: &Value) -> Vec<Piece> {
        let column = self.column(entry.key.start) + self.step;
        let mut pieces = Vec::new();
        if !entry.value.span.is_empty() {
            let before = &self.text[..entry.value.span.start];
            pieces.push((before.trim_end_matches([' ', '\t']).len()..entry.value.span.end, String::new()));
        }
        let end = self.line_end(entry.value.span.end.max(entry.key.end));
        pieces.push(self.line_at(end, &nested(below, value, column, self.step, self.newline)));
        pieces
    }

    /// Writes a key after the last one of a section.
    fn add_line(&self, entries: &[Entry], path: &[&str], value: &Value) -> Piece {
        let first = entries.first().map_or(0, |entry| entry.key.start);
        let column = self.column(first);
        let words = nested(path, value, column, self.step, self.newline);
        if self.goes_first {
            return self.line_at(first - column, &words);
        }
        let end = entries.last().map_or(0, |entry| entry.value.span.end.max(entry.key.end));
        let place = if self.text[..end].ends_with('\n') { end } else { self.line_end(end) };
        self.line_at(place, &words)
    }

    /// Writes a key after the last one within braces.
    fn add_to_line(&self, node: &Node, entries: &[Entry], path: &[&str], value: &Value) -> Piece {
        let style = match entries.first() {
            Some(entry) if self.text[entry.key.clone()].starts_with('"') => Style::Json,
            _ => Style::Flow,
        };
        let (name, below) = path.split_first().unwrap_or((&"", &[]));
        let written = format!("{}: {}", key(name, style), inline(&tree(below, value), style));
        if let Some(last) = entries.last() {
            let end = if last.value.span.is_empty() { self.after_colon(last) } else { last.value.span.end };
            return (end..end, format!(", {written}"));
        }
        let brace = self.text[node.span.clone()].find('{').unwrap_or_default();
        let place = node.span.start + brace + 1;
        (place..place, written)
    }

    /// Writes another value for a key.
    fn replace(&self, entry: &Entry, flow: bool, value: &Value) -> Vec<Piece> {
        let quoted_key = self.text[entry.key.clone()].starts_with('"');
        let style = match &entry.value.form {
            _ if flow && quoted_key => Style::Json,
            Form::Scalar { quoted: true, .. } if !flow => Style::Quoted,
            _ if flow => Style::Flow,
            _ => Style::Plain,
        };
        let written = inline(value, style);
        let span = &entry.value.span;
        let colon = self.after_colon(entry);
        if span.is_empty() {
            let missing = if self.text[..colon].ends_with(':') { " " } else { ": " };
            return vec![(colon..colon, format!("{missing}{written}"))];
        }
        let in_lines = self.text[colon..span.end].contains('\n');
        if !in_lines || flow {
            let kept = self.comments(span.start..span.end, &entry.value);
            if kept.is_empty() {
                return vec![(span.clone(), written)];
            }
            let lines = [&[""], &*kept, &[&*written]].concat();
            return vec![(span.clone(), lines.join(self.newline))];
        }
        let indent = " ".repeat(self.column(entry.key.start) + self.step);
        let mut comments = self.comments(colon..span.end, &entry.value).into_iter();
        let on_the_line = self.text[colon..].lines().next().unwrap_or_default();
        let mut kept = String::new();
        if let Some(first) = comments.next() {
            if on_the_line.contains(first) {
                kept = format!("  {first}");
            } else {
                kept = format!("{}{indent}{first}", self.newline);
            }
        }
        kept.extend(comments.map(|line| format!("{}{indent}{line}", self.newline)));
        let end = self.line_end(span.end);
        let tail = self.text[span.end..end].trim();
        let tail = if tail.is_empty() { String::new() } else { format!("{}{indent}{tail}", self.newline) };
        let is_whole = self.text[..span.end].ends_with('\n');
        let end = if is_whole { self.text[..span.end].trim_end().len() } else { end };
        vec![(colon..end, format!(" {written}{kept}{tail}"))]
    }

    /// Takes out the lines of a key, but no line that is a comment alone.
    fn cut_lines(&self, entry: &Entry) -> Vec<Piece> {
        let begin = entry.key.start - self.column(entry.key.start);
        let last = entry.value.span.end.max(self.after_colon(entry));
        let end = if self.text[..last].ends_with('\n') { last } else { self.line_end(last) };
        let after = if self.text[end..].starts_with(self.newline) { end + self.newline.len() } else { end };
        let comments = self.comments(entry.key.end..last, &entry.value);
        let is_alone = |line: &str| comments.contains(&line.trim());
        // Further to the right they would be words of a block of text before the key.
        let indent = &self.text[begin..entry.key.start];
        let lines = self.text[begin..end].lines().skip(1).filter(|line| is_alone(line));
        let mut kept = String::new();
        kept.extend(lines.map(|line| format!("{indent}{}{}", line.trim(), self.newline)));
        vec![(begin..after.max(end), kept)]
    }

    /// Takes out a key within braces, with one of the commas beside it.
    fn cut_from_line(&self, entry: &Entry) -> Vec<Piece> {
        let end = entry.value.span.end.max(self.after_colon(entry));
        let rest = &self.text[end..];
        let gap = rest.len() - rest.trim_start().len();
        if rest[gap..].starts_with(',') {
            let after = rest[gap + 1..].len() - rest[gap + 1..].trim_start_matches([' ', '\t']).len();
            return vec![(entry.key.start..end + gap + 1 + after, String::new())];
        }
        let before = self.text[..entry.key.start].trim_end();
        let begin = if before.ends_with(',') { before.len() - 1 } else { entry.key.start };
        vec![(begin..end, String::new())]
    }

    /// Returns the comments within a region around a node, from front to back.
    fn comments(&self, region: Range<usize>, node: &Node) -> Vec<&'a str> {
        let mut leaves = Vec::new();
        node.leaves(&mut leaves);
        let mut found = Vec::new();
        let mut from = region.start;
        leaves.push(region.end..region.end);
        for leaf in leaves.into_iter().filter(|leaf| leaf.start >= region.start) {
            let gap = &self.text[from..leaf.start.max(from)];
            for line in gap.split('\n') {
                let sharp = line.match_indices('#').map(|(place, _)| place);
                let mut sharp =
                    sharp.filter(|place| line[..*place].is_empty() || line[..*place].ends_with([' ', '\t']));
                found.extend(sharp.next().map(|place| line[place..].trim_end()));
            }
            from = leaf.end.max(from);
        }
        found
    }

    /// Makes a line of its own of some words, at a place where a line begins or ends.
    fn line_at(&self, place: usize, words: &str) -> Piece {
        let before = &self.text[..place];
        if before.is_empty() || before.ends_with('\n') {
            return (place..place, format!("{words}{}", self.newline));
        }
        let end = if place == self.text.len() { self.newline } else { "" };
        (place..place, format!("{}{words}{end}", self.newline))
    }

    /// Returns the place after the colon of a key, or after the key if it has none.
    fn after_colon(&self, entry: &Entry) -> usize {
        let rest = &self.text[entry.key.end..];
        let gap = rest.len() - rest.trim_start().len();
        if rest[gap..].starts_with(':') { entry.key.end + gap + 1 } else { entry.key.end }
    }

    /// Returns where the line of a place ends, before the sign of its end.
    fn line_end(&self, place: usize) -> usize {
        let rest = &self.text[place..];
        let line = rest.split('\n').next().unwrap_or_default();
        place + line.strip_suffix('\r').unwrap_or(line).len()
    }

    fn column(&self, place: usize) -> usize {
        place - self.text[..place].rfind('\n').map_or(0, |newline| newline + 1)
    }
}

impl Node {
    fn is_flow(&self) -> bool {
        matches!(self.form, Form::Map { flow: true, .. })
    }
}

/// Puts the pieces into the text, and holds what comes of it against what is wanted.
fn finished(text: &str, mut pieces: Vec<Piece>, path: &[&str], value: Option<&Value>) -> Result<String, String> {
    let mut changed = text.to_owned();
    pieces.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
    for (place, piece) in pieces {
        changed.replace_range(place, &piece);
    }
    let read = |text: &str| yaml::parse(text).map(Value::Object).map_err(|fault| fault.message);
    let wanted = with(read(text)?, path, value);
    match read(&changed) {
        Ok(found) if same(&found, &wanted) => Ok(changed),
        Ok(_) | Err(_) => Err("this file is written in a way in which more than this key would change".to_owned()),
    }
}

/// Returns a tree with one key set, or taken out.
fn with(mut tree: Value, path: &[&str], value: Option<&Value>) -> Value {
    let Some((name, below)) = path.split_first() else { return value.cloned().unwrap_or(tree) };
    if !tree.is_object() {
        tree = Value::Object(Map::new());
    }
    let Value::Object(object) = &mut tree else { return tree };
    match value {
        None if below.is_empty() => drop(object.remove(*name)),
        None if !object.contains_key(*name) => {}
        _ => {
            let old = object.remove(*name).unwrap_or_default();
            object.insert((*name).to_owned(), with(old, below, value));
        }
    }
    tree
}

/// Wraps a value in the names of a path.
fn tree(path: &[&str], value: &Value) -> Value {
    path.iter().rev().fold(value.clone(), |value, name| Value::Object(Map::from_iter([((*name).to_owned(), value)])))
}

/// Tells whether two trees say the same; a section with nothing in it is as good as none.
fn same(one: &Value, other: &Value) -> bool {
    let is_nothing = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.len() == other.len() => {
            one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other || is_nothing(one) && is_nothing(other),
    }
}

#[cfg(test)]
mod tests;
