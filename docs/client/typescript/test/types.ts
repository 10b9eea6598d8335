// What the types promise; compiled, not run.
import { connect, Session, unwrap, type components } from "../dist/index.js";

const { api, ...session } = new Session("http://localhost:16000");

const login = await api.POST("/api/v1/auth/login", { body: { username: "a", password: "b", kid: "c" } });
if (login.error?.error === "auth.invalid_credentials") console.log(login.error.requestId);

const timed = { name: "x", task: "system.ping" };
await api.POST("/api/v1/schedules", { body: { ...timed, kind: "crontab", crontab: "* * * * *" } });
// @ts-expect-error an interval takes no crontab
await api.POST("/api/v1/schedules", { body: { ...timed, kind: "interval", crontab: "* * * * *" } });

const path = { roleId: "x" };
const role = await api.PUT("/api/v1/roles/{roleId}", { params: { path, header: { "if-match": '"3"' } }, body: {} });
if (role.error?.error === "request.validation") {
  const fields: components["schemas"]["FieldError"][] = role.error.data;
  console.log(fields);
}
// @ts-expect-error the name of no error
if (role.error?.error === "role.unheard_of") console.log(role.error);

// @ts-expect-error the header is required
await api.POST("/api/v1/auth/token/refresh", {});

const run = unwrap(await api.GET("/api/v1/tasks/runs/{taskId}", { params: { path: { taskId: "x" } } }));
const state: components["schemas"]["RunState"] = run.state;
const result: string | number | boolean | unknown[] | { [key: string]: unknown } | null = run.result;

const other = new Session("http://localhost:16000");
const [provider] = await other.call("GET:/api/v1/auth/oidc"); // a route that settings switch on
console.log(provider?.displayName.length);
// @ts-expect-error a route that does not exist
await other.call("GET:/api/v1/auth/unheard-of");

const socket = connect(new Session("http://localhost:16000"));
socket.on("chat.receive", ({ text, createTime }) => console.log(text.length, createTime.length));
const reply = await socket.emitWithAck("chat.send", { room: "a", text: "b" });
if ("code" in reply) console.log(reply.errors?.[0]?.field);
else console.log(reply.text);
// @ts-expect-error an event that does not exist
socket.emit("chat.shout", {});

console.log(session, state, result);
