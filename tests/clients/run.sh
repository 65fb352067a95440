#!/usr/bin/env bash
# Runs official clients against the built router.
#
#   tests/clients/run.sh [--policy FILE] [BINARY]
#
# BINARY is target/debug/ollama-router unless given; FILE a policy to use in
# place of the built-in one. The router runs with `start --demo` on a free port
# and an empty folder, so nothing outside is called and nothing is left behind.
# Needs Python 3.10 or later with venv, and Node.js 20 or later with npm. What
# it installs goes to target/clients, with the versions that are pinned beside
# this script. Ends with `N passed, M failed`, and not with 0 if any failed.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
root=$(CDPATH='' cd -- "$here/../.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
binary=$target/debug/ollama-router
installed=$target/clients

while [ $# -gt 0 ]; do
    case $1 in
    --policy)
        OLLAMA_ROUTER_POLICY_MODULE=$(realpath -- "${2:?--policy needs a file}")
        export OLLAMA_ROUTER_POLICY_MODULE
        shift 2
        ;;
    -*)
        echo "usage: run.sh [--policy FILE] [BINARY]" >&2
        exit 2
        ;;
    *)
        binary=$1
        shift
        ;;
    esac
done

# Makes a virtual environment of a list of requirements, unless it is there already.
environment() {
    local folder=$installed/$1 list=$here/python/$2
    if ! cmp -s -- "$list" "$folder/installed.txt"; then
        python3 -m venv --clear "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check --no-input -r "$list"
        cp -- "$list" "$folder/installed.txt"
    fi
}

mkdir -p -- "$installed"
environment python requirements.txt
environment litellm requirements-litellm.txt
mkdir -p -- "$installed/javascript"
cp -- "$here"/javascript/* "$installed/javascript/"
(cd -- "$installed/javascript" && npm ci --silent --no-audit --no-fund)

folder=$(mktemp -d)
log=$folder/log
router=
stop() {
    if [ -n "$router" ]; then
        kill -KILL "$router" 2>/dev/null || true
    fi
    rm -rf -- "$folder"
}
trap stop EXIT

# No pacing, for a test asks faster than people do; and no waiting for a model
# that hangs, which one in a hundred does in the demo.
export OLLAMA_ROUTER_FAILOVER_REQUESTS_PER_MINUTE=0
export OLLAMA_ROUTER_FAILOVER_FIRST_TOKEN_TIMEOUT=3s
NO_COLOR=1 "$binary" -c "$folder/config.yaml" start --demo -H 127.0.0.1 -p 0 >"$log" 2>&1 &
router=$!

url=
for _ in $(seq 300); do
    url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$log")
    if [ -n "$url" ] || ! kill -0 "$router" 2>/dev/null; then
        break
    fi
    sleep 0.1
done
if [ -z "$url" ]; then
    echo "the router did not start within 30 s; its log:" >&2
    cat -- "$log" >&2
    exit 1
fi
export ROUTER_URL=$url
# Clients talk to this machine alone, and LiteLLM needs no list of prices from the net.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
export LITELLM_LOCAL_MODEL_COST_MAP=True PYTHONDONTWRITEBYTECODE=1
echo "router at $ROUTER_URL, policy ${OLLAMA_ROUTER_POLICY_MODULE:-built in}"

passed=0
failed=0
broken=0
# Runs a suite, shows what it says, and counts by its closing lines.
suite() {
    local name=$1 said=$folder/said
    shift
    echo "--- $name"
    local code=0
    "$@" 2>&1 | tee "$said" || code=$?
    local good bad
    good=$(sed -nE 's/^(# pass |.*[^0-9]|)([0-9]+)( passed.*|)$/\2/p' <(grep -E '^# pass [0-9]+$|[0-9]+ passed' "$said") | tail -n 1)
    bad=$(sed -nE 's/^(# fail |.*[^0-9]|)([0-9]+)( (failed|error).*|)$/\2/p' <(grep -E '^# fail [0-9]+$|[0-9]+ (failed|error)' "$said") | tail -n 1)
    passed=$((passed + ${good:-0}))
    failed=$((failed + ${bad:-0}))
    if [ "$code" -ne 0 ] && [ "${bad:-0}" -eq 0 ]; then
        echo "$name ended with $code"
        broken=1
    fi
}

pytest() {
    local folder=$installed/$1/bin
    shift
    (cd -- "$here/python" && "$folder/python" -m pytest -q -p no:cacheprovider "$@")
}
suite "ollama-python, openai-python, langchain-ollama" pytest python test_ollama.py test_openai.py test_langchain.py
suite "LiteLLM" pytest litellm test_litellm.py
suite "ollama-js" node --test --test-reporter=tap "$installed/javascript/ollama.test.js"

# It must end by itself when told to, and must have met no fault of its own.
kill -TERM "$router"
code=0
wait "$router" || code=$?
router=
if [ "$code" -ne 0 ] || grep -E '^[^ ]+ +ERROR |panicked' "$log"; then
    echo "the router ended with $code; errors in its log are above"
    broken=1
fi
if [ "$failed" -ne 0 ] || [ "$broken" -ne 0 ]; then
    echo "--- the end of the router's log"
    tail -n 40 -- "$log"
fi
echo "took $SECONDS s with what had to be installed"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$broken" -eq 0 ]
