#!/usr/bin/env bash
# Opens the documentation pages of a running instance, or of one of its own, in headless Chromium: pages.sh [URL [DIRECTORY]]
# Saves screenshots, logs in by the Authorize button, sends the examples of every GET and POST, and fails if one responds with
# an undocumented status, or if a page contacts another host.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m scripts.check.pages "$@"
