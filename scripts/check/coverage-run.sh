#!/usr/bin/env bash
# Runs the tests and shows the coverage, in lines and as htmlcov/index.html; below 90 % it fails. Arguments go to pytest.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-report=html --cov-fail-under=90 "$@"
