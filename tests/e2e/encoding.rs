//! Compressed request bodies: gzip and zstd on every route, within the bound.

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::support::{
    Host, Reply, Setup,
    ask::{FORMS, Told},
    http,
};

const GOOD: &str = "acme/good:free";

async fn start() -> Host {
    Setup::new().models(&[GOOD]).set("server.max_body", "100kB").start().await
}

async fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    fill(&mut encoder, plain).await;
    encoder.into_inner()
}

async fn zstd(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    fill(&mut encoder, plain).await;
    encoder.into_inner()
}

async fn fill(encoder: &mut (impl AsyncWrite + Unpin), plain: &[u8]) {
    encoder.write_all(plain).await.unwrap();
    encoder.shutdown().await.unwrap();
}

async fn post(host: &Host, path: &str, encoding: &str, body: Vec<u8>) -> Reply {
    let request = http().post(host.url(path)).header("content-encoding", encoding).body(body);
    Reply::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_compressed_request_is_answered_as_a_plain_one_on_every_face() {
    let host = start().await;
    for form in FORMS {
        let plain = form.body(GOOD, "H\u{e4}llo").to_string();
        for (encoding, body) in [
            ("identity", plain.clone().into_bytes()),
            ("gzip", gzip(plain.as_bytes()).await),
            ("x-gzip", gzip(plain.as_bytes()).await),
            ("zstd", zstd(plain.as_bytes()).await),
        ] {
            let reply = post(&host, form.path, encoding, body).await;
            assert_eq!(Told::by(&reply), Told::hello(GOOD, 1, None), "{form:?} {encoding}: {}", reply.text);
            let said = host.last_sent()["messages"].to_string();
            assert!(said.contains("H\u{e4}llo"), "{form:?} {encoding}: {said}");
        }
    }
}

#[tokio::test]
async fn several_members_are_one_body() {
    let host = start().await;
    let plain = json!({"model": GOOD, "messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let (first, second) = plain.as_bytes().split_at(plain.len() / 2);
    for (encoding, mut body, rest) in
        [("gzip", gzip(first).await, gzip(second).await), ("zstd", zstd(first).await, zstd(second).await)]
    {
        body.extend(rest);
        let reply = post(&host, "/v1/chat/completions", encoding, body).await;
        assert_eq!(Told::by(&reply), Told::hello(GOOD, 1, None), "{encoding}: {}", reply.text);
    }
}

#[tokio::test]
async fn what_grows_beyond_the_bound_is_refused_however_small_it_came() {
    let host = start().await;
    let message = "the request is larger than 100000 bytes (server.max_body)";
    let bomb = json!({"model": GOOD, "prompt": " ".repeat(30_000_000)}).to_string();
    for (encoding, body) in [("gzip", gzip(bomb.as_bytes()).await), ("zstd", zstd(bomb.as_bytes()).await)] {
        assert!(body.len() < 50_000, "{encoding}: {}", body.len());
        for form in FORMS {
            let reply = post(&host, form.path, encoding, body.clone()).await;
            assert_eq!((reply.status, form.error(&reply)), (413, message.to_owned()), "{form:?} {encoding}");
        }
    }
    assert_eq!(host.called(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_body_that_is_not_what_it_says_is_refused() {
    let host = start().await;
    let plain = json!({"model": GOOD, "prompt": "Hello"}).to_string().into_bytes();
    let cut = |mut body: Vec<u8>| {
        body.truncate(body.len() - 6);
        body
    };
    for (encoding, body) in [
        ("gzip", plain.clone()),
        ("zstd", plain.clone()),
        ("gzip", cut(gzip(&plain).await)),
        ("zstd", cut(zstd(&plain).await)),
    ] {
        for form in FORMS {
            let reply = post(&host, form.path, encoding, body.clone()).await;
            let error = form.error(&reply);
            assert_eq!(reply.status, 400, "{form:?} {encoding}: {error}");
            assert!(error.starts_with("failed to read the request: "), "{form:?} {encoding}: {error}");
        }
    }
    assert_eq!(host.called(), [] as [&str; 0]);
}

#[tokio::test]
async fn another_encoding_is_refused_with_those_that_are_taken() {
    let host = start().await;
    for encoding in ["br", "deflate", "gzip, zstd", "GZIP2"] {
        for form in FORMS {
            let reply = post(&host, form.path, encoding, b"{}".to_vec()).await;
            let message = "cannot read a body with this Content-Encoding: send it plain, or as gzip or zstd";
            assert_eq!((reply.status, form.error(&reply)), (415, message.to_owned()), "{form:?} {encoding}");
            assert_eq!(reply.header("accept-encoding"), Some("gzip, zstd"));
        }
    }
}

#[tokio::test]
async fn a_zstd_window_that_wants_much_memory_is_refused() {
    let host = start().await;
    // A frame header with a window of 128 MiB (RFC 8878, 3.1.1.1.2), then one raw block.
    let plain: Value = json!({"model": GOOD, "prompt": "Hello"});
    let text = plain.to_string();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3];
    let block = u32::try_from(text.len()).unwrap() << 3 | 1;
    frame.extend(&block.to_le_bytes()[..3]);
    frame.extend(text.as_bytes());
    let reply = post(&host, "/api/generate", "zstd", frame.clone()).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    // The same with 8 MiB is fine.
    frame[5] = 13 << 3;
    let reply = post(&host, "/api/generate", "zstd", frame).await;
    assert_eq!(Told::by(&reply), Told::hello(GOOD, 1, None), "{}", reply.text);
}
