#!/usr/bin/env bash
# Starts embedded stores, migrates, inserts the initial data, and runs API with Socket.IO, worker and beat until Ctrl-C.
#   dev.sh              a changed file in src/ restarts the three
#   dev.sh --no-reload  it does not
#   dev.sh --stores     starts, migrates and fills the stores only
#   dev.sh --mails      shows the e-mails that were sent
usage="usage: dev.sh [--no-reload | --stores | --mails]"
case "$#:${1:-}" in
    1:--help | 1:-h)
        echo "$usage"
        exit
        ;;
    0: | 1:--no-reload | 1:--stores | 1:--mails) ;;
    *)
        echo "$usage" >&2
        exit 2
        ;;
esac
source "$(dirname -- "${BASH_SOURCE[0]}")/bootstrap.sh"
if [[ "${1:-}" == --mails ]]; then
    exec python -m scripts.local.smtp .local/mails
fi
exec python -m scripts.local "$@"
