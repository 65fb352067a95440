//! Policies that want more than they may have: time, stack, memory, tables,
//! copies.
//!
//! At loading they are refused and the old one stays; later, in the middle of
//! a request, the embedded policy decides and the request is answered.

use std::pin::pin;

use ollama_router::sandbox::{
    Sandbox,
    reply::{Reply as Upstream, step::Gate},
    scenario::Scenario,
};

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Bad, Guest, LOOP, MODELS, SOUND, marked, refused_as_a_change, refused_at_start},
    support::{
        self, PATIENCE, Reply, Setup,
        ask::{FORMS, Form, Told},
        models,
        program::Program,
    },
};

/// Guests that do not get through loading.
fn greedy() -> Vec<Bad> {
    let sound = Guest::sound;
    vec![
        Bad::guest(
            "loops in its start function",
            &sound().put("fields", &format!("(func $first {LOOP}) (start $first)")),
            "instantiate",
            "took longer than",
        ),
        Bad::guest("loops in describe", &sound().put("describe", LOOP), "describe", "took longer than"),
        Bad::guest("loops in configure", &sound().put("configure", LOOP), "configure", "took longer than"),
        Bad::guest("loops in load-catalog", &sound().put("load-catalog", LOOP), "load-catalog", "took longer than"),
        Bad::guest("loops in select", &sound().put("select", LOOP), "probe", "took longer than"),
        // `configure` is the first that gets anything, for which it has to make room.
        Bad::guest("loops in cabi_realloc", &sound().put("realloc", LOOP), "configure", "took longer than"),
        Bad::guest("loops after it has answered", &sound().put("post-return", LOOP), "describe", "took longer than"),
        Bad::guest("traps in describe", &sound().put("describe", "unreachable"), "describe", "unreachable"),
        Bad::guest("traps in select", &sound().put("select", "unreachable"), "probe", "unreachable"),
        Bad::guest(
            "calls itself for ever",
            &sound().put("fields", DEEPER).put("select", RECURSION),
            "probe",
            "call stack exhausted",
        ),
        Bad::guest(
            "begins with more memory than it may have",
            &sound().replace("(memory (export \"memory\") 2)", "(memory (export \"memory\") 2000)"),
            "instantiate",
            "memory",
        ),
        Bad::guest(
            "begins with a table larger than it may have",
            &sound().put("fields", "(table 10000000 funcref)"),
            "instantiate",
            "table",
        ),
        Bad::guest("fills all memory that it gets", &sound().put("select", MEMORY_BOMB), "probe", "unreachable"),
        Bad::guest(
            "makes its table as large as it gets",
            &sound().put("fields", "(table $table 1 funcref)").put("select", TABLE_BOMB),
            "probe",
            "unreachable",
        ),
    ]
}

/// A function that calls itself, and a call of it.
const DEEPER: &str = "(func $deeper (param i32) (result i32)
    (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
const RECURSION: &str = "(drop (call $deeper (i32.const 0)))";

/// Grows its memory page by page and writes to each, and traps at the end.
const MEMORY_BOMB: &str = "(loop $more
    (i32.store8 (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)) (i32.const 1))
    (br_if $more (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0))))
  unreachable";

/// Makes its table larger until it may not, and traps at the end.
const TABLE_BOMB: &str = "(loop $more
    (br_if $more (i32.ge_s (table.grow $table (ref.null func) (i32.const 1000)) (i32.const 0))))
  unreachable";

