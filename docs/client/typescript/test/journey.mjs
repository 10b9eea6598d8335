// From login to logout against the application at URL, as the initial administrator, in Node or in a browser's page.
import { ApiError, connect, memoryStore, reopenUpload, Session, unwrap, upload, UploadInterrupted } from "#client";
import { equal, ok, rejects } from "./assert.mjs";

const url = globalThis.process?.env.URL ?? new URLSearchParams(location.search).get("url");
const failed = (name) => (error) => error instanceof ApiError && error.error === name;
export const steps = [];
const say = (step) => {
  steps.push(step);
  console.log(step);
};

const store = memoryStore();
const session = new Session(url, store);
await rejects(session.login("admin", "wrong"), failed("auth.invalid_credentials"));
await session.login("admin", "123456");
say("Logged in.");

const first = store.read();
const otherTab = new Session(url, store);
await Promise.all([session.refresh(), otherTab.refresh()]);
ok(store.read().refreshToken !== first.refreshToken);
store.write({ ...store.read(), accessToken: "expired" });
equal(unwrap(await session.api.GET("/api/v1/auth/user/info")).username, "admin");
say("Refreshed twice at once, and silently.");

const mark = `ada-${Date.now()}`;
const usernames = [`${mark}-1`, `${mark}-2`, `${mark}-3`];
const ids = [];
for (const username of usernames) {
  const password = await session.encrypt("correct horse battery");
  const body = { name: "Ada", email: `${username}@example.com`, username, ...password };
  ids.push(unwrap(await session.api.POST("/api/v1/users", { body })).id);
}
const query = { status: true, keyword: mark, sort: "-createTime", pageSize: 2 };
const page = unwrap(await session.api.GET("/api/v1/users", { params: { query } }));
equal([page.total, page.records.map(({ username }) => username)], [3, usernames.slice(1).reverse()]);
say("Created users, and listed them with filters.");

const notices = [];
for (const title of ["First", "Second", "Third"]) {
  const body = { title: `${title} ${mark}`, body: "Tonight.", expiresAt: "2100-01-01T00:00:00Z" };
  notices.unshift(unwrap(await session.api.POST("/api/v1/notices", { body })));
}
const runs = [];
const filters = { name: "notices.announce", limit: 2 };
for (let cursor; ; ) {
  const query = { ...filters, ...(cursor ? { cursor } : {}) };
  const { records, nextCursor } = unwrap(await session.api.GET("/api/v1/tasks/runs", { params: { query } }));
  ok(records.length <= 2);
  runs.push(...records);
  if (!nextCursor) break;
  cursor = nextCursor;
}
const published = runs.map((run) => run.kwargs.notice_id).filter((id) => notices.some((notice) => notice.id === id));
equal(published, notices.map((notice) => notice.id));
say("Published notices, and listed their runs by cursor.");

const invalid = await session.api.POST("/api/v1/notices", { body: { title: "", body: "x", expiresAt: "2100-01-01T00:00:00Z" } });
equal(invalid.response.status, 422);
equal(invalid.error.data.map(({ field, type }) => [field, type]), [["title", "too_short"]]);
const failure = await rejects(Promise.resolve(invalid).then(unwrap), failed("request.validation"));
equal(Object.keys(failure.fields), ["title"]);
const [{ id: noticeId }] = notices;
const stale = { params: { path: { noticeId }, header: { "if-match": '"99"' } }, body: { title: "Changed" } };
const refused = await session.api.PATCH("/api/v1/notices/{noticeId}", stale);
equal([refused.response.status, refused.error.error], [412, "resource.changed"]);
say("Refused: invalid by field, and changed in the meantime.");

const socket = connect(session);
await new Promise((resolve) => socket.once("connect", resolve));
equal((await socket.emitWithAck("chat.join", { room: mark })).code, undefined);
const received = new Promise((resolve) => socket.once("chat.receive", resolve));
equal((await socket.emitWithAck("chat.send", { room: mark, text: "Hello" })).text, "Hello");
equal((await received).text, "Hello");
await session.refresh();
equal((await socket.emitWithAck("notice.get", { id: noticeId })).id, noticeId);
say("Sent and received events; the connection outlived a token.");

const [adasStore, name] = [memoryStore(), usernames[0]];
const ada = new Session(url, adasStore);
await ada.login(name, "correct horse battery");
const adasSocket = connect(ada);
await new Promise((resolve) => adasSocket.once("connect", resolve));
const connected = new Promise((resolve) => adasSocket.once("connect", resolve));
unwrap(await session.api.POST("/api/v1/roles", { body: { name, code: name } }));
unwrap(await session.api.PUT("/api/v1/users/{userId}/roles", { params: { path: { userId: ids[0] } }, body: { roles: [name] } }));
await connected;
adasSocket.disconnect();
adasStore.write({ ...adasStore.read(), accessToken: "expired" });
await ada.logout({ everywhere: true });
equal(adasStore.read(), undefined);
say("Connected again after the server ended the connection, since the user's roles changed.");

const bytes = new Uint8Array(25 * 1024 * 1024); // four parts, of which three are sent at once
for (let at = 0; at < bytes.length; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
const abort = new AbortController();
const options = { name: "random.bin", contentType: "application/octet-stream" };
const interrupted = await rejects(
  upload(session, new Blob([bytes]), { ...options, signal: abort.signal, onProgress: () => abort.abort() }),
  (error) => error instanceof UploadInterrupted,
);
const { done, plan } = JSON.parse(JSON.stringify(interrupted.state));
ok(done.length > 0 && done.length < plan.parts.length);
const reopened = await reopenUpload(session, plan.id);
ok(done.every((part) => reopened.done.some((sent) => sent.partNumber === part.partNumber)));
const [begun, shares] = [reopened.done.length, []];
const resume = { ...options, resume: reopened, onProgress: (share) => shares.push(share) };
const file = await upload(session, new Blob([bytes]), resume);
equal([shares.length, shares.at(-1) ?? 1], [plan.parts.length - begun, 1]); // parts may arrive despite the abort
const digest = async (content) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", content))].join();
equal(await digest(await (await fetch(file.downloadUrl)).arrayBuffer()), await digest(bytes));
say("Uploaded 25 MiB in parts, aborted once and resumed.");

const ended = new Promise((resolve) => socket.once("disconnect", resolve));
const [last, asked] = [store.read(), []];
session.api.use({
  onRequest: ({ schemaPath }) => void asked.push(schemaPath),
  onResponse: ({ schemaPath }) => (schemaPath === "/api/v1/auth/logout" ? ended.then(() => undefined) : undefined), // as late
});
await session.logout();
equal((await session.api.GET("/api/v1/auth/user/info")).response.status, 401);
equal(asked, ["/api/v1/auth/logout", "/api/v1/auth/user/info"]); // the ended connection did not refresh
store.write(last);
equal((await session.api.GET("/api/v1/auth/user/info")).response.status, 401);
equal(store.read(), undefined);
say("Logged out.");
