//! `config edit`, with editors that are small scripts.

#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt as _};

use insta::assert_snapshot;

use crate::{
    config::{FILE, told},
    support::program::Program,
};

/// A home whose editor is this script; `$1` is the file.
fn with_editor(script: &str) -> Program {
    let program = Program::new().file("editor", &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(program.path("editor"), fs::Permissions::from_mode(0o755)).unwrap();
    let editor = program.path("editor").display().to_string();
    program.env("EDITOR", &editor)
}

fn text(program: &Program) -> String {
    fs::read_to_string(program.path(FILE)).unwrap()
}

/// What is in the folder of the settings.
fn names(program: &Program) -> Vec<String> {
    let folder = fs::read_dir(program.path(FILE).parent().unwrap()).unwrap();
    folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_the_editor_saves_takes_the_place_of_the_file() {
    let program = with_editor("echo 'server: {port: 9}' > \"$1\"").file(FILE, "# mine\n");
    assert_snapshot!(told(&program, &["config", "edit"]), @r"
    --- said
    saved ~/.config/ollama-router/config.yaml
    --- ended with 0
    ");
    assert_eq!((text(&program).as_str(), names(&program)), ("server: {port: 9}\n", vec!["config.yaml".to_owned()]));
}

#[test]
fn an_editor_that_saves_nothing_changes_nothing() {
    let program = with_editor("true").file(FILE, "# mine\n");
    assert_snapshot!(told(&program, &["config", "edit"]), @r"
    --- said
    nothing was changed in ~/.config/ollama-router/config.yaml
    --- ended with 0
    ");
    let program = with_editor("exit 3").file(FILE, "# mine\n");
    assert_snapshot!(told(&program, &["config", "edit"]), @r"
    --- said
    error: the editor `~/editor` ended with exit status: 3; nothing was changed
    --- ended with 1
    ");
    assert_eq!((text(&program).as_str(), names(&program)), ("# mine\n", vec!["config.yaml".to_owned()]));
}

#[test]
fn a_text_that_is_wrong_is_kept_beside_the_file_which_stays() {
    let program = with_editor("echo 'server: {prot: 9}' > \"$1\"").file(FILE, "# mine\n");
    let ran = program.run(&["config", "edit"]);
    let problem = "config.yaml:1:10: server.prot: unknown key, did you mean `server.port`?";
    assert!(ran.code == Some(2) && ran.err.contains(problem), "{}", ran.err);
    let kept = ran.err.trim().rsplit_once("your text is kept in ").unwrap().1.to_owned();
    assert_eq!(fs::read_to_string(kept).unwrap(), "server: {prot: 9}\n");
    assert_eq!((text(&program).as_str(), names(&program).len()), ("# mine\n", 2));
}

#[test]
fn at_a_terminal_a_wrong_text_is_given_back_to_the_editor() {
    let script = "if grep -q prot \"$1\"; then echo 'server: {port: 9}' > \"$1\"; \
                  else echo 'server: {prot: 9}' > \"$1\"; fi";
    let program = with_editor(script).file(FILE, "# mine\n");
    let mut terminal = program.terminal(24, 120, &["config", "edit"]);
    terminal.shows("Edit it again?");
    terminal.types("y\r");
    let shown = terminal.ended();
    assert_eq!(shown.code, Some(0), "{}", shown.screen);
    assert_eq!(text(&program), "server: {port: 9}\n");
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    let program =
        with_editor("echo 'server: {port: 9}' > \"$1\"; echo '# theirs' > ~/.config/ollama-router/config.yaml");
    let program = program.file(FILE, "# mine\n");
    let ran = program.run(&["config", "edit"]);
    assert!(ran.code == Some(1) && ran.err.contains("has changed meanwhile"), "{}", ran.err);
    assert_eq!((text(&program).as_str(), names(&program).len()), ("# theirs\n", 2));
}

#[test]
fn what_was_written_before_the_editor_failed_is_kept() {
    let program = with_editor("echo '# long work' >> \"$1\"; exit 3").file(FILE, "# mine\n");
    let ran = program.run(&["config", "edit"]);
    assert_eq!((ran.code, text(&program).as_str()), (Some(1), "# mine\n"), "{}", ran.err);
    let kept = ran.err.trim_end().rsplit_once("your text is kept in ").unwrap_or_else(|| panic!("{}", ran.err)).1;
    assert_eq!(fs::read_to_string(kept).unwrap(), "# mine\n# long work\n");
}

#[test]
fn an_editor_that_is_none_or_removes_the_text_is_told_as_such() {
    let with = |editor: &str| {
        let program = Program::new().file(FILE, "# mine\n").env("EDITOR", editor);
        let ran = program.run(&["config", "edit"]);
        assert_eq!((ran.code, text(&program).as_str(), names(&program).len()), (Some(1), "# mine\n", 1), "{editor}");
        ran.err.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        [with("rm"), with("no-such-editor --wait"), with("rm -f")],
        [
            "error: the editor `rm` has removed the text instead of saving it; nothing was changed",
            "error: the editor `no-such-editor --wait` cannot be run: name another in EDITOR; nothing was changed",
            "error: the editor `rm -f` has removed the text instead of saving it; nothing was changed",
        ]
    );
}
