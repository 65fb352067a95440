//! Tests of the sandbox from outside: real requests over a real socket.
//!
//! The client here is a bare one, since the tests are about exact bytes: where
//! a body is cut, how lines end, which event comes last. Tests by subject are
//! in the modules below; pure parts have theirs beside the code.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;
use crate::sandbox::reply::Reply;
use crate::sandbox::scenario::Scenario;

mod control;
mod defaults;
mod errors;
mod shapes;

/// A free model of the built-in catalogue that neither reasons nor sees.
const MODEL: &str = "borealis/skald-70b-instruct:free";

/// Longer than any step of these tests; it only ends a test that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// A whole answer, as far as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: String,
    body: String,
    pieces: usize,
    is_complete: bool,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(self.body.trim()).unwrap()
    }

    /// Returns the events of a stream, without what differs from run to run.
    fn events(&self) -> Vec<Value> {
        let lines = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        let events = lines.filter(|line| *line != "[DONE]");
        let mut events: Vec<Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
        for event in &mut events {
            let fields = event.as_object_mut().unwrap();
            fields.retain(|key, _| !["id", "created", "object", "provider", "model"].contains(&key.as_str()));
        }
        events
    }

    fn has_done(&self) -> bool {
        self.body.contains("data: [DONE]")
    }

    fn content(&self) -> String {
        let content = |event: &Value| event["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_owned();
        self.events().iter().map(content).collect()
    }
}

/// One connection whose answer is read as it comes.
struct Connection {
    reader: BufReader<TcpStream>,
    answer: Answer,
}

impl Connection {
    fn open(sandbox: &Sandbox, head: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(sandbox.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let text = format!("{head}\r\nhost: sandbox\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).unwrap();
        Self {
            reader: BufReader::new(stream),
            answer: Answer { status: 0, headers: String::new(), body: String::new(), pieces: 0, is_complete: false },
        }
    }

    fn read_headers(&mut self) {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        self.answer.status = line.split(' ').nth(1).unwrap().parse().unwrap();
        while line != "\r\n" {
            line.clear();
            self.reader.read_line(&mut line).unwrap();
            self.answer.headers += &line;
        }
    }

    /// Reads one piece of the chunked body; false at its end or break.
    fn read_piece(&mut self, bytes: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        if self.reader.read_line(&mut line).unwrap_or_default() == 0 {
            return false;
        }
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut piece = vec![0; size + 2];
        if self.reader.read_exact(&mut piece).is_err() {
            return false;
        }
        self.answer.is_complete = size == 0;
        self.answer.pieces += usize::from(size > 0);
        bytes.extend(&piece[..size]);
        size > 0
    }

    fn read_until(&mut self, text: &str) {
        let mut bytes = Vec::new();
        while !String::from_utf8_lossy(&bytes).contains(text) && self.read_piece(&mut bytes) {}
        self.answer.body += &String::from_utf8(bytes).unwrap();
        assert!(self.answer.body.contains(text), "{:?}", self.answer);
    }

    fn finish(mut self) -> Answer {
        if self.answer.status == 0 {
            self.read_headers();
        }
        let mut bytes = Vec::new();
        while self.read_piece(&mut bytes) {}
        self.answer.body += &String::from_utf8(bytes).unwrap();
        self.answer
    }
}

async fn quiet() -> Sandbox {
    Sandbox::start(Scenario::quiet()).await.unwrap()
}

fn open_chat(sandbox: &Sandbox, request: &Value) -> Connection {
    let head = "POST /api/v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer sk-or-test";
    Connection::open(sandbox, head, &request.to_string())
}

fn chat(sandbox: &Sandbox, request: &Value) -> Answer {
    open_chat(sandbox, request).finish()
}

fn get(sandbox: &Sandbox, path: &str) -> Answer {
    let head = format!("GET /api/v1{path} HTTP/1.1\r\nAuthorization: Bearer sk-or-test");
    Connection::open(sandbox, &head, "").finish()
}

fn asking(model: &str, stream: bool) -> Value {
    json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi there"}]})
}

/// Streams one scripted reply.
async fn streamed(reply: Reply) -> Answer {
    let sandbox = quiet().await;
    sandbox.script(MODEL, [reply]);
    chat(&sandbox, &asking(MODEL, true))
}

/// Asks for one scripted reply without a stream.
async fn whole(reply: Reply) -> Answer {
    let sandbox = quiet().await;
    sandbox.script(MODEL, [reply]);
    chat(&sandbox, &asking(MODEL, false))
}
