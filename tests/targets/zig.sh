#!/usr/bin/env bash
# Zig as the C compiler for a target, or as the archiver.
#
#   zig.sh TARGET|ar ARGUMENT…
#
# TARGET as Zig names it. What Cargo's build scripts say of the target in clang's words is
# left out, for Zig does not know them. ZIG_PYTHON is the Python that has Zig.
set -euo pipefail

target=$1
shift
if [ "$target" = ar ]; then
    exec "$ZIG_PYTHON" -m ziglang ar "$@"
fi
arguments=()
while [ $# -gt 0 ]; do
    case $1 in
    --target=* | -mmacosx-version-min=*) ;;
    -arch | -isysroot | -target) shift ;;
    *) arguments+=("$1") ;;
    esac
    shift
done
exec "$ZIG_PYTHON" -m ziglang cc -target "$target" "${arguments[@]}"
