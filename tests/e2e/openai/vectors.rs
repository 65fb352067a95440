//! Vectors as OpenAI's libraries ask for them.
//!
//! Which model makes them is in `embed`, for both protocols alike.

use ollama_router::sandbox::{reply::Reply, scenario::Scenario};
use serde_json::{Value, json};

use crate::{
    openai::refused,
    support::{
        Host, Setup,
        models::{catalog, embedder, entry},
    },
};

const MODEL: &str = "acme/vectors:free";
const PATH: &str = "/v1/embeddings";

/// Two numbers as 32-bit floats, lowest byte first.
const BASE64: &str = "AAAAPwAAgL8=";

async fn start() -> Host {
    let chats = catalog([entry("acme/chat:free", 100_000)]);
    let scenario = Scenario::quiet().catalog(chats).embeddings(catalog([embedder(MODEL, 8_192)]));
    Setup::new().scenario(scenario).start().await
}

fn sent(host: &Host) -> Vec<Value> {
    let requests = host.sandbox.requests().into_iter().filter(|request| request.path == "/embeddings");
    requests.map(|request| request.body).collect()
}

fn reply(data: &Value) -> Reply {
    Reply::json(
        200,
        json!({"object": "list", "id": "gen-1", "provider": "P", "model": "acme/vectors", "data": data,
        "usage": {"prompt_tokens": 5, "total_tokens": 5, "cost": 0}}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_passes_and_every_form_of_input_is_answered() {
    let host = start().await;
    let fields =
        json!({"dimensions": 16, "user": "me", "input_type": "search_query", "encoding_format": "float", "x": [null]});
    let parts = json!({"content": [{"type": "text", "text": "one"}]});
    let inputs = [
        (json!("one"), 1),
        (json!(["one", ""]), 2),
        (json!([1, 2, 3]), 1),
        (json!([[1, 2], [3]]), 2),
        (json!([parts, parts]), 2),
    ];
    for (input, count) in inputs {
        let mut body = fields.clone();
        body["model"] = json!("vectors:free");
        body["input"] = input.clone();
        body["provider"] = json!({"only": ["P"]});
        let answer = host.post(PATH, &body).await;
        assert_eq!(answer.status, 200, "{input}: {}", answer.text);
        assert_eq!(answer.header("x-router-model"), Some(MODEL));
        let told = answer.json();
        let data = told["data"].as_array().unwrap();
        let sizes: Vec<usize> = data.iter().map(|entry| entry["embedding"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, vec![16; count], "{input}");
        assert!(told["object"] == "list" && told["usage"]["total_tokens"].is_u64(), "{told}");
        body["model"] = json!(MODEL);
        body["provider"] = json!({"only": ["P"], "max_price": {"prompt": 0, "completion": 0}});
        assert_eq!(sent(&host).pop(), Some(body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_come_in_order_and_in_the_encoding_that_was_asked_for() {
    let host = start().await;
    let entry = |index: u64, embedding: Value| json!({"object": "embedding", "index": index, "embedding": embedding});
    let (numbers, text) = (json!([0.5, -1.0]), json!(BASE64));
    for (asked, given, expected) in [
        (json!("base64"), &numbers, &text),
        (json!("base64"), &text, &text),
        (json!("float"), &text, &numbers),
        (json!("float"), &numbers, &numbers),
        (json!(null), &text, &numbers),
    ] {
        host.sandbox.script(MODEL, [reply(&json!([entry(1, given.clone()), entry(0, given.clone())]))]);
        let body = json!({"model": MODEL, "input": ["a", "b"], "encoding_format": asked});
        let answer = host.post(PATH, &body).await;
        let told = json!({"object": "list", "id": "gen-1", "provider": "P", "model": "acme/vectors",
            "data": [entry(0, expected.clone()), entry(1, expected.clone())],
            "usage": {"prompt_tokens": 5, "total_tokens": 5, "cost": 0}});
        assert_eq!((answer.status, answer.json()), (200, told), "{asked} of {given}");
    }
    // The least that an upstream says.
    host.sandbox.script(MODEL, [Reply::json(200, json!({"data": [{"embedding": [0.5]}]}))]);
    let answer = host.post(PATH, &json!({"model": MODEL, "input": "a"})).await.json();
    let expected = json!({"object": "list", "model": MODEL, "data": [entry(0, json!([0.5]))],
        "usage": {"prompt_tokens": 0, "total_tokens": 0}});
    assert_eq!(answer, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_fit_is_a_502_and_a_request_that_cannot_be_one_a_400() {
    let host = start().await;
    let entry = |index: u64, embedding: Value| json!({"index": index, "embedding": embedding});
    for data in [
        json!([entry(0, json!([0.5]))]),
        json!([entry(0, json!([0.5])), entry(0, json!([0.5]))]),
        json!([entry(0, json!([0.5])), entry(1, json!([null]))]),
        json!([entry(0, json!([0.5])), entry(1, json!("%"))]),
        json!([entry(0, json!([0.5])), entry(1, json!([]))]),
    ] {
        host.sandbox.script(MODEL, [reply(&data)]);
        let answer = host.post(PATH, &json!({"model": MODEL, "input": ["a", "b"]})).await;
        let told = refused(&answer);
        assert!(answer.status == 502 && told.starts_with(MODEL), "{data}: {} {told}", answer.status);
    }
    let calls = sent(&host).len();
    let rows = [
        (json!({"input": "a"}), 400, "model is required"),
        (json!({"model": MODEL}), 400, "invalid input"),
        (json!({"model": MODEL, "input": ""}), 400, "invalid input"),
        (json!({"model": MODEL, "input": []}), 400, "invalid input"),
        (json!({"model": MODEL, "input": [[]]}), 400, "invalid input"),
        (json!({"model": MODEL, "input": ["a", 1]}), 400, "invalid input"),
        (json!({"model": MODEL, "input": "a", "encoding_format": "int8"}), 400, "cannot use `encoding_format`: "),
        (json!({"model": "chat:free", "input": "a"}), 400, "\"chat:free\" does not support embeddings"),
        (json!({"model": "nothing", "input": "a"}), 404, "model \"nothing\" not found"),
    ];
    for (body, status, expected) in rows {
        let answer = host.post(PATH, &body).await;
        let told = refused(&answer);
        assert!(answer.status == status && told.starts_with(expected), "{body}: {} {told}", answer.status);
    }
    assert_eq!(sent(&host).len(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_in_openais_shape_with_its_tries() {
    let host = start().await;
    host.sandbox.always(MODEL, Reply::no_instances());
    let answer = host.post(PATH, &json!({"model": MODEL, "input": "a"})).await;
    assert!(answer.status == 503 && refused(&answer).contains(MODEL), "{}", answer.text);
    assert_eq!(answer.json()["error"]["metadata"]["attempts"].as_array().map(Vec::len), Some(2));
}
