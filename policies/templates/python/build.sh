#!/bin/sh
# Builds {{name}}.wasm beside this script, or in the folder after --output.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
output=$here
if [ "${1-}" = --output ]; then
    mkdir -p -- "$2"
    output=$(CDPATH='' cd -- "$2" && pwd -P)
fi
cd -- "$here"

tool=.venv/bin/componentize-py
[ -x "$tool" ] || tool=$(command -v componentize-py || true)
if [ -z "$tool" ]; then
    echo "build.sh: there is no componentize-py; install it with:" >&2
    echo "    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt" >&2
    exit 3
fi
"$tool" --quiet --wit-path wit --world policy componentize app --output "$output/{{name}}.wasm"
echo "built $output/{{name}}.wasm, $(wc -c <"$output/{{name}}.wasm" | tr -d ' ') bytes"
