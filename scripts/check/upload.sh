#!/usr/bin/env bash
# Uploads and downloads a file of 100 megabytes by default, and fails if the API's memory grows: upload.sh [MEGABYTES]
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
exec python -m scripts.check.upload "$@"
