//! Policies that are not what they should be, or say what they must not.
//!
//! Wrong files and wrong views are refused with the phase and the reason, at the
//! start and as a change. A wrong answer in the middle of a request counts as a
//! fault, and the embedded policy decides.

use ollama_router::sandbox::scenario::Scenario;
use serde_json::json;

use crate::{
    guests::{BY_EMBEDDED, Bad, Guest, MODELS, marked, refused_as_a_change, refused_at_start},
    support::{
        POLICY, Setup,
        ask::{FORMS, Form, Told},
        models,
    },
};

/// Files that are no policies at all.
fn wrong_files() -> Vec<Bad> {
    let sound = Guest::sound().component();
    let compiled = wasmtime::Engine::default().precompile_component(&sound).unwrap();
    let text = |text: &str| wat::parse_str(text).unwrap();
    let bad = |name, file: &[u8], phase, reason| Bad { name, file: file.to_vec(), phase, reason };
    vec![
        bad("nothing", b"", "parse", "empty"),
        bad("zeros", &[0; 4096], "parse", "no WebAssembly"),
        bad("a text", b"#!/bin/sh\n", "parse", "no WebAssembly"),
        bad("WebAssembly as text", b"(component)", "parse", "WebAssembly text"),
        bad("a later version of WebAssembly", b"\0asm\x02\0\0\0", "parse", "a version that this router does not know"),
        bad("the first half", &sound[..sound.len() / 2], "parse", "cannot be read"),
        bad("all but the last byte", &sound[..sound.len() - 1], "parse", "cannot be read"),
        bad("compiled code", &compiled, "parse", ".cwasm"),
        bad("a module without the contract", &text("(module)"), "version", "it exports nothing"),
        bad("a component without exports", &text("(component)"), "version", "it exports nothing"),
        bad(
            "one that wants the network",
            &text(r#"(component (import "wasi:http/types@0.2.0" (instance)))"#),
            "imports",
            "policies have no network",
        ),
        bad(
            "one that wants something unknown",
            &text(r#"(component (import "acme:secrets/store@1.0.0" (instance)))"#),
            "imports",
            "it imports acme:secrets/store@1.0.0, which this router does not offer",
        ),
        bad("one that wants a function", &text(r#"(component (import "system" (func)))"#), "imports", "system"),
        bad(
            "one that wants a later WASI",
            &text(r#"(component (import "wasi:cli/environment@0.3.0" (instance)))"#),
            "imports",
            "wasi:cli/environment@0.3.0",
        ),
    ]
}

/// Guests of another contract than ours.
fn wrong_worlds() -> Vec<Bad> {
    let sound = Guest::sound;
    let mistyped_log = r#"(import "ollama-router:policy/log@0.1.0" "emit" (func $log (param i32 i32)))"#;
    vec![
        Bad::guest(
            "a later version",
            &sound().contract("@0.1.0", "@0.2.0").replace("@0.1.0", "@0.2.0"),
            "version",
            "this router speaks 0.1.0",
        ),
        Bad::guest(
            "without a selector",
            &sound()
                .contract("export selector;", "")
                .replace("(export \"cabi_post_ollama-router:policy/selector@0.1.0#select\" (func $over))", "")
                .replace("(export \"ollama-router:policy/selector@0.1.0#select\")", ""),
            "version",
            "it does not export ollama-router:policy/selector@0.1.0",
        ),
        Bad::guest(
            "select with other parameters",
            &sound()
                .contract("candidates: list<u32>, facts: list<fact>) -> result", "candidates: list<u32>) -> result"),
            "version",
            "its functions are not those of wit/policy.wit",
        ),
        Bad::guest(
            "a model with one field less",
            &sound().contract(
                "labels: list<tuple<string, string>>,\n  }\n\n  /// How a model stands",
                "}\n\n  /// How a model stands",
            ),
            "version",
            "its functions are not those of wit/policy.wit",
        ),
        Bad::guest(
            "a log with other parameters",
            &sound()
                .contract("emit: func(level: level, message: string);", "emit: func(message: string);")
                .put("fields", mistyped_log),
            "imports",
            "ollama-router:policy/log@0.1.0",
        ),
    ]
}

/// Guests that say at loading what they must not.
fn wrong_words() -> Vec<Bad> {
    let sound = Guest::sound;
    let view_of = |numbers: &[u32]| {
        let stores = numbers
            .iter()
            .zip(0..)
            .map(|(number, place)| format!("(i32.store (i32.const {}) (i32.const {number}))", 512 + 4 * place));
        let stores: String = stores.collect();
        sound().put(
            "load-catalog",
            &format!("{stores} (return (call $view (i32.const 512) (i32.const {})))", numbers.len()),
        )
    };
    let refusal = r#"(data (i32.const 600) "/fallbacks/0no such model")
        (data (i32.const 632) (i32 600 12 612 13))"#;
    let configure = "(i32.store (i32.const 192) (i32.const 1)) (i32.store (i32.const 196) (i32.const 632))
        (i32.store (i32.const 200) (i32.const 1)) (return (i32.const 192))";
    let error = "(i32.store (i32.const 256) (i32.const 1)) (i32.store (i32.const 260) (i32.const 29))
        (i32.store (i32.const 264) (i32.const 10)) (return (i32.const 256))";
    vec![
        Bad::guest(
            "settings refused",
            &sound().put("fields", refusal).put("configure", configure),
            "configure",
            "policy.settings/fallbacks/0: no such model",
        ),
        Bad::guest(
            "a catalogue refused",
            &sound().put("load-catalog", error),
            "load-catalog",
            "the policy failed: For tests.",
        ),
        Bad::guest(
            "a view of an unknown model",
            &view_of(&[0, 3]),
            "load-catalog",
            "its view names model 3, and there are 3",
        ),
        Bad::guest("a view of one model twice", &view_of(&[1, 0, 1]), "load-catalog", "its view names model 1 twice"),
        Bad::guest(
            "a text outside its memory",
            &sound().put("describe", "(i32.store (i32.const 64) (i32.const -16))"),
            "describe",
            "out of bounds",
        ),
        Bad::guest(
            "an answer outside its memory",
            &sound().put("describe", "(return (i32.const -16))"),
            "describe",
            "out of bounds",
        ),
        Bad::guest(
            "an answer that is not aligned",
            &sound().put("describe", "(return (i32.const 65))"),
            "describe",
            "not aligned",
        ),
        Bad::guest("a text that is no UTF-8", &named(r"half a\c3\28"), "describe", "utf-8"),
    ]
}

/// The sound guest under a name of eight bytes.
fn named(name: &str) -> Guest {
    let data = format!("(data (i32.const 600) \"{name}\") (data (i32.const 64) (i32 600 8))");
    let behind = "  ;; Answers are built";
    Guest::sound().replace(behind, &format!("{data}{behind}"))
}

/// Guests with names that neither a header nor a line of the log can carry.
fn wrong_names() -> Vec<Bad> {
    let memory = "(memory (export \"memory\") 2)";
    let long = Guest::sound().replace(memory, "(memory (export \"memory\") 4)");
    let length = "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 100000))
        (i32.store (i32.const 64) (i32.const 65536)) (i32.store (i32.const 68) (i32.const 100000))";
    vec![
        Bad::guest("a name of two lines", &named(r"ok\0aline2"), "describe", "name"),
        Bad::guest("a name of a hundred kilobytes", &long.put("describe", length), "describe", "name"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_policy_is_refused_at_the_start_and_the_router_runs_all_the_same() {
    refused_at_start(&wrong_files()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_policy_is_refused_as_a_change_and_the_old_one_stays() {
    refused_as_a_change(&wrong_files()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_of_another_contract_is_refused() {
    refused_at_start(&wrong_worlds()).await;
    refused_as_a_change(&wrong_worlds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_says_what_it_must_not_at_loading_is_refused() {
    refused_at_start(&wrong_words()).await;
    refused_as_a_change(&wrong_words()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_whose_name_no_header_can_carry_is_refused() {
    refused_at_start(&wrong_names()).await;
    refused_as_a_change(&wrong_names()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_on_error_deny_nothing_is_decided_in_the_stead_of_a_policy_that_cannot_be_used() {
    let setup = Setup::new().models(&MODELS).policy("no policy").set("policy.on_error", "deny");
    let host = setup.start().await;
    let reply = host.ask(FORMS[0], "auto").await;
    let told = "the policy failed, and policy.on_error is deny";
    assert_eq!((reply.status, FORMS[0].error(&reply).as_str()), (503, told));
    assert_eq!(host.called(), Vec::<String>::new());
    host.write(POLICY, Guest::sound().component());
    host.generation(|number| number == 2).await;
    host.decided_by_guest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_there_is_refused_and_comes_into_force_once_it_is() {
    let setup = Setup::new().models(&MODELS);
    let missing = setup.folder().join(POLICY).display().to_string();
    let host = setup.set("policy.module", &missing).start().await;
    let refused = host.policy().await["refused"].take();
    assert_eq!(refused["phase"], "read");
    assert!(refused["reason"].as_str().unwrap().starts_with(&format!("cannot open {missing}: ")), "{refused}");
    host.write(POLICY, Guest::sound().component());
    host.generation(|number| number == 2).await;
    host.decided_by_guest().await;
}

/// Answers that no request can be tried with, as what `select` does.
const WRONG_ANSWERS: [(&str, &str); 9] = [
    ("a score that is no number", "(call $pick (i32.const 512) (i32.const 1) (f32.const nan))"),
    ("a score without end", "(call $pick (i32.const 512) (i32.const 1) (f32.const inf))"),
    ("a model that is not there", "(call $pick (i32.const 512) (i32.const 3) (f32.const 1))"),
    ("a negative number", "(call $pick (i32.const 512) (i32.const -1) (f32.const 1))"),
    (
        "a model twice",
        "(call $pick (i32.const 512) (i32.const 1) (f32.const 1)) (call $pick (i32.const 524) (i32.const 1) (f32.const 1))
         (return (call $route (i32.const 512) (i32.const 2)))",
    ),
    ("no model", "(return (call $route (i32.const 512) (i32.const 0)))"),
    ("an error", "(i64.store (i32.const 256) (i64.const 0x1d00000001)) (i32.store (i32.const 264) (i32.const 10)) (return (i32.const 256))"),
    ("an answer that no contract has", "(i64.store (i32.const 256) (i64.const 0x700000000)) (return (i32.const 256))"),
    ("an answer outside its memory", "(return (i32.const -64))"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_counts_as_a_fault_and_the_embedded_policy_decides() {
    for (name, answer) in WRONG_ANSWERS {
        let guest =
            Guest::sound().when_marked(&format!("{answer} (return (call $route (i32.const 512) (i32.const 1)))"));
        let host = Setup::new().models(&MODELS).policy(guest.component()).start().await;
        for (number, form) in (1..).zip(FORMS) {
            let reply = host.post(form.path, &marked(form)).await;
            assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None), "{name}: {form:?}");
            assert_eq!(host.faults().await, number, "{name}: {form:?}");
            // One that fails each time is left alone after some.
            host.decided_by_guest().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_abstains_leaves_the_order_of_its_view() {
    let abstain = "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))";
    let guest = Guest::sound().when_marked(abstain);
    let host = Setup::new().models(&MODELS).policy(guest.component()).start().await;
    let reply = host.post(FORMS[0].path, &marked(FORMS[0])).await;
    assert_eq!(Told::by(&reply), Told::hello(MODELS[0], 1, None));
    assert_eq!(host.faults().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_reaches_the_client_with_its_status_brought_into_bounds() {
    for (status, told) in [(451, 451), (200, 400), (999, 599)] {
        let deny = format!(
            "(i64.store (i32.const 256) (i64.const 0x200000000)) (i32.store (i32.const 264) (i32.const {status}))
             (i32.store (i32.const 268) (i32.const 16)) (i32.store (i32.const 272) (i32.const 8))
             (i32.store (i32.const 276) (i32.const 29)) (i32.store (i32.const 280) (i32.const 10)) (return (i32.const 256))"
        );
        let host = Setup::new().models(&MODELS).policy(Guest::sound().when_marked(&deny).component()).start().await;
        for form in FORMS {
            let reply = host.post(form.path, &marked(form)).await;
            assert_eq!((reply.status, form.error(&reply).as_str()), (told, "For tests."), "{form:?}");
            if form.has_openai_errors() {
                assert_eq!(reply.json()["error"]["code"], "reversed");
            }
        }
        assert_eq!((host.called(), host.faults().await), (Vec::new(), 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_policy_sends_a_request_with_tools_to_a_model_without() {
    let mut without = models::entry("b/no-tools:free", 9_000);
    without["supported_parameters"] = json!(["max_tokens"]);
    let catalog = models::catalog([models::entry("a/tools:free", 8_000), without]);
    let scenario = Scenario::quiet().catalog(catalog);
    let guest = Guest::sound().when_marked(
        "(call $pick (i32.const 512) (i32.const 1) (f32.const 1)) (return (call $route (i32.const 512) (i32.const 1)))",
    );
    let host = Setup::new().scenario(scenario).policy(guest.component()).start().await;
    let with_tools: Vec<Form> = FORMS.into_iter().filter(|form| form.takes_tools()).collect();
    for &form in &with_tools {
        let mut body = marked(form);
        let plain = host.post(form.path, &body).await;
        assert_eq!(plain.header("x-router-model"), Some("b/no-tools:free"), "{form:?}");
        body["tools"] = json!([form.tool("add")]);
        let answer = host.post(form.path, &body).await;
        assert_eq!((answer.status, answer.header("x-router-model")), (200, Some("a/tools:free")), "{form:?}");
    }
    assert_eq!(host.faults().await, with_tools.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_free_mode_no_policy_shows_or_uses_a_model_that_costs() {
    let catalog = models::catalog([models::paid("a/paid", 9_000), models::entry("b/free:free", 8_000)]);
    let scenario = Scenario::quiet().catalog(catalog);
    let view =
        "(i64.store (i32.const 512) (i64.const 0x100000000)) (return (call $view (i32.const 512) (i32.const 2)))";
    let pick =
        "(call $pick (i32.const 512) (i32.const 0) (f32.const 1)) (return (call $route (i32.const 512) (i32.const 1)))";
    let guest = Guest::sound().put("load-catalog", view).when_marked(pick).component();
    for (free_mode, shown, asked_for, answered) in [
        ("true", &["auto:latest", "free:free"][..], 404, "b/free:free"),
        ("false", &["auto:latest", "free:free", "paid:latest"], 200, "a/paid"),
    ] {
        let setup = Setup::new().scenario(scenario.clone()).set("mode.free_mode", free_mode);
        let host = setup.policy(&guest).start().await;
        let tags = host.get("/api/tags").await.json();
        let listed: Vec<&str> =
            tags["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
        assert_eq!(listed, shown, "{free_mode}");
        assert_eq!(host.ask(FORMS[0], "a/paid").await.status, asked_for, "{free_mode}");
        let reply = host.post(FORMS[0].path, &marked(FORMS[0])).await;
        assert_eq!(reply.header("x-router-model"), Some(answered), "{free_mode}");
    }
}
