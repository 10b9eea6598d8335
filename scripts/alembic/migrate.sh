#!/usr/bin/env bash
# Brings the database to the newest revision, or to the one given: migrate.sh [REVISION]
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic upgrade "${1:-head}"
