//! What acts without anybody looking: Home Assistant and n8n.
//!
//! Both take a server on its word: a name that is not listed exactly is pulled,
//! and a page that is not found is a credential that is wrong.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::contracts::{lines, names, pull, start, talk, tool};

#[derive(Deserialize)]
struct HomeLine {
    message: HomeMessage,
    done: bool,
}

#[derive(Deserialize)]
struct HomeMessage {
    role: String,
    content: Option<String>,
    #[serde(default)]
    tool_calls: Vec<HomeCall>,
}

#[derive(Deserialize)]
struct HomeCall {
    function: HomeFunction,
}

#[derive(Deserialize)]
struct HomeFunction {
    name: String,
    arguments: Map<String, Value>,
}

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_finds_a_name_as_it_was_listed_or_pulls_it() {
    let host = start().await;
    for name in names(&host.get("/api/tags").await.text) {
        assert_eq!(pull(&host, &name).await.last().map(String::as_str), Some("success"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn home_assistant_calls_tools_in_a_stream_with_a_schema() {
    let host = start().await;
    let format = json!({"type": "object", "properties": {"on": {"type": "boolean"}}});
    for keep_alive in [json!(-1), json!("300s")] {
        let wish = json!({"stream": true, "format": format, "keep_alive": keep_alive, "options": {"num_ctx": 8192}});
        let lines: Vec<HomeLine> = lines(&talk(&host, "/api/chat", &wish).await);
        let calls = lines.iter().flat_map(|line| &line.message.tool_calls);
        let calls: Vec<_> =
            calls.map(|call| (&*call.function.name, Value::from(call.function.arguments.clone()))).collect();
        assert_eq!(calls, [("weather", json!({"city": "Ulm"}))]);
        let text: String = lines.iter().filter_map(|line| line.message.content.as_deref()).collect();
        assert!(text == "So be it." && lines.iter().all(|line| line.message.role == "assistant"));
        assert!(lines.last().unwrap().done);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_home_assistant_sends_without_name_or_id_belong_to_the_calls_in_order() {
    let host = start().await;
    let call = |city: &str| json!({"function": {"name": "weather", "arguments": {"city": city}}});
    let question = json!({"model": "huge:free", "stream": true, "tools": [tool()], "messages": [
        {"role": "user", "content": "Ulm and Bonn?"},
        {"role": "assistant", "content": "", "tool_calls": [call("Ulm"), call("Bonn")]},
        {"role": "tool", "content": "rain"},
        {"role": "tool", "content": "sun"},
    ]});
    let answer = host.post("/api/chat", &question).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let messages = host.last_sent()["messages"].take();
    let called = ["/1/tool_calls/0/id", "/1/tool_calls/1/id"].map(|path| messages.pointer(path).unwrap().clone());
    let answered = ["/2/tool_call_id", "/3/tool_call_id"].map(|path| messages.pointer(path).unwrap().clone());
    assert_eq!(called, answered, "{messages}");
    assert!(called[0] != called[1] && called[0] != "", "{messages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn n8n_takes_the_front_page_for_a_sound_credential() {
    let host = start().await;
    for headers in [&[][..], &[("authorization", "Bearer anything")]] {
        assert_eq!(host.get_with("/", headers).await.status, 200, "{headers:?}");
    }
    assert_eq!(names(&host.get("/api/tags").await.text)[0], "auto:latest");
}
