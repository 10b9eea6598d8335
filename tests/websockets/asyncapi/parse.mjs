// Parses an AsyncAPI document by the official parser, in the build that the page uses: parse.mjs PARSER.js.gz DOCUMENT.
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
import { gunzipSync } from "node:zlib";

const [parser, file] = process.argv.slice(2);
globalThis.self = globalThis; // the build is one for browsers
runInThisContext(gunzipSync(readFileSync(parser)).toString());
const { document, diagnostics } = await new AsyncAPIParser().parse(readFileSync(file, "utf8"));
console.log(JSON.stringify({
  version: document?.version(),
  channels: document?.channels().length,
  operations: document?.operations().length,
  problems: diagnostics.map(({ severity, code, path, message }) => ({ severity, code, path: path.join("."), message })),
}));
