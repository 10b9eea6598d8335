#!/usr/bin/env bash
# Builds docs/ and the README into site/: search, fonts and scripts included, readable without a network or a server.
# docs.sh --serve also serves it at http://localhost:16080.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"

venv=.local/docs-venv
lock=requirements-docs.lock
if [[ "$(cat "$venv/.lock" 2>/dev/null)" != "$(cksum <"$lock")" ]]; then
    echo "Installing Zensical into $venv …" >&2
    python -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
    cksum <"$lock" >"$venv/.lock"
fi
python -m scripts.site
"$venv/bin/zensical" build --clean --config-file .local/site/zensical.toml
python -m scripts.site --finish
echo "Open site/index.html."
if [[ "${1:-}" == --serve ]]; then
    exec python -m http.server --directory site --bind 127.0.0.1 16080
fi
