//! Every way in which a stream can go, on the wire of Ollama's protocol.
//!
//! Clients see only two endings for what they are: a last line with `done`
//! before a clean end, and a line with `error` before an end that is none. So
//! each case here is one or the other, whatever the upstream did, and each line
//! is one chunk: a line or a character in two pieces is lost by some. How the
//! same endings are told and noted in every protocol is in `streaming`.
//!
//! Outside facts: real clients before a server that fails, August 2026.

use ollama_router::sandbox::reply::{Reply, parts::ToolForm, step::Step};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    ask::{Form, forms},
    wire::Wire,
};

const MODEL: &str = "acme/model:free";
const OTHER: &str = "acme/other:free";

/// What a client reads.
#[derive(Debug, PartialEq)]
struct Read {
    by: String,
    thinking: String,
    text: String,
    calls: Vec<Value>,
    end: End,
}

/// How an answer ends; there is no third way.
#[derive(Debug, PartialEq)]
enum End {
    /// With a last line, for this reason, and a clean end.
    Done(String),
    /// With the words for a failure of this kind, and no end.
    Broken(String),
}

impl Read {
    fn by(wire: &Wire, form: Form) -> Self {
        assert_eq!(wire.status, 200, "{wire:?}");
        let mut lines = wire.lines();
        let last = lines.pop().expect("an answer without a line");
        let said = |line: &Value, field: &str| {
            let part = if form.path == "/api/chat" { &line["message"] } else { line };
            part[field].as_str().unwrap_or_default().to_owned()
        };
        let word = if form.path == "/api/chat" { "content" } else { "response" };
        for line in &lines {
            assert_eq!((line.get("error"), &line["done"]), (None, &json!(false)), "{line}");
        }
        let end = if wire.ended {
            assert_eq!((last.get("error"), &last["done"], &*said(&last, word)), (None, &json!(true), ""), "{last}");
            End::Done(last["done_reason"].as_str().unwrap().to_owned())
        } else {
            let told = last["error"].as_str().unwrap_or_else(|| panic!("an end that is neither: {last}"));
            assert_eq!(last, json!({"error": told}));
            let kind = told.rsplit_once(" (").and_then(|(_, kind)| kind.strip_suffix(')'));
            End::Broken(kind.unwrap_or_else(|| panic!("{told}")).to_owned())
        };
        let calls = lines.iter().filter_map(|line| line.pointer("/message/tool_calls")?.as_array());
        Self {
            by: wire.head.lines().find_map(|line| line.strip_prefix("x-router-model: ")).unwrap().to_owned(),
            thinking: lines.iter().map(|line| said(line, "thinking")).collect(),
            text: lines.iter().map(|line| said(line, word)).collect(),
            calls: calls.flatten().map(|call| call["function"].clone()).collect(),
            end,
        }
    }

    fn done(text: &str) -> Self {
        let (thinking, calls) = (String::new(), Vec::new());
        Self { by: MODEL.into(), thinking, text: text.into(), calls, end: End::Done("stop".into()) }
    }

    fn broken(text: &str, kind: &str) -> Self {
        Self { end: End::Broken(kind.into()), ..Self::done(text) }
    }

    /// The other model answers, and nothing is seen of the first.
    fn by_other() -> Self {
        Self { by: OTHER.into(), ..Self::done(&format!("Hello from {OTHER}.")) }
    }
}

async fn start() -> Host {
    let setup = Setup::new().models(&[MODEL, OTHER]).set("failover.failure_cooldown_minutes", "0");
    let setup = setup.set("failover.ratelimit_cooldown_minutes", "0").set("failover.first_token_timeout", "15s");
    setup.start().await
}

async fn check(reply: Reply, expected: Read) {
    let host = start().await;
    for form in forms(true).filter(|form| form.is_ollama()) {
        host.sandbox.script(MODEL, [reply.clone()]);
        let wire = host.wire(form.path, &form.body("model:free", "Hello")).await;
        assert_eq!(Read::by(&wire, form), expected, "{form:?}");
    }
}

fn begun() -> Reply {
    Reply::chunks(["One ", "two"])
}

