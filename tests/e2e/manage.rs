//! Ollama's routes about models themselves: what has a meaning here, and what
//! says that it has none.

use serde_json::json;

use crate::support::{Reply, Setup};

fn error(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_what_can_be_used_succeeds_without_a_call_upstream() {
    let host = Setup::new().start().await;
    for name in ["auto", "joiner-8b:free", "JOINER-8B:free:latest", "gone-model:free"] {
        let streamed = host.post("/api/pull", &json!({"name": name, "model": ""})).await;
        assert_eq!(streamed.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(streamed.lines(), [json!({"status": "pulling manifest"}), json!({"status": "success"})], "{name}");
        let whole = host.post("/api/pull", &json!({"model": name, "stream": false})).await;
        assert_eq!((whole.status, whole.json()), (200, json!({"status": "success"})), "{name}");
    }
    assert!(host.sandbox.requests().iter().all(|request| request.path == "/key" || request.path.ends_with("/models")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_of_an_unknown_model_fails_in_the_words_of_ollama() {
    let host = Setup::new().start().await;
    let text = "pull model manifest: file does not exist";
    let streamed = host.post("/api/pull", &json!({"model": "nothing"})).await;
    assert_eq!((streamed.status, streamed.lines()), (200, vec![json!({"error": text})]));
    let whole = host.post("/api/pull", &json!({"model": "nothing", "stream": false})).await;
    assert_eq!(error(&whole), (500, text.to_owned()));
    let nameless = host.post("/api/pull", &json!({"model": null})).await;
    assert_eq!(error(&nameless), (400, "invalid model name".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_a_model_is_refused_in_words() {
    let host = Setup::new().start().await;
    let known = json!({"model": "joiner-8b:free"});
    let unknown = json!({"model": "nothing"});
    for path in ["/api/push", "/api/create"] {
        assert_eq!(host.post(path, &known).await.status, 501, "{path}");
    }
    assert_eq!(error(&host.post("/api/push", &unknown).await), (404, "model 'nothing' not found".to_owned()));
    let copy = host.post("/api/copy", &json!({"source": "nothing", "destination": "a"})).await;
    assert_eq!(error(&copy), (404, "model \"nothing\" not found".to_owned()));
    let copy = host.post("/api/copy", &json!({"source": "joiner-8b:free", "destination": "a"})).await;
    assert_eq!(copy.status, 501);
    let copy = host.post("/api/copy", &json!({"source": "joiner-8b:free"})).await;
    assert_eq!(error(&copy), (400, "destination \"\" is invalid".to_owned()));
    let deleted = host.request("DELETE", "/api/delete", &[], &known.to_string()).await;
    assert!(error(&deleted).1.contains("models-filter/filter"), "{deleted:?}");
    let deleted = host.request("DELETE", "/api/delete", &[], &unknown.to_string()).await;
    assert_eq!(error(&deleted), (404, "model 'nothing' not found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_one_is_told_apart_from_an_unknown_one() {
    let host = Setup::new().start().await;
    let bad = json!({"model": "no spaces", "prompt": "x", "input": "x"});
    for path in ["/api/show", "/api/generate", "/api/embed", "/api/embeddings", "/api/pull", "/api/push", "/api/create"]
    {
        assert_eq!(error(&host.post(path, &bad).await), (400, "invalid model name".to_owned()), "{path}");
    }
    let deleted = host.request("DELETE", "/api/delete", &[], &bad.to_string()).await;
    assert_eq!(error(&deleted), (400, "name \"no spaces\" is invalid".to_owned()));
    let copy = host.post("/api/copy", &json!({"source": "no spaces", "destination": "a"})).await;
    assert_eq!(error(&copy), (400, "source \"no spaces\" is invalid".to_owned()));
    let copy = host.post("/api/copy", &json!({"source": "joiner-8b:free", "destination": "b/"})).await;
    assert_eq!(error(&copy), (400, "destination \"b/\" is invalid".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_blobs() {
    let host = Setup::new().start().await;
    let digest = format!("/api/blobs/sha256:{}", "0".repeat(64));
    assert_eq!(host.request("HEAD", &digest, &[], "").await.status, 404);
    assert_eq!(host.request("HEAD", "/api/blobs/sha256:12", &[], "").await.status, 400);
    assert_eq!(host.request("POST", &digest, &[], "bytes").await.status, 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_of_ollama_is_off() {
    let host = Setup::new().start().await;
    let status = host.get("/api/status").await;
    assert_eq!(status.json(), json!({"cloud": {"disabled": true, "source": "config"}}));
    assert_eq!(host.post("/api/me", &json!({})).await.status, 403);
    assert_eq!(host.post("/api/signout", &json!({})).await.status, 400);
    assert_eq!(host.request("DELETE", "/api/user/keys/abc", &[], "").await.status, 400);
    let recommended = host.get("/api/experimental/model-recommendations").await.json();
    let models = recommended["recommendations"].as_array().unwrap();
    let expected = json!({
        "model": "ember-coder-30b-a3b:free", "description": "Ember Coder 30B A3B (free)", "context_length": 262_144,
        "max_output_tokens": 262_144,
    });
    assert_eq!((models.len(), &models[0]), (5, &expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_where_ollama_answers_it() {
    let host = Setup::new().start().await;
    for path in ["/", "/api/version", "/api/tags"] {
        let answer = host.request("HEAD", path, &[], "").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{path}");
    }
    for path in ["/api/ps", "/api/status", "/api/experimental/model-recommendations"] {
        let answer = host.request("HEAD", path, &[], "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET")), "{path}");
    }
    assert_eq!(host.request("HEAD", "/api/chat", &[], "").await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_too_many_is_redirected() {
    let host = Setup::new().start().await;
    let tags = host.request("GET", "/api/tags/?x=1", &[], "").await;
    assert_eq!((tags.status, tags.header("location")), (301, Some("/api/tags?x=1")));
    let chat = host.request("POST", "/api/chat/", &[], "{}").await;
    assert_eq!((chat.status, chat.header("location")), (307, Some("/api/chat")));
    for path in ["/nothing/", "/api/", "/api/nothing/", "/api/tags//"] {
        assert_eq!(host.request("GET", path, &[], "").await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_that_the_documents_tell_of_is_there() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/OLLAMA.md");
    let text = std::fs::read_to_string(path).unwrap();
    let host = Setup::new().start().await;
    let mut routes = 0;
    for row in text.lines() {
        let [_, method, path, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else { continue };
        if !["DELETE", "GET", "HEAD", "POST"].contains(&method) {
            continue;
        }
        let path = path.trim_matches('`').replace(":digest", &format!("sha256:{}", "0".repeat(64)));
        let answer = host.request(method, &path, &[], "{}").await;
        assert!(answer.status != 405 && answer.text != "404 page not found", "{method} {path}: {answer:?}");
        routes += 1;
    }
    assert_eq!(routes, 23);
}
