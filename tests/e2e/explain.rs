//! Why this model and not that one: `policy explain`, by a running router and without.

use ollama_router::sandbox::{Sandbox, reply::Reply, scenario::Scenario};
use serde_json::{Value, json};

use crate::{
    guests::{Guest, MODELS},
    support::{
        Host, Setup,
        ask::FORMS,
        models::{catalog, embedder, entry, paid},
        program::Program,
    },
};

impl Host {
    async fn explain(&self, asked: &Value) -> Value {
        let reply = self.post("/router/policy/explain", asked).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }
}

/// Returns a model's verdict, who gave it, and why.
fn of<'a>(explained: &'a Value, id: &str) -> [&'a str; 3] {
    let row = explained["models"].as_array().unwrap().iter().find(|row| row["id"] == id);
    let row = row.unwrap_or_else(|| panic!("{id} is not in {explained}"));
    ["verdict", "by", "why"].map(|field| row[field].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_model_of_the_catalogue_gets_its_reason() {
    let mut blind = entry("a/blind:free", 200_000);
    blind["supported_parameters"] = json!(["max_tokens"]);
    let models = [
        entry("a/large:free", 100_000),
        entry("a/medium:free", 50_000),
        entry("a/filtered:free", 90_000),
        entry("a/tiny:free", 100),
        blind,
        paid("a/paid", 300_000),
    ];
    let setup = Setup::new()
        .scenario(Scenario::quiet().catalog(catalog(models)).embeddings(catalog([embedder("a/vectors:free", 8_000)])));
    let setup = setup
        .set("failover.max_attempts", "1")
        .file("models-filter/filter", "large\nmedium\ntiny\nblind\npaid\nvectors\n");
    let host = setup.start().await;
    let before = host.policy().await;
    let explained = host.explain(&json!({"tools": true, "input_tokens": 3_000})).await;
    let rows: [(&str, [&str; 3]); 7] = [
        ("a/large:free", ["1", "free-mode", "the largest context of those left"]),
        ("a/medium:free", ["left out", "free-mode", "enough others are tried before it"]),
        (
            "a/filtered:free",
            ["left out", "view", "free-mode hides it: no pattern of the filter is part of its id or name"],
        ),
        ("a/tiny:free", ["left out", "host", "100 tokens fit, too few for a prompt of 3000"]),
        ("a/blind:free", ["left out", "host", "cannot do what is needed: tools"]),
        ("a/paid", ["left out", "view", "free-mode hides it: not free"]),
        ("a/vectors:free", ["left out", "host", "makes vectors, and does not chat"]),
    ];
    assert_eq!(explained["models"].as_array().unwrap().len(), rows.len(), "{explained}");
    for (id, expected) in rows {
        assert_eq!(of(&explained, id), expected, "{id}");
    }
    assert_eq!([&explained["policy"], &explained["by"]], [&json!("free-mode/0.1.0"), &json!("policy")]);
    assert_eq!(explained["models"][0]["id"], "a/large:free", "who is tried comes first");
    // What was asked for by name is first, and reasons are told for that.
    let explained = host.explain(&json!({"model": "medium:free"})).await;
    assert_eq!(of(&explained, "a/medium:free"), ["1", "free-mode", "requested"]);
    // Nothing of all this counts.
    assert_eq!(host.policy().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_is_told_with_how_long() {
    let host = Setup::new().models(&MODELS).start().await;
    host.sandbox.script(MODELS[0], [Reply::overloaded()]);
    host.ask(FORMS[0], "auto").await;
    let explained = host.explain(&json!({})).await;
    let last = explained["models"].as_array().unwrap().iter().find(|row| row["id"] == MODELS[0]).unwrap();
    let note = last["note"].as_str().unwrap();
    assert!(note.starts_with("rests ") && note.ends_with(" more, and is passed over while another is ready"), "{note}");
    assert_eq!(of(&explained, MODELS[0]), ["3", "free-mode", "cooling down, the last resort"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refusal_has_taught_is_told() {
    let host = Setup::new().models(&MODELS).start().await;
    host.sandbox.script(MODELS[0], [Reply::no_tool_use("f")]);
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    let mut body = FORMS[0].body("auto", "Hello");
    body["tools"] = json!([tool]);
    host.post(FORMS[0].path, &body).await;
    let explained = host.explain(&json!({"tools": true})).await;
    assert_eq!(of(&explained, MODELS[0]), ["left out", "host", "has refused such requests lately"]);
    let row = explained["models"].as_array().unwrap().iter().find(|row| row["id"] == MODELS[0]).unwrap();
    assert_eq!(row["note"], "has taught: no-tools");
    assert_eq!(of(&host.explain(&json!({})).await, MODELS[0])[0], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_model_or_cannot_be_read_is_an_error() {
    let host = Setup::new().models(&MODELS).start().await;
    let reply = host.post("/router/policy/explain", &json!({"model": "no-such-model"})).await;
    assert_eq!((reply.status, &*reply.json()["error"].to_string()), (404, "\"model 'no-such-model' not found\""));
    for wrong in ["{", r#"{"modle": "auto"}"#] {
        assert_eq!(host.post_text("/router/policy/explain", wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(host.post_text("/router/policy/explain", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_or_says_nothing_is_explained_too() {
    let falling = Guest::sound().when_marked("unreachable").component();
    let host = Setup::new().models(&MODELS).policy(falling).start().await;
    let before = host.policy().await;
    let sound = host.explain(&json!({})).await;
    assert_eq!(of(&sound, MODELS[2]), ["1", "reversed", "reason 1"]);
    let explained = host.explain(&json!({"output_tokens": 666})).await;
    assert_eq!([&explained["by"], &explained["policy"]], [&json!("embedded"), &json!("free-mode/0.1.0")]);
    assert!(explained["fault"].as_str().unwrap().starts_with("the policy trapped: "), "{explained}");
    assert_eq!(of(&explained, MODELS[0]), ["1", "free-mode", "the largest context of those left"]);
    assert_eq!(host.policy().await, before);

    // Every stage of a chain says what it leaves out.
    let one = "(call $pick (i32.const 512) (i32.const 1) (f32.const 7))
        (return (call $route (i32.const 512) (i32.const 1)))";
    let one = Guest::sound().put("select", one).component();
    let config = json!({"policy": {"chain": ["one.wasm", "free-mode"]}}).to_string();
    let host = Setup::new().models(&MODELS).file("one.wasm", one).file("config.yaml", config).start().await;
    let explained = host.explain(&json!({})).await;
    let silent = ["left out", "reversed", "not in its order, and it says no reason"];
    assert_eq!(of(&explained, MODELS[0]), silent);
    assert_eq!(of(&explained, MODELS[1]), ["1", "free-mode", "the largest context of those left"]);
    assert_eq!(of(&explained, MODELS[2]), silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_asks_the_router_or_goes_by_the_copy() {
    let sandbox = Sandbox::start(Scenario::quiet()).await.unwrap();
    let program = Program::new()
        .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-test");
    let router = program.serve(&["start", "-H", "127.0.0.1", "-p", "0"]);
    let port = router.port.to_string();
    let table = program.run(&["policy", "explain", "--tools", "-p", &port]);
    assert_eq!(table.code, Some(0), "{}", table.err);
    for words in ["VERDICT", "left out", "cannot do what is needed: tools"] {
        assert!(table.out.contains(words), "{words} is not in: {}", table.out);
    }
    let running = program.run(&["policy", "explain", "--json", "-p", &port]);
    let offline = program.run(&["policy", "explain", "--json", "--offline"]);
    assert_eq!((running.code, offline.code), (Some(0), Some(0)), "{} {}", running.err, offline.err);
    let models = |out: &str| serde_json::from_str::<Value>(out).unwrap()["models"].take();
    assert_eq!(models(&running.out), models(&offline.out));
    assert!(offline.err.contains("no router was asked"), "{}", offline.err);
    let nobody = program.run(&["policy", "explain", "-p", "1"]);
    assert_eq!(nobody.code, Some(1), "{}", nobody.err);
}
