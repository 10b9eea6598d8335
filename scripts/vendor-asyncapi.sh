#!/usr/bin/env bash
# Copies the scripts of the page /asyncapi from npm to src/api/vendor/asyncapi, in the versions below.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../src/api/vendor/asyncapi"

COMPONENT=@asyncapi/react-component@3.2.1
PARSER=@asyncapi/parser@3.6.3

unpacked="$(mktemp -d)"
trap 'rm -rf -- "$unpacked"' EXIT
unpack() {
    mkdir "$unpacked/$1"
    npm pack --silent --pack-destination "$unpacked" "$2" >/dev/null
    tar -xzf "$unpacked"/asyncapi-"$1"-*.tgz -C "$unpacked/$1" --strip-components=1
}
unpack react-component "$COMPONENT"
unpack parser "$PARSER"

# Compressed as they are served: a fifth of the size, and searches skip lines of two megabytes.
gzip -9nc "$unpacked/react-component/browser/standalone/without-parser.js" >react-component.js.gz
gzip -9nc "$unpacked/parser/browser/index.js" >parser.js.gz
cp "$unpacked/react-component/styles/default.min.css" react-component.css
cp "$unpacked/react-component/LICENSE" LICENSE
{
    cat "$unpacked/react-component/browser/standalone/without-parser.js.LICENSE.txt"
    cat "$unpacked/parser/browser/index.js.LICENSE.txt"
} >NOTICES.txt
sha256sum -- *.gz *.css >SHA256SUMS
printf '%s\n' "$COMPONENT" "$PARSER" >VERSIONS
