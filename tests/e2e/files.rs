//! The data folder: the copy of the catalogue, the database, and their damage.
//!
//! Whatever is in these files or missing from them, the router starts, and it
//! serves what it can. What the filter does is in `models`, what is remembered
//! of failures in `cooldown`.

use ollama_router::sandbox::{record::Outcome, reply::Reply};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{
    Host, Setup,
    ask::{Form, Told},
    models::{catalog, entry, free},
};

const A: &str = "acme/a:free";
const B: &str = "acme/b:free";

const CHAT: Form = Form { path: "/api/chat", streaming: false };

/// Returns the names of files set aside for a file.
fn set_aside(host: &Host, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(host.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|found| found.starts_with(&format!("{name}.corrupt-"))).collect()
}

/// Waits until the upstream has answered `count` requests for the catalogue.
async fn fetched(host: &Host, count: usize) {
    let done = |request: &&ollama_router::sandbox::record::Recorded| {
        request.path == "/models" && request.outcome == Outcome::Finished
    };
    host.sandbox.wait_until(|view| view.requests.iter().filter(done).count() >= count).await;
}

async fn answers(host: &Host, id: &str) {
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(id, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalogue_is_kept_whole_with_a_list_of_free_models() {
    let host = Setup::new().models(&[A, B]).start().await;
    let copy: Value = serde_json::from_slice(&std::fs::read(host.path("models.json")).unwrap()).unwrap();
    assert_eq!((&copy["source"], &copy["models"]), (&json!(host.sandbox.base_url()), &free(&[A, B])));
    assert_eq!(std::fs::read_to_string(host.path("free-models")).unwrap(), format!("{A}\n{B}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_upstreams_list_the_copy_serves() {
    let host = Setup::new().models(&[A, B]).start().await;
    host.sandbox.fail_catalog(&Reply::no_instances());
    let host = host.restart_stale().await;
    fetched(&host, 2).await;
    answers(&host, A).await;
    assert_eq!(host.status().await["catalog"]["models"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_list_is_picked_up_and_kept() {
    let host = Setup::new().models(&[A]).start().await;
    host.sandbox.set_catalog(free(&[B, A]));
    let host = host.restart_stale().await;
    host.generation(|number| number > 1).await;
    answers(&host, B).await;
    let copy: Value = serde_json::from_slice(&std::fs::read(host.path("models.json")).unwrap()).unwrap();
    assert_eq!(copy["models"], free(&[B, A]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_fresh_is_not_fetched_again() {
    let host = Setup::new().models(&[A]).start().await;
    let host = host.restart_fresh().await;
    answers(&host, A).await;
    let asked = host.sandbox.requests().iter().filter(|request| request.path == "/models").count();
    assert_eq!(asked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_makes_no_sense_leaves_the_last_good_one() {
    let lists = [
        Reply::html(200),
        Reply::body(200, "application/json", "{\"data\": [{\"id\""),
        Reply::json(200, json!({"data": []})),
        Reply::json(200, json!({"data": 17})),
        Reply::json(200, json!({"data": [{"id": 5}, {"name": "x"}, 7]})),
        Reply::user_not_found(),
        Reply::body(302, "text/plain", "").header("location", "/elsewhere"),
    ];
    for reply in lists {
        let host = Setup::new().models(&[A, B]).start().await;
        host.sandbox.fail_catalog(&reply);
        let host = host.restart_stale().await;
        let before = std::fs::read(host.path("models.json")).unwrap();
        fetched(&host, 2).await;
        // The reload is done by the task that takes catalogues in, so one that came before it is in.
        assert_eq!(host.post_text("/router/policy/reload", "").await.json()["generation"], 1, "{reply:?}");
        answers(&host, A).await;
        assert_eq!(std::fs::read(host.path("models.json")).unwrap(), before, "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_entries_of_the_list_spoil_no_other() {
    let mut over = entry("acme/over:free", 500_000);
    over["expiration_date"] = json!("2020-01-01");
    let list = catalog([json!(7), json!({"id": 5}), json!({"name": "no id"}), over, entry(A, 100_000)]);
    let host = Setup::new().scenario(ollama_router::sandbox::scenario::Scenario::quiet().catalog(list)).start().await;
    answers(&host, A).await;
    assert_eq!(host.status().await["catalog"]["models"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_neither_list_nor_copy_it_starts_says_so_and_recovers() {
    let host = Setup::new().models(&[A]).start().await;
    host.sandbox.fail_catalog(&Reply::html(502));
    std::fs::remove_file(host.path("models.json")).unwrap();
    let host = host.restart().await;
    assert_eq!(host.get("/health").await.status, 503);
    let tags = host.get("/api/tags").await.json();
    assert_eq!(tags["models"].as_array().unwrap().len(), 1, "auto alone: {tags}");
    let answer = host.ask(CHAT, "auto").await;
    assert_eq!(answer.status, 503, "nothing is wrong with the request: {}", answer.text);
    host.sandbox.restore_catalog();
    host.generation(|number| number > 1).await;
    answers(&host, A).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_copy_is_set_aside_and_fetched_anew() {
    for junk in ["", "nonsense", "{\"source\": \"x\", \"fetched\": 1, \"mod", "{}", "[]", "\u{0}\u{0}\u{0}"] {
        let host = Setup::new().models(&[A]).file("models.json", junk).start().await;
        answers(&host, A).await;
        let aside = set_aside(&host, "models.json");
        assert_eq!(aside.len(), 1, "{junk:?}");
        assert_eq!(std::fs::read(host.path(&aside[0])).unwrap(), junk.as_bytes());
        let copy: Value = serde_json::from_slice(&std::fs::read(host.path("models.json")).unwrap()).unwrap();
        assert_eq!(copy["models"], free(&[A]), "{junk:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_another_upstream_is_not_used() {
    let copy = json!({"source": "https://elsewhere.test/api/v1", "fetched": 1_780_272_000, "models": free(&[B])});
    let host = Setup::new().models(&[A]).file("models.json", copy.to_string()).start().await;
    answers(&host, A).await;
    assert_eq!(host.status().await["catalog"]["models"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_database_is_set_aside_and_begun_anew() {
    let mut torn = b"SQLite format 3\0".to_vec();
    torn.extend([7; 4_000]);
    for junk in [b"nonsense, but a lot of it: ".repeat(200), torn, b"x".to_vec()] {
        let host = Setup::new().models(&[A, B]).file("failures.db", &junk).start().await;
        assert_eq!(set_aside(&host, "failures.db").len(), 1);
        host.sandbox.script(A, [Reply::overloaded()]);
        host.ask(CHAT, "auto").await;
        let host = host.restart().await;
        assert_eq!(host.standing(A).await, ("cooling".to_owned(), Some("overloaded".to_owned())));
        assert_eq!(set_aside(&host, "failures.db").len(), 1, "the new one is sound");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_program_is_set_aside_and_not_written() {
    let setup = Setup::new().models(&[A]);
    let other = Connection::open(setup.folder().join("failures.db")).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (42);").unwrap();
    drop(other);
    let host = setup.start().await;
    answers(&host, A).await;
    let aside = set_aside(&host, "failures.db");
    let kept = Connection::open(host.path(&aside[0])).unwrap();
    let value: u32 = kept.query_row("SELECT x FROM theirs", [], |row| row.get(0)).unwrap();
    assert_eq!((value, aside.len()), (42, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_costs_memory_only() {
    let folder = Setup::new().models(&[A, B]).file("failures.db/in-the-way", "");
    let newer = Setup::new().models(&[A, B]);
    let connection = Connection::open(newer.folder().join("failures.db")).unwrap();
    connection
        .execute_batch("PRAGMA application_id = 0x6f726673; PRAGMA user_version = 99; CREATE TABLE t (x);")
        .unwrap();
    drop(connection);
    for setup in [folder, newer] {
        let host = setup.start().await;
        host.sandbox.script(A, [Reply::overloaded()]);
        assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(B, 2, Some("acme/a:free=overloaded")));
        answers(&host, B).await;
        assert_eq!(set_aside(&host, "failures.db"), Vec::<String>::new(), "it is left alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_refuses_no_request() {
    let host = Setup::new().models(&[A, B]).start().await;
    let lock = Connection::open(host.path("failures.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    host.sandbox.script(A, [Reply::overloaded()]);
    assert_eq!(Told::by(&host.ask(CHAT, "auto").await), Told::hello(B, 2, Some("acme/a:free=overloaded")));
    answers(&host, B).await;
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    let host = host.restart().await;
    assert_eq!(host.standing(A).await.0, "cooling", "it was written when the lock was gone");
}
