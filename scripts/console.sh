#!/usr/bin/env bash
# Builds the console: src/console/app to src/console/built, which is in the tree, so that nobody else needs Node.
# console.sh --check, without Node: fails if the source has changed since it was built.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# What the build depends on. Types that are generated leave no trace in it.
sources() {
    find src/console/app docs/client/typescript/src -type f -not -path '*/node_modules/*' -not -path '*/generated/*' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

if [[ "${1:-}" == --check ]]; then
    [[ "$(sources)" == "$(cat src/console/built/SOURCES)" ]] && exit
    echo "src/console/built is older than its source. Run scripts/console.sh." >&2
    exit 1
fi

command -v npm >/dev/null || { echo "Node 20 or newer is needed, with npm." >&2; exit 1; }
mkdir -p .local/client
cp -r docs/client/typescript .local/client
(
    cd .local/client/typescript
    npm install --no-package-lock --no-fund --no-audit --silent
    node generate.mjs
)
cd src/console/app
npm ci --silent
npm run --silent types
npm run --silent build -- --logLevel warn
cd ../built
gzip -9n assets/*
(cd ../../.. && sources) >SOURCES
echo "src/console/built: $(cat assets/* | wc -c) bytes, as they are sent."