fn cut(steps: impl IntoIterator<Item = Step>) -> Reply {
    Reply::stream(steps.into_iter().chain([Step::Cut]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_normal_end() {
    check(begun(), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_before_the_first_byte() {
    check(cut([]), Read::by_other()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_the_chunk_with_the_role() {
    check(cut([Step::Comment, Step::role()]), Read::by_other()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_after_text() {
    check(begun().then_cut(), Read::broken("One two", "interrupted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_inside_a_character() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"\u{1f600}\"}}]}\n\n";
    let half = event.as_bytes()[..event.find('\u{1f600}').unwrap() + 2].to_vec();
    check(cut([Step::text("One "), Step::Raw(half.into())]), Read::broken("One ", "interrupted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_as_the_first_event_of_a_200() {
    check(Reply::error_event(502, "lost"), Read::by_other()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_text() {
    check(begun().then_error(502, "lost"), Read::broken("One two", "server-error")).await;
    check(begun().then_error_chunk(429, "busy"), Read::broken("One two", "rate-limited-unknown")).await;
    check(begun().then_malformed(), Read::broken("One two", "interrupted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_end_of_an_answer() {
    check(begun().then_late_error(502, "after the end"), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_close_without_any_end() {
    check(begun().without_finish(), Read::broken("One two", "interrupted")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_to_finish_without_the_word_done() {
    check(begun().without_done(), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_word_done_without_a_reason_to_finish() {
    check(Reply::stream([Step::text("One "), Step::text("two"), Step::Done]), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_before_and_between() {
    check(begun().comments(3).comment_after_each(), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_end_in_cr_lf() {
    check(begun().crlf(), Read::done("One two")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_single_bytes_through_lines_and_characters() {
    let text = "a\u{e4}\u{20ac}\u{1f600}\r\n\n\"\\ \u{2028}";
    let reply = || Reply::chunks([text, "\n", "b"]);
    let expected = || Read::done(&format!("{text}\nb"));
    check(reply().split_every(1), expected()).await;
    check(reply().split_every(1).crlf().comment_after_each(), expected()).await;
    check(reply().split_every(7).crlf(), expected()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall() {
    check(begun().then_hang(), Read::broken("One two", "stalled")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_in_place_of_a_chunk() {
    let reply = Reply::stream([Step::text("One "), Step::Raw("data: {\"cho\n\n".into()), Step::text("two")]);
    check(reply, Read::broken("One ", "bad-answer")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nulls_wherever_the_upstream_has_them() {
    let delta = json!({"role": null, "content": null, "reasoning": null, "tool_calls": null, "images": null});
    let choice = |delta: &Value| json!({"delta": delta, "finish_reason": null, "logprobs": null, "error": null});
    let nothing = Step::Data(json!({"choices": [choice(&delta)], "usage": null, "error": null}));
    let text = Step::Data(json!({"choices": [choice(&json!({"content": "One"}))], "error": null}));
    check(Reply::stream([nothing.clone(), text, nothing, Step::finish("stop"), Step::Done]), Read::done("One")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn text_beside_the_reason_to_finish() {
    let last = Step::Data(json!({"choices": [{"delta": {"content": "two"}, "finish_reason": "length"}]}));
    let end = End::Done("length".into());
    check(Reply::stream([Step::text("One "), last, Step::Done]), Read { end, ..Read::done("One two") }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_before_text() {
    let expected = Read { thinking: "Hm, hm.".into(), ..Read::done("One two") };
    check(begun().reasoning("Hm, hm."), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_with_huge_arguments_is_one_line() {
    let host = start().await;
    let arguments = json!({"text": "\u{1f600}\n".repeat(30_000)});
    let form = Form { path: "/api/chat", streaming: true };
    host.sandbox.script(MODEL, [begun().tool_call_as(ToolForm::Whole, "write", &arguments).split_every(4093)]);
    let wire = host.wire(form.path, &form.body("model:free", "Hello")).await;
    let calls = vec![json!({"index": 0, "name": "write", "arguments": arguments})];
    assert_eq!(Read::by(&wire, form), Read { calls, ..Read::done("One two") });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cut_in_its_arguments_is_not_told() {
    let fragment = json!({"index": 0, "id": "c", "function": {"name": "f", "arguments": "{\"x\": "}});
    let steps = || [Step::text("One "), Step::tool(&fragment)];
    check(cut(steps()), Read::broken("One ", "interrupted")).await;
    let finished = Reply::stream(steps().into_iter().chain([Step::finish("tool_calls"), Step::Done]));
    check(finished, Read::broken("One ", "bad-answer")).await;
}
