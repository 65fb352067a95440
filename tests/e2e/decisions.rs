//! The decision log, and what another policy would have decided by it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    guests::{Guest, MARK, MODELS, marked},
    support::{
        Host, POLICY, Setup,
        ask::FORMS,
        program::{Program, Ran},
    },
};

const LOG: &str = "logs/decisions.jsonl";

fn config(log: &str) -> String {
    json!({"policy": {"decision_log": log}}).to_string()
}

fn setup() -> Setup {
    Setup::new().models(&MODELS).file("config.yaml", config(LOG))
}

/// Has some decisions made, and returns the data folder with their log.
async fn decided(setup: Setup) -> TempDir {
    let host = setup.start().await;
    for model in ["auto", MODELS[1], "gone:free", MODELS[2]] {
        host.ask(FORMS[0], model).await;
    }
    host.stop().await
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Replays a log by a policy, with further arguments.
fn replay(folder: &Path, policy: &str, more: &[&str]) -> Ran {
    let (log, policy) = (folder.join(LOG).display().to_string(), policy.to_owned());
    Program::new().run(&[&["policy", "replay", &policy, "--log", &log], more].concat())
}

fn file(folder: &Path, guest: &Guest) -> String {
    let path: PathBuf = folder.join("other.wasm");
    fs::write(&path, guest.component()).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_decision_is_a_line_with_numbers_and_no_words_of_clients() {
    let folder = decided(setup()).await;
    let path = folder.path().join(LOG);
    let [head, decisions @ ..] = &lines(&path)[..] else { panic!("empty") };
    assert_eq!([&head["kind"], &head["generation"]], [&json!("generation"), &json!(1)]);
    assert_eq!(head["policies"][0]["name"], "free-mode");
    assert_eq!(head["policies"][0]["settings"], json!({"free_mode": true, "tool_use_only": false, "filter": []}));
    let ids: Vec<&Value> = head["catalog"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, MODELS);
    assert_eq!(decisions.len(), 4);
    let second = &decisions[1];
    assert_eq!(second["request"]["target"], json!({"model": 1}));
    assert_eq!([&second["candidates"], &second["by"]], [&json!([0, 1, 2]), &json!("policy")]);
    assert_eq!(second["decision"]["route"][0]["model"], 1);
    assert_eq!(second["facts"][0]["model"], 0, "the first has answered by then");
    assert_eq!(decisions[2]["request"]["target"], "gone");
    let text = fs::read_to_string(&path).unwrap();
    let asked = FORMS[0].body("auto", "hello").to_string();
    assert!(!text.contains("sk-or") && !text.contains("messages") && asked.contains("messages"), "{text}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_is_written_to_from_the_next_reload_on_and_after_a_cut_line_it_goes_on() {
    let host = setup().start().await;
    host.ask(FORMS[0], "auto").await;
    host.write("config.yaml", config("second.jsonl"));
    assert_eq!(host.reload().await.0, 200);
    host.ask(FORMS[0], "auto").await;
    // All that was decided is written when the first one has ended.
    let host = host.restart().await;
    let first = host.path(LOG);
    fs::write(&first, fs::read_to_string(&first).unwrap() + "{\"kind\": \"deci").unwrap();
    host.write("config.yaml", config(LOG));
    assert_eq!(host.reload().await.0, 200);
    host.ask(FORMS[0], "auto").await;
    let folder = host.stop().await;
    let kinds = |path: &str| {
        let lines = lines(&folder.path().join(path));
        lines.iter().map(|line| line["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("second.jsonl"), ["generation", "decision"]);
    assert_eq!(kinds(LOG), ["generation", "decision", "generation", "decision"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_decisions_are_told_with_ids() {
    let host = Setup::new().models(&MODELS).start().await;
    for model in [MODELS[0], MODELS[1], MODELS[2]] {
        host.ask(FORMS[0], model).await;
    }
    let told = host.get("/router/policy/decisions?last=2").await.json();
    let firsts: Vec<&Value> = told.as_array().unwrap().iter().map(|line| &line["decision"]["route"][0]["id"]).collect();
    assert_eq!(firsts, [MODELS[1], MODELS[2]], "{told}");
    assert_eq!(host.get("/router/policy/decisions").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_that_made_a_log_would_change_nothing_warm_or_fresh() {
    let same =
        "of 4 decisions 0 would change: 0 in their order alone, 0 in the first choice, 0 could not be made; 0 faults\n";
    let folder = decided(setup()).await;
    for more in [&[][..], &["--fresh"]] {
        let ran = replay(folder.path(), "free-mode", more);
        assert_eq!((ran.code, &*ran.out), (Some(0), same), "{more:?}: {}", ran.err);
    }
    let abstain = "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))";
    for guest in [Guest::sound(), Guest::sound().put("select", abstain)] {
        let folder = decided(setup().policy(guest.component())).await;
        let policy = folder.path().join(POLICY).display().to_string();
        for more in [&[][..], &["--fresh"]] {
            let ran = replay(folder.path(), &policy, more);
            assert_eq!((ran.code, &*ran.out), (Some(0), same), "{more:?}: {}", ran.err);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_policy_is_compared_by_its_first_choice_and_its_order() {
    let folder = decided(setup()).await;
    let compared = |policy: &str, more: &[&str]| {
        let ran = replay(folder.path(), policy, &[&["--json"], more].concat());
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let counts =
            ["decisions", "same", "other_order", "other_first", "failed"].map(|name| told[name].as_u64().unwrap());
        (ran.code, counts, told["policy"].as_str().unwrap().to_owned())
    };
    // It tries the last one first, which was asked for once.
    let reversed = file(folder.path(), &Guest::sound());
    assert_eq!(compared(&reversed, &[]), (Some(0), [4, 0, 1, 3, 0], "reversed/1.0.0".to_owned()));
    let settings = json!({"fallbacks": [MODELS[2]]}).to_string();
    let (code, [decisions, same, ..], _) = compared("free-mode", &["--settings", &settings]);
    assert!(code == Some(0) && decisions == 4 && same < 4, "{same}");
    let falling = file(
        folder.path(),
        &Guest::sound()
            .put("fields", "(global $seen (mut i32) (i32.const 0))")
            .put("select", "(if (global.get $seen) (then unreachable)) (global.set $seen (i32.const 1))"),
    );
    // The state of an instance is not that of the next one.
    let (code, [_, _, _, _, failed], _) = compared(&falling, &[]);
    assert_eq!((code, failed), (Some(1), 2));
    let (code, [_, _, _, _, failed], _) = compared(&falling, &["--fresh"]);
    assert_eq!((code, failed), (Some(0), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_other_settings_hide_are_not_offered_and_that_is_no_fault() {
    let folder = decided(setup()).await;
    for (filter, others, [order, first, not_made]) in [
        ("third", "1 in their order alone, 3 in the first choice, 0 could not be made", [1, 3, 0]),
        ("nobody", "0 in their order alone, 0 in the first choice, 4 could not be made", [0, 0, 4]),
    ] {
        let settings = json!({"filter": [filter]}).to_string();
        for more in [&[][..], &["--fresh"]] {
            let ran = replay(folder.path(), "free-mode", &[&["--settings", &settings], more].concat());
            let told = format!("of 4 decisions 4 would change: {others}; 0 faults\n");
            assert_eq!((ran.code, &*ran.out, &*ran.err), (Some(0), &*told, ""), "{more:?}");
        }
        let ran = replay(folder.path(), "free-mode", &["--settings", &settings, "--json"]);
        let told: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let counts = json!({"policy": "free-mode/0.1.0", "decisions": 4, "same": 0, "other_order": order,
                            "other_first": first, "not_made": not_made, "failed": 0});
        assert_eq!((ran.code, told), (Some(0), counts));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_told_with_its_line_and_its_reason() {
    let folder = decided(setup()).await;
    let path = folder.path().join(LOG);
    let whole = fs::read_to_string(&path).unwrap();
    let ran = replay(folder.path(), &path.display().to_string(), &[]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{}", ran.err);
    assert!(ran.err.contains("is refused: parse: "), "{}", ran.err);
    let wrong = replay(folder.path(), "free-mode", &["--settings", r#"{"fallbacks": 1}"#]);
    assert!(wrong.code == Some(1) && wrong.err.contains("settings: policy.settings/fallbacks: "), "{wrong:?}");

    let cut = whole.len() - 20;
    fs::write(&path, &whole[..cut]).unwrap();
    let ran = replay(folder.path(), "free-mode", &[]);
    assert!(ran.code == Some(0) && ran.out.starts_with("of 3 decisions 0 would change"), "{ran:?}");
    assert!(ran.err.contains("line 5, the last one, is cut short and left out"), "{}", ran.err);
    let headless = whole.split_once('\n').unwrap().1;
    for (text, number) in
        [(whole.replacen("\"kind\":\"decision\"", "\"kind\":\"decided\"", 1), 2), (headless.to_owned(), 1)]
    {
        fs::write(&path, text).unwrap();
        let ran = replay(folder.path(), "free-mode", &[]);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{}", ran.err);
        assert!(ran.err.contains(&format!("cannot read line {number} of ")), "{}", ran.err);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(replay(folder.path(), "free-mode", &[]).code, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_of_a_stand_in_says_so() {
    let falling = Guest::sound().when_marked("unreachable").component();
    let host: Host = setup().policy(falling).start().await;
    host.post(FORMS[0].path, &marked(FORMS[0])).await;
    let lines = lines_after(host).await;
    assert_eq!([&lines[1]["by"], &lines[1]["request"]["output_tokens"]], [&json!("embedded"), &json!(MARK)]);
}

async fn lines_after(host: Host) -> Vec<Value> {
    let folder = host.stop().await;
    lines(&folder.path().join(LOG))
}
