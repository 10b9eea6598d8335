#!/usr/bin/env bash
# Uses the console in headless Chromium, against instances of its own: the journey of an administrator and of a user with
# worker and beat, which the tests have as well; then every page in both themes, widths and languages with axe-core; the states
# of a production instance; frames per second. console.sh [DIRECTORY] saves screenshots there. Installs axe-core with npm.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
mkdir -p .local/axe
npm install --prefix .local/axe --no-package-lock --no-fund --no-audit --silent axe-core@4.14.1
python -m scripts.check.console "$@"
python -m scripts.check.console_states "$@"
python -m scripts.check.console_frames
