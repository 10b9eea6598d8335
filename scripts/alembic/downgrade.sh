#!/usr/bin/env bash
# Takes the database back to a revision: downgrade.sh REVISION (-1 is the one before)
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m src.local run -- python -m alembic downgrade "${1:?usage: downgrade.sh REVISION}"
