#!/usr/bin/env bash
# Fills empty stores with a backup: restore.sh DIRECTORY. docs/deploy/backup.md
exec "$(dirname -- "${BASH_SOURCE[0]}")/manage.sh" restore "$@"
