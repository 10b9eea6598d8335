// What docs/auth.md tells, done once: log in, look around, refresh in two tabs at once, log out, and be refused.
import assert from "node:assert/strict";
import { Session } from "./session.mjs";

const api = process.env.API ?? "http://localhost:16000/api/v1";
let kept;
const tab = await Session.login(api, "admin", "123456", (tokens) => { kept = tokens; });

const codes = (await tab.call("/router/backend")).map((route) => route.code);
assert.equal(new Set(codes).size, codes.length, "each method of each path is listed once");
assert.ok(codes.includes("GET:/api/v1/router/backend"), "with its full path");
console.log("Looked around.");

const pairs = [];
const otherTab = new Session(api, kept, (tokens) => pairs.push(tokens));
await Promise.all([tab.refresh(), otherTab.refresh()]);
assert.equal(kept.refreshToken, pairs[1].refreshToken, "both tabs hold the same successor");
console.log("Refreshed in two tabs at once.");

const expired = new Session(api, { ...kept, accessToken: "expired" });
assert.equal((await expired.call("/auth/user/info")).username, "admin");
console.log("Refreshed silently.");

const { accessToken } = kept;
await expired.logout();
const answer = await fetch(`${api}/auth/user/info`, { headers: { Authorization: `Bearer ${accessToken}` } });
assert.equal(answer.status, 401);
console.log("Logged out: the old access token is refused.");
