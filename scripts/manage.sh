#!/usr/bin/env bash
# Manages users and data, and looks into the application: manage.sh --help
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
case "${1:-} ${*: -1}" in
    *" --help") ;;
    "user "* | "shell "* | "seed "* | "reset "* | "backup "* | "restore "*) with_stores python -m src.manage "$@" ;;
esac
exec python -m src.manage "$@"
