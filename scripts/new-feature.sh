#!/usr/bin/env bash
# Writes a feature, from its table to its tests, and registers it: new-feature.sh NAME [--plural NAMES]
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
exec python -m scripts.new_feature "$@"
