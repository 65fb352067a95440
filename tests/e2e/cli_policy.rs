//! What the `policy` commands for operators print, whole. What they do is in `reload.rs`,
//! `rollback.rs`, `explain.rs` and others.

use insta::assert_snapshot;

use crate::support::{program::Program, scene::Scene};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_force_and_was_is_printed_whole() {
    let scene = Scene::new().await;
    let served = scene.serve();
    let port = served.port.to_string();
    let told = |arguments: &[&str]| {
        let told = scene.told(&[&["policy"], arguments, &["-p", &port]].concat());
        // It is another for each build of the policy.
        let digest = told.split(' ').find(|word| word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digest.map_or_else(|| told.clone(), |digest| told.replace(digest, "DIGEST------"))
    };
    assert_snapshot!("policy_reload", told(&["reload"]));
    assert_snapshot!("policy_reload_dry_run", told(&["reload", "--dry-run"]));
    assert_snapshot!("policy_rollback", told(&["rollback"]));
    assert_snapshot!("policy_history", told(&["history"]));
    assert_snapshot!("policy_explain", told(&["explain", "--vision"]));
}

#[test]
fn what_cannot_be_wrapped_is_told_with_its_name() {
    let program = Program::new().file("text.wasm", "nonsense");
    for (file, words) in [("none.wasm", "cannot read none.wasm"), ("text.wasm", "cannot wrap text.wasm")] {
        let ran = program.run(&["policy", "wrap", file, "-o", "out.wasm"]);
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{}", ran.err);
        assert!(ran.err.contains(words), "{}", ran.err);
    }
}
