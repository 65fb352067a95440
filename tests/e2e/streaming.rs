//! What happens after the first words: ends, breaks, and clients that leave.
//!
//! A stream that breaks off is told in its protocol and ends abnormally, never
//! as a finished answer; a client that wants the whole is served by the next
//! model instead. Failures before the first words are in `failover`.

use ollama_router::sandbox::{
    record::Outcome,
    reply::{
        Reply,
        parts::Tail,
        step::{Gate, Step},
    },
};
use serde_json::{Value, json};

use crate::support::{
    self, Setup,
    ask::{FORMS, Told, forms},
};

const BREAKING: &str = "acme/breaking:free";
const GOOD: &str = "acme/good:free";

/// Every way to break off after some words, and what it is told as.
fn breaks() -> [(Reply, &'static str); 7] {
    let begun = || Reply::chunks(["One ", "two"]);
    [
        (begun().then_cut(), "interrupted"),
        (begun().without_finish(), "interrupted"),
        (begun().then_malformed(), "interrupted"),
        (begun().then_error(502, "lost"), "server-error"),
        (begun().then_error_chunk(429, "busy"), "rate-limited-unknown"),
        (Reply::stream([Step::text("One "), Step::text("two"), Step::Raw("data: {\"cho\n\n".into())]), "bad-answer"),
        (begun().then_hang(), "stalled"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_is_told_as_an_error_and_never_ends_well() {
    for (reply, kind) in breaks() {
        for form in forms(true) {
            let host = Setup::new().models(&[BREAKING, GOOD]).start().await;
            host.sandbox.script(BREAKING, [reply.clone()]);
            let answer = host.ask(form, "auto").await;
            let expected = Told { content: "One two".into(), complete: false, ..Told::hello(BREAKING, 1, None) };
            assert_eq!(Told::by(&answer), expected, "{form:?} {kind}");
            let told = form.late_error(&answer).unwrap_or_else(|| panic!("{form:?} {kind}: {}", answer.text));
            assert!(told.starts_with("the answer broke off: ") && told.ends_with(&format!("({kind})")), "{told}");
            assert_eq!(
                (form.endings(&answer), answer.text.contains("[DONE]")),
                (0, false),
                "{form:?}: {}",
                answer.text
            );
            assert_eq!(host.called(), [BREAKING], "nobody else is asked once words were sent");
            assert_eq!(host.standing(BREAKING).await, ("cooling".to_owned(), Some(kind.to_owned())), "{form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_that_breaks_off_is_given_by_the_next_model() {
    for (reply, kind) in breaks() {
        for form in forms(false) {
            let host = Setup::new().models(&[BREAKING, GOOD]).start().await;
            host.sandbox.script(BREAKING, [reply.clone()]);
            let answer = host.ask(form, "auto").await;
            let trail = format!("{BREAKING}={kind}");
            assert_eq!(Told::by(&answer), Told::hello(GOOD, 2, Some(&trail)), "{form:?}");
            assert!(form.is_finished(&answer), "{form:?}: {}", answer.text);
            assert_eq!(host.standing(BREAKING).await, ("cooling".to_owned(), Some(kind.to_owned())), "{form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sound_ending_ends_the_answer_once() {
    let host = Setup::new().models(&[GOOD]).start().await;
    let text = || Reply::chunks(["One ", "two"]).usage(8, 2);
    let endings = [
        text(),
        text().tail(Tail::UsageAlone),
        text().tail(Tail::UsageUnfinished),
        text().tail(Tail::FinishOnLast),
        text().tail(Tail::NoUsage),
        text().without_done(),
        text().then_late_error(502, "after the end"),
        text().comments(3).comment_after_each(),
        text().crlf().split_every(1),
    ];
    for (place, reply) in endings.into_iter().enumerate() {
        for form in FORMS {
            host.sandbox.script(GOOD, [reply.clone()]);
            let answer = host.ask(form, "auto").await;
            let expected = Told { content: "One two".into(), ..Told::hello(GOOD, 1, None) };
            assert_eq!(Told::by(&answer), expected, "{form:?}, ending {place}");
            assert!(form.is_finished(&answer), "{form:?}, ending {place}: {}", answer.text);
        }
    }
    let state = host.state(GOOD).await;
    assert_eq!((&state["standing"], &state["recent_failures"]), (&json!("ready"), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cut_by_its_length_says_so() {
    let host = Setup::new().models(&[GOOD]).start().await;
    for form in FORMS {
        host.sandbox.script(GOOD, [Reply::text("One two").finish("length")]);
        let answer = host.ask(form, "auto").await;
        assert_eq!((answer.status, answer.content().as_str()), (200, "One two"), "{form:?}");
        assert!(answer.text.contains(form.length_reason()), "{form:?}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn words_reach_the_client_as_they_come() {
    let host = Setup::new().models(&[GOOD]).set("failover.idle_timeout", "15s").start().await;
    for form in forms(true) {
        let gate = Gate::new();
        host.sandbox.script(GOOD, [Reply::chunks(["One ", "two"]).gate_rest(&gate)]);
        let mut response = host.send(form.path, form.body("auto", "Hello").to_string()).await;
        let first = tokio::time::timeout(support::PATIENCE, response.chunk()).await.expect("no first word");
        let first = String::from_utf8(first.unwrap().unwrap().to_vec()).unwrap();
        assert!(first.contains("One ") && !first.contains("two"), "{form:?}: {first}");
        gate.open();
        let rest = support::Reply::read(response).await;
        assert!(rest.complete && rest.text.contains("two"), "{form:?}: {}", rest.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_call_and_nobody_is_blamed() {
    for form in forms(true) {
        let host = Setup::new().models(&[GOOD]).set("failover.idle_timeout", "15s").start().await;
        host.sandbox.script(GOOD, [Reply::chunks(["One ", "two"]).gate_rest(&Gate::new())]);
        let mut response = host.send(form.path, form.body("auto", "Hello").to_string()).await;
        response.chunk().await.unwrap().unwrap();
        assert_eq!(host.state(GOOD).await["in_flight"], 1);
        drop(response);
        host.sandbox.wait_until(|view| is_gone(view.chats_with(GOOD)[0].outcome)).await;
        check_untouched(&host.state_until(GOOD, |state| state["in_flight"] == 0).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_before_the_first_word_ends_the_call_too() {
    for form in FORMS {
        let host = Setup::new().models(&[GOOD]).set("failover.first_token_timeout", "15s").start().await;
        host.sandbox.script(GOOD, [Reply::silent()]);
        tokio::select! {
            answer = host.ask(form, "auto") => panic!("{form:?}: {}", answer.text),
            () = host.sandbox.wait_until(|view| view.chats_with(GOOD).len() == 1) => {}
        }
        host.sandbox.wait_until(|view| is_gone(view.chats_with(GOOD)[0].outcome)).await;
        check_untouched(&host.state_until(GOOD, |state| state["in_flight"] == 0).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_between_signs_of_life_ends_the_call_too() {
    let signs = [Step::Comment, Step::Pause(std::time::Duration::from_millis(10))];
    for form in FORMS {
        let host = Setup::new().models(&[GOOD]).set("failover.first_token_timeout", "15s").start().await;
        host.sandbox.script(GOOD, [Reply::stream(signs.clone().into_iter().cycle().take(4_000))]);
        tokio::select! {
            answer = host.ask(form, "auto") => panic!("{form:?}: {}", answer.text),
            _ = host.state_until(GOOD, |state| state["in_flight"] == 1) => {}
        }
        host.sandbox.wait_until(|view| view.chats_with(GOOD).iter().all(|call| is_gone(call.outcome))).await;
        check_untouched(&host.state_until(GOOD, |state| state["in_flight"] == 0).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_the_queue_makes_no_call() {
    let setup = Setup::new().set("failover.requests_per_minute", "1").set("failover.deadline", "90s");
    let host = setup.models(&[GOOD]).start().await;
    assert_eq!(host.ask(FORMS[0], "auto").await.status, 200);
    let queued = |count: usize| move |status: &Value| status["account"]["queued"] == count;
    tokio::select! {
        answer = host.ask(FORMS[0], "auto") => panic!("{}", answer.text),
        _ = host.status_until(queued(1)) => {}
    }
    host.status_until(queued(0)).await;
    let state = host.state(GOOD).await;
    let seen = ["in_flight", "recent_successes", "recent_failures"].map(|key| &state[key]);
    assert_eq!(seen, [&json!(0), &json!(1), &json!(0)]);
    assert_eq!(host.called(), [GOOD]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_while_the_same_model_is_waited_for_makes_no_further_call() {
    let host = Setup::new().models(&[GOOD]).start().await;
    host.sandbox.script(GOOD, [Reply::minute_limit(ollama_router::clock::now_ms() + 30_000)]);
    tokio::select! {
        answer = host.ask(FORMS[0], "auto") => panic!("{}", answer.text),
        _ = host.state_until(GOOD, |state| state["last_failure"] == "rate-limited-minute") => {}
    }
    let state = host.state_until(GOOD, |state| state["in_flight"] == 0).await;
    let seen = ["standing", "recent_successes", "recent_failures"].map(|key| &state[key]);
    assert_eq!(seen, [&json!("ready"), &json!(0), &json!(0)]);
    assert_eq!(host.called(), [GOOD]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_itself_without_end_is_broken_off() {
    let endless =
        || Reply::stream([Step::text("Well "), Step::Endless(json!({"choices": [{"delta": {"content": "la "}}]}))]);
    for form in FORMS {
        let host = Setup::new().models(&[BREAKING, GOOD]).set("failover.max_repeats", "40").start().await;
        host.sandbox.script(BREAKING, [endless()]);
        let answer = host.ask(form, "auto").await;
        if form.streaming {
            let told = form.late_error(&answer).unwrap_or_else(|| panic!("{form:?}: {}", answer.text));
            assert_eq!(told, "the answer broke off: the answer repeats itself without end (bad-answer)");
            assert_eq!((answer.complete, answer.content()), (false, format!("Well {}", "la ".repeat(40))), "{form:?}");
        } else {
            let trail = format!("{BREAKING}=bad-answer");
            assert_eq!(Told::by(&answer), Told::hello(GOOD, 2, Some(&trail)), "{form:?}");
        }
        host.sandbox.wait_until(|view| is_gone(view.chats_with(BREAKING)[0].outcome)).await;
        assert_eq!(host.standing(BREAKING).await, ("cooling".to_owned(), Some("bad-answer".to_owned())), "{form:?}");
    }
}

fn is_gone(outcome: Outcome) -> bool {
    outcome == Outcome::ClientGone
}

fn check_untouched(state: &Value) {
    let seen = ["standing", "recent_successes", "recent_failures", "last_failure"].map(|key| &state[key]);
    assert_eq!(seen, [&json!("ready"), &json!(0), &json!(0), &Value::Null]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reasoning_counts_as_first_words_and_so_do_calls_where_they_come_in_pieces() {
    let thinks = Reply::chunks([]).reasoning("Hm.").then_error(502, "lost");
    let calls = Reply::chunks([]).tool_call("f", &json!({"x": 1})).then_error(502, "lost");
    for (reply, held_by_ollama) in [(thinks, false), (calls, true)] {
        for form in forms(true) {
            let host = Setup::new().models(&[BREAKING, GOOD]).start().await;
            host.sandbox.script(BREAKING, [reply.clone()]);
            let answer = host.ask(form, "breaking:free").await;
            if held_by_ollama && form.is_ollama() {
                // Ollama's clients get calls whole, so nothing was sent yet.
                assert_eq!(answer.header("x-router-model"), Some(GOOD), "{form:?}");
                assert!(form.is_finished(&answer), "{form:?}: {}", answer.text);
                continue;
            }
            assert_eq!((answer.status, answer.complete), (200, false), "{form:?}: {}", answer.text);
            assert_eq!(answer.header("x-router-model"), Some(BREAKING), "{form:?}");
            assert!(form.late_error(&answer).is_some(), "{form:?}: {}", answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_no_client_can_carry_out_is_never_handed_on_as_finished() {
    for (name, arguments) in [(Some("f"), "{\"x"), (Some("f"), "[1]"), (Some("f"), "17"), (None, "{}")] {
        check_call(
            &json!({"index": 0, "id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}),
        )
        .await;
    }
}

async fn check_call(fragment: &Value) {
    for form in FORMS {
        let host = Setup::new().models(&[BREAKING, GOOD]).start().await;
        host.sandbox.script(BREAKING, [Reply::stream([Step::tool(fragment), Step::finish("tool_calls"), Step::Done])]);
        let answer = host.ask(form, "breaking:free").await;
        if form.streaming && !form.is_ollama() {
            assert!(!answer.complete && form.late_error(&answer).is_some(), "{form:?}: {}", answer.text);
            assert_eq!(form.endings(&answer), 0, "{form:?}: {}", answer.text);
        } else {
            let trail = format!("{BREAKING}=bad-answer");
            assert_eq!(Told::by(&answer), Told::hello(GOOD, 2, Some(&trail)), "{form:?}");
        }
        assert_eq!(host.standing(BREAKING).await, ("cooling".to_owned(), Some("bad-answer".to_owned())), "{form:?}");
    }
}
