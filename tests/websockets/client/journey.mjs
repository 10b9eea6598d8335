// The JavaScript client against two server processes. Prints a line for each step.
import { Session } from "../../../docs/client/session.mjs";
import { io } from "./socket.io.esm.min.js";

const { API, HERE, THERE, USERNAME, PASSWORD, RECOVER } = process.env;
const say = (...words) => console.log(JSON.stringify(words));
const once = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

let token;
const session = await Session.login(API, USERNAME, PASSWORD, (tokens) => { token = tokens.accessToken; });
const open = (url) => io(url, {
  transports: ["websocket"],
  forceNew: true,
  reconnectionDelay: 100,
  reconnectionDelayMax: 500,
  auth: (give) => give({ token, recover: RECOVER === "true" }),
});
const here = open(HERE), there = open(THERE);
const ask = (socket, ...event) => socket.timeout(5000).emitWithAck(...event);
await Promise.all([once(here, "connect"), once(there, "connect")]);
say("connected", here.recovered);

const heard = [];
here.on("chat.receive", (message) => heard.push(message.text));
const hears = async (count) => { while (heard.length < count) await once(here, "chat.receive"); };
say("joined", await ask(here, "chat.join", { room: "lobby" }), await ask(there, "chat.join", { room: "lobby" }));
const told = once(here, "error");
const invalid = await ask(here, "chat.send", { room: "lobby" });
say("invalid", invalid.code, invalid.data, (await told)[0].code);
say("denied", (await ask(here, "notice.get", { id: crypto.randomUUID() })).code);

say("acknowledged", (await ask(there, "chat.send", { room: "lobby", text: "one" })).text);
await hears(1);
say("heard", ...heard);

const id = here.id;
const lost = once(here, "disconnect");
say("cut");
say("lost", (await lost)[0].startsWith("transport"));
await ask(there, "chat.send", { room: "lobby", text: "two" });
await ask(there, "chat.send", { room: "lobby", text: "three" });
const back = once(here, "connect");
say("heal");
await back;
await ask(there, "chat.send", { room: "lobby", text: "four" });
await hears(4);
say("recovered", here.recovered, here.id === id, ...heard);

const ends = Promise.all([once(here, "disconnect"), once(there, "disconnect")]);
const started = performance.now();
await session.logout();
await ends;
say("logged out", performance.now() - started < 5000);
here.connect();
say("refused", (await once(here, "connect_error"))[0].data.code);
process.exit();
