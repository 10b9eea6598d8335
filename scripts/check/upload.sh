#!/usr/bin/env bash
# Uploads and downloads 100 megabytes, or as many as are named, and fails if the API's memory grows: upload.sh [MEGABYTES]
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m scripts.check.upload "$@"
