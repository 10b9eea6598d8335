// The steps of docs/auth.md: log in, list the permission codes, refresh in two tabs at once, log out, and be refused.
import assert from "node:assert/strict";
import { Session } from "./session.mjs";

const api = process.env.API ?? "http://localhost:16000/api/v1";
let stored;
const tab = await Session.login(api, "admin", "123456", (tokens) => { stored = tokens; });

const codes = (await tab.call("/router/backend")).map((permission) => permission.code);
assert.equal(new Set(codes).size, codes.length, "each code is listed once");
assert.ok(codes.includes("GET:/api/v1/router/backend"), "codes contain the full path");
console.log("Listed the permission codes.");

const pairs = [];
const otherTab = new Session(api, stored, (tokens) => pairs.push(tokens));
await Promise.all([tab.refresh(), otherTab.refresh()]);
assert.equal(stored.refreshToken, pairs[1].refreshToken, "both tabs have the same new pair");
console.log("Refreshed in two tabs at once.");

const expired = new Session(api, { ...stored, accessToken: "expired" });
assert.equal((await expired.call("/auth/user/info")).username, "admin");
console.log("Refreshed automatically.");

const { accessToken } = stored;
await expired.logout();
const response = await fetch(`${api}/auth/user/info`, { headers: { Authorization: `Bearer ${accessToken}` } });
assert.equal(response.status, 401);
console.log("Logged out: the old access token is refused.");
