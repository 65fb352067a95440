#!/bin/sh
# Builds the default policy as a component, and records what it was built from.
#
#   policies/build.sh [--output DIR]
#
# Writes free-mode.wasm, which the host embeds, and free-mode.sources.sha256,
# in the format of sha256sum with paths from the root of the checkout: the
# sources, sorted, and then the component. A test holds them against the
# checkout, so that nobody forgets to run this. Both go to this folder, or to
# DIR, which leaves the committed ones alone. Honours CARGO_TARGET_DIR.
#
# The bytes depend on the sources, Cargo.lock and the compiler, not on where
# the checkout, Cargo's home or the compiler are: paths are mapped below.
set -eu

target=wasm32-unknown-unknown
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
output=$root/policies

while [ $# -gt 0 ]; do
    case $1 in
    --output)
        if [ $# -lt 2 ]; then
            echo "build.sh: --output needs a folder" >&2
            exit 2
        fi
        mkdir -p -- "$2"
        output=$(CDPATH='' cd -- "$2" && pwd -P)
        shift 2
        ;;
    *)
        echo "usage: build.sh [--output DIR]" >&2
        exit 2
        ;;
    esac
done

# From here on rust-toolchain.toml and the lock file of the checkout count.
cd -- "$root"

library=$(rustc --print target-libdir --target "$target")
if ! ls "$library"/libcore-*.rlib >/dev/null 2>&1; then
    echo "build.sh: the compiler has no $target; install it with: rustup target add $target" >&2
    exit 3
fi

# Separated by the unit separator, because paths may have spaces. The last map
# that fits a path counts, so the widest come first. The folder of the registry
# is named after where packages are fetched from, which is not the same for all.
flags=
map() {
    flags="$flags${flags:+$(printf '\037')}--remap-path-prefix=$1=$2"
}
cargo fetch --quiet --locked --target "$target"
cargo_home=${CARGO_HOME:-$HOME/.cargo}
map "$root" /checkout
map "$cargo_home" /cargo
for registry in "$cargo_home"/registry/src/*; do
    map "$registry" /cargo/registry
done
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
map "$(rustc --print sysroot)/lib/rustlib/src/rust" "/rustc/$commit"

# The compiler's messages name the finished file, wherever the target folder is.
core=$(CARGO_ENCODED_RUSTFLAGS=$flags cargo build --locked --package free-mode --target "$target" \
    --profile guest --message-format json-render-diagnostics |
    sed -n 's/.*"filenames":\["\([^"]*free_mode\.wasm\)".*/\1/p' | tail -n 1)
if [ -z "$core" ]; then
    echo "build.sh: build free-mode: no module was made, for the reason above" >&2
    exit 1
fi

unfinished=$output/free-mode.unfinished
trap 'rm -f -- "$unfinished"' EXIT
cargo run --quiet --locked --package ollama-router -- policy wrap "$core" --output "$unfinished"
mv -- "$unfinished" "$output/free-mode.wasm"

sum() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum -- "$1"
    else
        shasum -a 256 -- "$1"
    fi | cut -d ' ' -f 1
}
{
    find wit/policy.wit policies/free-mode/Cargo.toml policies/free-mode/src -type f \
        \( -name '*.rs' -o -name policy.wit -o -name Cargo.toml \) | LC_ALL=C sort |
        while IFS= read -r path; do
            printf '%s  %s\n' "$(sum "$path")" "$path"
        done
    printf '%s  %s\n' "$(sum "$output/free-mode.wasm")" policies/free-mode.wasm
} >"$unfinished"
mv -- "$unfinished" "$output/free-mode.sources.sha256"

echo "built $output/free-mode.wasm, $(wc -c <"$output/free-mode.wasm" | tr -d ' ') bytes"
