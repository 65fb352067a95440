//! One good answer in each protocol and form: what comes back.
//!
//! Shapes of lines and events, tool calls, reasoning, figures, headers. What is
//! sent for it is in `upstream`, what goes wrong is in `failover`.

use ollama_router::sandbox::reply::{Reply, parts::ToolForm, step::Step};
use serde_json::{Value, json};

use crate::support::{
    Setup,
    ask::{FORMS, Form, Told, forms},
};

const MODEL: &str = "acme/all:free";

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_answered_by_the_model_with_the_largest_context() {
    let host = Setup::new().start().await;
    let best = host.get("/router/models").await.json()[0]["id"].as_str().unwrap().to_owned();
    for form in FORMS {
        let answer = host.ask(form, "auto").await;
        let content = Told { content: answer.content(), ..Told::hello(&best, 1, None) };
        assert_eq!(Told::by(&answer), content, "{form:?}");
        assert!(answer.content().ends_with(&format!("Hello from {best}.")), "{form:?}: {}", answer.text);
        assert!(form.is_finished(&answer), "{form:?}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_model_attempts_policy_and_request() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let mut ids = Vec::new();
    for form in FORMS {
        let answer = host.ask(form, "auto").await;
        let header = |name| answer.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", answer.headers));
        assert_eq!([header("x-router-model"), header("x-router-attempts")], [MODEL, "1"]);
        let policy = header("x-router-policy");
        assert!(policy.starts_with("free-mode/") && policy.ends_with("; generation=1"), "{policy}");
        ids.push(header("x-router-request-id").to_owned());
        let expected = match (form.is_ollama(), form.streaming) {
            (false, true) => "text/event-stream",
            (true, true) => "application/x-ndjson",
            (false, false) => "application/json",
            (true, false) => "application/json; charset=utf-8",
        };
        assert_eq!(header("content-type"), expected, "{form:?}");
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), FORMS.len(), "every request has an id of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn ollama_lines_have_the_fields_that_its_clients_read() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for form in forms(true).filter(|form| form.is_ollama()) {
        host.sandbox.script(MODEL, [Reply::text("One two").usage(11, 3)]);
        let lines = host.ask(form, "all:free").await.lines();
        let word = |text: &str| match form.path {
            "/api/chat" => ("message", json!({"role": "assistant", "content": text})),
            _ => ("response", json!(text)),
        };
        for (line, text) in lines.iter().zip(["One ", "two", ""]) {
            let (field, expected) = word(text);
            assert_eq!(line[field], expected, "{form:?}");
            assert_eq!(line["model"], "all:free", "{form:?}");
            line["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        }
        let [_, _, last] = &lines[..] else { panic!("{form:?}: {lines:?}") };
        let figures = ["done", "done_reason", "prompt_eval_count", "eval_count", "remote_model", "remote_host"];
        let expected = [json!(true), json!("stop"), json!(11), json!(3), json!(MODEL), json!("https://openrouter.ai")];
        assert_eq!(figures.map(|field| last[field].clone()), expected, "{form:?}");
        for duration in ["total_duration", "load_duration", "prompt_eval_duration", "eval_duration"] {
            assert!(last[duration].as_u64().is_some_and(|nanoseconds| nanoseconds > 0), "{form:?} {duration}: {last}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_answer_is_one_object_with_everything() {
    let host = Setup::new().models(&[MODEL]).start().await;
    host.sandbox.always(MODEL, Reply::text("One two").reasoning("Hm. ").usage(11, 3));
    let [chat, generate, openai] = [FORMS[3], FORMS[4], FORMS[5]];
    let answer = host.ask(chat, "auto").await.json();
    assert_eq!(answer["message"], json!({"role": "assistant", "content": "One two", "thinking": "Hm. "}));
    assert_eq!([&answer["done"], &answer["eval_count"]], [&json!(true), &json!(3)]);
    let answer = host.ask(generate, "auto").await.json();
    assert_eq!([&answer["response"], &answer["thinking"]], [&json!("One two"), &json!("Hm. ")]);
    assert_eq!(answer["context"], json!([]), "some client insists on the list");
    let answer = host.ask(openai, "auto").await.json();
    let choice = &answer["choices"][0];
    assert_eq!([&choice["message"]["content"], &choice["finish_reason"]], [&json!("One two"), &json!("stop")]);
    assert_eq!([&answer["object"], &choice["message"]["role"]], [&json!("chat.completion"), &json!("assistant")]);
    assert_eq!([&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]], [&json!(11), &json!(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_calls_come_back_complete_in_every_spelling() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let arguments = json!({"city": "Ulm", "days": [1, 2]});
    for spelling in [ToolForm::Fragments, ToolForm::Repeating, ToolForm::Whole, ToolForm::NoId] {
        for form in FORMS.into_iter().filter(|form| form.path == "/api/chat") {
            let reply = Reply::chunks([]).tool_call_as(spelling, "weather", &arguments).tool_call("time", &json!({}));
            host.sandbox.script(MODEL, [reply]);
            let lines = host.ask(form, "auto").await.lines();
            let calls: Vec<Value> = lines
                .iter()
                .flat_map(|line| line["message"]["tool_calls"].as_array().cloned().unwrap_or_default())
                .map(|call| json!([call["function"]["name"], call["function"]["arguments"]]))
                .collect();
            assert_eq!(calls, [json!(["weather", arguments]), json!(["time", {}])], "{form:?} {spelling:?}");
            assert_eq!(lines.last().unwrap()["done_reason"], "stop", "{form:?}: Ollama knows no other reason here");
        }
        let reply = Reply::chunks([]).tool_call_as(spelling, "weather", &arguments);
        host.sandbox.script(MODEL, [reply]);
        let answer = host.ask(FORMS[5], "auto").await.json();
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        let told: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!((&told, &call["function"]["name"]), (&arguments, &json!("weather")), "{spelling:?}");
        assert!(!call["id"].as_str().unwrap().is_empty(), "{spelling:?}");
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_comes_before_the_answer_in_its_own_field() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for (form, field) in forms(true).zip(["/message/thinking", "/thinking", "/choices/0/delta/reasoning"]) {
        host.sandbox.script(MODEL, [Reply::text("So be it.").reasoning("Let me think.")]);
        let answer = host.ask(form, "auto").await;
        let pieces = form.pieces(&answer);
        let thought: String = pieces.iter().filter_map(|piece| piece.pointer(field)?.as_str()).collect();
        assert_eq!((thought.as_str(), answer.content().as_str()), ("Let me think.", "So be it."), "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_asked_of_models_that_think_and_is_not_shown_to_those_who_do_not_want_it() {
    let host = Setup::new().start().await;
    let form = Form { path: "/api/chat", streaming: false };
    let ask = |model: &str, think: Value| {
        let mut body = form.body(model, "Hello");
        body["think"] = think;
        body
    };
    for think in [json!(true), json!("low")] {
        // joiner-8b does not think, so another one stands in.
        let answer = host.post(form.path, &ask("joiner-8b:free", think)).await;
        assert_eq!(answer.json()["message"]["thinking"], "Let me think.", "{}", answer.text);
        assert_ne!(answer.header("x-router-model"), Some("dovetail/joiner-8b:free"));
    }
    // Whether it thinks is not thinkwell's choice, but whether it shows it is.
    let answer = host.post(form.path, &ask("thinkwell-2.5:free", json!(false))).await;
    assert_eq!(answer.header("x-router-model"), Some("emberline/thinkwell-2.5:free"), "{}", answer.text);
    assert_eq!(answer.json()["message"].get("thinking"), None);
    assert_eq!(host.last_sent()["reasoning"], json!({"exclude": true}));

    let host = Setup::new().models(&[MODEL]).start().await;
    let answer = host.post(form.path, &ask("all:free", json!(true))).await;
    let expected = json!({"error": "all:free does not support thinking, and no other model that may be used does"});
    assert_eq!((answer.status, answer.json()), (400, expected));
    assert_eq!(host.post(form.path, &ask("all:free", json!(false))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_at_a_stop_even_if_the_model_does_not() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let stops = json!(["1", "2", "3", "4", "</answer>"]);
    for form in FORMS.into_iter().filter(|form| form.is_ollama()) {
        let mut body = form.body("auto", "Hello");
        body["options"] = json!({"stop": stops});
        let endless = Step::Endless(data(Step::text("and on ")));
        let words = [Step::text("One <"), Step::text("b></ans"), Step::text("wer> two")];
        // It would go on for ever, were it not left.
        let then = if form.streaming { vec![endless] } else { vec![Step::finish("stop"), Step::Done] };
        let script = words.into_iter().chain(then);
        host.sandbox.script(MODEL, [Reply::stream(script)]);
        let answer = host.post(form.path, &body).await;
        assert_eq!((answer.status, answer.complete, answer.content().as_str()), (200, true, "One <b>"), "{form:?}");
        assert_eq!(answer.lines().last().unwrap()["done_reason"], "stop", "{form:?}");
        assert_eq!(host.last_sent()["stop"], json!(["1", "2", "3", "4"]), "the upstream takes no more");
        // What might have become a stop is told if it does not.
        host.sandbox.script(MODEL, [Reply::chunks(["One </ans"])]);
        assert_eq!(host.post(form.path, &body).await.content(), "One </ans", "{form:?}");
    }
}

/// Returns the data of a step.
fn data(step: Step) -> Value {
    match step {
        Step::Data(value) => value,
        other => panic!("{other:?} has no data"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_ends_an_openai_stream_for_those_who_asked() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let form = Form { path: "/v1/chat/completions", streaming: true };
    for asked in [true, false] {
        host.sandbox.script(MODEL, [Reply::text("One two").usage(11, 3)]);
        let mut body = form.body("auto", "Hello");
        body["stream_options"] = json!({"include_usage": asked});
        let events = host.post(form.path, &body).await.events();
        let told: Vec<&Value> = events.iter().filter(|event| !event["usage"].is_null()).collect();
        assert_eq!(told.len(), usize::from(asked), "{events:?}");
        if let [usage] = told[..] {
            assert_eq!([&usage["choices"], &usage["usage"]["total_tokens"]], [&json!([]), &json!(14)]);
            assert_eq!(&events[events.len() - 2], usage, "it comes just before the end");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_tools_goes_only_to_models_that_call_them() {
    let host = Setup::new().start().await;
    let tool =
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}});
    let form = Form { path: "/api/chat", streaming: false };
    let mut body = form.body("joiner-8b:free", "Hello");
    body["tools"] = json!([tool]);
    let answer = host.post(form.path, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["message"]["tool_calls"][0]["function"]["name"], "f");
    assert!(!host.called().contains(&"dovetail/joiner-8b:free".to_owned()), "it cannot call tools");

    body["messages"][0]["images"] = json!([format!("{PICTURE}")]);
    let answer = host.post(form.path, &body).await;
    assert_eq!(
        answer.header("x-router-model"),
        Some("aurelia/lumen-4-mini:free"),
        "tools and pictures: {}",
        answer.text
    );
}

/// The smallest PNG.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[tokio::test(flavor = "multi_thread")]
async fn loading_and_unloading_call_nobody() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let rows = [
        ("/api/chat", json!({"model": "all:free"}), "load"),
        ("/api/chat", json!({"model": "all:free", "messages": [], "keep_alive": "10m"}), "load"),
        ("/api/chat", json!({"model": "auto", "messages": [], "keep_alive": 0}), "unload"),
        ("/api/generate", json!({"model": "all:free"}), "load"),
        ("/api/generate", json!({"model": "all:free", "prompt": "", "keep_alive": "0s"}), "unload"),
    ];
    for (path, body, reason) in rows {
        let answer = host.post(path, &body).await;
        let line = answer.json();
        assert_eq!((answer.status, &line["done"], &line["done_reason"]), (200, &json!(true), &json!(reason)), "{body}");
        assert_eq!(line["model"], body["model"]);
    }
    let answer = host.post("/api/generate", &json!({"model": "nothing"})).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert_eq!(host.called(), Vec::<String>::new());
}
