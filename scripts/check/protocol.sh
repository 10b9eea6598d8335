#!/usr/bin/env bash
# Runs the official protocol suites of Socket.IO and Engine.IO against our servers and plain ones: protocol.sh [DIRECTORY]
# Clones the suites into the directory if they are not there, and installs packages with npm; not part of test.sh.
source "$(dirname -- "${BASH_SOURCE[0]}")/../bootstrap.sh"
suites="${1:-.local/protocol}"
mkdir -p "$suites"
for name in socket.io-protocol engine.io-protocol; do
    [[ -d $suites/$name ]] || git clone --quiet --depth 1 "https://github.com/socketio/$name" "$suites/$name"
done
npm install --prefix "$suites" --no-package-lock --no-fund --no-audit --silent mocha@9 chai@4 chai-string@1 node-fetch@3 ws@8
exec python -m scripts.check.protocol "$suites"
