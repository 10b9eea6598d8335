#!/usr/bin/env bash
# Writes a feature, from its table to its tests, and registers it: new-feature.sh NAME [--plural NAMES] [--page [--title-zh TITLE]]
# --page: with a page of the console, which scripts/console.sh then builds; --title-zh: its title in Chinese.
# new-feature.sh --remove NAME takes it away again, with its table and the permission codes in roles.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
if [[ " $* " == *" --remove "* ]]; then
    with_stores python -m scripts.new_feature "$@"
fi
exec python -m scripts.new_feature "$@"
