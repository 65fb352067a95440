//! The commands for those who write policies: `policy check`, `inspect`, `run` and
//! `bench`; `new` is in `new_policy.rs`.
//!
//! The real binary, in a home folder without a configuration: none of them needs a
//! router, a network or a key. The guests are made of WebAssembly text.

use std::fs;

use ollama_router::policy::{EMBEDDED, component};
use serde_json::{Value, json};

use crate::{
    guests::{Guest, LOOP, SOUND},
    support::program::{Program, Ran},
};

const FILE: &str = "mine.wasm";

/// The phases of a reload, without the pin.
const PHASES: [&str; 11] = [
    "read",
    "parse",
    "imports",
    "version",
    "compile",
    "instantiate",
    "describe",
    "settings",
    "configure",
    "load-catalog",
    "probe",
];

/// A home folder with a policy in it.
fn with(policy: &[u8]) -> Program {
    let program = Program::new();
    fs::write(program.path(FILE), policy).unwrap();
    program
}

fn ended(ran: &Ran, code: i32) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
}

fn parsed(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// The lines of a table, each with single spaces.
fn lines(ran: &Ran) -> Vec<String> {
    ran.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn check_takes_a_sound_policy_through_every_phase() {
    let program = with(&Guest::sound().component());
    let ran = program.run(&["policy", "check", FILE]);
    ended(&ran, 0);
    let told: Vec<String> = lines(&ran);
    assert_eq!(told[0], "PHASE STATUS TIME");
    for (line, phase) in told[1..].iter().zip(PHASES) {
        let words: Vec<&str> = line.split(' ').collect();
        let [named, "ok", ms, "ms"] = words[..] else { panic!("{line}") };
        assert!(named == phase && ms.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(told.len(), 1 + PHASES.len());
    assert_eq!(ran.err, format!("{SOUND} is sound; it shows 8 of 12 models\n"));

    // What was compiled is kept for the next command and for a router; nothing else is left out.
    let again = lines(&program.run(&["policy", "check", FILE]));
    let ends: Vec<&str> = again.iter().skip(1).filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(ends, ["ok", "ok", "ok", "ok", "kept", "ok", "ok", "ok", "ok", "ok", "ok"]);

    let rows = parsed(&program.run(&["policy", "check", FILE, "--json"]));
    let phases: Vec<&Value> = rows.as_array().unwrap().iter().map(|row| &row["phase"]).collect();
    assert_eq!(phases, PHASES);
    assert!(rows.as_array().unwrap().iter().all(|row| row["ok"] == true && row["reason"].is_null()), "{rows}");
    assert!(program.run(&["policy", "check", FILE, "--free-mode=false"]).err.contains("8 of 12"));
}

#[test]
fn check_ends_at_the_first_phase_that_refuses_and_says_why() {
    let trap = Guest::sound().put("configure", "(unreachable)").component();
    let endless = Guest::sound().put("select", LOOP).component();
    let foreign = Guest::sound().replace("\"reversed", "\"rev rsed").component();
    let rows: [(&[u8], &str, &str); 5] = [
        (b"hello", "parse", "it is no WebAssembly"),
        (b"", "parse", "the file is empty"),
        (&foreign, "describe", "its name or version is not like `free-mode` and `0.1.0`"),
        (&trap, "configure", "wasm `unreachable` instruction executed"),
        (&endless, "probe", "the policy took longer than its 50 ms"),
    ];
    for (file, phase, reason) in rows {
        let program = with(file);
        let ran = program.run(&["policy", "check", FILE]);
        ended(&ran, 1);
        let last = ran.out.lines().last().unwrap();
        assert!(last.starts_with(phase) && last.contains("FAILED"), "{ran:?}");
        assert!(ran.err.starts_with(&format!("refused at {phase}: ")) && ran.err.contains(reason), "{ran:?}");
        let passed = PHASES.iter().position(|known| *known == phase).unwrap();
        assert_eq!(ran.out.matches(" ok ").count(), passed, "{ran:?}");

        let ran = program.run(&["policy", "check", FILE, "--json"]);
        ended(&ran, 1);
        let last = parsed(&ran).as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["phase"], &last["ok"]), (&json!(phase), &json!(false)));
        assert!(last["reason"].as_str().unwrap().contains(reason), "{last}");
    }
    let ran = Program::new().run(&["policy", "check", "nowhere.wasm"]);
    ended(&ran, 1);
    assert!(ran.err.starts_with("refused at read: cannot open nowhere.wasm"), "{ran:?}");
}

#[test]
fn what_was_compiled_is_kept_for_other_commands_and_none_fails_where_it_cannot_be() {
    let program = with(&Guest::sound().component());
    ended(&program.run(&["policy", "check", FILE]), 0);
    let kept = || fs::read_dir(program.path(".config/ollama-router/cache")).unwrap().count();
    let before = kept();
    ended(&program.run(&["policy", "replay", FILE, "--log", "none"]), 2);
    ended(&program.run(&["policy", "run", FILE]), 0);
    // The policy and the key.
    assert_eq!((before, kept()), (2, 2));

    let program = with(&Guest::sound().component()).file(".config/ollama-router/cache", "a file");
    let ran = program.run(&["policy", "check", FILE]);
    ended(&ran, 0);
    assert_eq!(ran.err, format!("{SOUND} is sound; it shows 8 of 12 models\n"));
}

#[test]
fn settings_are_typed_or_in_a_file_and_held_against_the_schema() {
    let program = with(EMBEDDED).file("settings.json", r#"{"fallbaks": []}"#);
    for given in [r#"{"fallbaks": []}"#, "settings.json", "@settings.json"] {
        let ran = program.run(&["policy", "check", FILE, "--settings", given]);
        ended(&ran, 1);
        let words = "refused at settings: policy.settings/fallbaks: there is no such setting; there are fallbacks, ";
        assert!(ran.err.starts_with(words), "{ran:?}");
    }
    for (given, words) in [("{", "--settings: what is given cannot be used"), ("none", "cannot read none")] {
        let ran = program.run(&["policy", "check", FILE, "--settings", given]);
        ended(&ran, 2);
        assert!(ran.out.is_empty() && ran.err.contains(words), "{ran:?}");
    }
}

#[test]
fn a_catalogue_is_a_copy_or_what_openrouter_answers() {
    let free = json!({"prompt": "0", "completion": "0"});
    let models = json!({"data": [
        {"id": "a/one:free", "context_length": 8192, "pricing": free},
        {"id": "a/two:free", "context_length": 8192, "pricing": free, "expiration_date": "2020-01-01"},
    ]});
    let copy = json!({"source": "https://somewhere", "fetched": 1_500_000_000, "models": models});
    let program = with(&Guest::sound().component())
        .file("answer.json", &models.to_string())
        .file("copy.json", &copy.to_string())
        .file("bad.json", "{}");
    // The second one was still served when the copy was made.
    for (file, shown) in [("answer.json", "1 of 1"), ("copy.json", "2 of 2")] {
        let ran = program.run(&["policy", "check", FILE, "--catalog", file]);
        ended(&ran, 0);
        assert!(ran.err.contains(shown), "{ran:?}");
    }
    let ran = program.run(&["policy", "check", FILE, "--catalog", "bad.json"]);
    ended(&ran, 2);
    assert!(ran.err.contains("bad.json is no catalogue: it is neither"), "{ran:?}");
}

#[test]
fn inspect_tells_what_a_policy_is_and_what_it_may_call() {
    let module = Guest::sound().module();
    let program = with(&module);
    let told = parsed(&program.run(&["policy", "inspect", FILE, "--json"]));
    let export = |interface: &str| format!("ollama-router:policy/{interface}@0.1.0");
    let file = json!({
        "kind": "core module",
        "digest": component::digest(&module),
        "bytes": module.len(),
        "imports": [{"name": export("types"), "access": "granted"}],
        "exports": [export("lifecycle"), export("selector")],
    });
    assert_eq!((&told["file"], &told["refused"]), (&file, &Value::Null));
    let mut policy = told["policy"].clone();
    assert!(policy["compiled_bytes"].take().as_u64() > Some(1_000), "{told}");
    let memory = 2 * 65_536;
    let expected = json!({
        "name": "reversed",
        "version": "1.0.0",
        "summary": "For tests.",
        "compiled_bytes": null,
        "memory_bytes": memory,
        "has_failover": false,
        "reasons": [],
        "settings_schema": {},
    });
    assert_eq!(policy, expected);

    let ran = with(EMBEDDED).run(&["policy", "inspect", FILE]);
    ended(&ran, 0);
    for words in
        ["policy    free-mode 0.1.0", "file      component, ", "reasons ", "fallbacks (", &component::digest(EMBEDDED)]
    {
        assert!(ran.out.contains(words), "{words} is not in {}", ran.out);
    }
}

#[test]
fn inspect_tells_what_is_in_a_file_though_it_is_refused() {
    let program = with(&Guest::sound().contract("0.1.0", "0.2.0").replace("0.1.0#", "0.2.0#").module());
    let ran = program.run(&["policy", "inspect", FILE]);
    ended(&ran, 1);
    assert!(ran.out.contains("exports   ollama-router:policy/lifecycle@0.2.0"), "{ran:?}");
    assert!(ran.err.starts_with("refused at version: it speaks ollama-router:policy/"), "{ran:?}");
    let told = parsed(&program.run(&["policy", "inspect", FILE, "--json"]));
    assert_eq!((&told["policy"], &told["refused"]["phase"]), (&Value::Null, &json!("version")));
    let ran = with(b"hello").run(&["policy", "inspect", FILE]);
    ended(&ran, 1);
    assert_eq!(ran.err, "error: cannot inspect mine.wasm: parse: it is no WebAssembly\n");
}

#[test]
fn inspect_tells_which_imports_are_granted_empty_and_refused() {
    let imports = ["ollama-router:policy/log@0.1.0", "wasi:io/poll@0.2.0", "acme:secrets/store@1.0.0"];
    let text = imports.map(|name| format!("(import \"{name}\" (instance))")).concat();
    let ran = with(&wat::parse_str(format!("(component {text})")).unwrap()).run(&["policy", "inspect", FILE, "--json"]);
    ended(&ran, 1);
    let told = parsed(&ran);
    let access: Vec<&Value> = told["file"]["imports"].as_array().unwrap().iter().map(|row| &row["access"]).collect();
    assert_eq!(access, ["granted", "empty", "refused"]);
    let reason = "it imports acme:secrets/store@1.0.0, which this router does not offer";
    assert_eq!(told["refused"], json!({"phase": "imports", "reason": reason}));
}

#[test]
fn run_shows_what_was_picked_and_who_left_out_the_others() {
    let program = with(&Guest::sound().component());
    let ran = program.run(&["policy", "run", FILE, "--request", r#"{"needs": ["tools"], "limit": 2}"#]);
    ended(&ran, 0);
    let unexplained = "policy (a code that it does not explain)";
    let expected = [
        "PLACE MODEL SCORE BY WHY".to_owned(),
        format!("1 elm/any:free 1 {unexplained}"),
        format!("2 elm/unknown-size:free 1 {unexplained}"),
        "- alder/oak-70b:free - policy not named in the answer".to_owned(),
        "- alder/oak-70b - view not shown".to_owned(),
        "- alder/acorn-8b:free - router cannot answer such a request".to_owned(),
        "- birch/thinker-32b:free - policy not named in the answer".to_owned(),
        "- birch/thinker-200b - view not shown".to_owned(),
        "- cedar/lens-12b:free - policy not named in the answer".to_owned(),
        "- cedar/ear-7b:free - router cannot answer such a request".to_owned(),
        "- dogwood/leaving-30b:free - policy not named in the answer".to_owned(),
        "- fir/safety-2b:free - view not shown".to_owned(),
        "- fir/vectors-1b:free - view not shown".to_owned(),
    ];
    assert_eq!(lines(&ran), expected);
}

#[test]
fn run_tells_the_policy_of_the_request_and_of_what_is_remembered() {
    let program = with(EMBEDDED).file("request.json", r#"{"target": "cedar/lens-12b:free", "tools": "required"}"#);
    let facts = r#"[{"model": "alder/oak-70b:free", "cooldown_ms": 60000, "failures": 1, "failures_by_kind": [["timeout", 1]]}]"#;
    let ask = |more: &[&str]| {
        let ran = program.run(&[&["policy", "run", FILE, "--request", "request.json", "--json"], more].concat());
        ended(&ran, 0);
        let told = parsed(&ran);
        assert_eq!((&told["policy"], &told["decision"]), (&json!("free-mode/0.1.0"), &json!("route")));
        let picked = |row: &&Value| row["place"].is_u64();
        told["models"].as_array().unwrap().iter().filter(picked).map(|row| row["id"].clone()).collect::<Vec<_>>()
    };
    let fresh = ask(&[]);
    assert_eq!(fresh[0], "cedar/lens-12b:free");
    assert!(fresh.contains(&json!("alder/oak-70b:free")), "{fresh:?}");
    assert!(!ask(&["--facts", facts]).contains(&json!("alder/oak-70b:free")), "what rests comes last");
}

#[test]
fn run_tells_of_refusals_faults_and_questions_that_cannot_be_asked() {
    let twice = "(call $candidate (local.get $ask) (i32.const 0))";
    let reversed = "(call $candidate (local.get $ask)\n            (i32.sub (i32.sub (local.get $count) (local.get $place)) (i32.const 1)))";
    let failing = Guest::sound().replace(reversed, twice);
    let ran = with(&failing.component()).run(&["policy", "run", FILE]);
    ended(&ran, 1);
    assert!(ran.err.contains("was refused at probe: ") && ran.err.contains("twice"), "{ran:?}");
    let ran = with(&Guest::sound().when_marked("(unreachable)").component()).run(&[
        "policy",
        "run",
        FILE,
        "--request",
        r#"{"output_tokens": 666}"#,
    ]);
    ended(&ran, 1);
    assert!(ran.err.starts_with("error: reversed/1.0.0 failed to decide: the policy trapped: "), "{ran:?}");

    let program = with(&Guest::sound().component());
    let ran = program.run(&["policy", "run", FILE, "--request", r#"{"needs": ["vision", "audio"]}"#]);
    ended(&ran, 1);
    assert_eq!(ran.err, "error: reversed/1.0.0 was not asked: none of the 8 models that it shows can answer this\n");
    for (request, words) in [
        (r#"{"neds": []}"#, "unknown field `neds`"),
        (r#"{"needs": ["sight"]}"#, "needs: there is no capability \"sight\", only tools, tool-choice, "),
        (r#"{"target": "no/such"}"#, "target: the catalogue has no model \"no/such\""),
    ] {
        let ran = program.run(&["policy", "run", FILE, "--request", request]);
        ended(&ran, 2);
        assert!(ran.err.contains(words), "{ran:?}");
    }
}

#[test]
fn what_the_policy_logs_is_on_standard_error() {
    let log = "(import \"ollama-router:policy/log@0.1.0\" \"emit\" (func $log (param i32 i32 i32)))";
    // Its own name, of eight letters, as a warning.
    let say = "(call $log (i32.const 2) (i32.const 16) (i32.const 8))";
    let ran = with(&Guest::sound().put("fields", log).when_marked(say).component()).run(&[
        "policy",
        "run",
        FILE,
        "--request",
        r#"{"output_tokens": 666}"#,
        "--json",
    ]);
    ended(&ran, 0);
    assert!(ran.err.contains("WARN") && ran.err.contains("reversed"), "{ran:?}");
    assert_eq!(parsed(&ran)["decision"], "route");
}

#[test]
fn bench_says_when_there_is_nothing_to_decide() {
    let paid = json!({"data": [{"id": "a/paid", "pricing": {"prompt": "1", "completion": "1"}}]});
    let program = with(&Guest::sound().component()).file("paid.json", &paid.to_string());
    let ran = program.run(&["policy", "bench", FILE, "--catalog", "paid.json"]);
    ended(&ran, 1);
    let words = "reversed/1.0.0 cannot be measured: it shows none of the models";
    assert!(ran.out.is_empty() && ran.err.contains(words), "{ran:?}");
}

#[test]
fn bench_measures_every_step() {
    let program = with(&Guest::sound().component());
    let ran = program.run(&["policy", "bench", FILE, "--models", "40", "--candidates", "5", "--json"]);
    ended(&ran, 0);
    let told = parsed(&ran);
    let kept = [&told["policy"], &told["models"], &told["candidates"]];
    assert_eq!(kept, [&json!(SOUND), &json!(40), &json!(5)]);
    let steps = told["steps"].as_array().unwrap();
    let names: Vec<&Value> = steps.iter().map(|step| &step["step"]).collect();
    assert_eq!(names, ["compile", "load from cache", "instantiate", "load-catalog", "select"]);
    for step in steps {
        let (p50, p99) = (step["p50_us"].as_f64().unwrap(), step["p99_us"].as_f64().unwrap());
        assert!(step["times"].as_u64() > Some(0) && p50 > 0.0 && p50 <= p99, "{step}");
    }
    assert!(ran.err.starts_with("figures of this machine and of ollama-router "), "{ran:?}");
}
