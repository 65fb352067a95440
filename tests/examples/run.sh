#!/usr/bin/env bash
# Builds the example policies and the templates of `policy new`, runs their tests, and
# runs each in the real router.
#
#   tests/examples/run.sh [--only NAME] [BINARY]
#
# BINARY is target/debug/ollama-router unless given; NAME one example, or a template as
# new-rust, new-js and new-python. Each is built in a copy under target/examples, with
# the versions that its own lock files name, and runs in a router of its own, with
# `start --demo` on a free port: nothing outside is called. What those in Rust, JavaScript
# and Python decide is replayed from the decision log: exactly, warm and fresh. What needs a toolchain that
# is not here is skipped with a line that starts with SKIPPED. Ends with a line for each
# example and `N passed, M failed`, and not with 0 if any failed.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$(CDPATH='' cd -- "$here/../.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
binary=$target/debug/ollama-router
work=$target/examples
only=

while [ $# -gt 0 ]; do
    case $1 in
    --only)
        only=${2:?--only needs the name of an example}
        shift 2
        ;;
    -*)
        echo "usage: run.sh [--only NAME] [BINARY]" >&2
        exit 2
        ;;
    *)
        # Not every call is made from here.
        binary=$(realpath -- "$1")
        shift
        ;;
    esac
done

# --- A copy of the sources, in which tools may write.

mkdir -p -- "$work/examples" "$work/out" "$work/tools"
rm -rf -- "$work/wit"
cp -R -- "$root/wit" "$work/wit"

# Copies a folder over what there was, but for what was installed in it.
renew() {
    mkdir -p -- "$2"
    find "$2" -mindepth 1 -maxdepth 1 ! -name node_modules ! -name installed.json -exec rm -rf -- {} +
    cp -R -- "$1/." "$2/"
}

for example in "$root"/examples/*/build.sh; do
    folder=$(dirname -- "$example")
    renew "$folder" "$work/examples/$(basename -- "$folder")"
done
for language in rust js python; do
    rm -rf -- "$work/new"
    mkdir -p -- "$work/new"
    (cd -- "$work/new" && "$binary" policy new "new-$language" --lang "$language" 2>said) || {
        cat -- "$work/new/said" >&2
        exit 1
    }
    renew "$work/new/new-$language" "$work/examples/new-$language"
done

# --- Toolchains: each where nothing else is, and only what is not there yet. Whoever
# cannot be had leaves no file named after it in `$work/tools`.

environment() {
    local folder=$work/tools/$1 list=$2
    if ! cmp -s -- "$list" "$folder/installed.txt"; then
        rm -rf -- "$folder"
        python3 -m venv "$folder" &&
            "$folder/bin/pip" install --quiet --disable-pip-version-check --no-input -r "$list" &&
            cp -- "$list" "$folder/installed.txt"
    fi
}

# The example has a lock file, and what was installed by it serves the template too.
packages() {
    local folder=$work/examples/vendor-allowlist
    if ! cmp -s -- "$folder/package-lock.json" "$folder/installed.json"; then
        (cd -- "$folder" && npm ci --silent --no-audit --no-fund) &&
            cp -- "$folder/package-lock.json" "$folder/installed.json"
    fi
    [ -e "$folder/installed.json" ] && ln -sfn -- ../vendor-allowlist/node_modules "$work/examples/new-js/node_modules"
}

bindings() {
    local version
    version=$(sed -n 's/.*wit-bindgen-cli@\([0-9.]*\).*/\1/p' "$root/examples/spread/build.sh" | head -n 1)
    if [ "$("$work/tools/wit/bin/wit-bindgen" --version 2>/dev/null | awk '{ print $2 }')" != "$version" ]; then
        CARGO_TARGET_DIR=$work/tools/wit-build cargo install --quiet --locked --force --root "$work/tools/wit" \
            "wit-bindgen-cli@$version" --no-default-features --features c && rm -rf -- "$work/tools/wit-build"
    fi
}

wants() {
    [ -z "$only" ] || [ "$only" = "$1" ]
}

makers=()
if wants business-hours || wants new-python; then
    environment python "$root/examples/business-hours/requirements.txt" &
    makers+=($!)
fi
if wants vendor-allowlist || wants new-js; then
    packages &
    makers+=($!)
fi
if wants spread; then
    environment zig "$root/examples/spread/requirements.txt" &
    makers+=($!)
    bindings &
    makers+=($!)
fi
for maker in ${makers[@]+"${makers[@]}"}; do
    # The example's own build script says what is missing.
    wait "$maker" || true
done
echo "tools are there after $SECONDS s"

# --- Builds and tests of their own.

