//! Certificates of the router: renewed while it runs, refused, over.
//!
//! Clients trust one certificate alone, so that an answer shows which one was given. What
//! is served with a good one is in `https`.

use std::fs;

use insta::assert_snapshot;
use serde_json::Value;
use tokio::time::timeout;

use crate::support::{
    PATIENCE,
    certificate::{CERT_FILE, CONFIG, Certificate, KEY_FILE, SETTINGS},
    models::free,
    program::{Program, Ran, Served},
    scene::{KEY, Scene},
};

const MODEL: &str = "acme/all:free";

/// Puts a certificate in the place of another.
fn replace(scene: &Scene, certificate: &Certificate) {
    fs::write(scene.program.path(CERT_FILE), &certificate.cert).unwrap();
    fs::write(scene.program.path(KEY_FILE), &certificate.key).unwrap();
}

/// Waits until a client is answered by HTTPS.
async fn answered(client: &reqwest::Client, served: &Served) {
    // Read whole, so that the connection is kept.
    let whole = async || client.get(served.secure_url("/api/version")).send().await?.bytes().await;
    let asked = async { while whole().await.is_err() {} };
    timeout(PATIENCE, asked).await.expect("this certificate is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_over_and_a_bad_one_is_not() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let scene = first.scene(MODEL).await;
    let mut served = scene.serve();
    let old = first.client();
    answered(&old, &served).await;
    replace(&scene, &second);
    answered(&second.client(), &served).await;
    assert!(first.client().get(served.secure_url("/api/version")).send().await.is_err(), "the old one is still shown");
    // Who is connected stays so.
    assert_eq!(old.get(served.secure_url("/api/version")).send().await.unwrap().status(), 200);
    assert_eq!(scene.program.run(&["status", "-p", &served.port.to_string()]).code, Some(0));

    fs::write(scene.program.path(CERT_FILE), "nonsense").unwrap();
    let refused = async {
        while !served.has_said("the certificate was not renewed, the old one stays in force: server.tls_cert") {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.expect("nothing is said of it");
    assert_eq!(second.client().get(served.secure_url("/api/version")).send().await.unwrap().status(), 200);
}

/// As certbot does it: links into an archive, each changed by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_behind_links_is_renewed_when_the_links_change() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let program = Program::new()
        .file("live/README", "")
        .file("archive/cert1.pem", &first.cert)
        .file("archive/key1.pem", &first.key)
        .file("archive/cert2.pem", &second.cert)
        .file("archive/key2.pem", &second.key)
        .env("OLLAMA_ROUTER_SERVER_TLS_CERT", "~/live/cert.pem")
        .env("OLLAMA_ROUTER_SERVER_TLS_KEY", "~/live/key.pem");
    link(&program, 1);
    let scene = Scene::of(Program::new(), free(&[MODEL])).await;
    let program =
        program.env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", &scene.sandbox.base_url()).env("OPENROUTER_API_KEY", KEY);
    let served = program.serve(&["start", "-H", "127.0.0.1", "-p", "0"]);
    answered(&first.client(), &served).await;
    link(&program, 2);
    answered(&second.client(), &served).await;
}

/// Points the links at one of the two certificates, one link after the other.
fn link(program: &Program, number: u8) {
    for name in ["cert", "key"] {
        let (live, fresh) = (program.path(&format!("live/{name}.pem")), program.path("live/fresh"));
        std::os::unix::fs::symlink(format!("../archive/{name}{number}.pem"), &fresh).unwrap();
        fs::rename(fresh, live).unwrap();
    }
}

#[test]
fn what_cannot_be_served_ends_a_start_with_2_and_says_what_to_do() {
    let (pair, other) = (Certificate::new(), Certificate::new());
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked_of_old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIB\n";
    let strange = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    let damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let cut = pair.cert.trim_end().trim_end_matches('-');
    let rows = [
        (SETTINGS, Some(&*pair.cert), None),
        (SETTINGS, None, Some(&*pair.key)),
        ("server:\n  tls_cert: cert.pem\n", Some(&*pair.cert), None),
        ("server:\n  tls_key: key.pem\n", None, Some(&*pair.key)),
        (SETTINGS, Some("words"), Some(&*pair.key)),
        (SETTINGS, Some(&*pair.cert), Some("words")),
        (SETTINGS, Some(&*pair.key), Some(&*pair.cert)),
        (SETTINGS, Some(&*pair.cert), Some(&*pair.cert)),
        (SETTINGS, Some(&*pair.cert), Some(&*other.key)),
        (SETTINGS, Some(&*pair.cert), Some(locked)),
        (SETTINGS, Some(&*pair.cert), Some(locked_of_old)),
        (SETTINGS, Some(&*pair.cert), Some(strange)),
        (SETTINGS, Some(damaged), Some(&*pair.key)),
        (SETTINGS, Some(cut), Some(&*pair.key)),
        ("server:\n  tls_cert: .\n  tls_key: key.pem\n", None, Some(&*pair.key)),
    ];
    let mut told = Vec::new();
    for (settings, cert, key) in rows {
        let mut program = Program::new().file(CONFIG, settings);
        for (path, text) in [(CERT_FILE, cert), (KEY_FILE, key)] {
            program = text.into_iter().fold(program, |program, text| program.file(path, text));
        }
        let Ran { code, out, err } = program.run(&["start", "--demo", "-H", "127.0.0.1", "-p", "0"]);
        assert_eq!((code, &*out), (Some(2), ""), "{err}");
        told.push(program.scrubbed(&err));
    }
    assert_snapshot!("certificates_refused", told.concat());
}

/// A path can be shown, and a key must not be.
#[test]
fn a_key_in_the_place_of_its_path_is_refused_and_not_shown() {
    let key = Certificate::new().key;
    let secret = key.lines().nth(1).unwrap();
    let told = "server.tls_key: this is what a PEM file holds: give the path of such a file instead\n";
    let program = |variable: &str, value: &str| Program::new().file("key.pem", &key).env(variable, value);
    let programs = [
        (program("OLLAMA_ROUTER_SERVER_TLS_KEY", &key), "environment variable OLLAMA_ROUTER_SERVER_TLS_KEY"),
        (
            program("OLLAMA_ROUTER_SERVER_TLS_KEY_FILE", "~/key.pem"),
            "environment variable OLLAMA_ROUTER_SERVER_TLS_KEY_FILE",
        ),
    ];
    for (program, place) in programs {
        for command in [&["start", "--demo", "-p", "0"][..], &["config", "show"], &["doctor"]] {
            let ran = program.run(command);
            assert!(!format!("{ran:?}").contains(secret), "{ran:?}");
        }
        let ran = program.run(&["start", "--demo", "-p", "0"]);
        assert_eq!((ran.code, ran.err), (Some(2), format!("error: {place}: {told}")));
    }
    let ran = Program::new().run(&["config", "set", "server.tls_key", &key]);
    assert!(ran.code == Some(2) && !format!("{ran:?}").contains(secret), "{ran:?}");
}

#[test]
fn one_of_two_settings_can_be_set_before_the_other() {
    let program = Program::new();
    let warned = |command: &[&str]| {
        let ran = program.run(command);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.err.lines().filter(|line| line.starts_with("warning: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let half = |set: &str, missing: &str| {
        vec![format!("warning: {set} is set and {missing} is not: set both to serve HTTPS, or neither")]
    };
    let (cert, key) = ("server.tls_cert", "server.tls_key");
    assert_eq!(warned(&["config", "set", cert, "some.pem"]), half(cert, key));
    assert_eq!(warned(&["config", "set", "server.port", "1"]), [""; 0]);
    assert_eq!(warned(&["config", "set", key, "some.pem"]), [""; 0]);
    let shown = program.run(&["config", "get", "server.tls_key"]);
    assert_eq!(shown.out, format!("{}\n", program.path(".config/ollama-router/some.pem").display()));
    assert_eq!(warned(&["config", "unset", cert]), half(key, cert));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_at_the_certificate() {
    let found = |program: &Program| {
        let ran = program.run(&["doctor", "--json"]);
        let findings: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        let rows = findings.iter().filter(|row| row["check"] == "certificate");
        let text = |row: &Value, key: &str| program.scrubbed(row[key].as_str().unwrap_or_default());
        rows.map(|row| ["verdict", "what", "remedy"].map(|key| text(row, key))).collect::<Vec<_>>()
    };
    let fits = "~/.config/ollama-router/cert.pem fits its key, and";
    let renew = "renew it; a running router takes the new files over by itself";
    let rows = [
        (Certificate::new().program(), ["ok", &format!("{fits} holds until 2090-01-01T00:00:00Z"), ""]),
        (
            Certificate::of(2020, 2021).program(),
            ["failed", &format!("{fits} is over since 2021-01-01T00:00:00Z: clients refuse it"), renew],
        ),
        (
            Certificate::of(2080, 2090).program(),
            [
                "failed",
                &format!("{fits} holds from 2080-01-01T00:00:00Z on only"),
                "set the clock, or wait: clients refuse it",
            ],
        ),
        (
            Certificate { key: Certificate::new().key, ..Certificate::new() }.program(),
            [
                "failed",
                "server.tls_key: ~/.config/ollama-router/key.pem is not the key of the certificate",
                "name the key with which ~/.config/ollama-router/cert.pem was made; if that holds several certificates, \
                 the router's own has to be first",
            ],
        ),
    ];
    for (program, expected) in rows {
        let program = program.env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://127.0.0.1:1").env("PORT", "0");
        assert_eq!(found(&program), [expected.map(str::to_owned)]);
    }
    let without = Program::new().env("OLLAMA_ROUTER_OPENROUTER_BASE_URL", "http://127.0.0.1:1").env("PORT", "0");
    assert_eq!(found(&without), Vec::<[String; 3]>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_over_is_served_and_the_log_says_so() {
    let program = Certificate::of(2020, 2021).program();
    let served = program.serve(&["start", "--demo", "-H", "127.0.0.1", "-p", "0"]);
    // The commands trust it all the same: it is the configuration's.
    assert_eq!(program.run(&["policy", "list", "-p", &served.port.to_string()]).code, Some(0));
    served.signal("TERM");
    let ran = served.ended();
    let words = "cert.pem is over since 2021-01-01T00:00:00Z: renew it";
    assert!(ran.err.contains(words), "{}", ran.err);
}
