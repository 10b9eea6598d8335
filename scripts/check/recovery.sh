#!/usr/bin/env bash
# Checks that recovered clients miss nothing, at random: recovery.sh [RUNS] [SCRIPTS]
# RUNS of the state machine (2,000 by default, 15 minutes), then SCRIPTS of the JavaScript client with each transport
# (10 by default). Installs a package with npm; not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
mkdir -p .local/recovery
npm install --prefix .local/recovery --no-package-lock --no-fund --no-audit --silent socket.io-client@4
export RECOVERY_RUNS="${1:-2000}" RECOVERY_SCRIPTS="${2:-10}"
export RECOVERY_CLIENT="$PWD/.local/recovery/node_modules/socket.io-client/build/esm-debug/index.js"
exec python -m pytest -q tests/websockets/recovery/test_machine.py tests/websockets/recovery/javascript.py
