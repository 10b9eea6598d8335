#!/usr/bin/env bash
# Writes a migration from the differences between models and database: makemigrations.sh "message"
usage="usage: makemigrations.sh MESSAGE (such as \"add invoices\")"
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
with_stores python -m alembic revision --autogenerate -m "$1"
