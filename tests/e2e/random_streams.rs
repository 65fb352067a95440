//! Whatever the upstream streams, no client meets a line that it cannot read.
//!
//! Random pieces in a random order, cut at random places, go through a whole
//! router, and are asked for in all four forms of Ollama's protocol. The rules
//! are those that no line and no ending may break; which answer a stream
//! deserves is in `stream_table`.

use std::cell::Cell;

use ollama_router::sandbox::reply::{Reply as Upstream, step::Step};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    ask::{FORMS, Form, Told},
    wire::Wire,
};

/// Enough to meet each kind of ending many times, and over in seconds.
const CASES: u32 = 64;

/// The model that streams at random, and the one that then answers in its place.
const RANDOM: &str = "acme/random:free";
const PLAIN: &str = "acme/plain:free";

/// Lines that are no events, then events that are no chunks.
const JUNK: [&[u8]; 12] = [
    b": a comment\n",
    b"event: message\n",
    b"id: 7\n\n",
    b"nonsense without a colon\n\n",
    b"\n\n\n",
    b"data: {}\n\n",
    b"data: {\"cho\n\n",
    b"data: null\n\n",
    b"data: [1]\n\n",
    b"data: \xff\xfe\n\n",
    b"data:\n\n",
    b"data: {\"choices\":\"none\"}\n\n",
];

/// Texts that end a line, an event or a JSON text where they are not escaped.
const AWKWARD: [&str; 9] =
    ["a", " ", "\n", "\r\n\n", "\"\\", "\u{1f600}\u{e4}", "\u{2028}\0", "data: [DONE]", "{\"error\":null}"];

/// Pieces of arguments, of which some make an object and most do not.
const ARGUMENTS: [&str; 8] = ["", "{}", "{\"a\":", "1}", "{\n\"x\": \"\u{1f600}\\n\"\n}", "[1]", "17", "}"];

/// One piece of a stream.
#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Thinking(String),
    Call { index: Option<u32>, id: Option<&'static str>, name: Option<&'static str>, arguments: &'static str },
    Usage { alone: bool },
    Nothing,
    Comment,
    Junk(usize),
    Error { code: u16, beside_choice: bool },
    Finish { reason: &'static str, text: String },
}

/// A whole stream, and how it is sent.
#[derive(Debug, Clone)]
struct Case {
    pieces: Vec<Piece>,
    done: bool,
    cut: bool,
    split: Option<usize>,
    crlf: bool,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(&AWKWARD[..]).prop_map(str::to_owned), any::<String>()]
}

