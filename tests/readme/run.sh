#!/usr/bin/env bash
# Runs what the READMEs tell their readers to type.
#
#   tests/readme/run.sh [BINARY]
#
# BINARY is target/debug/ollama-router unless given. Takes the code blocks out of README.md,
# of examples/clients and of examples/deploy, as they stand, and runs them against
# `start --demo` in an empty home folder; blocks.py says which, and what is held against
# each other besides. Nothing outside is called but for the packages of Python's clients,
# which go to target/readme; without them their blocks are skipped, with a line that starts
# with SKIPPED. Needs Python 3.11 or later with venv, bash and curl. Ends with
# `N passed, M failed`, and not with 0 if any failed.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$(CDPATH='' cd -- "$here/../.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
binary=$(realpath -- "${1:-$target/debug/ollama-router}")
installed=$target/readme

# The versions are those that tests/clients has.
wanted=$(grep -E '^(anthropic|ollama|openai)==' "$root/tests/clients/python/requirements.txt")
if [ "$(cat -- "$installed/installed.txt" 2>/dev/null)" != "$wanted" ]; then
    mkdir -p -- "$installed"
    python3 -m venv --clear "$installed/python"
    # shellcheck disable=SC2086 # Each is a word of its own.
    if "$installed/python/bin/pip" install --quiet --disable-pip-version-check --no-input $wanted; then
        printf '%s\n' "$wanted" >"$installed/installed.txt"
    else
        rm -rf -- "$installed/python"
    fi
fi

exec python3 "$here/blocks.py" "$root" "$binary" "$installed/python/bin"
