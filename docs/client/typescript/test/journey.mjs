// From login to logout against the application at URL, as the initial administrator. Prints a line for each step.
import assert from "node:assert/strict";
import { ApiError, connect, memoryStore, Session, unwrap, upload, UploadInterrupted } from "../dist/index.js";

const url = process.env.URL ?? "http://localhost:16000";
const failed = (error, name) => error instanceof ApiError && error.error === name;

const store = memoryStore();
const session = new Session(url, store);
await assert.rejects(session.login("admin", "wrong"), (error) => failed(error, "auth.invalid_credentials"));
await session.login("admin", "123456");
console.log("Logged in.");

const first = store.read();
const otherTab = new Session(url, store);
await Promise.all([session.refresh(), otherTab.refresh()]);
assert.notEqual(store.read().refreshToken, first.refreshToken);
store.write({ ...store.read(), accessToken: "expired" });
assert.equal(unwrap(await session.api.GET("/api/v1/auth/user/info")).username, "admin");
console.log("Refreshed in two tabs at once, and silently.");

const name = `ada-${Date.now()}`;
const create = { name: "Ada", email: `${name}@example.com`, username: name, ...(await session.encrypt("correct horse battery")) };
const user = unwrap(await session.api.POST("/api/v1/users", { body: create }));
const query = { status: true, keyword: name, sort: "-createTime" };
const page = unwrap(await session.api.GET("/api/v1/users", { params: { query } }));
assert.deepEqual(page.records.map(({ id }) => id), [user.id]);
const entries = unwrap(await session.api.GET("/api/v1/audit-logs", { params: { query: { limit: 1 } } }));
if (entries.nextCursor) {
  const next = { cursor: entries.nextCursor, limit: 1 };
  const older = unwrap(await session.api.GET("/api/v1/audit-logs", { params: { query: next } }));
  assert.notEqual(older.records[0].id, entries.records[0].id);
}
console.log("Created a user, and listed with filters and a cursor.");

const invalid = await session.api.POST("/api/v1/notices", { body: { title: "", body: "x", expiresAt: "2100-01-01T00:00:00Z" } });
assert.throws(() => unwrap(invalid), (error) => failed(error, "request.validation") && "title" in error.fields);
const notice = { title: "Maintenance", body: "Tonight.", expiresAt: "2100-01-01T00:00:00Z" };

const socket = connect(session);
await new Promise((resolve) => socket.once("connect", resolve));
const { id: noticeId } = unwrap(await session.api.POST("/api/v1/notices", { body: notice }));
const stale = { params: { path: { noticeId }, header: { "if-match": '"99"' } }, body: { title: "Changed" } };
const refused = await session.api.PATCH("/api/v1/notices/{noticeId}", stale);
assert.equal(refused.response.status, 412);
assert.throws(() => unwrap(refused), (error) => failed(error, "resource.changed"));
console.log("Refused: invalid by field, and changed in the meantime.");

await socket.emitWithAck("chat.join", { room: "lobby" });
const received = new Promise((resolve) => socket.once("chat.receive", resolve));
assert.equal((await socket.emitWithAck("chat.send", { room: "lobby", text: "Hello" })).text, "Hello");
assert.equal((await received).text, "Hello");
await session.refresh();
assert.equal((await socket.emitWithAck("notice.get", { id: noticeId })).title, "Maintenance");
console.log("Sent and received events; the connection outlived a token.");

const bytes = new Uint8Array(20 * 1024 * 1024);
const abort = new AbortController();
const options = { name: "random.bin", contentType: "application/octet-stream" };
const interrupted = await upload(session, new Blob([bytes]), { ...options, signal: abort.signal, onProgress: () => abort.abort() })
  .then(() => assert.fail("not aborted"), (error) => error);
assert.ok(interrupted instanceof UploadInterrupted, String(interrupted));
assert.ok(interrupted.state.done.length < interrupted.state.plan.parts.length);
const shares = [];
const file = await upload(session, new Blob([bytes]), { ...options, resume: interrupted.state, onProgress: (share) => shares.push(share) });
assert.equal(file.sizeBytes, bytes.length);
assert.equal(shares.at(-1), 1);
console.log("Uploaded 20 MiB in parts, aborted once and resumed.");

const ended = new Promise((resolve) => socket.once("disconnect", resolve));
await session.logout();
await ended;
assert.equal((await session.api.GET("/api/v1/auth/user/info")).response.status, 401);
console.log("Logged out.");
