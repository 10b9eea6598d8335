#!/usr/bin/env bash
# Writes a migration from the differences between models and database: makemigrations.sh "message"
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic revision --autogenerate -m "${1:?usage: makemigrations.sh \"message\"}"
