#!/usr/bin/env bash
# Writes .env from .env.example with a random secret for every change-me. An existing .env is kept.
set -euo pipefail
case "$*" in
    "") ;;
    --help | -h)
        echo "usage: make-env.sh (writes .env from .env.example, with random secrets)"
        exit
        ;;
    *)
        echo "usage: make-env.sh, without arguments" >&2
        exit 2
        ;;
esac
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

if [[ -e .env ]]; then
    echo ".env exists already; remove it first to make a new one." >&2
    exit 1
fi
umask 077
while IFS= read -r line; do
    if [[ "$line" == *=change-me-* ]]; then
        line="${line%%=*}=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
    fi
    printf '%s\n' "$line"
done <.env.example >.env.new
mv -- .env.new .env
echo "Made .env."
