#!/usr/bin/env bash
# Breaks, stops, kills and floods at random, and checks that recovered clients miss nothing: recovery.sh [RUNS]
# Takes about 15 minutes for the default of 2,000 runs.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
export RECOVERY_RUNS="${1:-2000}"
exec python -m pytest -q tests/websockets/recovery/test_machine.py
