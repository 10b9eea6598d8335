#!/usr/bin/env bash
# Starts embedded stores, migrates, inserts the initial data, and runs API with Socket.IO, worker and beat until Ctrl-C.
#   dev.sh              a changed file in src/ restarts the three
#   dev.sh --no-reload  it does not
#   dev.sh --stores     starts, migrates and fills the stores only
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
exec python -m scripts.local "$@"
