//! The body of an answer, in any protocol.
//!
//! Takes chunks, gives frames, one write each. An answer that breaks off is told
//! in the protocol's own words, and then the body ends abnormally: the only end
//! that every client sees as an error (`clients.md` section 4). Never a fake end.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{body::Body, http::StatusCode};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt as _;

use crate::{api::error::Error, chat::chunk::Chunk, failover::attempt::Reply, routing::Failure};

/// Room for a frame: most are a few hundred bytes.
const FRAME_BYTES: usize = 512;

/// How a protocol writes the pieces of an answer.
pub(super) trait Encode: Send + 'static {
    /// Appends what a chunk says, which may be nothing.
    fn chunk(&mut self, chunk: &Chunk, frame: &mut BytesMut);
    /// Tells whether the answer is to end here, whatever else may come.
    fn is_over(&self) -> bool;
    /// Appends one frame of the end of a complete answer, and tells whether
    /// another follows; an error if what came cannot be told in this protocol.
    fn end(&mut self, frame: &mut BytesMut) -> Result<End, String>;
    /// Appends the words for an answer that broke off.
    fn error(&mut self, message: &str, frame: &mut BytesMut);
}

/// Whether a frame was the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another follows.
    More,
    /// It was the last.
    Last,
}

/// Makes a body of an answer.
///
/// When `cut` is set the answer is broken off at its next chunk: the router stops.
pub(super) fn body(reply: Reply, encoder: impl Encode + Unpin, cut: Arc<AtomicBool>) -> Body {
    Body::from_stream(Frames { reply, encoder, cut, frame: BytesMut::new(), state: State::Going })
}

/// Reads an answer that is wanted whole.
pub(super) async fn whole(reply: &mut Reply) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Vec::new();
    while let Some(chunk) = reply.next().await {
        // Everything was held until the end, so nothing can fail any more.
        chunks.push(chunk.map_err(|failure| Error::new(StatusCode::BAD_GATEWAY, failure.message))?);
    }
    Ok(chunks)
}

struct Frames<E> {
    reply: Reply,
    encoder: E,
    cut: Arc<AtomicBool>,
    frame: BytesMut,
    state: State,
}

enum State {
    Going,
    /// The error was handed over; it must be on the wire before the cut.
    Flushing,
    Cutting,
    Over,
}

impl<E: Encode + Unpin> Stream for Frames<E> {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match this.state {
                State::Going => {}
                State::Flushing => {
                    // hyper flushes what it has when the body has nothing more
                    // for now, and asks again at once.
                    this.state = State::Cutting;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Cutting => {
                    this.state = State::Over;
                    return Poll::Ready(Some(Err(io::Error::other("the answer broke off"))));
                }
                State::Over => return Poll::Ready(None),
            }
            this.frame.reserve(FRAME_BYTES);
            let next = if this.encoder.is_over() { None } else { ready!(Pin::new(&mut this.reply).poll_next(context)) };
            match next {
                Some(Ok(_)) if this.cut.load(Ordering::Relaxed) => this.break_off("the router is stopping"),
                Some(Ok(chunk)) => this.encoder.chunk(&chunk, &mut this.frame),
                Some(Err(failure)) => this.break_off(&words(&failure)),
                None => match this.encoder.end(&mut this.frame) {
                    // What is at its end says so again.
                    Ok(End::More) => {}
                    Ok(End::Last) => this.state = State::Over,
                    Err(message) => this.break_off(&message),
                },
            }
            if !this.frame.is_empty() {
                return Poll::Ready(Some(Ok(this.frame.split().freeze())));
            }
        }
    }
}

impl<E: Encode> Frames<E> {
    fn break_off(&mut self, message: &str) {
        self.encoder.error(message, &mut self.frame);
        self.state = State::Flushing;
    }
}

fn words(failure: &Failure) -> String {
    format!("the answer broke off: {} ({})", failure.message, failure.kind)
}
