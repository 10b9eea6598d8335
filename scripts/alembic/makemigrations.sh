#!/usr/bin/env bash
# Writes a migration from the difference between models and database: makemigrations.sh "message"
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m src.local run -- python -m alembic revision --autogenerate -m "${1:?usage: makemigrations.sh \"message\"}"
