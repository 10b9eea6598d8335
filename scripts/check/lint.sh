#!/usr/bin/env bash
# Style, spelling, Markdown, types, import contracts, whether the changelog describes a change of the API, and whether the
# console is built.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
ruff check .
ruff format --check .
codespell
rumdl check --no-cache --quiet .
mypy
lint-imports
python -m scripts.check.contract
scripts/console.sh --check
