//! Vectors for texts, by both of Ollama's routes.
//!
//! What comes back and what goes upstream for it, which names are understood, and
//! that no other model ever stands in. The names of chat models are in `names`,
//! the account's limits for all kinds of requests in `exhausted`.

use ollama_router::sandbox::{reply::Reply, scenario::Scenario};
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    models::{catalog, embedder, entry, paid},
};

const MODEL: &str = "acme/vector-embed:free";
const OTHER: &str = "acme/other-embed:free";
const CHAT: &str = "acme/chat:free";

/// Starts a router that has one chat model and these embedding models.
async fn start(embedders: impl IntoIterator<Item = Value>) -> Host {
    let scenario = Scenario::quiet().catalog(catalog([entry(CHAT, 100_000)])).embeddings(catalog(embedders));
    Setup::new().scenario(scenario).start().await
}

async fn start_one() -> Host {
    start([embedder(MODEL, 8_192)]).await
}

/// Returns a reply of the upstream's that holds these vectors.
fn vectors(entries: &[(u64, &[f64])]) -> Reply {
    let entry = |(index, vector): &(u64, &[f64])| json!({"object": "embedding", "index": index, "embedding": vector});
    let data: Vec<Value> = entries.iter().map(entry).collect();
    Reply::json(200, json!({"object": "list", "data": data, "model": "x", "usage": {"prompt_tokens": 5, "cost": 0}}))
}

/// Returns the bodies of the requests for vectors that went upstream.
fn sent(host: &Host) -> Vec<Value> {
    let requests = host.sandbox.requests().into_iter().filter(|request| request.path == "/embeddings");
    requests.map(|request| request.body).collect()
}

