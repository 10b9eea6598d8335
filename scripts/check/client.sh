#!/usr/bin/env bash
# Builds the clients in docs/client from the documents, checks their types, runs their journeys against an instance of its
# own, that of TypeScript in Node and in Chromium, and builds and uses the pages of docs/frontend.md. Checks as well that
# contract.py finds breaking changes. Installs packages with npm and pip; not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
generator="$ROOT/.local/datamodel-codegen"
if [[ ! -x $generator/bin/datamodel-codegen ]]; then
    python -m venv "$generator"
    "$generator/bin/pip" install --quiet datamodel-code-generator==0.89.0
fi
mkdir -p .local/client
cp -r docs/client/typescript docs/client/python .local/client
(
    cd .local/client/python
    PATH="$generator/bin:$PATH" python generate.py
    mypy --config-file pyproject.toml api_client generate.py test
)
(
    cd .local/client/typescript
    npm install --no-package-lock --no-fund --no-audit --silent
    npm pack --silent --pack-destination .
    npx tsc -p tsconfig.test.json
)
python -m scripts.check.breaking
exec python -m scripts.check.client