fn piece() -> impl Strategy<Value = Piece> {
    let some = |texts: &'static [Option<&'static str>]| prop::sample::select(texts);
    let (ids, names) = (some(&[None, Some(""), Some("c1"), Some("c2")]), some(&[None, Some("f"), Some("g")]));
    let call = (prop::option::of(0..3_u32), ids, names, prop::sample::select(&ARGUMENTS[..]));
    let reasons = &["stop", "length", "tool_calls", "content_filter", "error", "eos", ""][..];
    let codes = prop::sample::select(&[400_u16, 429, 502, 503][..]);
    prop_oneof![
        6 => text().prop_map(Piece::Text),
        2 => text().prop_map(Piece::Thinking),
        3 => call.prop_map(|(index, id, name, arguments)| Piece::Call { index, id, name, arguments }),
        1 => any::<bool>().prop_map(|alone| Piece::Usage { alone }),
        1 => Just(Piece::Nothing),
        1 => Just(Piece::Comment),
        1 => (0..JUNK.len()).prop_map(Piece::Junk),
        1 => (codes, any::<bool>()).prop_map(|(code, beside_choice)| Piece::Error { code, beside_choice }),
        2 => (prop::sample::select(reasons), text()).prop_map(|(reason, text)| Piece::Finish { reason, text }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let pieces = prop::collection::vec(piece(), 0..10);
    let split = prop::option::of(1..40_usize);
    (pieces, any::<bool>(), any::<bool>(), split, any::<bool>()).prop_map(|(pieces, done, cut, split, crlf)| Case {
        pieces,
        done,
        cut,
        split,
        crlf,
    })
}

impl Piece {
    fn step(&self) -> Step {
        let chunk = |delta: Value, finish: Value| json!({"choices": [{"delta": delta, "finish_reason": finish}]});
        let usage = json!({"prompt_tokens": 8, "completion_tokens": 2, "total_tokens": 10});
        match self {
            Self::Text(text) => Step::text(text),
            Self::Thinking(text) => Step::reasoning(text),
            Self::Call { index, id, name, arguments } => {
                let function = json!({"name": name, "arguments": arguments});
                Step::tool(&json!({"index": index, "id": id, "function": function}))
            }
            Self::Usage { alone: true } => Step::Data(json!({"choices": [], "usage": usage})),
            Self::Usage { alone: false } => {
                let mut chunk = chunk(json!({"content": ""}), Value::Null);
                chunk["usage"] = usage;
                Step::Data(chunk)
            }
            Self::Nothing => Step::Data(chunk(json!({"role": null, "content": null, "tool_calls": []}), Value::Null)),
            Self::Comment => Step::Comment,
            Self::Junk(place) => Step::Raw(JUNK[*place].into()),
            Self::Error { code, beside_choice } => {
                // Without this word a 429 is the account's, which is waited for.
                let metadata = json!({"error_type": "provider_unavailable"});
                let error = json!({"code": code, "message": "lost", "metadata": metadata});
                let mut chunk = if *beside_choice { chunk(json!({}), json!("error")) } else { json!({"choices": []}) };
                chunk["error"] = error;
                Step::Data(chunk)
            }
            Self::Finish { reason, text } => Step::Data(chunk(json!({"content": text}), json!(reason))),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Finish { text, .. } => text,
            _ => "",
        }
    }

    /// Whether an answer may end here.
    fn is_end(&self) -> bool {
        matches!(self, Self::Finish { reason, .. } if !["", "error"].contains(reason))
    }
}

impl Case {
    fn reply(&self) -> Upstream {
        let end = [(self.done, Step::Done), (self.cut, Step::Cut)];
        let end = end.into_iter().filter(|(wanted, _)| *wanted).map(|(_, step)| step);
        let mut reply = Upstream::stream(self.pieces.iter().map(Piece::step).chain(end));
        if let Some(bytes) = self.split {
            reply = reply.split_every(bytes);
        }
        if self.crlf { reply.crlf() } else { reply }
    }

    /// The text up to the first end, all of it, and whether there is an end.
    fn texts(&self) -> (String, String, bool) {
        let ends = self.pieces.iter().position(Piece::is_end);
        let until = ends.map_or(self.pieces.len(), |place| place + 1);
        let join = |pieces: &[Piece]| pieces.iter().map(Piece::text).collect::<String>();
        (join(&self.pieces[..until]), join(&self.pieces), ends.is_some() || self.done)
    }
}

/// How an answer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Went {
    Finished,
    Broken,
    Refused,
    ByPlain,
}

