import { ApiError, browserStore, connect, Session, unwrap } from "api-client";

const session = new Session("http://localhost:16000", browserStore());
const element = (id) => document.getElementById(id);
const notices = new Map();
let socket;

// Show the form or the list, whenever the user has logged in or out, in this tab or another.
function show(tokens) {
  element("login").hidden = Boolean(tokens);
  element("notices").hidden = !tokens;
  if (tokens) socket ??= listen();
  else socket = undefined; // it disconnects by itself
}

// The socket misses what is published before it connects: load that then, also after interruptions.
function listen() {
  const socket = connect(session);
  socket.on("connect", async () => unwrap(await session.api.GET("/api/v1/notices")).forEach(add));
  socket.on("notice.published", add);
  return socket;
}

function add(notice) {
  notices.set(notice.id, notice);
  const newest = [...notices.values()].sort((one, other) => other.createTime.localeCompare(one.createTime));
  element("list").replaceChildren(...newest.map(({ title, body }) => {
    const item = document.createElement("li");
    for (const [tag, text] of [["strong", title], ["p", body]]) {
      item.append(Object.assign(document.createElement(tag), { textContent: text }));
    }
    return item;
  }));
}

// Send a form; show an error's messages, those of invalid fields one by one.
function onSubmit(id, send) {
  element(id).addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    const alert = form.querySelector("[role=alert]");
    alert.textContent = "";
    try {
      await send(Object.fromEntries(new FormData(form)));
      form.reset();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const fields = Object.entries(error.fields).map(([field, message]) => `${field}: ${message}`);
      alert.textContent = fields.join(" · ") || error.message;
    }
  });
}

onSubmit("login", ({ username, password }) => session.login(username, password));
onSubmit("publish", async ({ title, body }) => {
  unwrap(await session.api.POST("/api/v1/notices", { body: { title, body, expiresAt: "2100-01-01T00:00:00Z" } }));
});
element("logout").addEventListener("click", () => session.logout());

session.onTokens(show);
show(session.tokens);
