#!/usr/bin/env bash
# Inserts the first data; running it again changes nothing.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
exec python -m src.local run -- python -m src.initdb
