#!/usr/bin/env bash
# Has the compiler look at the router as it is for other systems.
#
#   tests/targets/run.sh
#
# `cargo check` for Windows and macOS; nothing is linked and nothing run. The C parts of
# the dependencies are compiled by Zig, which brings the headers of each system: it comes
# from PyPI to target/targets, with the version that is pinned beside this script. Needs
# Python 3.11 with venv, and rustup. What cannot be had here is skipped with a line that
# starts with SKIPPED.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd -- "$here/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
installed=$target/targets

# Each as Rust names it, and as Zig does.
systems=(x86_64-pc-windows-gnu:x86_64-windows-gnu aarch64-apple-darwin:aarch64-macos)

if ! cmp -s -- "$here/requirements.txt" "$installed/installed.txt"; then
    rm -rf -- "$installed"
    mkdir -p -- "$installed"
    python3 -m venv "$installed/python"
    if ! "$installed/python/bin/pip" install --quiet --disable-pip-version-check --no-input --no-compile \
        --only-binary :all: -r "$here/requirements.txt"; then
        echo "SKIPPED: targets: no C compiler for other systems can be installed"
        exit 0
    fi
    cp -- "$here/requirements.txt" "$installed/installed.txt"
fi

# Writes a program that runs Zig's of some name.
zig() {
    printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$here/zig.sh" "$2" >"$1"
    chmod +x -- "$1"
}

export ZIG_PYTHON=$installed/python/bin/python
export ZIG_GLOBAL_CACHE_DIR=$installed/cache
flags=()
for system in "${systems[@]}"; do
    rust=${system%%:*}
    if ! ls "$(rustc --print target-libdir --target "$rust")"/libcore-*.rlib >/dev/null 2>&1 &&
        ! rustup target add "$rust"; then
        echo "SKIPPED: targets: the standard library for $rust cannot be had"
        continue
    fi
    zig "$installed/cc-$rust" "${system#*:}"
    zig "$installed/ar-$rust" ar
    export "CC_${rust//-/_}=$installed/cc-$rust" "AR_${rust//-/_}=$installed/ar-$rust"
    flags+=(--target "$rust")
done
if [ ${#flags[@]} -eq 0 ]; then
    exit 0
fi
# Where Xcode would be asked for the headers of macOS: Zig has its own.
export SDKROOT=/
RUSTFLAGS='-D warnings' cargo check --locked --package ollama-router "${flags[@]}"
