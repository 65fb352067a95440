//! What is told of the models, and of the router itself, without any call.
//!
//! Lists, single models, versions, health, the operators' view, the filter and
//! the modes that narrow them. What the names mean is in `names`; where the
//! catalogue comes from is in `files`.

use ollama_router::sandbox::{reply::Reply, scenario::Scenario};
use serde_json::{Value, json};

use crate::support::{
    self, Host, Setup,
    ask::{FORMS, forms},
    models::{catalog, entry, paid},
};

/// Returns the names in `/api/tags`.
async fn names(host: &Host) -> Vec<String> {
    let tags = host.get("/api/tags").await.json();
    let models = tags["models"].as_array().unwrap().iter();
    models.map(|model| model["name"].as_str().unwrap().to_owned()).collect()
}

/// Returns the ids that clients may use, in the order of the policy.
async fn ids(host: &Host) -> Vec<String> {
    let rows = host.get("/router/models").await.json();
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_front_page_and_the_version_are_ollamas() {
    let host = Setup::new().set("server.version", "0.30.1").start().await;
    let answer = host.get("/").await;
    assert_eq!((answer.status, &*answer.text), (200, "Ollama is running"));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(host.get("/api/version").await.json(), json!({"version": "0.30.1"}));
    let client = support::http();
    for path in ["/", "/api/version", "/api/tags", "/v1/models"] {
        let answer = client.head(host.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_free_models_are_listed_best_first_and_those_that_embed_last() {
    let host = Setup::new().start().await;
    let expected = [
        "cinderworks/ember-coder-30b-a3b:free",
        "aurelia/lumen-4-large:free",
        "stealth/umber-alpha",
        "larkspur/harness-48b:free",
        "aurelia/lumen-4-mini:free",
        "borealis/skald-70b-instruct:free",
        "emberline/thinkwell-2.5:free",
        "kestrel/talon-9b:free",
        "fathom/deepview-12b:free",
        "garnet/pocket-3.1-3b:free",
        "ivory/echo-v1.5:free",
        "dovetail/joiner-8b:free",
        "halcyon/echo-v1.5:free",
        "juniper/rowan-24b:free",
        "quillon/nib-1b:free",
        "dovetail/joiner-8b-short:free",
        "thistle/brittle-2b:free",
        "thistle/prim-2b:free",
        "openrouter/free",
        "fathom/sounding-embed-1:free",
    ];
    assert_eq!(ids(&host).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_the_list_is_the_order_of_the_tries() {
    let host = Setup::new().set("failover.max_attempts", "30").start().await;
    host.sandbox.always("*", Reply::upstream_limit());
    assert_eq!(host.ask(FORMS[3], "auto").await.status, 429);
    let mut listed = ids(&host).await;
    assert_eq!(listed.pop().as_deref(), Some("fathom/sounding-embed-1:free"), "it answers nobody");
    assert_eq!(host.called(), listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_lead_with_auto_and_name_each_model_once() {
    let host = Setup::new().start().await;
    let mut listed = names(&host).await;
    assert_eq!(listed[0], "auto:latest");
    for name in
        ["lumen-4-large:free", "halcyon/echo-v1.5:free", "ivory/echo-v1.5:free", "umber-alpha:latest", "free:latest"]
    {
        assert!(listed.iter().any(|listed| listed == name), "{name} in {listed:?}");
    }
    let count = listed.len();
    listed.sort();
    listed.dedup();
    assert_eq!((count, listed.len()), (21, 21));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listed_name_is_understood_shown_and_answers() {
    let host = Setup::new().start().await;
    for name in names(&host).await {
        let shown = host.post("/api/show", &json!({"model": name})).await;
        assert_eq!(shown.status, 200, "{name}: {}", shown.text);
        let shown = shown.json();
        let lengths = shown["model_info"].as_object().unwrap().keys().filter(|key| key.ends_with(".context_length"));
        assert_eq!(lengths.count(), 1, "{name}: {shown}");
        if shown["capabilities"] == json!(["embedding"]) {
            continue;
        }
        for form in forms(false) {
            let answer = host.ask(form, &name).await;
            assert_eq!(
                (answer.status, answer.header("x-router-attempts")),
                (200, Some("1")),
                "{name}: {}",
                answer.text
            );
            if name != "auto:latest" {
                assert_eq!(answer.header("x-router-model"), shown["remote_model"].as_str(), "{name}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_listed_with_what_clients_insist_on() {
    let mut model = entry("acme/fox-70b:free", 131_072);
    model["architecture"]["input_modalities"] = json!(["text", "image"]);
    let host = Setup::new().scenario(Scenario::quiet().catalog(catalog([model]))).start().await;
    let tags = host.get("/api/tags").await.json();
    let tag = &tags["models"][1];
    let fields = ["name", "model", "size", "remote_model", "remote_host", "modified_at", "capabilities", "details"];
    let details = json!({
        "parent_model": "", "format": "gguf", "family": "fox", "families": ["fox", "clip"],
        "parameter_size": "70B", "quantization_level": "unknown",
    });
    let expected = [
        json!("fox-70b:free"),
        json!("fox-70b:free"),
        json!(1),
        json!("acme/fox-70b:free"),
        json!("https://openrouter.ai"),
        json!("2026-06-01T00:00:00.000Z"),
        json!(["completion", "tools", "vision"]),
        details.clone(),
    ];
    assert_eq!(fields.map(|field| tag[field].clone()), expected);
    let digest = tag["digest"].as_str().unwrap();
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");

    let shown = host.post("/api/show", &json!({"name": "FOX-70B:free"})).await.json();
    assert_eq!((&shown["details"], &shown["capabilities"]), (&details, &tag["capabilities"]));
    assert_eq!(shown["model_info"]["fox.context_length"], 131_072);
    assert_eq!(shown["model_info"]["general.architecture"], "fox");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nobody_has_cannot_be_shown() {
    let host = Setup::new().start().await;
    for name in ["nothing", "aurelia/lumen-4-large"] {
        let answer = host.post("/api/show", &json!({"model": name})).await;
        let expected = json!({"error": format!("model '{name}' not found")});
        assert_eq!((answer.status, answer.json()), (404, expected));
    }
    let answer = host.post("/api/show", &json!({"model": "echo-v1.5:free"})).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_gone_is_shown_as_what_answers_in_its_place() {
    let host = Setup::new().start().await;
    let show = |name: &str| json!({"model": name});
    let gone = host.post("/api/show", &show("deepseek-chat-v3-0324:free")).await;
    assert_eq!((gone.status, gone.json()), (200, host.post("/api/show", &show("auto")).await.json()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answered_lately_counts_as_loaded() {
    let host = Setup::new().start().await;
    assert_eq!(host.get("/api/ps").await.json(), json!({"models": []}));
    host.ask(FORMS[3], "joiner-8b:free").await;
    host.ask(FORMS[4], "rowan-24b:free").await;
    let running = host.get("/api/ps").await.json();
    let mut loaded: Vec<&Value> = running["models"].as_array().unwrap().iter().map(|model| &model["name"]).collect();
    loaded.sort_by_key(|name| name.as_str());
    assert_eq!(loaded, ["joiner-8b:free", "rowan-24b:free"]);
    let expires: jiff::Timestamp = running["models"][0]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(expires > jiff::Timestamp::now());
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_clients_see_the_same_names() {
    let host = Setup::new().start().await;
    let list = host.get("/v1/models").await.json();
    let mut ids: Vec<&str> =
        list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((list["object"].as_str(), ids[0]), (Some("list"), "auto"));
    ids[0] = "auto:latest";
    ids.sort_unstable();
    let mut expected = names(&host).await;
    expected.sort();
    assert_eq!(ids, expected);
    for model in list["data"].as_array().unwrap() {
        assert_eq!(model["object"], "model");
        assert!(model["created"].as_u64().is_some_and(|created| created > 0), "{model}");
        assert!(model["owned_by"].as_str().is_some_and(|vendor| !vendor.is_empty()), "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cooling_model_stays_listed() {
    let host = Setup::new().models(&["acme/a:free", "acme/b:free"]).start().await;
    let before = names(&host).await;
    host.sandbox.script("acme/a:free", [Reply::harness_gate()]);
    host.ask(FORMS[0], "auto").await;
    assert_eq!(host.standing("acme/a:free").await.0, "cooling");
    assert_eq!(names(&host).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_file_and_the_modes_narrow_the_list() {
    let filter = "# only these\n\n  LUMEN:latest  \njoiner\t# all of them\n";
    let plain = |setup: Setup| setup.file("models-filter/filter", filter);
    let rows = [
        (
            plain(Setup::new()),
            vec!["lumen-4-large:free", "lumen-4-mini:free", "joiner-8b:free", "joiner-8b-short:free"],
        ),
        (plain(Setup::new().set("mode.tool_use_only", "true")), vec!["lumen-4-large:free", "lumen-4-mini:free"]),
        (
            plain(Setup::new().set("mode.free_mode", "false").set("mode.tool_use_only", "true")),
            vec!["lumen-4-large:latest", "lumen-4-large:free", "lumen-4-mini:free", "lumen-latest:latest"],
        ),
    ];
    for (setup, mut expected) in rows {
        let host = setup.start().await;
        let mut listed = names(&host).await;
        listed.retain(|name| name != "auto:latest");
        listed.sort();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    }
    let host = plain(Setup::new()).start().await;
    let answer = host.ask(FORMS[3], "borealis/skald-70b-instruct:free").await;
    assert_ne!(answer.header("x-router-model"), Some("borealis/skald-70b-instruct:free"), "it is filtered out");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_anything_can_be_used() {
    let host = Setup::new().models(&["acme/a:free", "acme/b:free"]).start().await;
    let answer = host.get("/health").await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok", "models": 2})));
    let only_paid = Scenario::quiet().catalog(catalog([paid("acme/dear", 100_000)]));
    let host = Setup::new().scenario(only_paid).start().await;
    let answer = host.get("/health").await;
    assert_eq!((answer.status, answer.json()), (503, json!({"status": "no models", "models": 0})));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sees_modes_models_policy_and_upstream() {
    let host = Setup::new().models(&["acme/a:free"]).start().await;
    host.ask(FORMS[3], "auto").await;
    let status = host.status().await;
    let fields = ["simulated", "free_mode", "tool_use_only", "upstream"].map(|field| status[field].clone());
    let upstream = json!(host.sandbox.base_url());
    assert_eq!(fields, [json!(true), json!(true), json!(false), upstream]);
    assert_eq!((&status["account"]["limit"], &status["account"]["keys_usable"]), (&Value::Null, &json!(1)));
    assert_eq!((&status["catalog"]["models"], &status["catalog"]["visible"]), (&json!(1), &json!(1)));
    assert_eq!((&status["policy"]["name"], &status["policy"]["source"]), (&json!("free-mode"), &json!("embedded")));
    let row = &status["models"][0];
    assert_eq!((&row["id"], &row["state"]["recent_successes"]), (&json!("acme/a:free"), &json!(1)));
    assert!(!status.to_string().contains("sk-or-v1-test"), "the key is in {status}");
}
