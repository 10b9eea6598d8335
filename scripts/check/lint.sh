#!/usr/bin/env bash
# Style, types and import contracts.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
ruff check .
ruff format --check .
mypy
lint-imports
