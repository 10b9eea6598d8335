#!/usr/bin/env bash
# Inserts the initial data; running it again changes nothing.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
with_stores python -m src.initdb
