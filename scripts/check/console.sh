#!/usr/bin/env bash
# Uses the console in headless Chromium, against an instance of its own with worker and beat: the journey of an administrator
# and of a user, then every page in both themes and widths with axe-core: console.sh [DIRECTORY] saves screenshots there.
# Installs axe-core with npm; not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
mkdir -p .local/axe
npm install --prefix .local/axe --no-package-lock --no-fund --no-audit --silent axe-core@4.14.1
exec python -m scripts.check.console "$@"
