#!/usr/bin/env bash
# Builds docs/client/typescript from the documents, packs it, runs its journey in Node and in Chromium, and builds and uses
# the pages of docs/frontend.md, against an instance of its own. Installs packages with npm; not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
mkdir -p .local/client
cp -r docs/client/typescript .local/client
cd .local/client/typescript
npm install --no-package-lock --no-fund --no-audit --silent
npm pack --silent --pack-destination .
npx tsc -p tsconfig.test.json
cd - > /dev/null
exec python -m scripts.check.client