/// Takes the durations away, once they are plausible.
fn without_durations(mut answer: Value) -> Value {
    for name in ["total_duration", "load_duration"] {
        let figure = answer.as_object_mut().unwrap().remove(name);
        assert!(figure.as_ref().and_then(Value::as_u64).is_some_and(|figure| figure >= 1), "{name}: {figure:?}");
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_of_length_one_in_their_order() {
    let host = start_one().await;
    host.sandbox.script(MODEL, [vectors(&[(1, &[0.0, 2.0]), (0, &[3.0, 4.0])])]);
    let answer = host.post("/api/embed", &json!({"model": "vector-embed:free", "input": ["one", "two"]})).await;
    let expected = json!({
        "model": "vector-embed:free", "embeddings": [[0.6, 0.8], [0.0, 1.0]], "prompt_eval_count": 5,
    });
    let told = without_durations(answer.json());
    assert_eq!(close(&told["embeddings"]), close(&expected["embeddings"]));
    assert_eq!(
        (answer.status, &told["model"], &told["prompt_eval_count"]),
        (200, &expected["model"], &expected["prompt_eval_count"])
    );
    let headers = ["x-router-model", "x-router-attempts", "x-router-trail"].map(|name| answer.header(name));
    assert_eq!(headers, [Some(MODEL), Some("1"), None]);
    assert!(answer.header("x-router-policy").is_some_and(|policy| policy.starts_with("free-mode/")), "{answer:?}");
    let free = json!({"max_price": {"prompt": 0, "completion": 0}});
    let expected = json!({"model": MODEL, "provider": free, "input": ["one", "two"], "encoding_format": "float"});
    assert_eq!(sent(&host), [expected]);
}

/// Returns numbers as 32-bit ones, which is how Ollama writes them.
fn close(vectors: &Value) -> Vec<Vec<f32>> {
    serde_json::from_value(vectors.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_route_gives_the_vector_as_it_came() {
    let host = start_one().await;
    host.sandbox.script(MODEL, [vectors(&[(0, &[3.0, 4.5])])]);
    let answer = host.post("/api/embeddings", &json!({"model": "acme/vector-embed:free", "prompt": "one"})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"embedding": [3.0, 4.5]})));
    assert_eq!(answer.header("x-router-model"), Some(MODEL));
    assert_eq!(sent(&host)[0]["input"], json!(["one"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn dimensions_are_asked_for_and_kept_to() {
    let host = start_one().await;
    // A model that knows no such thing gives all it has.
    host.sandbox.script(MODEL, [vectors(&[(0, &[3.0, 4.0, 12.0])])]);
    let body = json!({"model": MODEL, "input": "one", "dimensions": 2});
    let answer = host.post("/api/embed", &body).await.json();
    assert_eq!(close(&answer["embeddings"]), [[0.6, 0.8]]);
    assert_eq!(sent(&host)[0]["dimensions"], 2);
    let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one", "dimensions": 16})).await.json();
    let lengths: Vec<usize> = close(&answer["embeddings"]).iter().map(Vec::len).collect();
    assert_eq!(lengths, [16]);
    for none in [json!(0), json!(-1), Value::Null] {
        let body = json!({"model": MODEL, "input": "one", "dimensions": none});
        let answer = host.post("/api/embed", &body).await.json();
        assert_eq!(close(&answer["embeddings"])[0].len(), 384, "the model's own");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_text_the_model_is_only_loaded() {
    let host = start_one().await;
    for input in [json!(""), json!([]), Value::Null] {
        let answer = host.post("/api/embed", &json!({"model": "vector-embed:free", "input": input})).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"model": "vector-embed:free", "embeddings": []})));
    }
    let answer = host.post("/api/embeddings", &json!({"model": "vector-embed:free", "prompt": ""})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"embedding": []})));
    assert_eq!(sent(&host), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_long_is_cut_unless_the_client_forbids_it() {
    let host = start([embedder(MODEL, 10)]).await;
    // Four bytes a token, as the simulated upstream counts, so forty fit.
    let long = "x".repeat(1_000);
    let body = |truncate: Value| json!({"model": MODEL, "input": ["short", long], "truncate": truncate});
    let answer = host.post("/api/embed", &body(Value::Null)).await;
    assert_eq!((answer.status, close(&answer.json()["embeddings"]).len()), (200, 2), "{}", answer.text);
    let sizes = |sent: &Value| sent["input"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().len()).collect();
    let sizes: Vec<Vec<usize>> = sent(&host).iter().map(sizes).collect();
    assert_eq!(sizes, [vec![5, 1_000], vec![5, 30]]);
    assert_eq!(answer.header("x-router-trail"), Some("acme/vector-embed:free=context-overflow"));

    let answer = host.post("/api/embed", &body(json!(false))).await;
    let expected = json!("the input length exceeds the context length");
    assert_eq!((answer.status, answer.json()["error"].take()), (400, expected));
    assert_eq!(sent(&host).len(), 3);
    assert_eq!(host.standing(MODEL).await.0, "ready", "it is not the model's fault");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_stands_in_for_a_model_that_fails() {
    let host = start([embedder(MODEL, 8_192), embedder(OTHER, 8_192)]).await;
    host.sandbox.always(MODEL, Reply::no_instances());
    let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
    let told = answer.json()["error"].as_str().unwrap().to_owned();
    assert_eq!(answer.status, 503, "{told}");
    assert!(told.starts_with(&format!("no model answered: {MODEL}: ")), "{told}");
    let attempts = answer.json()["attempts"].as_array().unwrap().clone();
    assert!(attempts.len() == 2 && attempts.iter().all(|attempt| attempt["due_in_s"].is_u64()), "{attempts:?}");
    let models: Vec<Value> = sent(&host).iter().map(|body| body["model"].clone()).collect();
    assert_eq!(models, [MODEL, MODEL], "once more, for it may pass");

    host.sandbox.clear(MODEL);
    host.sandbox.script(MODEL, [Reply::no_instances()]);
    let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
    let headers = ["x-router-model", "x-router-attempts"].map(|name| answer.header(name));
    assert_eq!((answer.status, headers), (200, [Some(MODEL), Some("2")]), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_told_and_not_tried_again() {
    for (reply, status) in [(Reply::upstream_limit(), 429), (Reply::invalid_model(), 502)] {
        let host = start_one().await;
        host.sandbox.always(MODEL, reply);
        let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
        assert_eq!((answer.status, sent(&host).len()), (status, 1), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_is_no_answer_is_an_error() {
    let replies = [
        Reply::json(200, json!({"error": {"code": 502, "message": "lost"}})),
        Reply::json(200, json!({"data": []})),
        Reply::html(200),
        vectors(&[(0, &[1.0]), (1, &[1.0])]),
        Reply::json(200, json!({"data": [{"index": 0, "embedding": "AAAA"}]})),
    ];
    for reply in replies {
        let host = start_one().await;
        host.sandbox.always(MODEL, reply.clone());
        let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
        assert!(answer.status == 502 && answer.json()["error"].is_string(), "{reply:?}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_embed_is_refused_in_ollamas_words() {
    let host = start([embedder(MODEL, 8_192), embedder(OTHER, 8_192), paid_embedder("acme/dear-embed")]).await;
    let rows = [
        ("nothing", 404, "model \"nothing\" not found, try pulling it first".to_owned()),
        ("gone-embed:free", 404, "model \"gone-embed:free\" not found, try pulling it first".to_owned()),
        (
            "chat:free",
            400,
            "\"chat:free\" does not support embeddings; use one of: other-embed:free, vector-embed:free".to_owned(),
        ),
        (
            "dear-embed:latest",
            404,
            "model \"dear-embed:latest\" not found, try pulling it first: it costs money, and free mode is on; \
             use one of: other-embed:free, vector-embed:free"
                .to_owned(),
        ),
        (
            "auto",
            400,
            "\"auto\" does not support embeddings, for vectors of different models cannot be compared; \
             use one of: other-embed:free, vector-embed:free"
                .to_owned(),
        ),
        ("no spaces", 400, "invalid model name".to_owned()),
    ];
    for (name, status, expected) in rows {
        for (path, field) in [("/api/embed", "input"), ("/api/embeddings", "prompt")] {
            let mut body = json!({"model": name});
            body[field] = json!("one");
            let answer = host.post(path, &body).await;
            assert_eq!((answer.status, answer.json()), (status, json!({"error": expected})), "{path}");
        }
    }
    let nameless = host.post("/api/embed", &json!({"input": "one"})).await;
    assert_eq!((nameless.status, nameless.json()), (404, json!({"error": "model '' not found"})));
    let nameless = host.post("/api/embeddings", &json!({"prompt": "one"})).await;
    assert_eq!((nameless.status, nameless.json()), (400, json!({"error": "model is required"})));
    let wrong = host.post("/api/embed", &json!({"model": MODEL, "input": [1]})).await;
    assert_eq!((wrong.status, wrong.json()), (400, json!({"error": "invalid input type"})));
    assert_eq!(sent(&host), Vec::<Value>::new());
}

fn paid_embedder(id: &str) -> Value {
    let mut model = embedder(id, 8_192);
    model["pricing"] = paid(id, 8_192)["pricing"].clone();
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_embedding_model_is_free_the_error_says_so() {
    let host = start([paid_embedder("acme/dear-embed")]).await;
    let none = "OpenRouter serves no free embedding model now, and free mode is on";
    for name in ["auto", "chat:free", "dear-embed", "nothing"] {
        let answer = host.post("/api/embed", &json!({"model": name, "input": "one"})).await;
        assert!(matches!(answer.status, 400 | 404), "{name}: {}", answer.text);
        assert!(answer.json()["error"].as_str().unwrap().ends_with(none), "{name}: {}", answer.text);
    }
    assert_eq!(sent(&host), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_operator_hides_the_embedding_models_the_error_says_so() {
    for (key, value) in [("mode.tool_use_only", "true"), ("mode.free_mode", "true")] {
        let scenario =
            Scenario::quiet().catalog(catalog([entry(CHAT, 100_000)])).embeddings(catalog([embedder(MODEL, 9)]));
        let setup = Setup::new().scenario(scenario).set(key, value).file("models-filter/filter", "chat");
        let host = setup.start().await;
        let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
        let expected = format!(
            "model \"{MODEL}\" not found, try pulling it first; every embedding model is hidden by the policy: \
             see the filter file and mode.tool_use_only"
        );
        assert_eq!((answer.status, answer.json()), (404, json!({"error": expected})), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_free_mode_a_model_that_costs_money_makes_vectors_too() {
    let scenario = Scenario::quiet()
        .catalog(catalog([entry(CHAT, 100_000)]))
        .embeddings(catalog([paid_embedder("acme/dear-embed")]));
    let host = Setup::new().scenario(scenario).set("mode.free_mode", "false").start().await;
    let answer = host.post("/api/embed", &json!({"model": "dear-embed", "input": "one"})).await;
    assert_eq!((answer.status, answer.header("x-router-model")), (200, Some("acme/dear-embed")), "{}", answer.text);
    assert_eq!(sent(&host)[0].get("provider"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_embedding_model_is_meant_by_auto() {
    let host = start_one().await;
    let answer = host.post("/api/embed", &json!({"model": "auto", "input": "one"})).await;
    assert_eq!((answer.status, answer.header("x-router-model")), (200, Some(MODEL)), "{}", answer.text);
    assert_eq!(answer.json()["model"], "auto");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedding_model_does_not_chat_and_never_stands_in_for_one_that_does() {
    let host = start_one().await;
    let rows = [
        ("/api/chat", json!({"messages": [{"role": "user", "content": "x"}]}), "chat"),
        ("/api/chat", json!({}), "chat"),
        ("/api/generate", json!({"prompt": "x"}), "generate"),
        ("/api/generate", json!({}), "generate"),
    ];
    for (path, mut body, what) in rows {
        body["model"] = json!("vector-embed:free");
        let answer = host.post(path, &body).await;
        let expected = json!({"error": format!("\"vector-embed:free\" does not support {what}")});
        assert_eq!((answer.status, answer.json()), (400, expected), "{path} {body}");
    }
    let unload = host.post("/api/generate", &json!({"model": MODEL, "keep_alive": 0})).await;
    assert_eq!(unload.json()["done_reason"], "unload");
    let body = json!({"model": MODEL, "messages": [{"role": "user", "content": "x"}]});
    let answer = host.post("/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);

    host.sandbox.always(CHAT, Reply::no_instances());
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "x"}]});
    assert_eq!(host.post("/api/chat", &body).await.status, 503);
    assert_eq!(host.called(), [CHAT]);
}

#[tokio::test(flavor = "multi_thread")]
async fn embedding_models_are_listed_last_and_shown_for_what_they_are() {
    let host = start([embedder(MODEL, 8_192), paid_embedder("acme/dear-embed")]).await;
    let tags = host.get("/api/tags").await.json();
    let mut names: Vec<&str> =
        tags["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["auto:latest", "chat:free", "vector-embed:free"]);
    let shown = host.post("/api/show", &json!({"model": "vector-embed:free"})).await.json();
    assert_eq!(shown["capabilities"], json!(["embedding"]));
    assert_eq!(shown["details"]["families"], json!(["vector", "bert"]));
    assert_eq!(shown["model_info"]["vector.context_length"], 8_192);
    let rows = host.get("/router/models").await.json();
    let rows: Vec<(&str, bool)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["id"].as_str().unwrap(), row["embeds"].as_bool().unwrap()))
        .collect();
    assert_eq!(rows, [(CHAT, false), (MODEL, true)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_of_embedding_models_is_kept_when_it_cannot_be_fetched() {
    let host = start_one().await;
    host.sandbox.always("/embeddings/models", Reply::error(500, "down"));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    let answer = host.post("/api/embed", &json!({"model": MODEL, "input": "one"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
