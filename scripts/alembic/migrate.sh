#!/usr/bin/env bash
# Migrates the database to the newest revision, or to a given one: migrate.sh [REVISION]
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic upgrade "${1:-head}"
