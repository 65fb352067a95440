//! Requests that cannot be answered, and paths that do not exist.
//!
//! Each is told in its protocol's own shape and words, before anything goes
//! upstream. Names that mean nothing are in `names`.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    self, Reply, Setup,
    ask::{FORMS, forms},
};

const MODEL: &str = "acme/all:free";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_400_and_calls_nobody() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let rows = [
        ("/api/chat", "", "missing request body"),
        ("/api/chat", "   ", "missing request body"),
        ("/api/chat", "{\"model\": \"auto\",", "unexpected EOF"),
        ("/api/chat", "{}", "model is required"),
        ("/api/chat", "null", "model is required"),
        ("/api/chat", r#"{"messages": [{"role": "user", "content": "x"}]}"#, "model is required"),
        (
            "/api/chat",
            r#"{"model": "auto", "messages": "x"}"#,
            "json: cannot unmarshal string into field messages: expected a list",
        ),
        (
            "/api/chat",
            r#"{"model": "auto", "messages": [{"role": "user", "content": ["x"]}]}"#,
            "json: cannot unmarshal array into field messages.content: expected a string",
        ),
        ("/api/generate", "", "missing request body"),
        ("/api/generate", r#"{"model": "auto", "prompt": "x", "suffix": "y"}"#, "\"auto\" does not support insert"),
        ("/api/show", "", "missing request body"),
        ("/api/show", "{}", "model is required"),
        ("/v1/chat/completions", "", "EOF"),
        ("/v1/chat/completions", r#"{"messages": [{"role": "user", "content": "x"}]}"#, "model is required"),
        ("/v1/chat/completions", r#"{"model": "auto"}"#, "[] is too short - 'messages'"),
        ("/v1/chat/completions", r#"{"model": "auto", "messages": []}"#, "[] is too short - 'messages'"),
    ];
    for (path, body, expected) in rows {
        let answer = host.post_text(path, body).await;
        let told = if path.starts_with("/v1/") {
            json!({"error": {"message": expected, "type": "invalid_request_error", "param": null, "code": null}})
        } else {
            json!({"error": expected})
        };
        assert_eq!((answer.status, answer.json()), (400, told), "{path} {body}");
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn junk_of_every_kind_is_a_400_in_the_protocols_shape() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let deep = format!("{{\"model\": \"auto\", \"messages\": {}{}}}", "[".repeat(500), "]".repeat(500));
    let tools =
        r#"{"model": "auto", "messages": [{"role": "user", "content": "x"}], "prompt": "x", "tools": 3, "think": 3}"#;
    let trailing = r#"{"model": "auto"}}{"#;
    for junk in ["nonsense", "[]", "\"text\"", "17", r#"{"model": 5}"#, trailing, &deep, "\u{0}", tools] {
        for form in FORMS {
            let answer = host.post_text(form.path, junk).await;
            // As in Ollama: neither unknown fields nor what follows the first value are read.
            if form.path == "/api/generate" && junk == deep || form.is_ollama() && junk == trailing {
                assert_eq!(answer.json()["done_reason"], "load", "{form:?} {junk}");
                continue;
            }
            let told = form.error(&answer);
            assert_eq!(answer.status, 400, "{form:?} {junk}: {told}");
            assert!(!told.is_empty() && told.len() < 500, "{form:?} {junk}: {told}");
        }
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn text_cut_in_the_middle_of_a_character_is_read_as_ollama_reads_it() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let broken: [&[u8]; 2] = [
        br#"{"model": "auto", "stream": false, "messages": [{"role": "user", "content": "cut \ud83d"}]}"#,
        b"{\"model\": \"auto\", \"stream\": false, \"messages\": [{\"role\": \"user\", \"content\": \"cut \xf0\x9f\"}]}",
    ];
    let client = support::http();
    for body in broken {
        let answer = client.post(host.url("/api/chat")).body(body.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(host.last_sent()["messages"][0]["content"], "cut \u{fffd}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_cannot_be_used_is_named() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let chat = |field: &str, value| {
        let mut body = json!({"model": "auto", "messages": [{"role": "user", "content": "x"}]});
        body[field] = value;
        body
    };
    let rows = [
        ("/v1/chat/completions", chat("stream", json!("yes")), "stream"),
        ("/v1/chat/completions", chat("provider", json!(3)), "provider"),
        ("/v1/chat/completions", chat("tools", json!("all")), "tools"),
        ("/v1/chat/completions", chat("max_tokens", json!("many")), "max_tokens"),
        ("/api/chat", chat("think", json!("hard")), "think"),
        ("/api/chat", chat("format", json!("xml")), "format"),
        ("/api/chat", chat("top_logprobs", json!(99)), "top_logprobs"),
        ("/api/chat", chat("options", json!({"temperature": "hot"})), "temperature"),
        ("/api/chat", chat("keep_alive", json!("5 apples")), "duration"),
        ("/api/chat", chat("messages", json!([{"role": "user", "content": "x", "images": ["%%"]}])), "base64"),
    ];
    for (path, body, field) in rows {
        let answer = host.post(path, &body).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        assert!(answer.text.contains(field), "{body}: {}", answer.text);
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_bound_is_413_and_names_the_setting() {
    let host = Setup::new().models(&[MODEL]).set("server.max_body", "1KiB").start().await;
    for form in FORMS {
        let answer = host.post(form.path, &form.body("auto", &"x".repeat(1_000))).await;
        let told = form.error(&answer);
        assert_eq!(answer.status, 413, "{form:?}: {told}");
        assert!(told.contains("1024 bytes (server.max_body)"), "{form:?}: {told}");
        assert_eq!(host.ask(form, "auto").await.status, 200, "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_any_content_type_is_read() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let client = support::http();
    for form in forms(false) {
        for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"] {
            let request = client.post(host.url(form.path)).header("content-type", content_type);
            let answer = request.body(form.body("auto", "Hello").to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{form:?} {content_type}");
        }
        let answer =
            client.post(host.url(form.path)).body(form.body("auto", "Hello").to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{form:?} without any");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_no_model_can_answer_says_what_is_lacking() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    for (model, expected) in [
        ("all:free", "all:free does not support images, and no other model that may be used does"),
        ("auto", "no model that may be used supports images"),
    ] {
        let message = json!({"role": "user", "content": "x", "images": [picture]});
        let answer = host.post("/api/chat", &json!({"model": model, "messages": [message]})).await;
        assert_eq!((answer.status, answer.json()), (400, json!({"error": expected})));
        let part = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{picture}")}});
        let message = json!({"role": "user", "content": [part]});
        let answer = host.post("/v1/chat/completions", &json!({"model": model, "messages": [message]})).await;
        assert_eq!((answer.status, answer.json()["error"]["message"].clone()), (400, json!(expected)));
    }
    assert_eq!(host.called(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_as_ollama_says_it() {
    let host = Setup::new().models(&[MODEL]).start().await;
    for path in ["/nothing", "/api", "/api/", "/api/nothing", "/v1", "/v1/nothing", "/router/nothing", "//api/chat"] {
        let answer = host.get(path).await;
        assert_eq!((answer.status, &*answer.text), (404, "404 page not found"), "{path}");
        let answer = host.post(path, &json!({})).await;
        assert_eq!((answer.status, &*answer.text), (404, "404 page not found"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let host = Setup::new().models(&[MODEL]).start().await;
    let client = support::http();
    let rows = [
        (Method::GET, "/api/chat", "POST"),
        (Method::PUT, "/api/generate", "POST"),
        (Method::GET, "/api/show", "POST"),
        (Method::POST, "/api/tags", "GET,HEAD"),
        (Method::DELETE, "/api/version", "GET,HEAD"),
        (Method::POST, "/", "GET,HEAD"),
        (Method::GET, "/v1/chat/completions", "POST"),
        (Method::POST, "/v1/models", "GET,HEAD"),
    ];
    for (method, path, allowed) in rows {
        let answer = client.request(method.clone(), host.url(path)).send().await.unwrap();
        let answer = Reply::read(answer).await;
        assert_eq!((answer.status, &*answer.text), (405, "405 method not allowed"), "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
}
