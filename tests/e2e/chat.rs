//! One good answer in each protocol and form: what comes back, what was sent.

use serde_json::json;

use crate::support::Setup;

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_answered_by_the_model_with_the_largest_context() {
    let host = Setup::new().start().await;
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]});
    let reply = host.post("/api/chat", &body).await;
    assert_eq!((reply.status, reply.complete), (200, true));
    let model = reply.header("x-router-model").unwrap().to_owned();
    assert_eq!(reply.content(), format!("Hello from {model}."));
    assert_eq!(reply.header("x-router-attempts"), Some("1"));
    let last = reply.lines().pop().unwrap();
    assert_eq!((&last["done"], &last["done_reason"]), (&json!(true), &json!("stop")));
}
