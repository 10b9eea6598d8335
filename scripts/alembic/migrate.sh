#!/usr/bin/env bash
# Brings the database to the newest revision, or to the one given: migrate.sh [REVISION]
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m src.local run -- python -m alembic upgrade "${1:-head}"
