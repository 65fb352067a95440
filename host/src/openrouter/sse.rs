//! Server-sent events: bytes in, events out.
//!
//! Keeps to the WHATWG rule for event streams, as far as `/chat/completions`
//! uses it: `data` lines and comments count, `event`, `id` and `retry` are
//! passed over. Lines end with LF or CRLF; a CR alone is part of its line. No
//! async, no JSON, no clock. What an error inside the data means is decided in
//! `openrouter::failure`.

use std::mem;

use bytes::{Buf as _, Bytes, BytesMut};

/// The longest event in bytes.
///
/// Far above any piece of an answer, and above an image that comes in one
/// event, yet no danger to the memory.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// What some upstreams put before their first line.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The data of an event; of several `data` lines, joined by LF.
    Data(Bytes),
    /// The data `[DONE]`: the stream is complete.
    Done,
    /// A comment line, such as `: OPENROUTER PROCESSING`: a sign of life only.
    Comment,
}

/// An event or a line is longer than [`MAX_EVENT_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the stream: an event is longer than {MAX_EVENT_BYTES} bytes")]
pub struct TooLong;

/// Decodes a stream that comes in pieces, cut anywhere.
///
/// Give it a piece with [`push`](Self::push), then take events until there is
/// `None`. Data of a line that lies within one piece is a slice of that piece;
/// only what was cut, or has several `data` lines, is copied.
///
/// After [`TooLong`] it is spent: whatever else is pushed, there are no events.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Pushed and not read yet.
    unread: Bytes,
    /// The beginning of a line whose end has not come.
    line: BytesMut,
    /// The data lines since the last blank line.
    data: Lines,
    /// Whether the first line was read, before which a mark is allowed.
    begun: bool,
    spent: bool,
}

impl Decoder {
    /// Makes a decoder for a new stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece of the stream.
    ///
    /// Events of earlier pieces should have been taken; if not, they still
    /// come first, but what was unread is copied.
    pub fn push(&mut self, piece: Bytes) {
        if self.spent {
            return;
        }
        if self.unread.is_empty() {
            self.unread = piece;
        } else {
            let mut joined = BytesMut::from(mem::take(&mut self.unread));
            joined.extend_from_slice(&piece);
            self.unread = joined.freeze();
        }
    }

    /// Returns the event that the end of the stream cut off, if it had data.
    ///
    /// To be called when there are no more pieces and events. The rule for
    /// event streams drops such an event. It is handed out because an upstream
    /// that fails may close directly after the line that tells why; the data
    /// may be incomplete, so a piece of an answer must not be taken from it.
    pub fn finish(&mut self) -> Option<Event> {
        let rest = mem::take(&mut self.line).freeze();
        if let Some(value) = field(self.trim(rest), b"data") {
            self.data.add(value);
        }
        self.data.take().map(event)
    }

    fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') else {
            let piece = mem::take(&mut self.unread);
            self.line.extend_from_slice(&piece);
            // One more byte is allowed: it may be the CR of the line's end.
            self.check(self.line.len().saturating_sub(1))?;
            return Ok(None);
        };
        let mut line = self.unread.split_to(end);
        self.unread.advance(1);
        if !self.line.is_empty() {
            self.line.extend_from_slice(&line);
            line = mem::take(&mut self.line).freeze();
        }
        let line = self.trim(line);
        self.check(line.len())?;
        Ok(Some(line))
    }

    fn check(&self, line_bytes: usize) -> Result<(), TooLong> {
        if self.data.len() + line_bytes > MAX_EVENT_BYTES { Err(TooLong) } else { Ok(()) }
    }

    /// Removes what is not of the line: the CR before LF, the mark at the start.
    fn trim(&mut self, mut line: Bytes) -> Bytes {
        if line.ends_with(b"\r") {
            line.truncate(line.len() - 1);
        }
        if !mem::replace(&mut self.begun, true) && line.starts_with(BYTE_ORDER_MARK) {
            line.advance(BYTE_ORDER_MARK.len());
        }
        line
    }

    fn read(&mut self, line: Bytes) -> Option<Event> {
        match line.first() {
            None => self.data.take().map(event),
            Some(b':') => Some(Event::Comment),
            Some(_) => {
                if let Some(value) = field(line, b"data") {
                    self.data.add(value);
                }
                None
            }
        }
    }
}

impl Iterator for Decoder {
    type Item = Result<Event, TooLong>;

    /// Returns the next event of what was pushed; `None` until more is.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_line() {
                Ok(Some(line)) => {
                    if let Some(event) = self.read(line) {
                        return Some(Ok(event));
                    }
                }
                Ok(None) => return None,
                Err(error) => {
                    *self = Self { spent: true, ..Self::default() };
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The data lines of one event. The first is kept as it came: nearly always it
/// is the only one.
#[derive(Debug, Default)]
enum Lines {
    #[default]
    None,
    One(Bytes),
    Joined(BytesMut),
}

impl Lines {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(line) => line.len(),
            Self::Joined(lines) => lines.len(),
        }
    }

    fn add(&mut self, line: Bytes) {
        let mut joined = match mem::take(self) {
            Self::None => {
                *self = Self::One(line);
                return;
            }
            Self::One(first) => BytesMut::from(&*first),
            Self::Joined(lines) => lines,
        };
        joined.extend_from_slice(b"\n");
        joined.extend_from_slice(&line);
        *self = Self::Joined(joined);
    }

    fn take(&mut self) -> Option<Bytes> {
        match mem::take(self) {
            Self::None => None,
            Self::One(line) => Some(line),
            Self::Joined(lines) => Some(lines.freeze()),
        }
    }
}

/// Returns the value of the line if it is the field of this name. A name alone
/// is the field with an empty value; one space after the colon is not of it.
fn field(mut line: Bytes, name: &[u8]) -> Option<Bytes> {
    let value = match line.strip_prefix(name)? {
        [] => &[],
        [b':', b' ', value @ ..] | [b':', value @ ..] => value,
        _ => return None,
    };
    line.advance(line.len() - value.len());
    Some(line)
}

fn event(data: Bytes) -> Event {
    if data.trim_ascii() == b"[DONE]" { Event::Done } else { Event::Data(data) }
}

#[cfg(test)]
mod tests;
