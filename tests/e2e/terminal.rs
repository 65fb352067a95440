//! What a person sees who runs the program in a terminal.
//!
//! Whole screens. What does not depend on a terminal belongs into `cli.rs`.

use insta::assert_snapshot;

use crate::support::program::Program;

#[test]
fn errors_are_the_same_on_a_terminal_and_off() {
    let program = Program::new();
    let shown = program.terminal(24, 100, &["policy", "list", "-p", "1"]).ended();
    assert_snapshot!(shown.screen, @"no router is running at http://127.0.0.1:1; start one with `ollama-router start -p 1`");
    let ran = program.run(&["policy", "list", "-p", "1"]);
    assert_eq!((shown.code, &*shown.screen), (ran.code, ran.err.trim_end()));
}
