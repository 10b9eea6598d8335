#!/usr/bin/env bash
# All checks and tests. Arguments go to pytest; they choose a part, so the coverage threshold is left out then.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
scripts/check/lint.sh
if (($# > 0)); then
    exec python -m pytest "$@"
fi
exec python -m pytest --cov --cov-report=term --cov-fail-under=90
