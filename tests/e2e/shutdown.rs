//! The end of a router: streams may end, nothing new begins, nothing is lost.
//!
//! In process. The end by a signal, and streams that outlast the grace, are in
//! `cli`.

use ollama_router::sandbox::reply::{Reply, step::Gate};
use tokio::net::TcpStream;

use crate::support::{
    self, PATIENCE, Setup,
    ask::{FORMS, forms},
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
