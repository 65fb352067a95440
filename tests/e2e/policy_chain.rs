//! Several policies, each narrowing or reordering what the one before it left, and
//! a policy that is asked along and never heeded.

use serde_json::{Value, json};

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS, SOUND, marked},
    support::{
        Host, PATIENCE, Setup,
        ask::{FORMS, Told},
    },
};

/// Starts a router with these policies of its data folder.
async fn start(policy: &Value, files: &[(&str, Vec<u8>)]) -> Host {
    let config = json!({"policy": policy}).to_string();
    let setup = Setup::new().models(&MODELS).file("config.yaml", config);
    files.iter().fold(setup, |setup, (path, bytes)| setup.file(path, bytes)).start().await
}

/// A policy that shows all models but one, and has no opinion of the order.
fn without(number: u32) -> Vec<u8> {
    let abstain = "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))";
    let shown: Vec<u32> = (0..3).filter(|other| *other != number).collect();
    let view = format!(
        "(i64.store (i32.const 512) (i64.const {})) (return (call $view (i32.const 512) (i32.const 2)))",
        u64::from(shown[1]) << 32 | u64::from(shown[0])
    );
    Guest::sound().put("load-catalog", &view).put("select", abstain).replace("reversed", "narrower").component()
}

/// A policy that leaves the first candidate alone.
fn only_the_first() -> Vec<u8> {
    let first = "(call $pick (i32.const 512) (call $candidate (local.get $ask) (i32.const 0)) (f32.const 1))
        (return (call $route (i32.const 512) (i32.const 1)))";
    Guest::sound().put("select", first).replace("reversed", "first1st").component()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_opinion_counts_among_what_the_others_left() {
    let sound = || Guest::sound().component();
    let rows: [(Value, &str); 5] = [
        (json!(["guest.wasm", "free-mode"]), BY_EMBEDDED),
        (json!(["free-mode", "guest.wasm"]), BY_GUEST),
        (json!(["guest.wasm", "first.wasm"]), BY_GUEST),
        (json!(["first.wasm", "guest.wasm"]), BY_EMBEDDED),
        (json!(["guest.wasm", "narrower.wasm"]), BY_GUEST),
    ];
    for (chain, first) in rows {
        let files = [("guest.wasm", sound()), ("first.wasm", only_the_first()), ("narrower.wasm", without(1))];
        let host = start(&json!({"chain": chain}), &files).await;
        for form in FORMS {
            assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(first, 1, None), "{chain} {form:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_see_what_every_policy_shows_and_headers_name_them_all() {
    let host =
        start(&json!({"chain": [{"module": "narrower.wasm"}, "free-mode"]}), &[("narrower.wasm", without(0))]).await;
    let models = host.get("/router/models").await.json();
    let ids: Vec<&str> = models.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [MODELS[1], MODELS[2]]);
    let reply = host.ask(FORMS[0], "auto").await;
    assert_eq!(Told::by(&reply), Told::hello(MODELS[1], 1, None));
    assert_eq!(reply.header("x-router-policy"), Some("narrower/1.0.0, free-mode/0.1.0; generation=1"));
    let rows = host.get("/router/policy").await.json();
    let told = |field: &str| rows.as_array().unwrap().iter().map(|row| row[field].clone()).collect::<Vec<_>>();
    assert_eq!((told("name"), told("calls")), (vec![json!("narrower"), json!("free-mode")], vec![json!(1), json!(1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_one_is_a_fault_of_all_and_a_bad_one_is_named_by_its_place() {
    let falling = Guest::sound().when_marked("unreachable").component();
    let host = start(&json!({"chain": ["free-mode", "falling.wasm"]}), &[("falling.wasm", falling)]).await;
    let reply = host.post(FORMS[0].path, &marked(FORMS[0])).await;
    assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None));
    let policy = "free-mode/0.1.0, reversed/1.0.0; generation=1; fallback";
    assert_eq!(reply.header("x-router-policy"), Some(policy));

    let bad = Guest::sound().put("describe", "unreachable").component();
    let host = start(&json!({"chain": ["free-mode", "bad.wasm"]}), &[("bad.wasm", bad)]).await;
    let refused = host.policy().await["refused"].take();
    let reason = refused["reason"].as_str().unwrap();
    assert_eq!(refused["phase"], "describe");
    assert!(reason.starts_with("policy.chain[1]: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_policy_of_a_chain_is_told_its_own_settings_and_a_change_of_one_is_a_change() {
    let config = |patterns: &Value| {
        json!({"policy": {"chain": [{"module": "free-mode", "settings": {"filter": patterns}}, "guest.wasm"]}})
            .to_string()
    };
    let setup = Setup::new().models(&MODELS).file("guest.wasm", Guest::sound().component());
    let host = setup.file("config.yaml", config(&json!(["first", "second"]))).start().await;
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(MODELS[1]));
    host.write("config.yaml", config(&json!(["first"])));
    host.generation(|number| number == 2).await;
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(MODELS[0]));
    host.write("config.yaml", config(&json!("no list")));
    let (status, report) = host.reload().await;
    assert_eq!((status, &report["refused"]["phase"]), (422, &json!("settings")));
    let reason = report["refused"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("policy.chain[0]: policy.settings/filter: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_decides_along_and_is_compared_and_never_heeded() {
    let policy =
        json!({"module": null, "shadow": {"module": "guest.wasm", "sample": 1}, "decision_log": "decisions.jsonl"});
    let falling = Guest::sound().when_marked("unreachable").component();
    let host = start(&policy, &[("guest.wasm", falling)]).await;
    for form in FORMS {
        assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(BY_EMBEDDED, 1, None), "{form:?}");
    }
    assert_eq!(Told::by(&host.post(FORMS[0].path, &marked(FORMS[0])).await), Told::hello(BY_EMBEDDED, 1, None));
    // Alone it has one candidate, and decides the same.
    let asked = u64::try_from(FORMS.len()).unwrap();
    let compared = host.compared_until(|compared| compared["other_first"] == asked && compared["failed"] == 1).await;
    assert_eq!((&compared["same"], &compared["other_order"]), (&json!(0), &json!(0)));
    let rows = host.get("/router/policy").await.json();
    assert_eq!(
        (&rows[0]["name"], &rows[1]["name"], &rows[1]["state"]),
        (&json!("free-mode"), &json!("reversed"), &json!("shadow"))
    );
    assert_eq!(rows[0]["faults"], 0);
    let metrics = host.get("/metrics").await.text;
    for line in [
        "policy_shadow_decisions_total{policy=\"reversed\",version=\"1.0.0\",verdict=\"first\"} 12",
        "policy_shadow_decisions_total{policy=\"reversed\",version=\"1.0.0\",verdict=\"failed\"} 1",
        "policy_left_alone{policy=\"free-mode\",version=\"0.1.0\"} 0",
        "policy_on_probation 0",
        "decision_log_dropped_total 0",
    ] {
        assert!(metrics.contains(&format!("ollama_router_{line}\n")), "{line}: {metrics}");
    }

    // What it said is written down beside what was decided, and found by the number.
    let folder = host.stop().await;
    let text = std::fs::read_to_string(folder.path().join("decisions.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let (decisions, asides) = (of("decision"), of("shadow"));
    assert_eq!((decisions.len(), asides.len()), (FORMS.len() + 1, FORMS.len() + 1));
    for aside in asides {
        let decision = decisions.iter().find(|line| line["request"]["seed"] == aside["seed"]).unwrap();
        assert_eq!((&aside["policy"], &aside["at_ms"]), (&json!(SOUND), &decision["request"]["now_ms"]));
        let first = |line: &Value| line["decision"]["route"][0]["model"].clone();
        let told = (aside["verdict"].as_str().unwrap(), first(decision), first(aside));
        assert!(matches!(told.0, "first" | "failed"), "{aside}");
        assert_eq!((told.1, told.2), (json!(0), if told.0 == "first" { json!(2) } else { json!(null) }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_without_a_share_is_never_asked() {
    let policy = json!({"shadow": {"module": "guest.wasm", "sample": 0}});
    let host = start(&policy, &[("guest.wasm", Guest::sound().component())]).await;
    for form in FORMS {
        assert_eq!(host.ask(form, "auto").await.status, 200);
    }
    let calls = host.get("/router/policy").await.json()[1]["calls"].take();
    assert_eq!((calls, &host.policy().await["name"]), (json!(0), &json!("free-mode")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_ends_the_chain() {
    let deny = "(i64.store (i32.const 256) (i64.const 0x200000000)) (i32.store (i32.const 264) (i32.const 451))
        (i32.store (i32.const 268) (i32.const 16)) (i32.store (i32.const 272) (i32.const 8))
        (i32.store (i32.const 276) (i32.const 29)) (i32.store (i32.const 280) (i32.const 10)) (return (i32.const 256))";
    let denies = Guest::sound().when_marked(deny).component();
    let host = start(&json!({"chain": ["denies.wasm", "free-mode"]}), &[("denies.wasm", denies)]).await;
    let reply = host.post(FORMS[0].path, &marked(FORMS[0])).await;
    assert_eq!((reply.status, host.called()), (451, Vec::new()), "{}", reply.text);
    assert_eq!(Told::by(&host.ask(FORMS[0], "auto").await), Told::hello(BY_EMBEDDED, 1, None));
    assert_eq!(SOUND, "reversed/1.0.0");
}

impl Host {
    /// Asks how the shadow compares until that satisfies a condition.
    async fn compared_until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let reached = async {
            loop {
                let compared = self.get("/router/policy").await.json()[1]["compared"].take();
                if wanted(&compared) {
                    return compared;
                }
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the shadow did not get there")
    }
}
