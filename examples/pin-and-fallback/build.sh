#!/bin/sh
# Builds the policy: pin-and-fallback.wasm beside this script, or in DIR.
#
#   build.sh [--output DIR]
#
# Honours CARGO_TARGET_DIR. Ends with 3 if something has to be installed first.
set -eu

name=pin-and-fallback
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
output=$here

case ${1-} in
'') ;;
--output)
    mkdir -p -- "${2:?--output needs a folder}"
    output=$(CDPATH='' cd -- "$2" && pwd -P)
    ;;
*)
    echo "usage: build.sh [--output DIR]" >&2
    exit 2
    ;;
esac

cd -- "$here"
if ! command -v cargo >/dev/null 2>&1; then
    echo "build.sh: there is no cargo; install Rust: https://rustup.rs" >&2
    exit 3
fi
target=wasm32-unknown-unknown
if ! ls "$(rustc --print target-libdir --target $target)"/libcore-*.rlib >/dev/null 2>&1; then
    echo "build.sh: the compiler has no $target; install it with: rustup target add $target" >&2
    exit 3
fi

cargo build --quiet --locked --release --target $target
# A core module that carries the contract's types: the router makes a component of it.
cp -- "${CARGO_TARGET_DIR:-target}/$target/release/pin_and_fallback.wasm" "$output/$name.wasm"
echo "built $output/$name.wasm, $(wc -c <"$output/$name.wasm" | tr -d ' ') bytes"
