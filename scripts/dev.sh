#!/usr/bin/env bash
# Everything at once: embedded stores, migrations, first data, API with Socket.IO, worker, beat. Ctrl-C stops it.
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
exec python -m scripts.local
