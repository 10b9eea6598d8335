#!/usr/bin/env bash
# Downgrades the database to a revision: downgrade.sh REVISION (-1 is the previous one)
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic downgrade "${1:?usage: downgrade.sh REVISION}"
