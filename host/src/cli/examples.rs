//! Examples of every command, shown by `--help`; `-h` stays short.
//!
//! One table, so that a command without an example is seen at once: a test looks for it.

use clap::Command;

/// What stands at the end of the program's own help.
const PROGRAM: &str = "\
Examples:
  ollama-router start --demo         try it without a key, with simulated answers
  ollama-router config init          make the settings file, by a few questions
  ollama-router start                serve on port 11434
  ollama-router list-models          what clients can use, best first
  ollama-router status               how it all stands
  ollama-router doctor               what is wrong, and what to do about it
  ollama-router policy list          what chooses among the models

Exit codes:
  0    it worked; `status`: the router is up
  1    it did not; `status`: the router is down
  2    what was typed or the configuration is wrong; `status`: up, but degraded
  101  a bug of the program's own, which it asks to report
  130  ended by Ctrl-C (`start` ends with 0 by it, once answers are finished)

Environment:
  NO_COLOR, CLICOLOR_FORCE      as --color never and --color always
  OPENROUTER_API_KEY            the key; every setting has a variable of its own, such as
  OLLAMA_ROUTER_SERVER_PORT     for server.port, and short ones such as PORT
  OPENROUTER_API_KEY_FILE       a file that holds the key; so with every OLLAMA_ROUTER_…";

/// The examples of each command, by its path.
const EXAMPLES: [(&str, &str); 18] = [
    (
        "start",
        "\
  ollama-router start --demo                    without a key: everything is simulated
  ollama-router start                           with the key of the configuration or OPENROUTER_API_KEY
  ollama-router start -p 8080 -H 127.0.0.1      on another port, for this machine alone
  ollama-router start --tool-use-only           with models that call tools, for agents
  ollama-router start --log-level debug         with more in the log",
    ),
    (
        "list-models",
        "\
  ollama-router list-models                         in the order in which they are tried
  ollama-router list-models --tool-use-only --vision
  ollama-router list-models -f gemini -f qwen       any of several patterns
  ollama-router list-models --all                   the hidden ones too, and why they are
  ollama-router list-models --sort speed --json | jq -r '.[0].name'
  ollama-router list-models --offline               by the list that is kept here",
    ),
    (
        "cache status",
        "\
  ollama-router cache status
  ollama-router cache status --json | jq .counts",
    ),
    (
        "cache refresh",
        "\
  ollama-router cache refresh                   by the running router, or without one
  ollama-router cache refresh --json | jq .new",
    ),
    (
        "cache clear",
        "\
  ollama-router cache clear                     asks first
  ollama-router cache clear --yes --policies    the compiled policies alone
  ollama-router cache clear --yes --failures    failures and cooldowns too",
    ),
    (
        "status",
        "\
  ollama-router status
  ollama-router status --watch                  live, every two seconds
  ollama-router status -H 192.168.1.5           of another machine, which needs server.admin_key
  ollama-router status --clear                  forget all failures and cooldowns
  ollama-router status --json | jq -r '.degraded[].reason'",
    ),
    (
        "doctor",
        "\
  ollama-router doctor
  ollama-router doctor --json | jq '.[] | select(.verdict != \"ok\")'",
    ),
    (
        "completions",
        "\
  ollama-router completions bash > ~/.local/share/bash-completion/completions/ollama-router
  ollama-router completions zsh > ~/.zfunc/_ollama-router
  ollama-router completions fish > ~/.config/fish/completions/ollama-router.fish
  ollama-router completions powershell >> $PROFILE",
    ),
    (
        "man",
        "\
  ollama-router man | man -l -
  ollama-router man --dir ~/.local/share/man/man1",
    ),
    ("config unset", "  ollama-router config unset server.port"),
    ("config path", "  cd \"$(dirname \"$(ollama-router config path)\")\""),
    (
        "policy list",
        "\
  ollama-router policy list
  ollama-router policy list --json | jq '.[0].digest'",
    ),
    (
        "policy reload",
        "\
  ollama-router policy reload --dry-run         what a change would change
  ollama-router policy reload",
    ),
    (
        "policy rollback",
        "\
  ollama-router policy rollback                 to the last good one
  ollama-router policy rollback 3               to a generation of `policy history`",
    ),
    ("policy history", "  ollama-router policy history"),
    (
        "policy explain",
        "\
  ollama-router policy explain --tools
  ollama-router policy explain --model gemma-4-31b-it:free --vision --offline",
    ),
    ("policy replay", "ollama-router policy replay new.wasm --log decisions.jsonl"),
    ("policy wrap", "  ollama-router policy wrap target/wasm32-unknown-unknown/release/mine.wasm -o mine.wasm"),
];

/// Returns the command with the examples of all that is below it.
pub(super) fn shown(command: Command) -> Command {
    let put = |command, (path, text): &(&str, &str)| {
        let path: Vec<&str> = path.split(' ').collect();
        // The first line of a text has lost its space by how it is written here.
        let lines: Vec<String> = text.lines().map(|line| format!("  {}", line.trim_start())).collect();
        below(command, &path, &format!("Examples:\n{}", lines.join("\n")))
    };
    EXAMPLES.iter().fold(command.after_long_help(PROGRAM), put)
}

fn below(command: Command, path: &[&str], text: &str) -> Command {
    match path {
        [] => command.after_long_help(text.to_owned()),
        [first, rest @ ..] => command.mut_subcommand(*first, |command| below(command, rest, text)),
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use crate::cli::command;

    #[test]
    fn every_command_has_examples() {
        let mut root = command();
        root.build();
        let mut without = Vec::new();
        look(&root, &mut without);
        assert_eq!(without, Vec::<String>::new(), "give them a row in EXAMPLES");
    }

    fn look(command: &Command, without: &mut Vec<String>) {
        let has_some = command.get_after_help().is_some() || command.get_after_long_help().is_some();
        if !command.has_subcommands() && !has_some && command.get_name() != "help" {
            without.push(command.get_bin_name().unwrap_or_default().to_owned());
        }
        command.get_subcommands().filter(|below| below.get_name() != "help").for_each(|below| look(below, without));
    }
}
