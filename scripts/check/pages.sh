#!/usr/bin/env bash
# Opens the documentation pages of a running instance in headless Chromium: pages.sh [URL [DIRECTORY]]
# Saves screenshots, logs in by the Authorize button, sends the examples of all operations that read or create, and fails if
# one responds with an undocumented status, or if a page contacts another host.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python scripts/check/pages.py "$@"
