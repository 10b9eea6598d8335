#!/usr/bin/env bash
# Writes requirements.lock, requirements-dev.lock and requirements-docs.lock again from pyproject.toml. Locked versions stay unless pyproject.toml
# rules them out; arguments go to `uv pip compile`: lock.sh --upgrade, or lock.sh --upgrade-package celery
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
command -v uv >/dev/null || fail "uv is needed: python -m pip install uv"
export UV_SYSTEM_CERTS=1 # a company's proxy signs with a certificate from the system's store

# No header and no index: the files name packages, versions and hashes, and no address.
compile() {
    local lock="$1"
    shift
    uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --output-file "$lock" "$@"
    echo "Wrote $lock: $(grep -c == "$lock") packages."
}

compile requirements.lock pyproject.toml "$@"
compile requirements-dev.lock pyproject.toml --group dev --extra otel --extra sentry "$@" # their tests need them
compile requirements-docs.lock --group docs "$@"
