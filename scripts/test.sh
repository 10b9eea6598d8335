#!/usr/bin/env bash
# Tests; each process that runs them has stores of its own, kept in .local/test.
#   test.sh                      all checks, then all tests side by side; scripts/check/coverage-run.sh measures coverage
#   test.sh --fast [ARGUMENT …]  ruff, and the tests that take seconds
#   test.sh ARGUMENT …           no checks; pytest takes the arguments: files, -k, -x, -n 4, …
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"

side_by_side=(-n auto --dist loadfile --no-loadscope-reorder)
if (($# == 0)); then
    scripts/check/lint.sh
    exec python -m pytest "${side_by_side[@]}"
elif [[ "$1" == --fast ]]; then
    echo "Fast: ruff and most tests. Left out: mypy, import contracts, tests of workers and processes, slow ones,"
    echo "and the folders of tests/security: e-mail, second factors, providers, and what people do with their accounts."
    ruff check --quiet .
    ruff format --quiet --check .
    exec python -m pytest "${side_by_side[@]}" -m "not worker and not process and not slow" --ignore-glob="tests/security/*/" "${@:2}"
fi
echo "Lint and types are skipped because arguments were given; run scripts/check/lint.sh for them."
exec python -m pytest "$@"
