#!/usr/bin/env bash
# Runs official clients against the built router.
#
#   tests/clients/run.sh [--policy FILE] [--only NAME] [BINARY]
#
# BINARY is target/debug/ollama-router unless given; FILE a policy to use in
# place of the built-in one; NAME a suite to run alone, as they are called below.
# Each suite has a router of its own, with `start --demo` on a free port and an
# empty folder, so nothing outside is called and nothing is left behind. They run
# at the same time, for most of it is waiting: the demo answers at a human pace.
# Needs Python 3.11 or later with venv, Node.js 20 or later with npm, and cargo.
# What it installs goes to target/clients, with the versions that are pinned beside
# this script; the coding agents among it are some 1.6 GB. What cannot be had here is
# skipped with a line that starts with SKIPPED, and is told again at the end. Ends with
# `N passed, M failed`, and not with 0 if any failed.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$(CDPATH='' cd -- "$here/../.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
binary=$target/debug/ollama-router
installed=$target/clients
only=

usage() {
    echo "usage: run.sh [--policy FILE] [--only NAME] [BINARY]" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case $1 in
    --policy)
        OLLAMA_ROUTER_POLICY_MODULE=$(realpath -- "${2:?--policy needs a file}")
        export OLLAMA_ROUTER_POLICY_MODULE
        shift 2
        ;;
    --only)
        only=${2:?--only needs the name of a suite}
        shift 2
        ;;
    -*) usage ;;
    *)
        binary=$1
        shift
        ;;
    esac
done

# --- What is installed, each where nothing else is, and only what is not there yet.

# Makes a virtual environment of a list of requirements.
environment() {
    local folder=$installed/$1 list=$here/python/$2
    if ! cmp -s -- "$list" "$folder/installed.txt"; then
        python3 -m venv --clear "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-input --no-compile -r "$list"
        cp -- "$list" "$folder/installed.txt"
    fi
}

packages() {
    local folder=$installed/javascript
    mkdir -p -- "$folder"
    cp -- "$here"/javascript/* "$folder/"
    if ! cmp -s -- "$folder/package-lock.json" "$folder/installed.json"; then
        (cd -- "$folder" && npm ci --silent --no-audit --no-fund)
        cp -- "$folder/package-lock.json" "$folder/installed.json"
    fi
}

# Without them the rest is run: not every registry has them for every machine.
agents() {
    local folder=$installed/agents
    mkdir -p -- "$folder"
    cp -- "$here"/agents/* "$folder/"
    if ! cmp -s -- "$folder/package-lock.json" "$folder/installed.json"; then
        rm -f -- "$folder/installed.json"
        # Not `npm ci`, which refuses a list without the packages of other machines.
        if (cd -- "$folder" && npm install --no-save --loglevel=error --no-audit --no-fund >/dev/null); then
            cp -- "$folder/package-lock.json" "$folder/installed.json"
        fi
    fi
}

crate() {
    CARGO_TARGET_DIR=$installed/rust cargo test --quiet --locked --manifest-path "$here/rust/Cargo.toml" "$@"
}

mkdir -p -- "$installed"
# Clients talk to this machine alone, and LiteLLM needs no list of prices from the net.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost LITELLM_LOCAL_MODEL_COST_MAP=True
# Compiled when it is first used, and beside no source of ours.
export PYTHONPYCACHEPREFIX=$installed/pycache

makers=()
environment python requirements.txt &
makers+=($!)
environment litellm requirements-litellm.txt &
makers+=($!)
packages &
makers+=($!)
crate --no-run &
makers+=($!)
if [ -z "$only" ] || [ "$only" = agents ]; then
    agents &
    makers+=($!)
fi
for maker in "${makers[@]}"; do
    wait "$maker"
done
echo "what is needed is there after $SECONDS s; policy ${OLLAMA_ROUTER_POLICY_MODULE:-built in}"

# --- The suites.

folder=$(mktemp -d)
stop() {
    local pid
    for pid in $(jobs -p) $(cat "$folder"/*/pid 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null || true
    done
    rm -rf -- "$folder"
}
trap stop EXIT

# No pacing, for a test asks faster than people do; no long waiting for a model that
# hangs, which one in a hundred does in the demo; no rest for a model that failed or
# was limited, for the next test asks it again; and tries enough for what may fail
# after it.
export OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE=0
export OLLAMA_ROUTER_FAILOVER_FIRST_TOKEN_TIMEOUT=5s
export OLLAMA_ROUTER_FAILOVER_FAILURE_COOLDOWN_MINUTES=0
export OLLAMA_ROUTER_FAILOVER_RATELIMIT_COOLDOWN_MINUTES=0
export OLLAMA_ROUTER_FAILOVER_MAX_ATTEMPTS=6

