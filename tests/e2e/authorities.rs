//! A machine without any certificate of an authority, such as a bare container: what needs
//! one says what to install, and all else works.

use serde_json::{Value, json};

use crate::support::program::Program;

const REMEDY: &str = "install the package `ca-certificates`, or let SSL_CERT_FILE name a file of them";

fn bare() -> Program {
    Program::new().env("SSL_CERT_FILE", "/nowhere/cert.pem").env("SSL_CERT_DIR", "/nowhere").env("PORT", "0")
}

#[test]
fn what_goes_by_https_says_what_to_install() {
    let nobody = "there are no certificates of authorities here that could be trusted (No CA certificates were loaded \
                  from the system)";
    let upstream = format!("cannot set up calls to https://openrouter.ai/api/v1: {nobody}: {REMEDY}");
    let router = format!("cannot ask a router: {nobody}: {REMEDY}");
    let rows = [
        (&["-k", "sk-or-v1-key", "start", "-H", "127.0.0.1"][..], &upstream),
        (&["status", "-H", "https://localhost"], &router),
    ];
    for (arguments, expected) in rows {
        let ran = bare().run(arguments);
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{arguments:?}");
        assert_eq!(ran.err, format!("error: {expected}\n"), "{arguments:?}");
    }
    let ran = bare().run(&["doctor", "--json"]);
    let findings: Vec<Value> = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let what = "no certificate for https://openrouter.ai/api/v1 could be trusted here: No CA certificates were loaded \
                from the system";
    let expected = json!({"check": "upstream", "verdict": "failed", "what": what, "remedy": REMEDY});
    assert_eq!((ran.code, findings.contains(&expected)), (Some(1), true), "{findings:?}");
}

#[test]
fn the_demo_and_the_commands_for_it_need_none() {
    let program = bare();
    let served = program.serve(&["start", "--demo", "-H", "127.0.0.1"]);
    let port = served.port.to_string();
    for command in [&["status"][..], &["list-models"], &["policy", "list"], &["cache", "refresh"]] {
        let ran = program.run(&[command, &["-p", &port]].concat());
        assert_eq!(ran.code, Some(0), "{command:?}: {}", ran.err);
    }
}
