#!/usr/bin/env bash
# Style, spelling, Markdown, types, import contracts, whether the changelog describes a change of the API, and whether the
# console is built.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
check() {
    echo "$1: ${*:2}"
    "${@:2}"
}
check Style ruff check .
check Format ruff format --check .
check Spelling codespell
check Markdown rumdl check --no-cache --quiet .
check Types mypy
check Imports lint-imports
check Changelog python -m scripts.check.contract
check Console scripts/console.sh --check
