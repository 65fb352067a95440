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

if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null; then
    echo "build.sh: there is no Node.js 20 or later; install it: https://nodejs.org" >&2
    exit 3
fi
if ! [ -e node_modules/@bytecodealliance/componentize-js ]; then
    echo "build.sh: there is no componentize-js; install it with: npm install" >&2
    exit 3
fi
node build.js "$output/{{name}}.wasm"
echo "built $output/{{name}}.wasm, $(wc -c <"$output/{{name}}.wasm" | tr -d ' ') bytes"
