//! What a refusal teaches: the next request that would be refused goes elsewhere.
//!
//! The catalogue says that these models can do everything; the upstream's answers
//! say otherwise. Every lesson is for the requests that it concerns alone. How
//! lessons end is also tested beside `routing::lessons`.

use ollama_router::sandbox::{reply::Reply, scenario::Scenario};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    ask::{Form, Told},
    models::{catalog, entry},
};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";

const CHAT: Form = Form { path: "/v1/chat/completions", streaming: false };

/// A model that can do everything, as the catalogue says.
fn able(id: &str, context: u32) -> Value {
    let mut model = entry(id, context);
    model["architecture"]["input_modalities"] = json!(["text", "image", "audio", "file"]);
    model["reasoning"] = json!({"mandatory": false});
    model["supported_parameters"] = json!(["tools", "tool_choice", "reasoning"]);
    model
}

async fn start() -> Host {
    let models = catalog([able(A, 100_000), able(B, 90_000)]);
    Setup::new().scenario(Scenario::quiet().catalog(models)).start().await
}

async fn learned(host: &Host, id: &str) -> Value {
    let rows = host.get("/router/models").await.json();
    rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()["learned"].clone()
}

/// A request with these fields more.
fn with(fields: &Value) -> Value {
    let mut body = CHAT.body("auto", "Hello");
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn tools(choice: &Value) -> Value {
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    with(&json!({"tools": [tool], "tool_choice": choice}))
}

fn with_part(part: &Value) -> Value {
    with(&json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}]}))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_lacks_something_is_spared_the_requests_that_need_it_and_no_others() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    let rows = [
        (Reply::no_tool_use("f"), tools(&json!("none")), "no-tools"),
        (Reply::no_tool_choice(), tools(&json!("required")), "no-tool-choice"),
        (Reply::no_input("image"), with_part(&image), "no-images"),
        (Reply::no_input("audio"), with_part(&audio), "no-audio"),
    ];
    for (refusal, body, lesson) in rows {
        let host = start().await;
        host.sandbox.script(A, [refusal]);
        let first = host.post(CHAT.path, &body).await;
        let trail = format!("{A}=unsupported");
        let told = Told::by(&first);
        assert_eq!((told.model.as_deref(), told.trail), (Some(B), Some(trail)), "{lesson}: {}", first.text);
        let host = host.restart().await;
        for _ in 0..2 {
            let told = Told::by(&host.post(CHAT.path, &body).await);
            assert_eq!(
                (told.model.as_deref(), told.attempts.as_deref(), told.trail),
                (Some(B), Some("1"), None),
                "{lesson}"
            );
        }
        assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None), "{lesson}");
        assert_eq!((learned(&host, A).await, learned(&host, B).await), (json!([lesson]), json!([])));
        assert_eq!(host.standing(A).await.0, "ready", "{lesson}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_model_can_do_any_more_is_told_without_a_call() {
    let host = start().await;
    host.sandbox.always("*", Reply::no_tool_use("f"));
    let body = tools(&json!("auto"));
    assert_eq!(host.post(CHAT.path, &body).await.status, 400);
    let calls = host.called().len();
    let answer = host.post(CHAT.path, &body).await;
    assert_eq!((answer.status, host.called().len()), (400, calls), "{}", answer.text);
    assert!(CHAT.error(&answer).contains("supports tools"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_is_the_usual_one_is_left_out_and_the_same_model_answers() {
    let host = start().await;
    host.sandbox.script(A, [Reply::no_tool_choice()]);
    let body = tools(&json!("auto"));
    let trail = format!("{A}=unsupported");
    for (attempts, trail) in [("2", Some(trail)), ("1", None)] {
        let told = Told::by(&host.post(CHAT.path, &body).await);
        assert_eq!((told.model.as_deref(), told.attempts.as_deref(), told.trail), (Some(A), Some(attempts), trail));
        assert_eq!(host.last_sent().get("tool_choice"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_cannot_but_think_is_asked_to_hide_it() {
    let host = start().await;
    host.sandbox.script(A, [Reply::reasoning_mandatory()]);
    let body = with(&json!({"reasoning": {"enabled": false}}));
    for attempts in ["2", "1"] {
        let told = Told::by(&host.post(CHAT.path, &body).await);
        assert_eq!((told.model.as_deref(), told.attempts.as_deref()), (Some(A), Some(attempts)));
        assert_eq!(host.last_sent()["reasoning"], json!({"exclude": true}));
    }
    assert_eq!(learned(&host, A).await, json!(["always-thinks"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_context_that_is_smaller_than_the_catalogue_says_is_remembered() {
    let host = start().await;
    host.sandbox.script(B, [Reply::context_exceeded(4_096, 9_000)]);
    let long = CHAT.body("b:free", &"word ".repeat(8_000));
    for (attempts, trail) in [("2", Some("acme/b:free=context-overflow")), ("1", None)] {
        let told = Told::by(&host.post(CHAT.path, &long).await);
        let found = (told.model.as_deref(), told.attempts.as_deref(), told.trail.as_deref());
        assert_eq!(found, (Some(A), Some(attempts), trail));
    }
    assert_eq!(Told::by(&host.ask(CHAT, "b:free").await), Told::hello(B, 1, None));
    assert_eq!(learned(&host, B).await, json!(["context=4096"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_entry_of_the_catalogue_is_believed_again() {
    let host = start().await;
    host.sandbox.script(A, [Reply::no_tool_use("f")]);
    let body = tools(&json!("auto"));
    assert_eq!(host.post(CHAT.path, &body).await.header("x-router-model"), Some(B));
    host.sandbox.set_catalog(catalog([able(A, 120_000), able(B, 90_000)]));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    assert_eq!(host.post(CHAT.path, &body).await.header("x-router-model"), Some(A));
    assert_eq!(learned(&host, A).await, json!([]));
}
