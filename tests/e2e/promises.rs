//! Corners of the promises in which a fault once hid: what is spent, who is
//! punished, what a bad policy holds up, and when an answer is over.

use std::time::Duration;

use ollama_router::sandbox::{
    reply::{
        Reply as Upstream,
        step::{Gate, Step},
    },
    scenario::Scenario,
};
use serde_json::{Value, json};

use crate::{
    guests::{BY_GUEST, Guest, MODELS},
    support::{
        POLICY, Setup,
        ask::{FORMS, Form},
        models::{catalog, entry, paid},
    },
};

const CHAT: Form = Form { path: "/api/chat", streaming: false };

const FIRST: &str = "acme/first:free";
const SECOND: &str = "acme/second:free";

#[tokio::test(flavor = "multi_thread")]
async fn without_free_mode_a_prompt_that_is_too_long_moves_to_no_model_that_nobody_named() {
    let models = [paid("acme/cheap", 8_000), paid("acme/dear", 1_000_000), entry(FIRST, 500_000)];
    let setup = Setup::new().set("mode.free_mode", "false").scenario(Scenario::quiet().catalog(catalog(models)));
    let host = setup.start().await;
    host.sandbox.always("acme/cheap", Upstream::context_exceeded(8_000, 9_000));
    for form in FORMS {
        assert_eq!(host.ask(form, "cheap").await.status, 400, "{form:?}");
    }
    assert!(host.called().iter().all(|model| model == "acme/cheap"), "{:?}", host.called());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_be_used_does_not_keep_the_models_away() {
    let host = Setup::new().models(&MODELS).policy("no policy").start().await;
    host.sandbox.fail_catalog(&Upstream::html(502));
    std::fs::remove_file(host.path("models.json")).unwrap();
    let host = host.restart().await;
    assert_eq!(host.ask(CHAT, "auto").await.status, 503);
    host.sandbox.restore_catalog();
    host.generation(|number| number == 2).await;
    let reply = host.ask(CHAT, "auto").await;
    assert_eq!((reply.status, reply.header("x-router-model")), (200, Some(MODELS[0])));
    assert_eq!(host.policy().await["refused"]["phase"], "parse");
    host.write(POLICY, Guest::sound().component());
    host.generation(|number| number == 3).await;
    assert_eq!(host.ask(CHAT, "auto").await.header("x-router-model"), Some(BY_GUEST));
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_away_a_policy_that_cannot_be_used_ends_the_refusals() {
    let config = |on_error: &str| format!("policy: {{module: bad.wasm, on_error: {on_error}}}\n");
    for mended in [String::new(), config("fallback")] {
        let host = Setup::new().models(&MODELS).file("bad.wasm", "no policy").file("config.yaml", config("deny"));
        let host = host.start().await;
        assert_eq!(host.ask(CHAT, "auto").await.status, 503);
        host.write("config.yaml", &mended);
        host.generation(|number| number == 2).await;
        assert_eq!(host.ask(CHAT, "auto").await.status, 200, "{mended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_finished_is_over_though_the_upstream_holds_the_line() {
    let host = Setup::new().models(&[FIRST, SECOND]).start().await;
    let finish = json!({"id": "g", "choices": [{"index": 0, "delta": {"content": "Done."}, "finish_reason": "stop"}]});
    for form in FORMS {
        host.sandbox.script(FIRST, [Upstream::stream([Step::Data(finish.clone()), Step::Hang])]);
        let reply = host.ask(form, "auto").await;
        assert!(form.is_finished(&reply), "{form:?}: {}", reply.text);
        assert_eq!((reply.content().as_str(), reply.header("x-router-attempts")), ("Done.", Some("1")), "{form:?}");
    }
    assert_eq!(host.standing(FIRST).await, ("ready".to_owned(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_leaves_no_room_for_an_answer_is_the_clients_own() {
    let host = Setup::new().models(&[FIRST, SECOND]).start().await;
    let cut = json!({"id": "g", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "length"}]});
    for form in FORMS {
        host.sandbox.script(FIRST, [Upstream::stream([Step::Data(cut.clone()), Step::Done])]);
        let reply = host.ask(form, "auto").await;
        assert!(form.is_finished(&reply), "{form:?}: {}", reply.text);
        assert_eq!(reply.header("x-router-model"), Some(FIRST), "{form:?}");
    }
    assert_eq!(host.standing(FIRST).await, ("ready".to_owned(), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_outage_that_meets_many_requests_lets_a_model_rest_once() {
    let host = Setup::new().models(&[FIRST, SECOND]).set("failover.first_token_timeout", "15s").start().await;
    let gate = Gate::new();
    host.sandbox.always(FIRST, Upstream::no_instances().headers_after(&gate));
    let asked = (0..6).map(|_| host.ask(CHAT, "auto"));
    let release = async {
        host.sandbox.wait_until(|view| view.open_streams() == 6).await;
        gate.open();
    };
    let (replies, ()) = tokio::join!(futures_util::future::join_all(asked), release);
    assert!(replies.iter().all(|reply| reply.header("x-router-model") == Some(SECOND)));
    let state = host.state(FIRST).await;
    assert_eq!((&state["failures_in_a_row"], &state["recent_failures"]), (&json!(1), &json!(6)));
    let longest = Duration::from_mins(5).mul_f64(1.1).as_millis();
    assert!(u128::from(state["cooldown_ms"].as_u64().unwrap()) <= longest, "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_without_an_opinion_does_not_hide_a_model_that_is_ready() {
    let ids = ["a/1:free", "b/2:free", "c/3:free", "d/4:free", "e/5:free"];
    let abstains = Guest::sound().put("select", "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))");
    let host = Setup::new().models(&ids).policy(abstains.component()).start().await;
    for id in &ids[..4] {
        host.sandbox.always(id, Upstream::no_instances());
    }
    let failed = host.ask(CHAT, "auto").await;
    assert_eq!((failed.status, failed.header("x-router-attempts")), (503, Some("4")));
    let reply = host.ask(CHAT, "auto").await;
    assert_eq!((reply.status, reply.header("x-router-model")), (200, Some("e/5:free")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_answers_than_one_are_refused_in_words() {
    let host = Setup::new().models(&[FIRST]).start().await;
    let body = json!({"model": "auto", "n": 2, "messages": [{"role": "user", "content": "Hello"}]});
    let reply = host.post("/v1/chat/completions", &body).await;
    let told: Value = reply.json()["error"]["message"].take();
    assert_eq!(
        (reply.status, told),
        (400, json!("cannot use `n`: the router gives one answer; ask again for another"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_count_of_tokens_is_read_from_whichever_chunk_has_it() {
    let host = Setup::new().models(&[FIRST]).start().await;
    let text = json!({"id": "g", "choices": [{"index": 0, "delta": {"content": "Cut"}, "finish_reason": "length"}]});
    let late = json!({"id": "g", "choices": [], "error": {"code": 400, "message": "Token limit reached"},
        "usage": {"prompt_tokens": 43, "completion_tokens": 10, "total_tokens": 53}});
    host.sandbox.always(FIRST, Upstream::stream([Step::Data(text), Step::Data(late), Step::Done]));
    for form in FORMS {
        let mut body = form.body("auto", "Hello");
        body["stream_options"] = json!({"include_usage": true});
        let reply = host.post(form.path, &body).await;
        assert!(form.is_finished(&reply), "{form:?}: {}", reply.text);
        let paths =
            ["/eval_count", "/usage/completion_tokens", "/usage/output_tokens", "/response/usage/output_tokens"];
        // The last that is told: an estimate may come before it.
        let mut told = form.pieces(&reply).into_iter().rev();
        let counted = told.find_map(|piece| paths.iter().find_map(|path| piece.pointer(path)?.as_u64()));
        assert_eq!(counted, Some(10), "{form:?}: {}", reply.text);
        assert!(!reply.text.contains("Token limit reached"), "{form:?}: {}", reply.text);
    }
}
