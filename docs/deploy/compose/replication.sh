#!/usr/bin/env bash
# Run by the postgres image when it creates a database: lets replicas connect. For a database that exists already:
# docker compose exec -u postgres postgres bash /docker-entrypoint-initdb.d/replication.sh
set -euo pipefail
echo "host replication all samenet scram-sha-256" >> "$PGDATA/pg_hba.conf"
psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "SELECT pg_reload_conf()"
