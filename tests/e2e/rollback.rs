//! Changes that fail, and the way back: history, rollback, probation, the breaker.
//!
//! What is refused before it comes into force is in `reload`; here it came into
//! force and proved bad.

use serde_json::{Value, json};

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Guest, MODELS, SOUND, marked},
    support::{
        Host, POLICY, Reply, Setup,
        ask::{FORMS, Told},
    },
};

const EMBEDDED: &[u8] = ollama_router::policy::EMBEDDED;
const DEFAULT: &str = "free-mode/0.1.0";

/// A sound policy that falls over requests with the mark.
fn falling() -> Vec<u8> {
    Guest::sound().when_marked("unreachable").component()
}

impl Host {
    async fn history(&self) -> Vec<(u64, String, String, Option<String>)> {
        let rows = self.get("/router/policy/history").await.json();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let row = |row: &Value| {
            let number = row["generation"].as_u64().unwrap();
            (number, text(&row["policy"]).unwrap(), text(&row["state"]).unwrap(), text(&row["why"]))
        };
        rows.as_array().unwrap().iter().map(row).collect()
    }

    async fn roll_back(&self, asked: &Value) -> (u16, Value) {
        let reply = self.post("/router/policy/rollback", asked).await;
        (reply.status, reply.json())
    }

    /// Asks what makes a marked guest fall over, and returns the answer.
    async fn ask_marked(&self) -> Reply {
        self.post(FORMS[0].path, &marked(FORMS[0])).await
    }
}

