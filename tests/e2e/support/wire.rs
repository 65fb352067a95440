//! An answer as it lies on the wire: the chunks of its body, and how it ended.
//!
//! HTTP libraries join chunks and hide where one ended, and some clients lose
//! a line that comes in two. So this reads the bytes of a socket and takes the
//! chunked encoding apart by itself. It judges nothing but in [`Wire::lines`],
//! which insists on one line a chunk.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{Host, PATIENCE};

/// An answer as it lay on the wire.
#[derive(Debug)]
pub struct Wire {
    /// HTTP status.
    pub status: u16,
    /// The status line and the headers, in small letters.
    pub head: String,
    /// The chunks of the body that came whole; one for a body of known length.
    pub chunks: Vec<Vec<u8>>,
    /// Whether the chunk that ends a body came.
    pub ended: bool,
    /// What came of a chunk that was cut, and anything after the end.
    pub rest: Vec<u8>,
}

impl Host {
    /// Sends a POST on a connection of its own, and reads the bytes that come back.
    pub async fn wire(&self, path: &str, body: &Value) -> Wire {
        let body = body.to_string();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}",
            self.address()
        );
        let mut socket = TcpStream::connect(self.address()).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // An end by reset is an end as well: what came before it is kept.
        drop(tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("the answer does not end"));
        Wire::read(&bytes)
    }
}

impl Wire {
    fn read(bytes: &[u8]) -> Self {
        let end = find(bytes, b"\r\n\r\n").expect("the head of an answer");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut rest = &bytes[end + 4..];
        if !head.contains("\r\ntransfer-encoding: chunked") {
            // A body of known length, as errors have.
            return Self { status, head, chunks: vec![rest.to_vec()], ended: true, rest: Vec::new() };
        }
        let mut chunks = Vec::new();
        let mut ended = false;
        while let Some((chunk, after)) = chunk(rest) {
            rest = after;
            ended = chunk.is_empty();
            if ended {
                break;
            }
            chunks.push(chunk.to_vec());
        }
        Self { status, head, chunks, ended, rest: rest.to_vec() }
    }

    /// Returns the lines of a streamed Ollama answer, of which each must be one
    /// chunk, whole, and no more than one.
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(String::from_utf8_lossy(&self.rest), "", "a chunk was cut, or something came after the end");
        self.chunks.iter().map(|chunk| line(chunk)).collect()
    }
}

/// Reads a chunk that is one line of JSON.
fn line(chunk: &[u8]) -> Value {
    let text = std::str::from_utf8(chunk).unwrap_or_else(|error| panic!("a character is split: {error}: {chunk:?}"));
    let line = text.strip_suffix('\n').unwrap_or_else(|| panic!("a line is split: {text:?}"));
    assert!(!line.contains(['\n', '\r']), "more lines than one in a chunk: {text:?}");
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// Takes one whole chunk off the front: its size in hex, its bytes, a line end.
fn chunk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = find(bytes, b"\r\n")?;
    let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).unwrap(), 16).expect("the size of a chunk");
    let (chunk, after) = bytes[end + 2..].split_at_checked(size)?;
    Some((chunk, after.strip_prefix(b"\r\n")?))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
