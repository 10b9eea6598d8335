#!/usr/bin/env bash
# Copies the contents of all stores into a new directory: backup.sh [DIRECTORY], by default backups/<time>. docs/deploy/backup.md
exec "$(dirname -- "${BASH_SOURCE[0]}")/manage.sh" backup "${1:-backups/$(date -u +%Y%m%dT%H%M%SZ)}"