fn past(number: u64, policy: &str, state: &str) -> (u64, String, String, Option<String>) {
    (number, policy.to_owned(), state.to_owned(), None)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_goes_back_and_the_files_are_held_back_until_they_change_or_are_called_for() {
    let guest = Guest::sound().component();
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    host.write(POLICY, &guest);
    assert_eq!(host.reload().await.0, 200);
    assert_eq!(host.history().await, [past(1, DEFAULT, "replaced"), past(2, SOUND, "in force")]);

    let (status, report) = host.roll_back(&json!({})).await;
    assert_eq!((status, &report["changed"], &report["generation"]), (200, &json!(true), &json!(3)), "{report}");
    assert_eq!(Told::by(&host.ask(FORMS[0], "auto").await), Told::hello(BY_EMBEDDED, 1, None));
    assert_eq!(host.policy().await["state"], "active (rolled back on call)");
    let [first, given_up, now] = &host.history().await[..] else { panic!("three") };
    assert_eq!((first, now), (&past(1, DEFAULT, "replaced"), &past(3, DEFAULT, "in force")));
    assert_eq!((given_up.2.as_str(), given_up.3.as_deref()), ("rolled back", Some("an operator asked for it")));

    // The same file again is no change, and a filter is none of the policy.
    host.write(POLICY, &guest);
    host.write("models-filter/filter", "first\nsecond\nthird\n");
    host.generation(|number| number > 3).await;
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(BY_EMBEDDED));
    // A call is meant.
    let (status, report) = host.reload().await;
    assert_eq!((status, &report["changed"], &report["policy"]), (200, &json!(true), &json!("reversed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_of_the_last_five_can_be_gone_back_to_and_no_other() {
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    let guest = |version: u32| Guest::sound().replace("1.0.0", &format!("{version}.0.0")).component();
    for version in 1..=6 {
        host.write(POLICY, guest(version));
        assert_eq!(host.reload().await.0, 200);
    }
    let kept: Vec<u64> = host.history().await.iter().map(|past| past.0).collect();
    assert_eq!(kept, [3, 4, 5, 6, 7]);
    let gone = |number: u64| format!("generation {number} is not among those that are kept: see `policy history`");
    let now = "generation 7 is in force: nothing to roll back to".to_owned();
    for (number, reason) in [(2, gone(2)), (7, now), (99, gone(99))] {
        let (status, report) = host.roll_back(&json!({"generation": number})).await;
        assert_eq!((status, &report["refused"]), (422, &json!({"phase": "rollback", "reason": reason})));
    }
    let (status, report) = host.roll_back(&json!({"generation": 4})).await;
    assert_eq!((status, &report["version"]), (200, &json!("3.0.0")), "{report}");
    let (status, report) = host.roll_back(&json!({"generation": 4})).await;
    let same = "generation 4 decides as generation 8 does, which is in force: nothing to roll back to";
    assert_eq!((status, &report["refused"]["reason"]), (422, &json!(same)));
    let reply = host.request("POST", "/router/policy/rollback", &[], "{").await;
    assert_eq!(reply.status, 400, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_tells_for_each_why_it_came_and_what_it_changed() {
    let config = |more: &str| format!("policy: {{module: one.wasm, settings: {{{more}}}}}\n");
    let setup = Setup::new().file("one.wasm", Guest::sound().component()).file("config.yaml", config("a: 1"));
    let host = setup.models(&MODELS).start().await;
    host.write("models-filter/filter", "first\n");
    host.generation(|number| number == 2).await;
    host.write("config.yaml", config("a: 2") + "mode: {tool_use_only: true}\n");
    host.generation(|number| number == 3).await;
    let told = async || {
        let rows = host.get("/router/policy/history").await.json();
        let row = |row: &Value| json!([row["generation"], row["cause"], row["changed"]]);
        rows.as_array().unwrap().iter().map(row).collect::<Vec<_>>()
    };
    let expected =
        [json!([1, "start", []]), json!([2, "files", ["filter"]]), json!([3, "files", ["settings", "mode"]])];
    assert_eq!(told().await, expected);
    let (status, report) = host.roll_back(&json!({"generation": 1})).await;
    assert_eq!((status, &report["generation"]), (200, &json!(4)));
    let state = host.get("/router/status").await.json();
    assert_eq!(state["degraded"], json!([]), "nobody is to be woken for what was asked for");
    assert_eq!(host.reload().await.0, 200);
    // What the files say beside the policy may have been read in between, by a late event.
    let rows = told().await;
    assert!(rows.contains(&json!([4, "rollback", ["settings", "filter", "mode"]])), "{rows:?}");
    assert_eq!(rows.last().unwrap()[1], "call", "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_earlier_policy_there_is_nothing_to_go_back_to() {
    let host = Setup::new().models(&MODELS).start().await;
    let (status, report) = host.roll_back(&json!({})).await;
    let reason = "no other policy or settings were in force before, since the router started";
    assert_eq!((status, &report["refused"]["reason"]), (422, &json!(reason)));
    assert_eq!(host.policy().await["generation"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_on_probation_is_rolled_back_by_itself_and_says_why() {
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    host.write(POLICY, falling());
    assert_eq!(host.reload().await.0, 200);
    assert_eq!(host.policy().await["state"], "on probation");
    // No request is lost by it.
    for _ in 0..5 {
        let reply = host.ask_marked().await;
        assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None));
        assert_eq!(reply.header("x-router-policy"), Some("reversed/1.0.0; generation=2; fallback"));
    }
    host.generation(|number| number == 3).await;
    assert_eq!(host.ask_marked().await.header("x-router-policy"), Some("free-mode/0.1.0; generation=3"));
    let past = host.history().await;
    let why = past[1].3.as_deref().unwrap();
    assert!(why.starts_with("reversed/1.0.0 failed too often, the last time so: the policy trapped: "), "{why}");
    let told: Vec<(u64, &str)> = past.iter().map(|past| (past.0, past.2.as_str())).collect();
    assert_eq!(told, [(1, "replaced"), (2, "rolled back"), (3, "in force")]);

    // The same file does not come back by itself; another one does.
    host.write(POLICY, falling());
    host.write("models-filter/filter", "first\nsecond\nthird\n");
    host.generation(|number| number > 3).await;
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(BY_EMBEDDED));
    host.write(POLICY, Guest::sound().component());
    host.decided_by_guest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_policy_cannot_bear_are_rolled_back_too() {
    // It falls over once it is told anything at all of its own.
    let config = |settings: &str| format!("policy: {{module: one.wasm, settings: {settings}}}\n");
    let guest = Guest::sound().when_marked("unreachable").component();
    let setup = Setup::new().models(&MODELS).file("one.wasm", &guest).file("config.yaml", config("{a: 1}"));
    let host = setup.start().await;
    host.write("config.yaml", config("{a: 2}"));
    host.generation(|number| number == 2).await;
    for _ in 0..5 {
        host.ask_marked().await;
    }
    host.generation(|number| number == 3).await;
    assert_eq!(host.history().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_keeps_failing_is_left_alone_and_tried_again() {
    let host = Setup::new().models(&MODELS).policy(falling()).start().await;
    for _ in 0..5 {
        assert_eq!(host.ask_marked().await.header("x-router-model"), Some(BY_EMBEDDED));
    }
    assert_eq!((host.policy().await["state"].take(), host.faults().await), (json!("left alone"), 5));
    // It is not asked, so it cannot fail, and the request is answered.
    let reply = host.ask_marked().await;
    assert_eq!(reply.header("x-router-policy"), Some("reversed/1.0.0; generation=1; fallback"));
    assert_eq!(host.faults().await, 5);
    // After a while one request tries it, and all is well.
    host.decided_by_guest().await;
    assert_ne!(host.policy().await["state"], "left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_policy_decides_before_the_embedded_one_does() {
    let host = Setup::new().models(&MODELS).policy(Guest::sound().component()).start().await;
    let forward =
        "(call $pick (i32.const 512) (i32.const 1) (f32.const 1)) (return (call $route (i32.const 512) (i32.const 1)))";
    let next = Guest::sound().when_marked("unreachable").put("select", forward).replace("1.0.0", "2.0.0");
    host.write(POLICY, next.component());
    assert_eq!(host.reload().await.0, 200);
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(MODELS[1]));
    let reply = host.ask_marked().await;
    assert_eq!(reply.header("x-router-model"), Some(BY_GUEST), "as the one before it would have");
    assert_eq!(reply.header("x-router-policy"), Some("reversed/2.0.0; generation=2; fallback"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing_and_tells_what_would() {
    let host = Setup::new().models(&MODELS).policy(EMBEDDED).start().await;
    for model in ["auto", "auto", MODELS[1]] {
        host.ask(FORMS[0], model).await;
    }
    let dry_run = async || {
        let reply = host.request("POST", "/router/policy/reload?dry_run=true", &[], "").await;
        (reply.status, reply.json())
    };
    let (status, report) = dry_run().await;
    let same = json!({"chain": DEFAULT, "shown": [], "hidden": [], "decisions": 3, "other_order": 0, "other_first": 0, "failed": 0});
    assert_eq!((status, &report["changed"], &report["dry_run"]), (200, &json!(false), &same));

    // After a way back the files say something else than what is in force.
    host.write(POLICY, Guest::sound().component());
    assert_eq!(host.reload().await.0, 200);
    assert_eq!(host.roll_back(&json!({})).await.0, 200);
    let (status, report) = dry_run().await;
    let others = json!({"chain": SOUND, "shown": [], "hidden": [], "decisions": 3, "other_order": 0, "other_first": 3, "failed": 0});
    assert_eq!((status, &report["generation"], &report["dry_run"]), (200, &json!(3), &others));
    assert_eq!(host.ask(FORMS[0], "auto").await.header("x-router-model"), Some(BY_EMBEDDED));

    host.write(POLICY, "no policy");
    let (status, report) = dry_run().await;
    assert_eq!((status, &report["refused"]["phase"], &report["changed"]), (422, &json!("parse"), &json!(false)));
}
