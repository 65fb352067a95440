//! The router with a certificate: HTTPS and nothing else on its port, for clients and commands.
//!
//! Certificates that change while it runs, and those that cannot be used, are in
//! `certificates`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use insta::assert_snapshot;
use ollama_router::sandbox::reply::{Reply, step::Gate};
use serde_json::json;
use tokio::time::timeout;

use crate::support::{
    self, PATIENCE, Setup,
    ask::forms,
    certificate::{CERT_FILE, Certificate, KEY_FILE},
    models::free,
    program::{Program, Ran},
    scene::Scene,
};

const MODEL: &str = "acme/all:free";
const REQUEST: &[u8] = b"POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}";

/// Sends a request in plain HTTP, and returns all that comes back.
fn plainly(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(REQUEST).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_is_streamed_by_https_and_ends_well_when_the_router_stops() {
    for form in forms(true) {
        let certificate = Certificate::new();
        let setup = Setup::new().models(&[MODEL]).set("failover.idle_timeout", "15s");
        let setup = setup.file("cert.pem", &certificate.cert).file("key.pem", &certificate.key);
        let (cert, key) = (setup.folder().join("cert.pem"), setup.folder().join("key.pem"));
        let setup = setup.set("server.tls_cert", cert.to_str().unwrap()).set("server.tls_key", key.to_str().unwrap());
        let host = setup.start().await;
        let gate = Gate::new();
        host.sandbox.script(MODEL, [Reply::chunks(["One ", "two"]).gate_rest(&gate)]);
        let url = format!("https://{}{}", host.address(), form.path);
        let request = certificate.client().post(url).body(form.body("auto", "Hello").to_string());
        let mut response = request.send().await.unwrap();
        let first = response.chunk().await.unwrap().unwrap();
        let (stop, sandbox) = host.begin_stop();
        gate.open();
        let rest = support::Reply::read(response).await;
        let whole = support::Reply { text: String::from_utf8(first.to_vec()).unwrap() + &rest.text, ..rest };
        assert!(whole.complete && form.is_finished(&whole), "{form:?}: {}", whole.text);
        assert_eq!(whole.content(), "One two", "{form:?}");
        stop.await;
        drop(sandbox);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_after_the_first_words_is_no_good_end_by_https_either() {
    let certificate = Certificate::new();
    let scene = certificate.scene(MODEL).await;
    scene.sandbox.script(MODEL, [Reply::chunks(["One ", "two"]).then_cut()]);
    let served = scene.serve();
    let body = json!({"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}).to_string();
    let request = certificate.client().post(format!("https://localhost:{}/api/chat", served.port)).body(body);
    let reply = support::Reply::read(request.send().await.unwrap()).await;
    assert!(!reply.complete && reply.content() == "One two", "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_find_the_router_of_their_configuration() {
    let scene = Certificate::new().scene(MODEL).await;
    let mut served = scene.serve();
    assert!(served.has_said(&format!("listening on https://127.0.0.1:{}", served.port)));
    let port = served.port.to_string();
    let told = |arguments: &[&str]| {
        let ran = scene.program.run(&[arguments, &["-p", &port]].concat());
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{arguments:?}: {ran:?}");
        ran.out
    };
    assert!(told(&["status"]).contains(&format!("https://127.0.0.1:{port} version ")));
    assert!(told(&["list-models"]).contains("all:free"));
    assert!(told(&["policy", "list"]).contains("free-mode"));
    assert!(told(&["policy", "reload"]).contains("nothing has changed"));
    assert!(told(&["status", "-H", "localhost"]).contains(&format!("https://localhost:{port} version ")));
    // Whoever only asks need not know the key.
    fs::remove_file(scene.program.path(KEY_FILE)).unwrap();
    assert!(told(&["status"]).contains("https://"));
    let elsewhere =
        Program::new().env("OLLAMA_ROUTER_SERVER_TLS_CERT", scene.program.path(CERT_FILE).to_str().unwrap());
    assert_eq!(elsewhere.run(&["status", "-p", &port]).code, Some(0));
    // Named with its scheme it is trusted as any other server is: by its issuer and its name.
    let elsewhere = Program::new().env("SSL_CERT_FILE", scene.program.path(CERT_FILE).to_str().unwrap());
    assert_eq!(elsewhere.run(&["status", "-H", "https://localhost", "-p", &port]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_come_by_https_says_what_to_do() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let scene = certificate.scene(MODEL).await;
    let served = scene.serve();
    let port = served.port.to_string();
    let told = |program: &Program, arguments: &[&str]| {
        let Ran { code, out, err } = program.run(&[&["status", "-p", &port], arguments].concat());
        assert_eq!((code, &*out), (Some(1), ""), "{err}");
        program.scrubbed(&err.replace(&port, "PORT"))
    };
    let other = other.program();
    let authority = Program::new().env("SSL_CERT_FILE", other.path(CERT_FILE).to_str().unwrap());
    let errors = [
        told(&other, &[]),
        told(&Program::new(), &[]),
        told(&scene.program, &["-H", "http://127.0.0.1"]),
        told(&authority, &["-H", "https://localhost"]),
    ];
    assert_snapshot!("https_not_reached", errors.join("\n"));

    // Nor is its port taken for that of a stranger.
    let held = Program::new().run(&["start", "--demo", "-H", "127.0.0.1", "-p", &port]);
    assert!(held.err.contains("Another router is running there already"), "{}", held.err);

    // And a router without a certificate, asked by one that has one.
    let plain = Scene::of(Program::new(), free(&[MODEL])).await;
    let served = plain.serve();
    let port = served.port.to_string();
    let other = other.env("PORT", &port).env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://127.0.0.1:1");
    let errors = [other.run(&["status"]), other.run(&["start", "--demo", "-H", "127.0.0.1"])].map(|ran| {
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{}", ran.err);
        // The system's number of an error is another on each.
        ran.err.replace(&port, "PORT").replace(" (os error 98)", "").replace(" (os error 48)", "")
    });
    assert_snapshot!("https_not_spoken", errors.join("\n"));
    let doctor = other.run(&["doctor"]).out.replace(&port, "PORT");
    let words = "port PORT is held by a router that speaks plain HTTP, though server.tls_cert is set";
    assert!(doctor.contains(words), "{doctor}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_is_told_to_use_https() {
    let served = Certificate::new().scene(MODEL).await.serve();
    let sentence = "Client sent an HTTP request to an HTTPS server: use https://\n";
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: \
         close\r\n\r\n{sentence}",
        sentence.len()
    );
    assert_eq!(plainly(served.port), answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_finish_a_handshake_keeps_nobody_waiting() {
    let certificate = Certificate::new();
    let served = certificate.scene(MODEL).await.serve();
    let begun = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", served.port)).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    // Some say nothing, some begin as TLS does, and some want to say more in plain HTTP.
    let slow: Vec<_> = [&b""[..], b"\x16\x03\x01", b"POST / HTTP/1.1\r\n"].repeat(40).into_iter().map(begun).collect();
    let answer =
        timeout(PATIENCE, certificate.client().get(served.secure_url("/api/version")).send()).await.expect("it waits");
    assert_eq!(answer.unwrap().status(), 200);
    // Nor does the router wait for them when it stops.
    served.signal("TERM");
    let ran = served.ended();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(!ran.err.contains("are cut"), "{}", ran.err);
    drop(slow);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_says_how_to_reach_it_by_https() {
    let program = Certificate::new().program();
    let served = program.serve(&["start", "--demo", "-H", "127.0.0.1", "-p", "0"]);
    let port = served.port.to_string();
    served.signal("TERM");
    let ran = served.ended();
    let greeting = ran.err.split("\n\n").find(|part| part.contains("Try, in another terminal")).unwrap();
    assert_snapshot!("https_demo", program.scrubbed(&greeting.replace(&port, "PORT")));
}
