//! Request bodies that come compressed: gzip and zstd, as `Content-Encoding` says.
//!
//! From here on they are plain. They are unpacked while they are read, so the
//! bound on bodies (`api::body`) holds for what comes out, and a small body that
//! would become a huge one is given up at the bound. Knows no route.

use std::io;

use async_compression::{
    tokio::bufread::{GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH},
    },
    middleware::Next,
    response::Response,
};
use futures_util::TryStreamExt as _;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::api::error::{Error, Protocol};

/// The largest window of zstd, as a power of two: 8 MiB, which is what RFC 9659
/// allows on the web. A frame that wants more memory is refused.
const MAX_WINDOW_LOG: u32 = 23;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

/// Unpacks the body of a request, or tells which encodings are taken.
pub(super) async fn decoded(request: Request, next: Next) -> Response {
    match encoding(request.headers()) {
        Some(Encoding::Plain) => next.run(request).await,
        Some(encoding) => next.run(unpacked(request, encoding)).await,
        None => {
            let message = "cannot read a body with this Content-Encoding: send it plain, or as gzip or zstd";
            let error = Error::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
            let mut response = error.respond(Protocol::of(&request));
            response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip, zstd"));
            response
        }
    }
}

/// Returns how a body is packed; `None` for what is not taken here, such as two
/// encodings one within the other.
fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else { return Some(Encoding::Plain) };
    if values.next().is_some() {
        return None;
    }
    match value.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Some(Encoding::Plain),
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        "zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

fn unpacked(request: Request, encoding: Encoding) -> Request {
    let (mut parts, body) = request.into_parts();
    // Both tell of the body as it was sent.
    parts.headers.remove(CONTENT_ENCODING);
    parts.headers.remove(CONTENT_LENGTH);
    let packed = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let body = match encoding {
        Encoding::Plain => Body::from_stream(ReaderStream::new(packed)),
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(packed);
            decoder.multiple_members(true);
            Body::from_stream(ReaderStream::new(decoder))
        }
        Encoding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(packed, &[DParameter::window_log_max(MAX_WINDOW_LOG)]);
            decoder.multiple_members(true);
            Body::from_stream(ReaderStream::new(decoder))
        }
    };
    Request::from_parts(parts, body)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn one_encoding_of_three_is_taken_and_none_is_plain() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
            }
            encoding(&headers)
        };
        let cases: [(&[&str], Option<Encoding>); 8] = [
            (&[], Some(Encoding::Plain)),
            (&["identity"], Some(Encoding::Plain)),
            (&["gzip"], Some(Encoding::Gzip)),
            (&["X-GZip"], Some(Encoding::Gzip)),
            (&[" zstd "], Some(Encoding::Zstd)),
            (&["br"], None),
            (&["gzip, zstd"], None),
            (&["gzip", "zstd"], None),
        ];
        for (values, expected) in cases {
            assert_eq!(of(values), expected, "{values:?}");
        }
    }
}
