#!/usr/bin/env bash
# Creates .venv in the project's root from requirements-dev.lock and puts it first on PATH; the other scripts source it.
# BOOTSTRAP=0 changes nothing: images set it, since they have their environment.
set -euo pipefail

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd -- "$ROOT"

fail() {
    echo "$*" >&2
    exit 1
}

# Beanie and the embedded MongoDB have no release for Python 3.14 yet.
find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed, and none is on PATH."
}

# Identifies what the environment was made from. It contains absolute paths, so a clone that moved needs a new one.
fingerprint() {
    echo "$ROOT $(cksum <requirements-dev.lock)"
}

is_current() {
    [[ "$(cat .venv/.fingerprint 2>/dev/null)" == "$(fingerprint)" ]] && .venv/bin/python -c '' 2>/dev/null
}

# Leaves out ensurepip, which takes seconds: Python's own pip installs uv, and uv installs pip.
make_venv_quickly() {
    "$1" -m venv --clear --without-pip .venv &&
        "$1" -m pip --python .venv/bin/python install --quiet uv &&
        .venv/bin/uv pip install --quiet --python .venv/bin/python pip
}

make_venv() {
    local python="$1"
    if "$python" -c 'import ensurepip, pip, venv' 2>/dev/null && make_venv_quickly "$python"; then
        return
    elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv --clear .venv
    elif command -v uv >/dev/null; then
        rm -rf .venv
        uv venv --quiet --python "$python" .venv
    else
        fail "$python lacks the venv module. On Debian and Ubuntu: apt install python3-venv"
    fi
}

# uv takes seconds where pip takes a minute, but ignores pip's settings: pip is the fallback.
install() {
    local lock=(--require-hashes -r requirements-dev.lock) uv
    uv="$(command -v .venv/bin/uv || command -v uv || true)"
    if [[ -z "$uv" ]] && .venv/bin/python -m pip install --quiet uv; then
        uv=.venv/bin/uv
    fi
    if [[ -z "$uv" ]] || ! "$uv" pip install --quiet --python .venv/bin/python "${lock[@]}"; then
        echo "Installing with pip, which takes about a minute …" >&2
        .venv/bin/python -m pip install --quiet "${lock[@]}"
    fi
}

bootstrap() {
    local python
    export PIP_DISABLE_PIP_VERSION_CHECK=1
    export UV_SYSTEM_CERTS=1 # a company's proxy signs with a certificate of the system's store
    # Without a writable home directory, uv has no place for a cache.
    if [[ -z "${UV_CACHE_DIR:-}" && ! -w "${HOME:-/nonexistent}" ]]; then
        export UV_NO_CACHE=1
    fi
    # A link leads to the environment of another tree, which manages it.
    [[ -L .venv ]] && return
    is_current && return
    python="$(find_python)" || exit 1
    # The lock belongs to the open file: it outlives the process that takes it, and ends when this shell closes the file.
    exec 9<requirements-dev.lock
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    if ! is_current; then
        echo "Installing into .venv …" >&2
        make_venv "$python"
        install
        fingerprint >.venv/.fingerprint
    fi
    exec 9<&-
}

if [[ "${BOOTSTRAP:-1}" != 0 ]]; then
    bootstrap
    export PATH="$ROOT/.venv/bin:$PATH"
    # Where the tree has to stay free of compiled modules, .local keeps them: compiling takes half of a start.
    if [[ -n "${PYTHONDONTWRITEBYTECODE:-}" ]]; then
        unset PYTHONDONTWRITEBYTECODE
        export PYTHONPYCACHEPREFIX="$ROOT/.local/pycache"
    fi
fi

# Runs a command on the stores that the settings name, or else on the embedded ones; images have none of those.
with_stores() {
    if [[ -d scripts/local ]]; then
        exec python -m scripts.local run -- "$@"
    fi
    exec "$@"
}
