//! A reply gathered into the one object of a call that does not stream.
//!
//! Takes the same pieces as [`Encoder`], and ends with the same
//! last line, but for the text in it. Knows nothing of lines.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::{
    api::ollama::stream::{
        Content, Encoder, Reply,
        parts::{BadCall, ReadyCall, pictures, probabilities},
    },
    chat::chunk::Chunk,
};

/// Returns the answer that these pieces spell, as one line.
///
/// The first token came `first_token` after the request, the end `elapsed`
/// after it. Fails if a tool call cannot be told: see [`Encoder::calls`].
pub fn whole(reply: &Reply<'_>, chunks: &[Chunk], first_token: Duration, elapsed: Duration) -> Result<Bytes, BadCall> {
    let mut encoder = Encoder::new(reply);
    let (mut text, mut thinking) = (String::new(), String::new());
    let (mut images, mut tokens) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let Some(delta) = encoder.take(chunk, first_token) else { continue };
        text.push_str(&encoder.stops.pass(delta.text().unwrap_or_default()));
        thinking.push_str(delta.thinking().unwrap_or_default());
        images.extend(pictures(&delta.images));
        tokens.extend(probabilities(chunk));
    }
    text.push_str(&encoder.stops.rest());
    let calls = ReadyCall::all(std::mem::take(&mut encoder.calls))?;
    let content = Content { text: &text, thinking: &thinking, images: &images, calls: &calls, probabilities: &tokens };
    let mut out = BytesMut::new();
    encoder.last(&content, elapsed, &mut out);
    Ok(out.freeze())
}