# Starts the router of a suite, and puts its address into ROUTER_URL.
serve() {
    local own=$1 log=$1/log
    # Who looks into it next may be quicker than who writes it.
    : >"$log"
    NO_COLOR=1 "$binary" -c "$own/config.yaml" start --demo -H 127.0.0.1 -p 0 >"$log" 2>&1 &
    router=$!
    echo "$router" >"$own/pid"
    for _ in $(seq 300); do
        ROUTER_URL=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$log")
        if [ -n "$ROUTER_URL" ] || ! kill -0 "$router" 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    if [ -z "$ROUTER_URL" ]; then
        echo "the router did not start within 30 s; its log:"
        cat -- "$log"
        return 1
    fi
    export ROUTER_URL
}

# Runs a suite with a router of its own, and says what is wrong with either.
run() {
    local own=$1 code=0 ended=0 router
    shift
    serve "$own" || return 1
    "$@" || code=$?
    # It must end by itself when told to, and must have met no fault of its own.
    kill -TERM "$router"
    wait "$router" || ended=$?
    rm -- "$own/pid"
    if [ "$ended" -ne 0 ] || grep -E '^[^ ]+ +ERROR |panicked' "$own/log"; then
        echo "the router ended with $ended; errors in its log are above"
        code=1
    fi
    if [ "$code" -ne 0 ]; then
        echo "--- the end of the router's log"
        tail -n 40 -- "$own/log"
    fi
    return "$code"
}

names=()
runs=()
suite() {
    local name=$1
    shift
    if [ -n "$only" ] && [ "$only" != "$name" ]; then
        return
    fi
    mkdir -- "$folder/$name"
    run "$folder/$name" "$@" >"$folder/$name/said" 2>&1 &
    names+=("$name")
    runs+=($!)
}

pytest() {
    local tools=$installed/$1/bin
    shift
    (cd -- "$here/python" && "$tools/python" -m pytest -q --tb=short -p no:cacheprovider -p no:asyncio "$@")
}

javascript() {
    node --test --test-reporter=tap "$installed/javascript/$1"
}

coding() {
    if [ ! -e "$installed/agents/installed.json" ]; then
        echo "SKIPPED: agents: npm cannot install them; its words are above"
        return
    fi
    node --test --test-reporter=tap "$installed/agents/agents.test.js"
}

# The longest first.
suite agents coding
suite ai-sdk-providers javascript ai-sdk-providers.test.js
suite litellm-providers pytest litellm test_litellm_providers.py
suite ollama-python pytest python test_ollama.py
suite litellm pytest litellm test_litellm.py
suite llm pytest python test_llm.py
suite llamaindex pytest python test_llamaindex.py
suite langchain-python pytest python test_langchain.py
suite openai-python pytest python test_openai.py
suite responses-python pytest python test_responses.py
suite anthropic-python pytest python test_anthropic.py
suite openai-js javascript openai.test.js
suite anthropic-js javascript anthropic.test.js
suite ollama-js javascript ollama.test.js
suite langchain-js javascript langchain.test.js
suite ai-sdk javascript ai-sdk.test.js
# One after the other, as the demo's failures are dealt: never three in a row.
suite ollama-rs crate -- --test-threads=1

if [ ${#names[@]} -eq 0 ]; then
    echo "there is no suite '$only'; see the end of this script" >&2
    exit 2
fi

# --- What came of them: each says so in its closing lines.

passed=0
failed=0
broken=0
skipped=()
for place in "${!names[@]}"; do
    name=${names[$place]} said=$folder/${names[$place]}/said code=0
    wait "${runs[$place]}" || code=$?
    echo "--- $name"
    cat -- "$said"
    good=$(sed -nE 's/^(# pass |.*[^0-9]|)([0-9]+)( passed.*|)$/\2/p' <(grep -E '^# pass [0-9]+$|[0-9]+ passed' "$said") | tail -n 1)
    bad=$(sed -nE 's/^(# fail |.*[^0-9]|)([0-9]+)( (failed|error).*|)$/\2/p' <(grep -E '^# fail [0-9]+$|[0-9]+ (failed|error)' "$said") | tail -n 1)
    passed=$((passed + ${good:-0}))
    failed=$((failed + ${bad:-0}))
    # Node.js puts `# ` before what a test prints.
    mapfile -t -O ${#skipped[@]} skipped < <(sed -nE 's/^(# )?(SKIPPED: )/\2/p' "$said")
    if { [ "${good:-0}" -eq 0 ] && ! grep -qE '^(# )?SKIPPED: ' "$said"; } || { [ "$code" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; }; then
        echo "$name ended with $code"
        broken=1
    fi
done
for line in ${skipped[@]+"${skipped[@]}"}; do
    echo "$line"
done
echo "took $SECONDS s with what had to be installed"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$broken" -eq 0 ]
