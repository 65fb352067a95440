//! A reply while it comes in: bytes to chunks, and how it ends.
//!
//! Knows every way in which a stream can end (`openrouter-api.md` 6.3) and says
//! for each whether the answer is complete or what failed. Does not know what
//! has been passed on to a client, nor what follows from a failure.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::Body as _;
use reqwest::{Response, header::CONTENT_TYPE};
use serde_json::Value;
use tokio::time::{Instant, Sleep};

use crate::{
    chat::chunk::{Chunk, FinishReason},
    openrouter::{
        failure, now_ms,
        sse::{Decoder, Event, MAX_EVENT_BYTES},
    },
    routing::{Failure, FailureKind},
};

/// How long the usage may follow a finish reason; some upstreams then leave the
/// connection open.
const TAIL: Duration = Duration::from_secs(5);

/// The chunks of a reply.
///
/// Ends after the last chunk of a complete answer, or after a [`Failure`]; never
/// goes on after either. Dropping it ends the call upstream.
pub struct Answer {
    body: reqwest::Body,
    format: Format,
    idle: Idle,
    finished: bool,
    over: bool,
}

/// How the reply is written.
enum Format {
    /// As asked for.
    Events(Decoder),
    /// As one JSON object in spite of that, perhaps with blanks before it.
    Whole(BytesMut),
}

/// The longest pause between two chunks. The timer is set again only when it
/// fires, so that a chunk costs no more than a look at the clock.
struct Idle {
    limit: Duration,
    last: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Answer {
    /// Reads a reply whose status is a success.
    pub(super) fn new(response: Response, idle: Duration) -> Self {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = match content_type {
            Some(text) if !text.starts_with("text/event-stream") => Format::Whole(BytesMut::new()),
            Some(_) | None => Format::Events(Decoder::new()),
        };
        let now = Instant::now();
        Self {
            body: reqwest::Body::from(response),
            format,
            idle: Idle { limit: idle, last: now, timer: Box::pin(tokio::time::sleep_until(now + idle)) },
            finished: false,
            over: false,
        }
    }

    fn end(&mut self, failure: Failure) -> Poll<Option<Result<Chunk, Failure>>> {
        self.over = true;
        Poll::Ready(Some(Err(failure)))
    }

    fn complete(&mut self) -> Poll<Option<Result<Chunk, Failure>>> {
        self.over = true;
        Poll::Ready(None)
    }

    /// Judges the data of one event.
    fn event(&mut self, data: Bytes) -> Poll<Option<Result<Chunk, Failure>>> {
        self.idle.last = Instant::now();
        let chunk = match Chunk::parse(data) {
            Ok(chunk) => chunk,
            Err(error) if self.finished => {
                tracing::debug!(%error, "unreadable piece after the end of an answer");
                return self.complete();
            }
            Err(error) => {
                return self
                    .end(Failure::new(FailureKind::BadAnswer, format!("unreadable piece of an answer: {error}")));
            }
        };
        if let Some(error) = chunk.error() {
            if self.finished {
                // The answer before it is complete; only the count of tokens is
                // still of use (recorded: `length`, then an error with usage).
                tracing::debug!("error after the end of an answer");
                self.over = true;
                return Poll::Ready(usage_alone(&chunk).map(Ok));
            }
            let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
            return self.end(failure::classify_error_object(&error, now_ms()));
        }
        match chunk.finish_reason() {
            Some(FinishReason::Error) if !self.finished => {
                let reply = failure::Reply {
                    status: 200,
                    headers: failure::Headers::default(),
                    body: &chunk.raw,
                    now_ms: now_ms(),
                };
                return self.end(failure::classify(&reply));
            }
            Some(_) => {
                self.finished = true;
                self.idle.shorten(TAIL);
            }
            None => {}
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    /// The body is at its end.
    fn body_ended(&mut self) -> Poll<Option<Result<Chunk, Failure>>> {
        match &mut self.format {
            Format::Events(decoder) => {
                // A last event without its blank line: not to be trusted as an
                // answer, but an error in it tells why there is none.
                let rest = match decoder.finish() {
                    Some(Event::Data(data)) => Chunk::parse(data).ok(),
                    Some(Event::Done) => return self.complete(),
                    Some(Event::Comment) | None => None,
                };
                if self.finished {
                    return self.complete();
                }
                if let Some(error) = rest.as_ref().and_then(Chunk::error) {
                    let error: Value = serde_json::from_str(error.get()).unwrap_or_default();
                    return self.end(failure::classify_error_object(&error, now_ms()));
                }
                self.end(Failure::new(FailureKind::Interrupted, "the answer broke off without an end"))
            }
            Format::Whole(whole) => {
                let whole = whole.split().freeze();
                let reply = failure::Reply {
                    status: 200,
                    headers: failure::Headers::default(),
                    body: &whole,
                    now_ms: now_ms(),
                };
                match whole_chunk(&whole) {
                    Some(chunk) if is_success(&chunk) => {
                        self.over = true;
                        Poll::Ready(Some(Ok(chunk)))
                    }
                    Some(_) | None => self.end(failure::classify(&reply)),
                }
            }
        }
    }
}

impl Stream for Answer {
    type Item = Result<Chunk, Failure>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if this.over {
                return Poll::Ready(None);
            }
            if let Format::Events(decoder) = &mut this.format {
                match decoder.next() {
                    Some(Ok(Event::Data(data))) => return this.event(data),
                    Some(Ok(Event::Done)) => return this.complete(),
                    Some(Ok(Event::Comment)) => continue,
                    Some(Err(error)) => return this.end(Failure::new(FailureKind::BadAnswer, error.to_string())),
                    None => {}
                }
            }
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    match &mut this.format {
                        Format::Events(decoder) => decoder.push(piece),
                        Format::Whole(whole) if whole.len() + piece.len() <= MAX_EVENT_BYTES => {
                            // Blanks only keep the connection alive.
                            if !piece.trim_ascii().is_empty() {
                                this.idle.last = Instant::now();
                            }
                            whole.extend_from_slice(&piece);
                        }
                        Format::Whole(_) => {
                            return this.end(Failure::new(FailureKind::BadAnswer, "the answer is longer than any"));
                        }
                    }
                }
                Poll::Ready(Some(Err(_))) if this.finished => return this.complete(),
                Poll::Ready(Some(Err(error))) => {
                    let failure = super::network(&error);
                    return this.end(Failure { kind: FailureKind::Interrupted, ..failure });
                }
                Poll::Ready(None) => return this.body_ended(),
                Poll::Pending => {
                    ready!(this.idle.poll(context));
                    if this.finished {
                        return this.complete();
                    }
                    let message = format!("nothing more came within {} s", this.idle.limit.as_secs_f32());
                    return this.end(Failure::new(FailureKind::Stalled, message));
                }
            }
        }
    }
}

