//! What the database survives: kills at any moment, and a disk that refuses.
//!
//! The real program, killed while it writes: what it told its clients more than
//! a moment before is there when it starts again. Damaged files are in `files`
//! and beside `store`.

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ollama_router::sandbox::{Sandbox, reply::Reply as Upstream, scenario::Scenario};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::{
    self, PATIENCE,
    models::free,
    program::{Program, Served},
};

/// Kills in a row, each with a start after it. Ten take some seconds; raise this
/// for the longer form, as when the store is changed: two hundred took minutes.
const ROUNDS: usize = 10;

/// How long the program answers before it is killed, at most, in milliseconds:
/// so long that most of what it tells has to be on disk.
const LIFE_MS: u64 = 3_000;

/// Clients that ask at the same time, in turn: so few that it is the time which
/// has records written, and so many that it is their number.
const CLIENTS: [usize; 2] = [1, 6];

/// How long the model that answers takes, so that few clients make few records.
const ANSWER: Duration = Duration::from_millis(30);

/// What may be lost: what was told so short a time before the kill.
const MOMENT: Duration = Duration::from_secs(1);

const FAILING: [&str; 2] = ["acme/a:free", "acme/b:free"];
const GOOD: &str = "acme/good:free";

const DATABASE: &str = ".config/ollama-router/failures.db";

/// An upstream two of whose models always fail, and a program that tries each of
/// them with every request.
async fn start() -> (Sandbox, Program) {
    let sandbox = Sandbox::start(Scenario::quiet().catalog(free(&[FAILING[0], FAILING[1], GOOD]))).await.unwrap();
    for id in FAILING {
        sandbox.always(id, Upstream::overloaded());
    }
    sandbox.always(GOOD, Upstream::text("Hello").first_after(ANSWER));
    let program = Program::new()
        .env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &sandbox.base_url())
        .env("OLLAMA_ROUTER_OPENROUTER_API_KEY", "sk-or-v1-any")
        .env("OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE", "0")
        .env("FAILURE_COOLDOWN_MINUTES", "0");
    (sandbox, program)
}

fn serve(program: &Program) -> Served {
    program.serve(&["start", "-H", "127.0.0.1", "-p", "0"])
}

/// Asks, and returns the models that failed, as the answer tells; nothing if the
/// router is gone.
async fn ask(client: &reqwest::Client, url: &str) -> Option<Vec<String>> {
    let body = r#"{"model": "auto", "prompt": "Hello", "stream": false}"#;
    let answer = client.post(url).body(body).send().await.ok()?;
    assert_eq!(answer.status(), 200);
    let trail = answer.headers().get("x-router-trail").map(|trail| trail.to_str().unwrap().to_owned());
    answer.bytes().await.ok()?;
    let tries = trail.as_deref().unwrap_or_default().split(", ").filter(|text| !text.is_empty());
    Some(tries.map(|one| one.split_once('=').unwrap().0.to_owned()).collect())
}

/// When clients were told of each failure.
type Told = Vec<Instant>;

/// Has so many clients ask for so long, and kills the program with the next answer.
async fn kill_after(life: Duration, clients: usize, served: Served) -> (Instant, Told) {
    let (url, client) = (served.url("/api/generate"), support::http());
    let begun = Instant::now();
    let told = Mutex::new(Told::new());
    let killed = Mutex::new(None);
    let asking = (0..clients).map(|_| async {
        while let Some(models) = ask(&client, &url).await {
            let now = Instant::now();
            told.lock().unwrap().extend(models.into_iter().map(|_| now));
            let killed = &mut *killed.lock().unwrap();
            if killed.is_none() && begun.elapsed() >= life {
                *killed = Some(Instant::now());
                served.signal("KILL");
            }
        }
    });
    join_all(asking).await;
    assert_eq!(served.ended().code, None, "it was killed");
    (killed.into_inner().unwrap().unwrap(), told.into_inner().unwrap())
}

/// Reads the database as it is, and returns how many failures were ever written;
/// the oldest may be pruned, but none is missing between two others.
fn written(path: &Path) -> u64 {
    let connection = Connection::open(path).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    let query = "SELECT ifnull(max(id), 0), ifnull(max(id) - min(id) + 1, 0) - count(*) FROM failures";
    let numbers = connection.query_row(query, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let (newest, missing) = numbers.unwrap();
    assert_eq!(missing, 0, "failures between two others are missing");
    newest.unsigned_abs()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_costs_no_more_than_the_last_second() {
    let (_sandbox, program) = start().await;
    let database = program.path(DATABASE);
    let mut sure = 0;
    for round in 0..ROUNDS {
        let life = Duration::from_millis(fastrand::u64(0..=LIFE_MS));
        let (killed, told) = kill_after(life, CLIENTS[round % CLIENTS.len()], serve(&program)).await;
        let safe = |at: &Instant| killed.checked_duration_since(*at).is_some_and(|before| before > MOMENT);
        sure += told.into_iter().filter(safe).count() as u64;
        let found = written(&database);
        assert!(found >= sure, "round {round}: {found} failures are written, {sure} were told of");
        // What is there now must be there after every later kill.
        sure = found;
    }
    let served = serve(&program);
    let rows = support::http().get(served.url("/router/models")).send().await.unwrap().text().await.unwrap();
    let rows: Vec<Value> = serde_json::from_str(&rows).unwrap();
    let remembered =
        |id: &&str| rows.iter().any(|row| row["id"] == *id && row["state"]["last_failure"] == "overloaded");
    assert!(FAILING.iter().all(remembered), "{rows:?}");
    let aside = std::fs::read_dir(database.parent().unwrap()).unwrap();
    let aside = aside.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(aside.filter(|name| name.contains("corrupt")).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The limit is the system's own on the size of a file, so the log of the
/// database stops growing as on a full disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_no_more_refuses_no_request() {
    let (_sandbox, program) = start().await;
    // The list of models is fetched, the policy compiled and the tables made while there is room.
    let mut first = serve(&program);
    first.signal("TERM");
    assert!(!first.has_said("cannot be written"));
    first.ended();
    let program = program.file_limit_kib(128);
    let mut served = serve(&program);
    let (url, client) = (served.url("/api/generate"), support::http());
    let begun = Instant::now();
    while !served.has_said("failures and cooldowns cannot be written; trying on, requests are not affected") {
        assert!(begun.elapsed() < PATIENCE, "the limit is never met");
        assert_eq!(ask(&client, &url).await.unwrap(), FAILING);
    }
    for _ in 0..20 {
        assert_eq!(ask(&client, &url).await.unwrap(), FAILING);
    }
    let health = support::Reply::read(client.get(served.url("/health")).send().await.unwrap()).await;
    assert_eq!(health.status, 200);
    served.signal("TERM");
    let ran = served.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("last failures and cooldowns were not written"), "{}", ran.err);
    written(&program.path(DATABASE));
}
