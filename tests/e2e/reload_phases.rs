//! How a reload went: each phase with its end, of one policy or of all, and what a
//! change must be able to do before it is put in force.

use serde_json::{Value, json};

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS, marked},
    support::{
        Host, PATIENCE, POLICY, Setup,
        ask::{FORMS, Told},
    },
};

const EMBEDDED: &[u8] = ollama_router::policy::EMBEDDED;

/// A guest with a schema of at most 25 bytes for its settings.
fn with_schema(schema: &str) -> Guest {
    let text = format!("For tests.{}", schema.replace('"', "\\\""));
    Guest::sound().replace("For tests.{}", &text).replace("39 2 0 0", &format!("39 {} 0 0", schema.len()))
}

/// Returns whose phases there were, which, and how they ended.
fn phases(report: &Value) -> Vec<[String; 3]> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = report["phases"].as_array().unwrap().iter();
    rows.map(|row| ["policy", "phase", "status"].map(|field| text(row, field))).collect()
}

fn row(policy: &str, phase: &str, status: &str) -> [String; 3] {
    [policy, phase, status].map(str::to_owned)
}

impl Host {
    /// Waits until what was swapped in is reported too, and returns the report.
    async fn last_reload(&self) -> Value {
        let told = async {
            loop {
                let told = self.get("/router/policy/reload").await.json();
                if !told.is_null() {
                    return told;
                }
            }
        };
        tokio::time::timeout(PATIENCE, told).await.expect("no reload is reported")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_phase_is_told_and_what_is_kept_is_not_made_again() {
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    host.write(POLICY, Guest::sound().component());
    host.generation(|number| number == 2).await;
    let last = host.last_reload().await;
    let file = std::path::Path::new(POLICY).file_name().unwrap().to_str().unwrap();
    let of_file = ["read", "parse", "imports", "version", "compile", "instantiate", "describe", "settings"];
    let mut expected = vec![row("configuration", "read", "ok")];
    expected.extend(of_file.into_iter().chain(["configure", "load-catalog"]).map(|phase| row(file, phase, "ok")));
    expected.extend(["probe", "warm", "swap"].map(|phase| row("reversed/1.0.0", phase, "ok")));
    assert_eq!(phases(&last), expected);
    assert_eq!((&last["cause"], &last["changed"], &last["refused"]), (&json!("files"), &json!(true), &json!(null)));

    let (status, report) = host.reload().await;
    let kept = [row("configuration", "read", "ok"), row(file, "read", "ok"), row(file, "compile", "kept")];
    assert_eq!((status, phases(&report)), (200, kept.to_vec()));

    host.write(POLICY, "no policy");
    let (status, report) = host.reload().await;
    let failed = [row("configuration", "read", "ok"), row(file, "read", "ok"), row(file, "parse", "failed")];
    assert_eq!((status, phases(&report)), (422, failed.to_vec()));
    // The row has the file's name beside it.
    assert_eq!(report["phases"][2]["reason"], "it is no WebAssembly");
    let told = format!("{}: it is no WebAssembly", host.path(POLICY).display());
    assert_eq!(report["refused"]["reason"], told);
    assert_eq!(host.last_reload().await["refused"], report["refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_settings_alone_compiles_nothing() {
    let config = |settings: &Value| json!({"policy": {"module": "one.wasm", "settings": settings}}).to_string();
    let setup = Setup::new().models(&MODELS).file("one.wasm", Guest::sound().component());
    let host = setup.file("config.yaml", config(&json!({}))).start().await;
    host.write("config.yaml", config(&json!({"colour": "red"})));
    host.generation(|number| number == 2).await;
    let last = host.last_reload().await;
    let taken = phases(&last);
    assert_eq!(last["changed"], true);
    assert!(taken.contains(&row("one.wasm", "compile", "kept")), "{taken:?}");
    assert!(!taken.contains(&row("one.wasm", "compile", "ok")), "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_held_against_the_schema_before_the_policy_sees_them() {
    let config = |settings: &Value| json!({"policy": {"module": "one.wasm", "settings": settings}}).to_string();
    let setup = Setup::new().models(&MODELS).file("one.wasm", with_schema(r#"{"maxProperties":0}"#).component());
    let host = setup.file("config.yaml", config(&json!({}))).start().await;
    assert_eq!(Told::by(&host.ask(FORMS[0], "auto").await), Told::hello(BY_GUEST, 1, None));
    host.write("config.yaml", config(&json!({"colour": "red"})));
    let (status, report) = host.reload().await;
    let told = r#"policy.settings: {"colour":"red"} has more than 0 properties"#;
    assert_eq!((status, &report["refused"]), (422, &json!({"phase": "settings", "reason": told})));

    host.write("config.yaml", config(&json!({})));
    host.write("one.wasm", with_schema(r#"{"type":"strnig"}"#).component());
    let (status, report) = host.reload().await;
    let reason = report["refused"]["reason"].as_str().unwrap();
    assert_eq!((status, &report["refused"]["phase"]), (422, &json!("settings")));
    assert!(reason.starts_with("its schema of the settings cannot be used: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_policy_of_several_is_reloaded_by_its_name() {
    let config = json!({"policy": {"chain": ["first.wasm", "second.wasm"]}}).to_string();
    let setup =
        Setup::new().models(&MODELS).file("first.wasm", EMBEDDED).file("second.wasm", Guest::sound().component());
    let host = setup.file("config.yaml", config).start().await;
    // The watch takes what is sound at once, so what it must leave alone is not.
    host.write("first.wasm", "no policy");
    let refused = async {
        while host.policy().await["refused"].is_null() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the watch saw nothing");
    host.write("second.wasm", Guest::sound().replace("1.0.0For", "1.0.1For").component());
    let reply = host.post_text("/router/policy/reload?name=reversed", "").await;
    let report = reply.json();
    assert_eq!((reply.status, &report["chain"]), (200, &json!("free-mode/0.1.0, reversed/1.0.1")), "{report}");

    let unknown = host.post_text("/router/policy/reload?name=nobody", "").await;
    let told = "no policy in force is called 'nobody'; there are: free-mode, reversed";
    assert_eq!((unknown.status, unknown.json()), (404, json!({"error": told})));
    let (status, report) = host.reload().await;
    assert_eq!((status, &report["refused"]["phase"]), (422, &json!("parse")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_cannot_decide_a_request_of_late_is_not_put_in_force() {
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    let form = FORMS[0];
    assert_eq!(Told::by(&host.post(form.path, &marked(form)).await), Told::hello(BY_EMBEDDED, 1, None));
    host.write(POLICY, Guest::sound().when_marked("unreachable").component());
    for path in ["/router/policy/reload?dry_run=true", "/router/policy/reload"] {
        let reply = host.post_text(path, "").await;
        let refused = reply.json()["refused"].take();
        let reason = refused["reason"].as_str().unwrap();
        assert_eq!((reply.status, &refused["phase"]), (422, &json!("probe")));
        assert!(reason.starts_with("it cannot decide a request of late, which was decided then: "), "{reason}");
    }
    assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(BY_EMBEDDED, 1, None));
}
