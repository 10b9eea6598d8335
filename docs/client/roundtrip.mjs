// The steps of docs/files.md: upload SIZE_MB megabytes in parts, download them in two ways, compare, delete.
import assert from "node:assert/strict";
import { Session } from "./session.mjs";
import { upload } from "./upload.mjs";

const api = process.env.API ?? "http://localhost:16000/api/v1";
const size = Number(process.env.SIZE_MB ?? 12) * 1024 * 1024;
const sha256 = async (bytes) => Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");

const bytes = new Uint8Array(size);
for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
const checksum = await sha256(bytes);
let tokens;
const session = await Session.login(api, "admin", "123456", (pair) => { tokens = pair; });

let parts = 0;
const file = await upload(session, new Blob([bytes]), { name: "random.bin", onProgress: () => { parts += 1; } });
assert.equal(file.checksumSha256, checksum);
console.log(`Uploaded ${size / 1024 / 1024} MiB in ${parts} parts.`);

const fromStorage = await fetch(file.downloadUrl);
assert.equal(await sha256(await fromStorage.arrayBuffer()), checksum);
console.log("Downloaded from the storage: the same bytes.");

const fetchContent = (headers) =>
  fetch(`${api}/files/${file.id}/content`, { headers: { Authorization: `Bearer ${tokens.accessToken}`, ...headers } });
const fromApi = await fetchContent({});
assert.equal(await sha256(await fromApi.arrayBuffer()), checksum);
const range = await fetchContent({ Range: "bytes=1000-1999", "If-Range": fromApi.headers.get("ETag") });
assert.equal(range.status, 206);
assert.equal(await sha256(await range.arrayBuffer()), await sha256(bytes.subarray(1000, 2000)));
console.log("Downloaded through the API, all of it and a range: the same bytes.");

await session.call(`/files/${file.id}`, { method: "DELETE" });
const gone = await fetch(file.downloadUrl);
assert.equal(gone.status, 404);
console.log("Deleted.");
