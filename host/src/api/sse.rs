//! Server-sent events, in which all faces but Ollama's stream.
//!
//! The framing and the head of the response; what the events say is each face's
//! own business.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use bytes::{BufMut as _, BytesMut};

use crate::{
    api::{
        Api,
        streaming::{self, Encode},
        trail,
    },
    failover::Answered,
};

/// Returns an answer as a stream of events, marked with who gave it.
pub(super) fn response(api: &Api, mut answered: Answered, encoder: impl Encode + Unpin) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    trail::mark(headers, &answered);
    answered.tried = Vec::new();
    *response.body_mut() = streaming::body(answered.reply, encoder, api.cut());
    response
}

/// Appends an event without a name.
///
/// Data of several lines is told line by line.
pub(super) fn data(data: &[u8], frame: &mut BytesMut) {
    frame.put_slice(b"data: ");
    for (place, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if place > 0 {
            frame.put_slice(b"\ndata: ");
        }
        frame.put_slice(line);
    }
    frame.put_slice(b"\n\n");
}

/// Appends an event with a name, whose data is one line.
pub(super) fn event(name: &str, line: &[u8], frame: &mut BytesMut) {
    frame.put_slice(b"event: ");
    frame.put_slice(name.as_bytes());
    frame.put_slice(b"\n");
    data(line, frame);
}