#[tokio::test(flavor = "multi_thread")]
async fn a_greedy_policy_is_refused_at_the_start_and_the_router_runs_all_the_same() {
    refused_at_start(&greedy()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_greedy_policy_is_refused_as_a_change_and_the_old_one_stays() {
    refused_as_a_change(&greedy()).await;
}

/// An answer of ten million numbers, for which there is memory enough.
const TEN_MILLION: &str = "(drop (memory.grow (i32.const 700)))
  (return (call $view (i32.const 65536) (i32.const 10000000)))";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_ten_million_numbers_is_not_copied() {
    let guest = Guest::sound().put("load-catalog", TEN_MILLION);
    let host = Setup::new().models(&MODELS).policy(guest.component()).start().await;
    let refused = host.policy().await["refused"].take();
    assert_eq!(refused["phase"], "load-catalog");
    assert!(refused["reason"].as_str().unwrap().contains("fuel"), "{refused}");
}

/// What a guest may do in the middle of a request.
const FITS: [(&str, &str); 7] = [
    ("loops", LOOP),
    ("loops after it has answered", "(global.set $fell (i32.const 1))"),
    ("traps", "unreachable"),
    ("calls itself for ever", RECURSION),
    ("fills all memory that it gets", MEMORY_BOMB),
    ("answers with more than there is", "(return (call $route (i32.const 0) (i32.const 10000000)))"),
    ("writes to the log for ever", "(loop $more (call $log (i32.const 2) (i32.const 16) (i32.const 24)) (br $more))"),
];

fn with_fit(fit: &str) -> Vec<u8> {
    let log = "(import \"ollama-router:policy/log@0.1.0\" \"emit\" (func $log (param i32 i32 i32)))";
    let fell = "(global $fell (mut i32) (i32.const 0))";
    let guest = Guest::sound().put("fields", &format!("{log} {fell} {DEEPER}")).when_marked(fit);
    guest.put("post-return", &format!("(if (global.get $fell) (then {LOOP}))")).component()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_over_which_the_policy_falls_is_answered_all_the_same_and_the_next_by_the_policy() {
    for (name, fit) in FITS {
        let host = Setup::new().models(&MODELS).policy(with_fit(fit)).start().await;
        for (number, form) in (1..).zip(FORMS) {
            let reply = host.post(form.path, &marked(form)).await;
            assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None), "{name}: {form:?}");
            assert!(form.is_finished(&reply), "{name}: {form:?}");
            let policy = format!("{SOUND}; generation=1; fallback");
            assert_eq!(reply.header("x-router-policy"), Some(&*policy), "{name}: {form:?}");
            assert_eq!(host.faults().await, number, "{name}: {form:?}");
            // One that falls over each time is left alone after some.
            host.decided_by_guest().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_on_error_deny_a_request_over_which_the_policy_falls_is_a_503_in_its_protocol() {
    let setup = Setup::new().models(&MODELS).policy(with_fit("unreachable"));
    let host = setup.set("policy.on_error", "deny").start().await;
    for form in FORMS {
        let reply = host.post(form.path, &marked(form)).await;
        let told = "the policy failed, and policy.on_error is deny";
        assert_eq!((reply.status, form.error(&reply).as_str()), (503, told), "{form:?}");
        assert_eq!(reply.header("x-router-attempts"), Some("0"), "{form:?}");
        host.decided_by_guest().await;
    }
    assert_eq!(host.faults().await, FORMS.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_go_on_while_the_policy_loops_over_other_requests() {
    const ANSWERS: usize = 8;
    let setup = Setup::new().models(&MODELS).policy(with_fit(LOOP));
    let host = setup.set("policy.limits.time", "10s").set("failover.idle_timeout", "20s").start().await;
    let gate = Gate::new();
    host.sandbox.always(BY_GUEST, Upstream::text("one two three four five").gate_rest(&gate));
    let mut begun = Vec::new();
    for form in FORMS.into_iter().filter(|form| form.streaming).cycle().take(ANSWERS) {
        begun.push(host.send(form.path, form.body("auto", "Hello").to_string()).await);
    }
    let asked = host.policy().await["calls"].as_u64().unwrap();

    let loops = |form: Form| {
        let host = &host;
        async move { host.post(form.path, &marked(form)).await }
    };
    let mut looping = pin!(futures_util::future::join_all(FORMS.map(loops)));
    let rest_of_answers = async {
        while host.policy().await["calls"] != asked + FORMS.len() as u64 {}
        gate.open();
        for answer in begun {
            let reply = Reply::read(answer).await;
            assert_eq!((reply.content().as_str(), reply.complete), ("one two three four five", true));
        }
    };
    tokio::select! {
        _ = &mut looping => panic!("the requests that loop were over first"),
        rest = tokio::time::timeout(PATIENCE, rest_of_answers) => rest.expect("the answers were held up"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_is_stopped_while_the_policy_loops_ends_well_and_at_once() {
    let sandbox = Sandbox::start(Scenario::quiet().catalog(models::free(&MODELS))).await.unwrap();
    let config = r#"{"policy": {"module": "loops.wasm", "limits": {"time": "10s"}}}"#;
    let program = Program::new()
        .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-any")
        .file(".config/ollama-router/config.yaml", config);
    std::fs::write(program.path(".config/ollama-router/loops.wasm"), with_fit(LOOP)).unwrap();
    let served = program.serve(&["start", "-H", "127.0.0.1", "-p", "0"]);
    let client = support::http();
    let asked = client.post(served.url(FORMS[0].path)).body(marked(FORMS[0]).to_string()).send();
    let loops = async {
        let policy = async || client.get(served.url("/router/policy")).send().await.unwrap().text().await.unwrap();
        while policy().await.contains("\"calls\":0") {}
    };
    tokio::select! {
        answer = asked => panic!("the loop is over: {answer:?}"),
        () = loops => {}
    }
    // Whoever asked has gone, and the policy goes on by itself.
    served.signal("TERM");
    let ran = served.ended();
    assert!(ran.code == Some(0) && !ran.err.contains("panicked"), "{ran:?}");
}

/// Verdicts after a failure: what the guest does, which models are called in
/// what order, and how many faults that is.
const VERDICTS: [(&str, &str, &[&str], u64); 7] = [
    ("goes on", "(i32.const 8)", &[MODELS[2], MODELS[1]], 0),
    (
        "replaces the order",
        "(call $pick (i32.const 512) (i32.const 0) (f32.const 1)) (i32.store (i32.const 600) (i32.const 2))
         (i32.store (i32.const 604) (i32.const 512)) (i32.store (i32.const 608) (i32.const 1)) (i32.const 600)",
        &[MODELS[2], MODELS[0]],
        0,
    ),
    ("tries the same again", "(i64.store (i32.const 600) (i64.const 0x100000001)) (i32.const 600)", &[MODELS[2]; 2], 0),
    (
        "replaces the order by a model that is not there",
        "(call $pick (i32.const 512) (i32.const 9) (f32.const 1)) (i32.store (i32.const 600) (i32.const 2))
         (i32.store (i32.const 604) (i32.const 512)) (i32.store (i32.const 608) (i32.const 1)) (i32.const 600)",
        &[MODELS[2], MODELS[1]],
        1,
    ),
    ("loops", "(loop $for_ever (br $for_ever)) (unreachable)", &[MODELS[2], MODELS[1]], 1),
    ("traps", "(unreachable)", &[MODELS[2], MODELS[1]], 1),
    ("answers outside its memory", "(i32.const -64)", &[MODELS[2], MODELS[1]], 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failure_the_policy_has_a_say_and_without_a_sound_one_the_next_model_is_tried() {
    for (name, verdict, called, faults) in VERDICTS {
        let guest = Guest::sound().after_failure(verdict);
        let host = Setup::new().models(&MODELS).policy(guest.component()).start().await;
        host.sandbox.script(MODELS[2], [Upstream::error(500, "broken")]);
        let reply = host.ask(FORMS[0], "auto").await;
        let told = Told { trail: None, ..Told::by(&reply) };
        assert_eq!(told, Told::hello(called[1], 2, None), "{name}");
        assert_eq!(
            (host.called(), host.faults().await),
            (called.iter().map(|&id| id.to_owned()).collect(), faults),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_may_give_up_after_a_failure_and_may_not_try_for_ever() {
    let give_up = "(i32.store (i32.const 600) (i32.const 3)) (i32.const 600)";
    let again = "(i64.store (i32.const 600) (i64.const 0x100000001)) (i32.const 600)";
    for ((verdict, calls), form) in
        [(give_up, 1), (again, 4)].into_iter().flat_map(|case| FORMS.map(|form| (case, form)))
    {
        let guest = Guest::sound().after_failure(verdict);
        let host = Setup::new().models(&MODELS).policy(guest.component()).start().await;
        host.sandbox.always(MODELS[2], Upstream::error(500, "broken"));
        let reply = host.ask(form, "auto").await;
        assert_eq!((reply.status, host.called()), (502, vec![MODELS[2].to_owned(); calls]), "{form:?}");
        assert!(form.error(&reply).contains("broken"), "{form:?}");
    }
}