#[test]
fn no_stream_of_the_upstream_makes_a_line_or_an_ending_that_a_client_cannot_read() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let host = runtime.block_on(start());
    let met = [Went::Finished, Went::Broken, Went::ByPlain].map(|went| (went, Cell::new(0)));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&case(), |case| {
        for went in runtime.block_on(check(&host, &case)) {
            if let Some((_, count)) = met.iter().find(|(known, _)| *known == went) {
                count.set(count.get() + 1);
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(met.iter().all(|(_, count)| count.get() > 0), "an ending was never met: {met:?}");
}

/// Starts a router whose models never rest, and never seem too slow.
async fn start() -> Host {
    let mut setup = Setup::new().models(&[RANDOM, PLAIN]);
    for rest in ["failover.failure_cooldown_minutes", "failover.ratelimit_cooldown_minutes"] {
        setup = setup.set(rest, "0");
    }
    setup.set("failover.first_token_timeout", "15s").set("failover.idle_timeout", "15s").start().await
}

async fn check(host: &Host, case: &Case) -> Vec<Went> {
    let mut all = Vec::new();
    for form in FORMS.into_iter().filter(|form| form.is_ollama()) {
        host.sandbox.script(RANDOM, [case.reply()]);
        let body = form.body("random:free", "Hello");
        let went = if form.streaming {
            streamed(&host.wire(form.path, &body).await, form, case)
        } else {
            let reply = host.post(form.path, &body).await;
            assert!(reply.complete, "{reply:?}");
            let by = reply.header("x-router-model");
            if reply.status == 200 { finished(&[reply.json()], by, form, case) } else { refused(&reply.json()) }
        };
        all.push(went);
        host.sandbox.clear(RANDOM);
    }
    let plain = host.ask(FORMS[0], "plain:free").await;
    assert_eq!(Told::by(&plain), Told::hello(PLAIN, 1, None), "afterwards");
    all
}

fn streamed(wire: &Wire, form: Form, case: &Case) -> Went {
    if wire.status != 200 {
        return refused(&serde_json::from_slice(&wire.chunks.concat()).unwrap());
    }
    let by = wire.head.lines().find_map(|line| line.strip_prefix("x-router-model: "));
    let mut lines = wire.lines();
    if wire.ended {
        return finished(&lines, by, form, case);
    }
    refused(&lines.pop().unwrap());
    let (_, all, _) = case.texts();
    assert_eq!(by, Some(RANDOM), "the other never breaks off");
    assert!(all.starts_with(&content(&lines, form, false)), "{lines:?}");
    Went::Broken
}

/// Checks the words for a failure, alone in their line.
fn refused(told: &Value) -> Went {
    let text = told["error"].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "{told}");
    assert_eq!(*told, json!({"error": text}));
    Went::Refused
}

/// Checks an answer that is complete, in one line or many.
fn finished(lines: &[Value], by: Option<&str>, form: Form, case: &Case) -> Went {
    let told = content(lines, form, true);
    if by == Some(PLAIN) {
        assert_eq!(told, format!("Hello from {PLAIN}."));
        return Went::ByPlain;
    }
    let (until_end, all, has_end) = case.texts();
    assert!(has_end, "an answer without an end was finished: {lines:?}");
    assert!(told.starts_with(&until_end) && all.starts_with(&told), "{told:?} of {all:?}");
    Went::Finished
}

/// Checks each line of an answer, and returns the text of all.
fn content(lines: &[Value], form: Form, is_finished: bool) -> String {
    let mut told = String::new();
    for (place, line) in lines.iter().enumerate() {
        let is_last = is_finished && place + 1 == lines.len();
        let mut line = line.clone();
        if (form.path, form.streaming) == ("/api/generate", false) && is_finished {
            assert_eq!(line.as_object_mut().unwrap().remove("context"), Some(json!([])));
        }
        assert!(is_clean(&line), "a null or an empty list: {line}");
        assert!(line.get("error").is_none() && line["model"] == "random:free", "{line}");
        line["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert_eq!(line["done"], json!(is_last), "{line}");
        for figure in ["done_reason", "eval_count", "prompt_eval_count", "total_duration", "eval_duration"] {
            assert_eq!(line.get(figure).is_some(), is_last, "{figure}: {line}");
        }
        if is_last {
            assert!(line["done_reason"] == "stop" || line["done_reason"] == "length", "{line}");
        }
        told += if form.path == "/api/chat" { message(&line["message"]) } else { line["response"].as_str().unwrap() };
    }
    told
}

fn message(message: &Value) -> &str {
    assert_eq!(message["role"], "assistant", "{message}");
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let is_filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        let function = &call["function"];
        assert!(is_filled(&call["id"]) && is_filled(&function["name"]), "{message}");
        assert!(function["index"].is_u64() && function["arguments"].is_object(), "{message}");
    }
    message["content"].as_str().unwrap()
}

/// Tells whether there is no `null` and no empty list anywhere.
fn is_clean(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty() && items.iter().all(is_clean),
        Value::Object(members) => members.values().all(is_clean),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
