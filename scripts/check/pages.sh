#!/usr/bin/env bash
# Opens the documentation pages of a running instance in headless Chromium: pages.sh [URL [DIRECTORY]]
# Saves screenshots, logs in by the Authorize button, and fails if a page contacts another host.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python scripts/check/pages.py "$@"
