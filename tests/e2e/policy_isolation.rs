//! What a policy must not reach: files, network, environment, the passing of time,
//! and other policies.
//!
//! All of WASI is linked and nothing is in it. Each guest here looks, and tells by the
//! model that it puts in front whether it found anything.

use std::{collections::BTreeSet, io::ErrorKind, net::TcpListener};

use serde_json::json;

use crate::{
    guests::{BY_EMBEDDED, BY_GUEST, Bad, Guest, MODELS, SOUND, marked, refused_as_a_change, refused_at_start},
    support::{
        Setup,
        ask::{FORMS, Told},
        program::Program,
    },
};

/// Puts the last model in front, which is told of here as that nothing was found.
const NOTHING_FOUND: &str = BY_GUEST;

/// Ends `select`: with the second model if what is on the stack is not 0, with the last
/// one otherwise.
const TELL: &str = "(if (then (call $pick (i32.const 512) (i32.const 1) (f32.const 1)))
    (else (call $pick (i32.const 512) (i32.const 2) (f32.const 1))))
  (return (call $route (i32.const 512) (i32.const 1)))";

/// A guest that imports these functions, each an interface, a name, and a type with a
/// name of its own.
fn importing(functions: &[[&str; 3]]) -> Guest {
    let import = |[interface, name, kind]: &[&str; 3]| format!("(import \"wasi:{interface}@0.2.0\" \"{name}\" {kind})");
    let imports: String = functions.iter().map(import).collect();
    let mut interfaces: Vec<&str> = functions.iter().map(|[interface, ..]| *interface).collect();
    interfaces.dedup();
    Guest::sound().importing(&interfaces).put("fields", &imports)
}