export CARGO_TARGET_DIR=$work/rust PYTHONDONTWRITEBYTECODE=1
export ZIG_GLOBAL_CACHE_DIR=$work/tools/zig-cache ZIG_LOCAL_CACHE_DIR=$work/tools/zig-cache
for folder in "$work/tools/python/bin" "$work/tools/wit/bin"; do
    PATH=$folder:$PATH
done
export PATH
if [ -x "$work/tools/zig/bin/python" ]; then
    export CC="$work/tools/zig/bin/python -m ziglang cc"
fi

unit_test() {
    case $1 in
    prefer-fast | pin-and-fallback) cargo test --quiet --locked ;;
    new-rust) cargo test --quiet ;;
    vendor-allowlist | new-js) node --test --test-reporter=tap ;;
    business-hours | new-python) python3 -m unittest --quiet ;;
    spread) ./build.sh --test ;;
    esac
}

# --- In the router.

# No pacing and no rests, so that the demo's failures leave no trace in the next
# question; and no long waiting for a model that hangs, as one in a hundred does.
export OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE=0
export OLLAMA_ROUTER_FAILOVER_FAILURE_COOLDOWN_MINUTES=0
export OLLAMA_ROUTER_FAILOVER_RATELIMIT_COOLDOWN_MINUTES=0
export OLLAMA_ROUTER_FAILOVER_FIRST_TOKEN_TIMEOUT=5s
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost NO_COLOR=1

folder=$(mktemp -d)
router=
stop() {
    if [ -n "$router" ]; then
        kill -KILL "$router" 2>/dev/null || true
    fi
    rm -rf -- "$folder"
}
trap stop EXIT

# Writes the configuration: a module and its settings.
configure() {
    printf 'policy:\n  module: %s.wasm\n  decision_log: decisions.jsonl\n  settings: %s\n' "$name" "$1" >"$own/config.yaml"
}

# Starts the router of an example, and puts its address into `url`.
serve() {
    # Who looks into it next may be quicker than who writes it.
    : >"$own/log"
    "$binary" -c "$own/config.yaml" start --demo -H 127.0.0.1 -p 0 >"$own/log" 2>&1 &
    router=$!
    # A debug build compiles Python's 18 MB for most of a minute.
    for _ in $(seq 1200); do
        url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$own/log")
        if [ -n "$url" ]; then
            return
        fi
        kill -0 "$router" 2>/dev/null || break
        sleep 0.2
    done
    echo "the router did not start:"
    cat -- "$own/log"
    return 1
}

fail() {
    echo "FAILED: $name: $*"
    return 1
}

# Asks a model, and puts the status into `status` and the model that was tried first
# into `first`: the demo fails one call in six, and then another answers.
ask() {
    local head=$own/head tried
    curl --silent --max-time 60 --dump-header "$head" --output "$own/body" "$url/api/chat" \
        -d "{\"model\":\"$1\",\"stream\":false,\"messages\":[{\"role\":\"user\",\"content\":\"Hello!\"}]}"
    status=$(sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$head")
    grep -qi "^x-router-policy: $name/" "$head" || fail "another policy decided: $(cat -- "$head")"
    tried=$(sed -n 's/^x-router-trail: *//p' "$head" | tr -d '\r' | tr ',' '\n' | sed 's/^ *//' | grep -v '=gone$' || true)
    tried=$(printf '%s\n' "$tried" | head -n 1 | sed 's/=[^=]*$//')
    answered=$(sed -n 's/^x-router-model: *//p' "$head" | tr -d '\r')
    first=${tried:-$answered}
}

# Asks, and holds the model that was tried first against a pattern.
expect() {
    ask "$1"
    # shellcheck disable=SC2254 # The second argument is a pattern.
    case $first in
    $2) ;;
    *) fail "asked for $1, expected $2 to be tried first, got $first ($status): $(cat -- "$own/body")" ;;
    esac
}

# Puts settings into force.
settle() {
    configure "$1"
    "$binary" -c "$own/config.yaml" policy reload -H 127.0.0.1 -p "${url##*:}" >"$own/said" 2>&1 ||
        fail "refused $1: $(cat -- "$own/said")"
}

# Gives settings that are wrong, and expects that they are refused by their pointer.
refuses() {
    local code=0
    configure "$1"
    "$binary" -c "$own/config.yaml" policy reload -H 127.0.0.1 -p "${url##*:}" >"$own/said" 2>&1 || code=$?
    [ "$code" -eq 1 ] || fail "took $1, or ended otherwise ($code): $(cat -- "$own/said")"
    grep -qF "$2" "$own/said" || fail "refused $1 without naming $2: $(cat -- "$own/said")"
}

visible() {
    curl --silent "$url/v1/models" | grep -o '"id":"[^"]*"' | cut -d '"' -f 4 | grep -vx auto | sort | tr '\n' ' '
}

