//! What `--help` and `-h` say of every command, whole.
//!
//! Off a terminal, where lines are wrapped at one width on every machine. What a command
//! does is in the files named after it.

use insta::assert_snapshot;

use crate::support::program::Program;

/// Every command that has a help of its own.
const COMMANDS: [&str; 33] = [
    "",
    "start",
    "list-models",
    "cache",
    "cache status",
    "cache refresh",
    "cache clear",
    "status",
    "doctor",
    "config",
    "config init",
    "config show",
    "config get",
    "config set",
    "config unset",
    "config path",
    "config edit",
    "completions",
    "man",
    "policy",
    "policy list",
    "policy reload",
    "policy rollback",
    "policy history",
    "policy check",
    "policy inspect",
    "policy run",
    "policy bench",
    "policy new",
    "policy explain",
    "policy replay",
    "policy wrap",
    "help",
];

#[test]
fn every_command_says_what_it_is_with_examples() {
    let program = Program::new();
    for command in COMMANDS {
        let mut arguments: Vec<&str> = command.split(' ').filter(|part| !part.is_empty()).collect();
        if command != "help" {
            arguments.push("--help");
        }
        let ran = program.run(&arguments);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{command}");
        let name = if command.is_empty() { "program" } else { command };
        assert_snapshot!(format!("long {name}").replace(' ', "_"), ran.out);
    }
}

#[test]
fn the_short_help_is_short() {
    let program = Program::new();
    for (command, most_lines) in [("start", 30), ("list-models", 34), ("status", 26), ("doctor", 16)] {
        let short = program.run(&[command, "-h"]);
        let long = program.run(&[command, "--help"]);
        assert!(short.out.lines().count() <= most_lines, "{}", short.out);
        assert!(!short.out.contains("Examples:") && long.out.contains("Examples:"), "{command}");
    }
}

#[test]
fn what_is_typed_wrong_is_told_with_what_is_right() {
    let program = Program::new();
    let told = |arguments: &[&str]| {
        let ran = program.run(arguments);
        assert_eq!((ran.code, &*ran.out), (Some(2), ""), "{arguments:?}");
        ran.err
    };
    assert_snapshot!(told(&["strat"]), @r"
    error: unrecognized subcommand 'strat'

      tip: some similar subcommands exist: 'status', 'start'

    Usage: ollama-router [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(told(&["list-models", "--sort", "size"]), @r"
    error: invalid value 'size' for '--sort <ORDER>'
      [possible values: policy, context, name, price, speed, state, expiry]

    For more information, try '--help'.
    ");
    assert_snapshot!(told(&["status", "--watch", "0"]), @r"
    error: invalid value '0' for '--watch [<SECONDS>]': 0 is not in 1..=3600

    For more information, try '--help'.
    ");
    assert_snapshot!(told(&["cache", "clear", "--models", "--policies"]), @r"
    error: the argument '--models' cannot be used with '--policies'

    Usage: ollama-router cache clear --models

    For more information, try '--help'.
    ");
}
