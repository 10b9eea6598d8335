#!/usr/bin/env bash
# Looks at the documentation pages of a running instance in headless Chromium, which reaches localhost alone:
# pages.sh [URL [DIRECTORY]]. Saves screenshots, logs in by the Authorize button, and fails if a page asks others.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python scripts/check/pages.py "$@"
