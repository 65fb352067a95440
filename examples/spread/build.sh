#!/bin/sh
# Builds the policy: spread.wasm beside this script, or in DIR.
#
#   build.sh [--output DIR]
#   build.sh --test          builds and runs the tests, without WebAssembly
#
# CC is a C compiler for wasm32-wasi with a C library; `python3 -m ziglang cc` unless it
# is set. Ends with 3 if something has to be installed first.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
output=$here
CC=${CC:-python3 -m ziglang cc}
made=$(mktemp -d)
trap 'rm -rf -- "$made"' EXIT

case ${1-} in
'') ;;
--test)
    $CC -std=c11 -Wall -Wextra -Werror -O1 "$here"/test.c "$here"/order.c "$here"/settings.c "$here"/json.c \
        -o "$made/test"
    "$made/test"
    exit
    ;;
--output)
    mkdir -p -- "${2:?--output needs a folder}"
    output=$(CDPATH='' cd -- "$2" && pwd -P)
    ;;
*)
    echo "usage: build.sh [--output DIR | --test]" >&2
    exit 2
    ;;
esac

if ! command -v wit-bindgen >/dev/null 2>&1; then
    echo "build.sh: there is no wit-bindgen; install it with: cargo install wit-bindgen-cli@0.61.1 --no-default-features --features c" >&2
    exit 3
fi
printf '#include <stdlib.h>\nvoid *start(void) { return malloc(1); }\n' >"$made/try.c"
compile() {
    $CC --target=wasm32-wasi -std=c11 -Os -mexec-model=reactor -Wl,--no-entry -Wl,--strip-debug "$@"
}
if ! compile "$made/try.c" -o "$made/try.wasm" >"$made/said" 2>&1; then
    cat -- "$made/said" >&2
    echo "build.sh: there is no C compiler for wasm32-wasi; install one with: pip install ziglang==0.17.1" >&2
    exit 3
fi

wit-bindgen c "$here/../../wit" --world policy --out-dir "$made" >"$made/said" 2>&1 || {
    cat -- "$made/said" >&2
    exit 1
}
compile -Wall -Wextra -I "$made" -I "$here" "$here"/spread.c "$here"/order.c "$here"/settings.c "$here"/json.c \
    "$made"/policy.c "$made"/policy_component_type.o -o "$made/spread.wasm"
# A core module that carries the contract's types: the router makes a component of it.
cp -- "$made/spread.wasm" "$output/spread.wasm"
echo "built $output/spread.wasm, $(wc -c <"$output/spread.wasm" | tr -d ' ') bytes"