/// Returns the model that a guest puts in front of a plain request.
async fn told_by(guest: Guest) -> String {
    let host = Setup::new().models(&MODELS).set("policy.limits.time", "2s").policy(guest.component()).start().await;
    let reply = host.ask(FORMS[0], "auto").await;
    let policy = format!("{SOUND}; generation=1");
    assert_eq!(reply.header("x-router-policy"), Some(&*policy), "{}", host.policy().await);
    reply.header("x-router-model").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_tells_what_it_found() {
    // Or else the tests below would hold nothing.
    for (found, model) in [("1", MODELS[1]), ("0", NOTHING_FOUND)] {
        assert_eq!(told_by(Guest::sound().put("select", &format!("(i32.const {found}) {TELL}"))).await, model);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_finds_no_environment_no_arguments_and_no_files() {
    assert!(std::env::vars_os().count() > 0, "there is something to be found");
    let lists = [
        ["cli/environment", "get-environment", "(func $list_of (param i32))"],
        ["cli/environment", "get-arguments", "(func $list_of (param i32))"],
        ["filesystem/preopens", "get-directories", "(func $list_of (param i32))"],
    ];
    for list in lists {
        let length = "(call $list_of (i32.const 800)) (i32.load offset=4 (i32.const 800))";
        let guest = importing(&[list]).put("select", &format!("{length} {TELL}"));
        assert_eq!(told_by(guest).await, NOTHING_FOUND, "{list:?}");
    }
}

/// A result without a value that is the error `access-denied`.
const DENIED: u16 = 0x0101;

const NETWORK: [&str; 3] = ["sockets/instance-network", "instance-network", "(func $network (result i32))"];

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_looks_up_no_name() {
    let lookup = ["sockets/ip-name-lookup", "resolve-addresses", "(func $look_up (param i32 i32 i32 i32))"];
    let guest = importing(&[NETWORK, lookup]).put("fields", "(data (i32.const 900) \"localhost\")");
    let call = "(call $look_up (call $network) (i32.const 900) (i32.const 9) (i32.const 800))";
    assert_eq!(
        told_by(guest.put("select", &format!("{call} (i32.eqz (i32.load8_u (i32.const 800))) {TELL}"))).await,
        NOTHING_FOUND
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_connects_to_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let create = ["sockets/tcp-create-socket", "create-tcp-socket", "(func $create (param i32 i32))"];
    let parameters = "i32 ".repeat(15);
    let connect_type = format!("(func $connect (param {parameters}))");
    let connect = ["sockets/tcp", "[method]tcp-socket.start-connect", &*connect_type];
    let rest = "(i32.const 0) ".repeat(6);
    let select = format!(
        "(call $create (i32.const 0) (i32.const 800))
         (if (i32.eqz (i32.load8_u (i32.const 800))) (then
           (call $connect (i32.load (i32.const 804)) (call $network) (i32.const 0) (i32.const {port})
             (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1) {rest} (i32.const 840)))
           (else (i32.store16 (i32.const 840) (i32.const {DENIED}))))
         (i32.ne (i32.load16_u (i32.const 840)) (i32.const {DENIED})) {TELL}"
    );
    assert_eq!(told_by(importing(&[NETWORK, create, connect]).put("select", &select)).await, NOTHING_FOUND);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody has come");
}

/// A guest that sleeps for an hour, in nanoseconds, where it is told to.
fn sleeping() -> (Guest, &'static str) {
    let subscribe = ["clocks/monotonic-clock", "subscribe-duration", "(func $after (param i64) (result i32))"];
    let block = ["io/poll", "[method]pollable.block", "(func $block (param i32))"];
    (importing(&[subscribe, block]), "(call $block (call $after (i64.const 3600000000000)))")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_sleeps_for_an_hour_is_not_waited_for() {
    let (guest, sleep) = sleeping();
    let bad =
        || [Bad::guest("sleeps at loading", &guest.clone().put("describe", sleep), "describe", "took longer than")];
    refused_at_start(&bad()).await;
    refused_as_a_change(&bad()).await;
    let host = Setup::new().models(&MODELS).policy(guest.when_marked(sleep).component()).start().await;
    for (number, form) in (1..).zip(FORMS) {
        let reply = host.post(form.path, &marked(form)).await;
        assert_eq!(Told::by(&reply), Told::hello(BY_EMBEDDED, 1, None), "{form:?}");
        assert_eq!(host.faults().await, number, "{form:?}");
        host.decided_by_guest().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_policy_writes_to_standard_error_goes_nowhere_and_not_for_ever() {
    let stderr = ["cli/stderr", "get-stderr", "(func $stderr (result i32))"];
    let write =
        ["io/streams", "[method]output-stream.blocking-write-and-flush", "(func $write (param i32 i32 i32 i32))"];
    let flood = |end: &str| {
        let write = "(call $write (local.get $place) (i32.const 900) (i32.const 8) (i32.const 800))";
        format!("(local.set $place (call $stderr)) (loop $more {write} {end}) (local.set $place (i32.const 0))")
    };
    let guest = importing(&[stderr, write]).put("fields", "(data (i32.const 900) \"flooding\")");
    let host = Setup::new().models(&MODELS).policy(guest.clone().when_marked(&flood("(br $more)")).component());
    let host = host.start().await;
    let reply = host.post(FORMS[0].path, &marked(FORMS[0])).await;
    assert_eq!((Told::by(&reply), host.faults().await), (Told::hello(BY_EMBEDDED, 1, None), 1));

    let program = Program::new();
    std::fs::write(program.path("some.wasm"), guest.put("select", &flood("")).component()).unwrap();
    let ran = program.run(&["policy", "check", "some.wasm"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.err.contains("flooding") && !ran.out.contains("flooding"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_does_not_see_the_memory_of_another_nor_of_itself_in_another_place() {
    let leave = "(i32.store (i32.const 60000) (i32.const 42))";
    let abstain = "(i64.store (i32.const 256) (i64.const 0)) (return (i32.const 256))";
    let writer = Guest::sound().replace("reversed", "written1").put("select", &format!("{leave} {abstain}"));
    let reader = Guest::sound().put("select", &format!("(i32.load (i32.const 60000)) {TELL}"));
    // One file in two places: only the one with long settings leaves something.
    let long = "(i32.gt_u (local.get $length) (i32.const 100))";
    let twice = Guest::sound()
        .put("fields", "(global $leaves (mut i32) (i32.const 0))")
        .put("configure", &format!("(if {long} (then {leave} (global.set $leaves (i32.const 1))))"))
        .put("select", &format!("(if (global.get $leaves) (then {abstain})) (i32.load (i32.const 60000)) {TELL}"));
    let chain_of_one = json!([{"module": "twice.wasm", "settings": {"long": "x".repeat(100)}}, "twice.wasm"]);
    for chain in [json!(["writer.wasm", "reader.wasm"]), chain_of_one] {
        let setup = Setup::new().models(&MODELS).file("config.yaml", json!({"policy": {"chain": chain}}).to_string());
        let setup = setup.file("writer.wasm", writer.component()).file("reader.wasm", reader.component());
        let host = setup.file("twice.wasm", twice.component()).start().await;
        for form in FORMS {
            assert_eq!(
                Told::by(&host.ask(form, "auto").await),
                Told::hello(NOTHING_FOUND, 1, None),
                "{chain} {form:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_hoards_handles_or_asks_for_chance_without_end_is_stopped_before_its_time() {
    let stderr = ["cli/stderr", "get-stderr", "(func $stderr (result i32))"];
    let random = ["random/random", "get-random-bytes", "(func $random (param i64 i32))"];
    let hoard = "(loop $more (drop (call $stderr)) (br $more))";
    let gamble = "(call $random (i64.const 1000000000) (i32.const 800))";
    let bad = [
        Bad::guest("hoards", &importing(&[stderr]).put("describe", hoard), "describe", "resource table"),
        Bad::guest("gambles", &importing(&[random]).put("describe", gamble), "describe", "exceeds limit 4096"),
    ];
    refused_at_start(&bad).await;
    refused_as_a_change(&bad).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_and_chance_are_those_of_the_request_so_that_a_replay_is_exact() {
    let random = ["random/random", "get-random-u64", "(func $random (result i64))"];
    let now = ["clocks/monotonic-clock", "now", "(func $now (result i64))"];
    let odd = "(i64.xor (call $random) (i64.div_u (call $now) (i64.const 1000000)))";
    let guest = importing(&[random, now])
        .put("select", &format!("(i32.wrap_i64 (i64.and {odd} (i64.const 1))) {TELL}"))
        .component();
    let config = json!({"policy": {"module": "any.wasm", "decision_log": "log.jsonl"}}).to_string();
    let host = Setup::new().models(&MODELS).file("any.wasm", &guest).file("config.yaml", config).start().await;
    let mut chosen = BTreeSet::new();
    for number in 0..100 {
        if chosen.len() == 2 && number >= 20 {
            break;
        }
        let reply = host.ask(FORMS[number % FORMS.len()], "auto").await;
        chosen.insert(reply.header("x-router-model").unwrap().to_owned());
    }
    assert_eq!(chosen.len(), 2, "it is left to chance: {chosen:?}");
    let folder = host.stop().await;
    let path = |name: &str| folder.path().join(name).display().to_string();
    for more in [&[][..], &["--fresh"]] {
        let (policy, log) = (path("any.wasm"), path("log.jsonl"));
        let ran = Program::new().run(&[&["policy", "replay", &policy, "--log", &log], more].concat());
        assert!(ran.code == Some(0) && ran.out.contains(" decisions 0 would change: "), "{more:?}: {ran:?}");
    }
}
