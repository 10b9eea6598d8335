#!/usr/bin/env bash
# Downgrades the database to a revision: downgrade.sh REVISION (-1 is the previous one)
usage="usage: downgrade.sh REVISION (-1, base, or an id)"
case "$#:${1:-}" in
    1:--help | 1:-h)
        echo "$usage"
        exit
        ;;
    1:?*) ;;
    *)
        echo "$usage" >&2
        exit 2
        ;;
esac
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic downgrade "$1"