impl Idle {
    /// Waits no longer than this from now on.
    fn shorten(&mut self, limit: Duration) {
        if limit < self.limit {
            self.limit = limit;
            self.timer.as_mut().reset(self.last + limit);
        }
    }

    /// Ready when the last chunk is longer ago than the limit.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let due = self.last + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

/// Returns what a chunk says of usage, without its error; `None` if nothing.
fn usage_alone(chunk: &Chunk) -> Option<Chunk> {
    chunk.usage?;
    let mut value: Value = serde_json::from_slice(&chunk.raw).ok()?;
    let piece = value.as_object_mut()?;
    piece.remove("error");
    piece.insert("choices".to_owned(), Value::Array(Vec::new()));
    Chunk::parse(value.to_string().into()).ok()
}

/// Reads a whole answer as one chunk, so that the rest need not know.
fn whole_chunk(whole: &[u8]) -> Option<Chunk> {
    let mut value: Value = serde_json::from_slice(failure::without_comments(whole)).ok()?;
    value.as_object_mut()?.insert("object".to_owned(), "chat.completion.chunk".into());
    for choice in value.get_mut("choices").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(message) = choice.as_object_mut().and_then(|choice| choice.remove("message")) {
            choice.as_object_mut()?.insert("delta".to_owned(), message);
        }
    }
    Chunk::parse(value.to_string().into()).ok()
}

fn is_success(chunk: &Chunk) -> bool {
    chunk.error().is_none() && chunk.choice().is_some() && chunk.finish_reason() != Some(FinishReason::Error)
}