# --- Replay.

# Sends requests of every kind, some at a time, so that no two are asked of the policy
# with the same facts: the demo fails one call in six, and answers in its own time.
vary() {
    local number path body image long
    image=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
    long=$(printf 'many words %.0s' $(seq 3000))
    for number in $(seq 40); do
        path=/api/chat
        case $((number % 10)) in
        0) body='{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}' ;;
        1) body='{"model": "auto", "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}], "messages": [{"role": "user", "content": "Hello!"}]}' ;;
        2) body='{"model": "auto", "messages": [{"role": "user", "content": "What is this?", "images": ["'$image'"]}]}' ;;
        3) body='{"model": "auto", "messages": [{"role": "user", "content": "'$long'"}]}' ;;
        4) body='{"model": "auto", "options": {"num_predict": 6000}, "messages": [{"role": "user", "content": "Hello!"}]}' ;;
        5) body='{"model": "joiner-8b:free", "messages": [{"role": "user", "content": "Hello!"}]}' ;;
        6) body='{"model": "auto", "format": "json", "messages": [{"role": "user", "content": "Hello!"}]}' ;;
        7) body='{"model": "lumen-4-mini:free", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello!"}]}' path=/v1/messages ;;
        8) body='{"model": "no-longer-there:free", "prompt": "Hello!"}' path=/api/generate ;;
        9) body='{"model": "auto", "tool_choice": "required", "tools": [{"type": "function", "function": {"name": "add"}}], "messages": [{"role": "user", "content": "Hello!"}]}' path=/v1/chat/completions ;;
        esac
        printf '%s' "$body" | curl --silent --max-time 60 --output /dev/null "$url$path" --data-binary @- &
        # The router must not be waited for, so each of these is named.
        askers+=($!)
        if [ ${#askers[@]} -ge 8 ]; then
            wait "${askers[@]}" || fail "a request of every kind got no answer"
            askers=()
        fi
    done
}

# Replays what was decided, with further arguments, and puts what is said into a file.
replays() {
    local said=$own/$1
    shift
    "$binary" policy replay "$@" --log "$own/decisions.jsonl" >"$said" 2>&1 || echo "ended with $?" >>"$said"
}

# Expects that so many decisions would change: a pattern. Puts the number of all into
# `decisions`.
changes() {
    local said
    said=$(cat -- "$own/$1")
    decisions=$(printf '%s' "$said" | sed -n 's/^of \([0-9,]*\) decisions.*; 0 faults$/\1/p')
    [ "${decisions:-0}" -ge 40 ] || fail "the replay, $1, says: $said"
    # shellcheck disable=SC2254 # The argument is a pattern.
    case $(printf '%s' "$said" | sed 's/.* decisions \([0-9,]*\) would.*/\1/') in
    $2) ;;
    *) fail "the replay, $1, says: $said" ;;
    esac
}

# What an example decided it decides again, warm and fresh, and another one otherwise.
replay() {
    local decisions replayers=()
    # Side by side, for each compiles the policy first.
    replays warm "$own/$name.wasm" &
    replayers+=($!)
    replays fresh "$own/$name.wasm" --fresh &
    replayers+=($!)
    replays other free-mode --settings '{}'
    wait "${replayers[@]}"
    changes warm 0
    changes fresh 0
    changes other '[1-9]*'
    chose="$chose; $decisions decisions replayed"
}

# Runs an example in a router of its own. What it chose goes into `chose`.
in_router() {
    case $name in
    prefer-fast)
        configure '{ explore: 0 }'
        serve
        ask auto
        local fastest=$answered
        expect auto "*${fastest#*/}"
        expect joiner-8b:free '*joiner-8b:free'
        refuses '{ explore: 2 }' /explore
        settle '{ explore: 0.5 }'
        vary
        chose="$fastest, the only one whose speed it knew"
        ;;
    pin-and-fallback)
        configure '{ pin: "pocket-3.1-3b:free", fallbacks: ["dovetail/joiner-8b:free", "gone:free"] }'
        serve
        grep -q 'WARN .*gone:free' "$own/log" || fail "it did not say that a fallback is missing"
        expect auto '*pocket-3.1-3b:free'
        expect lumen-4-large:free '*pocket-3.1-3b:free'
        expect joiner-8b:free '*joiner-8b:free'
        [ "$(visible)" = "joiner-8b:free pocket-3.1-3b:free " ] || fail "it shows $(visible)"
        refuses '{ fallbacks: [1] }' /fallbacks/0
        chose="$first when asked for it, the pinned one otherwise"
        ;;
    business-hours)
        configure '{ days: [] }'
        serve
        # Nobody's speed is known yet, so that the smallest is taken for the fastest.
        expect auto '*-2b:free'
        chose="$first outside hours"
        settle '{ from: "00:00", to: "24:00", days: [mon, tue, wed, thu, fri, sat, sun] }'
        expect auto 'aurelia/lumen-4-large:free'
        chose="$chose, $first within"
        refuses '{ days: [mon, tuesday] }' /days/1
        vary
        ;;
    vendor-allowlist)
        configure '{ allow: ["AUR*", dovetail], deny: [dove*], substitute: false }'
        serve
        expect auto 'aurelia/*'
        chose=$first
        ask joiner-8b:free
        [ "$status" -eq 403 ] || fail "a model of another vendor was answered with $status"
        [ "$(visible)" = "lumen-4-large:free lumen-4-mini:free " ] || fail "it shows $(visible)"
        settle '{ allow: ["aurelia"] }'
        expect joiner-8b:free 'aurelia/*'
        refuses '{ allow: [aurelia, 7] }' /allow/1
        vary
        ;;
    spread)
        configure '{ among: 3 }'
        serve
        local seen=
        for _ in $(seq 12); do
            ask auto
            seen="$seen$first
