//! The end of a router: streams may end, nothing new begins, nothing is lost.
//!
//! In process, but for a signal that comes before there is a router. Other ends by a
//! signal, and streams that outlast the grace, are in `cli`.

use ollama_router::sandbox::reply::{Reply, step::Gate};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    self, PATIENCE, Setup,
    ask::{FORMS, forms},
    program::Program,
};

const MODEL: &str = "acme/all:free";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_has_begun_ends_well_while_nobody_new_is_let_in() {
    for form in forms(true) {
        let host = Setup::new().models(&[MODEL]).set("failover.idle_timeout", "15s").start().await;
        let gate = Gate::new();
        host.sandbox.script(MODEL, [Reply::chunks(["One ", "two"]).gate_rest(&gate)]);
        let mut response = host.send(form.path, form.body("auto", "Hello").to_string()).await;
        let first = response.chunk().await.unwrap().unwrap();
        let address = host.address();
        // The upstream stays until the stream is at its end.
        let (stop, sandbox) = host.begin_stop();
        let refused = async { while TcpStream::connect(address).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, refused).await.expect("it goes on listening");
        gate.open();
        let rest = support::Reply::read(response).await;
        let text = String::from_utf8(first.to_vec()).unwrap() + &rest.text;
        let whole = support::Reply { text, ..rest };
        assert!(whole.complete && form.is_finished(&whole), "{form:?}: {}", whole.text);
        assert_eq!(whole.content(), "One two", "{form:?}");
        stop.await;
        drop(sandbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_router_stops_at_once_and_keeps_what_it_knows() {
    let host = Setup::new().models(&[MODEL]).start().await;
    host.sandbox.script(MODEL, [Reply::html(502)]);
    host.ask(FORMS[3], "auto").await;
    let folder = host.stop().await;
    let database = rusqlite::Connection::open(folder.path().join("failures.db")).unwrap();
    let kind: String = database.query_row("SELECT kind FROM failures", [], |row| row.get(0)).unwrap();
    assert_eq!(kind, "server-error");
}

/// The first process of a container ends by no signal that it does not listen for, and a
/// list of models may take half a minute.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_has_not_begun_yet_ends_well_too() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v1", upstream.local_addr().unwrap());
    let program = Program::new().env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &url);
    let begun = program.begin(&["-k", "sk-or-v1-key", "start", "-p", "0", "-H", "127.0.0.1"]);
    // It asks for the models, and nobody answers.
    let asked = tokio::time::timeout(PATIENCE, upstream.accept()).await.expect("it asks nobody").unwrap();
    begun.signal("TERM");
    let ran = begun.ended();
    drop(asked);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("stopped before it served"), "{}", ran.err);
}
