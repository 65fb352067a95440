//! What operators see of failures, and how they have them forgotten.
//!
//! By the routes, in process, and by the command line, whole output and all.
//! What leads to a rest is in `failover`, how long it is in `cooldown`.

use jiff::Timestamp;
use ollama_router::{
    clock::now_ms,
    sandbox::{Sandbox, reply::Reply as Upstream, scenario::Scenario},
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{
    self, Host, PATIENCE, Setup,
    ask::{FORMS, Form, Told},
    models::free,
    program::{Program, Ran, Served},
};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";
const C: &str = "acme/c:free";

const CHAT: Form = Form { path: "/api/chat", streaming: false };

/// A router two of whose models failed, one for a day and one for hours.
async fn failed(setup: Setup) -> Host {
    let host = setup.models(&[A, B, C]).start().await;
    host.sandbox.always(A, Upstream::harness_gate());
    host.sandbox.always(B, Upstream::model_gone());
    let trail = format!("{A}=gated, {B}=gone");
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(C, 3, Some(&trail)));
    host
}

async fn forget(host: &Host, path: &str) -> (u16, Value) {
    let reply = host.request("DELETE", path, &[], "").await;
    (reply.status, reply.json())
}

/// Returns the models of the failures on disk.
fn on_disk(host: &Host) -> Vec<String> {
    let connection = Connection::open(host.path("failures.db")).unwrap();
    let mut statement = connection.prepare("SELECT model FROM failures ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_of_each_model_how_it_stands_why_and_until_when() {
    let before = now_ms();
    let host = failed(Setup::new()).await;
    let status = host.status().await;
    let state = |place: usize| status["models"][place]["state"].clone();
    for (place, kind, hours) in [(0, "gated", 24), (1, "gone", 6)] {
        let state = state(place);
        let seen =
            ["standing", "rests_for", "last_failure", "failures_in_a_row", "recent_failures"].map(|key| &state[key]);
        assert_eq!(seen, [&json!("cooling"), &json!(kind), &json!(kind), &json!(1), &json!(1)]);
        let until = state["rests_until"].as_u64().unwrap();
        assert!((before..=now_ms()).contains(&(until - hours * 3_600_000)), "{state}");
    }
    let sound = state(2);
    assert_eq!(
        [&sound["rests_for"], &sound["rests_until"], &sound["standing"]],
        [&Value::Null, &Value::Null, &json!("ready")]
    );
    assert!(sound["last_success_at"].as_u64().unwrap() >= before, "{sound}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_rests_for_what_let_it_rest_and_not_for_what_came_after() {
    let host = Setup::new().models(&[A]).start().await;
    for reply in [Upstream::harness_gate(), Upstream::no_tool_use("f")] {
        host.sandbox.script(A, [reply]);
        host.ask(CHAT, "auto").await;
    }
    let state = host.state(A).await;
    assert_eq!([&state["rests_for"], &state["last_failure"]], [&json!("gated"), &json!("unsupported")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failures_of_one_model_are_forgotten_in_memory_and_on_disk() {
    for name in [A, "a:free", "A:Free", "acme%2Fa:free"] {
        let mut host = failed(Setup::new()).await;
        assert_eq!(forget(&host, &format!("/router/failures/{name}")).await, (200, json!({"models": [A]})), "{name}");
        for _ in 0..2 {
            assert_eq!(host.standing(A).await, ("ready".to_owned(), None), "{name}");
            assert_eq!(host.standing(B).await, ("cooling".to_owned(), Some("gone".to_owned())), "{name}");
            host = host.restart().await;
        }
        assert_eq!(on_disk(&host), [B], "{name}");
        host.sandbox.clear(A);
        assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(A, 1, None), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_failures_are_forgotten_and_the_accounts_limit_with_them() {
    let host = failed(Setup::new()).await;
    host.sandbox.script(C, [Upstream::daily_limit(50, now_ms() + 3_600_000)]);
    assert_eq!(host.ask(CHAT, "auto").await.status, 429);
    let pace = host.state(C).await["first_token_ms"].clone();
    assert_eq!(forget(&host, "/router/failures").await, (200, json!({"models": [A, B, C]})));
    // As after credits were bought; else the limit would be found out again.
    let day = json!({"used": 50, "limit": 1000, "remaining": 950});
    host.sandbox.always("/key", Upstream::json(200, json!({"data": {"free_model_daily_requests": day}})));
    let host = host.restart().await;
    for id in [A, B, C] {
        assert_eq!(host.standing(id).await, ("ready".to_owned(), None), "{id}");
    }
    assert_eq!(host.status().await["account"]["limit"], Value::Null);
    assert_eq!(host.state(C).await["first_token_ms"], pace, "how well a model answers is kept");
    assert_eq!(on_disk(&host), Vec::<String>::new());
    assert_eq!(forget(&host, "/router/failures").await, (200, json!({"models": []})));
    host.sandbox.clear(A);
    for form in FORMS {
        assert_eq!(Told::by(&host.ask(form, "auto").await), Told::hello(A, 1, None), "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_model_is_not_forgotten() {
    let host = Setup::new().models(&[A, "other/a:free"]).start().await;
    let (status, told) = forget(&host, "/router/failures/nonsense").await;
    assert_eq!((status, told), (404, json!({"error": "model 'nonsense' not found"})));
    let (status, told) = forget(&host, "/router/failures/a:free").await;
    assert_eq!((status, told["error"].as_str().unwrap().contains("ambiguous")), (400, true), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_may_forget() {
    let host = failed(Setup::new().set("server.admin_key", "admin-key")).await;
    for path in ["/router/failures", "/router/failures/a:free"] {
        assert_eq!(forget(&host, path).await.0, 401, "{path}");
    }
    let key = [("authorization", "Bearer admin-key")];
    assert_eq!(host.request("DELETE", "/router/failures", &key, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_of_the_policy_touches_no_failure() {
    let host = failed(Setup::new()).await;
    let before = (host.state(A).await["rests_until"].clone(), host.state(B).await["rests_until"].clone());
    host.write("models-filter/filter", "acme\n");
    host.generation(|number| number > 1).await;
    assert_eq!(host.reload().await.0, 200);
    assert_eq!((host.state(A).await["rests_until"].clone(), host.state(B).await["rests_until"].clone()), before);
}

/// Starts the program before an upstream as in [`failed`], and has it fail.
async fn served() -> (Sandbox, Program, Served) {
    let sandbox = Sandbox::start(Scenario::quiet().catalog(free(&[A, B, C]))).await.unwrap();
    sandbox.always(A, Upstream::harness_gate());
    sandbox.always(B, Upstream::model_gone());
    sandbox.script(C, [Upstream::no_tool_use("f")]);
    let program = Program::new()
        .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-any");
    let served = program.serve(&["start", "-H", "127.0.0.1", "-p", "0"]);
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    for status in [502, 200] {
        let answer = support::http().post(served.url("/api/generate")).body(body).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    // It asks what is left in its own time.
    let is_known = async || {
        let status = support::http().get(served.url("/router/status")).send().await.unwrap();
        support::Reply::read(status).await.json()["account"]["remaining"].is_u64()
    };
    let known = async { while !is_known().await {} };
    tokio::time::timeout(PATIENCE, known).await.expect("what is left is never known");
    (sandbox, program, served)
}

/// Puts `…` in place of what follows `from`, up to `to` or the end of the line.
fn masked(line: &str, from: &str, to: &str) -> String {
    let Some(start) = line.find(from).map(|at| at + from.len()) else { return line.to_owned() };
    let end = line[start..].find(to).filter(|_| !to.is_empty()).map_or(line.len(), |at| start + at);
    format!("{}…{}", &line[..start], &line[end..])
}

/// Returns the rows of the table, cell by cell; how wide they are depends on the
/// time that is left.
fn table(text: &str) -> Vec<Vec<String>> {
    let (_, table) = text.split_once("\n\n").unwrap();
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    let mut rows: Vec<Vec<String>> = table.lines().map(cells).collect();
    for cell in rows.iter_mut().flatten() {
        *cell = masked(cell, "cooling ", "");
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_it_all_and_forgets_what_it_is_told_to() {
    let (sandbox, program, served) = served().await;
    let port = served.port.to_string();
    let run = |arguments: &[&str]| -> Ran {
        let ran = program.run(&[&["status", "-p", &port], arguments].concat());
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.err);
        ran
    };
    let state: Value = serde_json::from_str(&run(&["--json"]).out).unwrap();
    let until = |place: usize| {
        let ms = state["models"][place]["state"]["rests_until"].as_i64().unwrap();
        Timestamp::from_second(ms / 1000).unwrap().to_string()
    };
    let shown = run(&[]);
    assert_eq!(shown.err, "");
    let (head, _) = shown.out.split_once("\n\n").unwrap();
    let head: Vec<_> = head.lines().map(|line| masked(&masked(line, ", up ", ""), "the list is ", " old")).collect();
    let decisions = &state["policy"]["calls"];
    let (left, all) = (&state["account"]["remaining"], &state["account"]["daily_requests"]);
    let expected = [
        format!("router    http://127.0.0.1:{port} version {}, up …", env!("CARGO_PKG_VERSION")),
        "state     up".to_owned(),
        format!("upstream  {}", sandbox.base_url()),
        "mode      free models only".to_owned(),
        "models    3 of 3 can be used; the list is … old".to_owned(),
        "          1 ready, 2 cooling".to_owned(),
        format!("account   {left} of {all} free requests left today"),
        format!("policy    free-mode 0.1.0 (embedded), generation 1, {decisions} decisions, 0 failed"),
    ];
    assert_eq!(head, expected);
    let pace = |key: &str| state["models"][2]["state"][key].as_f64().unwrap();
    let first_token = format!("{:.0} ms", pace("first_token_ms"));
    let gated = "gated: acme/a:free is only available on agentic harnesses. Try plugging it into a coding agent or \
                 productivity app listed on https://openrouter.ai/apps";
    let gone = "gone: No endpoints found for acme/b:free.";
    let unfit = "unsupported: No endpoints found that support tool use. Try disabling \"f\". To learn more \
                 about provider routing, visit: https://openrouter.ai/docs/provider-routing";
    let expected = [
        ["MODEL", "STATE", "BECAUSE OF", "UNTIL", "LEARNED", "OK/FAILED 5M", "FIRST TOKEN", "TOKENS/S", "LAST FAILURE"],
        ["a:free", "cooling …", "gated", &until(0), "gated", "0/1", "-", "-", gated],
        ["b:free", "cooling …", "gone", &until(1), "gone", "0/1", "-", "-", gone],
        ["c:free", "ready", "-", "-", "no-tools", "1/0", &first_token, "-", unfit],
    ];
    let mut rows = table(&shown.out);
    if pace("tokens_per_second") > 0.0 {
        // Only a slow machine takes long enough for it to be told.
        rows[3][7] = "-".to_owned();
    }
    assert_eq!(rows, expected);

    let ran = run(&["--clear", "a:free"]);
    assert_eq!(ran.err, "forgot the failures of acme/a:free\n");
    let ran = run(&["--clear"]);
    assert_eq!(ran.err, "forgot the failures of acme/b:free, acme/c:free\n");
    let ran = run(&["--clear", "--json"]);
    assert_eq!(ran.err, "there were no failures to forget\n");
    let state: Value = serde_json::from_str(&ran.out).unwrap();
    let standings: Vec<_> = state["models"].as_array().unwrap().iter().map(|row| &row["state"]["standing"]).collect();
    assert_eq!(standings, ["ready", "ready", "ready"]);
    let ran = program.run(&["status", "-p", &port, "--clear", "nonsense"]);
    assert_eq!((ran.code, &*ran.out), (Some(2), ""));
    let told = "model 'nonsense' not found; `ollama-router list-models --all` has the names";
    assert_eq!(ran.err, format!("error: http://127.0.0.1:{port} answers: {told}\n"));
}
