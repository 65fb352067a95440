//! Completions, which are chats upstream.

use ollama_router::sandbox::reply::Reply;
use serde_json::{Value, json};

use crate::{
    openai::{MODEL, pieces, refused},
    support::{Host, Setup},
};

const PATH: &str = "/v1/completions";

async fn start() -> Host {
    let host = Setup::new().models(&[MODEL]).start().await;
    host.sandbox.always(MODEL, Reply::text("One two").reasoning("Hm.").usage(11, 3));
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_is_answered_by_text_alone() {
    let host = start().await;
    for prompt in [json!("Count"), json!(["Count"])] {
        let sent = json!({"model": "all:free", "prompt": prompt, "max_tokens": 5, "stop": "x", "logit_bias": {"1": 2}});
        let answer = host.post(PATH, &sent).await;
        assert_eq!(answer.header("x-router-model"), Some(MODEL), "{}", answer.text);
        let mut body = answer.json();
        let id = body["id"].take();
        assert!(id.as_str().is_some_and(|id| id.starts_with("cmpl-") && id.len() > 5), "{id}");
        assert!(body["created"].take().as_u64().is_some_and(|created| created > 0));
        assert_eq!([&body["usage"]["prompt_tokens"], &body["usage"]["total_tokens"]], [&json!(11), &json!(14)]);
        drop(body["usage"].take());
        let choice = json!({"text": "One two", "index": 0, "logprobs": null, "finish_reason": "stop"});
        let model = body["model"].clone();
        let expected = json!({"id": null, "object": "text_completion", "created": null, "model": model,
            "choices": [choice], "usage": null});
        assert_eq!(body, expected);
        let mut sent = host.last_sent();
        drop(sent.as_object_mut().unwrap().remove("provider"));
        let expected = json!({"model": MODEL, "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 5,
            "messages": [{"role": "user", "content": "Count"}], "stop": "x", "logit_bias": {"1": 2}});
        assert_eq!(sent, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_the_text_then_the_reason_then_the_usage() {
    let host = start().await;
    for with_usage in [true, false] {
        let body = json!({"model": "auto", "prompt": "Count: ", "stream": true, "echo": true,
            "stream_options": {"include_usage": with_usage}});
        let mut pieces = pieces(&host.post(PATH, &body).await);
        let (id, created) = (pieces[0]["id"].clone(), pieces[0]["created"].clone());
        assert!(id.as_str().unwrap().starts_with("cmpl-"));
        assert!(
            pieces
                .iter()
                .all(|piece| piece["object"] == "text_completion" && piece["id"] == id && piece["created"] == created)
        );
        if with_usage {
            let last = pieces.pop().unwrap();
            assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(14)));
        }
        let told: Vec<Value> = pieces.into_iter().map(|mut piece| piece["choices"].take()).collect();
        let text =
            |text: &str, reason: Value| json!([{"text": text, "index": 0, "logprobs": null, "finish_reason": reason}]);
        let expected = [text("Count: One ", json!(null)), text("two", json!(null)), text("", json!("stop"))];
        assert_eq!(told, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn probabilities_are_told_in_the_older_form() {
    let host = start().await;
    host.sandbox.always(MODEL, Reply::text("One two").logprobs());
    let ask = |stream| json!({"model": "auto", "prompt": "Count", "logprobs": 2, "stream": stream});
    let answer = host.post(PATH, &ask(false)).await.json();
    let expected = json!({"tokens": ["One ", "two"], "token_logprobs": [-0.25, -0.25], "top_logprobs": [{}, {}],
        "text_offset": [0, 4]});
    assert_eq!(answer["choices"][0]["logprobs"], expected, "{answer}");
    assert_eq!([&host.last_sent()["logprobs"], &host.last_sent()["top_logprobs"]], [&json!(true), &json!(2)]);
    let told = pieces(&host.post(PATH, &ask(true)).await);
    let offsets: Vec<&Value> = told.iter().map(|piece| &piece["choices"][0]["logprobs"]["text_offset"]).collect();
    assert_eq!(offsets, [&json!([0]), &json!([4]), &json!(null)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_or_done_is_refused() {
    let host = start().await;
    let rows = [
        (json!({"model": "auto"}), 400, "prompt is required"),
        (json!({"prompt": "a"}), 400, "model is required"),
        (json!({"model": "auto", "prompt": ["a", "b"]}), 400, "cannot use `prompt`: "),
        (json!({"model": "auto", "prompt": [1, 2]}), 400, "cannot use `prompt`: "),
        (json!({"model": "auto", "prompt": "a", "suffix": "b"}), 400, "cannot use `suffix`: "),
        (json!({"model": "auto", "prompt": "a", "n": 2}), 400, "cannot use `n`: "),
        (json!({"model": "auto", "prompt": "a", "best_of": 3}), 400, "cannot use `best_of`: "),
        (json!({"model": "nothing", "prompt": "a"}), 404, "model 'nothing' not found"),
    ];
    for (body, status, expected) in rows {
        let answer = host.post(PATH, &body).await;
        let told = refused(&answer);
        assert!(answer.status == status && told.starts_with(expected), "{body}: {} {told}", answer.status);
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_that_breaks_off_is_told_and_one_that_fails_is_given_by_another() {
    let other = "acme/other:free";
    let host = Setup::new().models(&[MODEL, other]).start().await;
    let ask = |stream| json!({"model": "all:free", "prompt": "Count", "stream": stream});
    host.sandbox.script(MODEL, [Reply::text("One two").then_error(502, "lost")]);
    let answer = host.post(PATH, &ask(true)).await;
    assert!(!answer.complete && !answer.text.contains("[DONE]"), "{answer:?}");
    let events = answer.events();
    assert!(events.last().unwrap()["error"]["message"].as_str().is_some_and(|told| told.contains("broke off")));
    assert_eq!(events[0]["choices"][0]["text"], "One ");
    let answer = host.post(PATH, &ask(false)).await;
    assert_eq!(
        (answer.status, answer.header("x-router-model")),
        (200, Some(other)),
        "the first rests: {}",
        answer.text
    );
}
