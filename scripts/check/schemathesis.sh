#!/usr/bin/env bash
# Fuzz the API by its OpenAPI document, about 10,000 cases. Arguments go to `schemathesis run`. Not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
tool=.local/schemathesis
[[ -x $tool/bin/schemathesis ]] || { python -m venv "$tool" && "$tool/bin/pip" install --quiet schemathesis==4.32.5; }
exec python -m scripts.check.fuzz "$tool/bin/schemathesis" --continue-on-failure --max-examples 320 "$@"
