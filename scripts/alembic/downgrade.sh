#!/usr/bin/env bash
# Takes the database back to a revision: downgrade.sh REVISION (-1 is the one before)
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
with_stores python -m alembic downgrade "${1:?usage: downgrade.sh REVISION}"
