#!/usr/bin/env bash
# Migrates the database to the newest revision, or to a given one: migrate.sh [REVISION]
usage="usage: migrate.sh [REVISION] (an id, +1, or head, which is the default)"
case "$#:${1:-}" in
    1:--help | 1:-h)
        echo "$usage"
        exit
        ;;
    0: | 1:?*) ;;
    *)
        echo "$usage" >&2
        exit 2
        ;;
esac
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic upgrade "${1:-head}"
