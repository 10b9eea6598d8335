#!/usr/bin/env bash
# Fuzzes the API from its OpenAPI document with about 20,000 cases, as many for each operation; not part of test.sh.
# Arguments go to `schemathesis run`.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
tool=.local/schemathesis
[[ -x $tool/bin/schemathesis ]] || { python -m venv "$tool" && "$tool/bin/pip" install --quiet schemathesis==4.32.5; }
exec python -m scripts.check.fuzz "$tool/bin/schemathesis" --continue-on-failure --max-examples 320 "$@"
