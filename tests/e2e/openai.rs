//! OpenAI's protocol as its libraries read it.
//!
//! What holds for all protocols alike is in `chat`, `streaming` and `upstream`;
//! here is what only this one has. Each route has a file.

mod chats;
mod completions;
mod guards;
mod models;
mod vectors;

use serde_json::{Value, json};

use crate::support::Reply;

/// The only model of most of these tests.
const MODEL: &str = "acme/all:free";

/// Returns the words of an error, which must have OpenAI's shape.
fn refused(reply: &Reply) -> String {
    let body = reply.json();
    let error = body["error"].as_object().unwrap_or_else(|| panic!("no error in {body}"));
    assert!(["type", "param", "code"].iter().all(|name| error.contains_key(*name)), "{body}");
    error["message"].as_str().unwrap().to_owned()
}

/// Returns the pieces of a stream, which must have ended well.
fn pieces(reply: &Reply) -> Vec<Value> {
    assert!(reply.status == 200 && reply.complete, "{reply:?}");
    let mut events = reply.events();
    assert_eq!(events.pop(), Some(json!("[DONE]")), "{}", reply.text);
    assert_eq!(reply.text.matches("[DONE]").count(), 1, "{}", reply.text);
    events
}
