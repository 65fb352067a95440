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

target=wasm32-unknown-unknown
if ! command -v cargo >/dev/null 2>&1; then
    echo "build.sh: there is no cargo; install Rust: https://rustup.rs" >&2
    exit 3
fi
if ! ls "$(rustc --print target-libdir --target $target)"/libcore-*.rlib >/dev/null 2>&1; then
    echo "build.sh: the compiler has no $target; install it with: rustup target add $target" >&2
    exit 3
fi
cargo build --quiet --release --target $target
# The router makes a component of this module when it loads it.
cp -- "${CARGO_TARGET_DIR:-target}/$target/release/policy.wasm" "$output/{{name}}.wasm"
echo "built $output/{{name}}.wasm, $(wc -c <"$output/{{name}}.wasm" | tr -d ' ') bytes"