"
        done
        chose=$(printf '%s' "$seen" | sort | uniq -c | awk '{ printf "%s%s %s times", comma, $2, $1; comma = ", " }')
        [ "$(printf '%s' "$seen" | sort -u | wc -l)" -gt 1 ] || fail "twelve requests went to one model: $chose"
        [ "$(printf '%s' "$seen" | sort -u | wc -l)" -le 3 ] || fail "more than three took turns: $chose"
        expect joiner-8b:free '*joiner-8b:free'
        refuses '{ among: 0 }' /among
        ;;
    new-*)
        configure '{ prefer: "joiner-8b:" }'
        serve
        expect auto '*joiner-8b:free'
        chose=$first
        expect pocket-3.1-3b:free '*pocket-3.1-3b:free'
        refuses '{ prefer: 1 }' /prefer
        ;;
    esac
    # What was refused changed nothing.
    ask auto
    local ended=0
    kill -TERM "$router"
    wait "$router" || ended=$?
    router=
    if [ "$ended" -ne 0 ] || grep -E '^[^ ]+ +ERROR |panicked|the policy failed' "$own/log"; then
        fail "the router ended with $ended; what went wrong is above"
    fi
    case $name in
    prefer-fast | vendor-allowlist | business-hours) replay ;;
    esac
}

# One example from the build to the router. In a shell of its own, so that the first
# thing that fails ends it and nothing else.
one() {
    local name=$1 own=$folder/$1 url status first answered chose askers=()
    mkdir -- "$own"
    cd -- "$work/examples/$name"
    local code=0
    ./build.sh --output "$work/out" >"$own/said" 2>&1 || code=$?
    cat -- "$own/said"
    if [ "$code" -eq 3 ]; then
        echo "SKIPPED: $name: $(grep -v '^ ' "$own/said" | tail -n 1)"
        return 3
    fi
    [ "$code" -eq 0 ] || fail "it cannot be built"
    unit_test "$name"
    local bytes budget
    bytes=$(wc -c <"$work/out/$name.wasm" | tr -d ' ')
    budget=$(sed -n 's/.*at most \([0-9]*\) kB.*/\1/p' README.md | head -n 1)
    [ "$bytes" -le "$((${budget:?README.md names no budget} * 1000))" ] || fail "$bytes bytes are more than $budget kB"
    cp -- "$work/out/$name.wasm" "$own/"
    in_router
    echo "$name: $bytes bytes, chose $chose" >"$folder/$name.line"
}

names=()
for candidate in pin-and-fallback prefer-fast spread vendor-allowlist business-hours new-rust new-js new-python; do
    if wants "$candidate"; then
        names+=("$candidate")
    fi
done
if [ ${#names[@]} -eq 0 ]; then
    echo "there is no example '$only'; see the end of this script" >&2
    exit 2
fi

passed=0
failed=0
for name in "${names[@]}"; do
    echo "--- $name"
    code=0
    # `set -e` is off in a condition, so the status is asked for afterwards.
    set +e
    (
        set -e
        trap stop_router EXIT
        stop_router() { [ -z "$router" ] || kill -KILL "$router" 2>/dev/null || true; }
        one "$name"
    )
    code=$?
    set -e
    case $code in
    0) passed=$((passed + 1)) ;;
    3) ;;
    *)
        failed=$((failed + 1))
        echo "FAILED: $name ended with $code; the end of the router's log:"
        tail -n 20 -- "$folder/$name/log" 2>/dev/null || true
        ;;
    esac
done
echo "took $SECONDS s with what had to be installed"
cat -- "$folder"/*.line 2>/dev/null || true
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
