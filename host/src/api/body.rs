//! Reading a request's body, within the operator's bound.

use axum::{
    body::{Body, HttpBody as _},
    http::StatusCode,
};
use bytes::Bytes;

use crate::api::error::Error;

/// Reads a whole body of at most `limit` bytes.
///
/// Any content type is fine, as with Ollama: what counts is what is in it.
pub async fn read(body: Body, limit: usize) -> Result<Bytes, Error> {
    let too_large = || {
        let message = format!("the request is larger than {limit} bytes (server.max_body)");
        Error::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    // Told before it is sent, if the client says how long it is.
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        if cause.to_string().contains("length limit") {
            too_large()
        } else {
            Error::bad_request(format!("failed to read the request: {cause}"))
        }
    })
}
