// The JavaScript client in a room with numbered events. Prints a line for each step.
const { RECOVERY_CLIENT, ADDRESS, TRANSPORTS } = process.env;
const { io } = await import(RECOVERY_CLIENT);
const say = (...words) => console.log(JSON.stringify(words));

const socket = io(ADDRESS, {
  transports: TRANSPORTS.split(","),
  reconnectionDelay: 50,
  reconnectionDelayMax: 200,
  auth: { recover: true },
});
let joined = false;
socket.on("connect", async () => {
  joined &&= socket.recovered;
  say("connect", socket.recovered, socket.io.engine.transport.name);
  if (joined) return;
  try {
    await socket.emitWithAck("join", "numbered");
  } catch {
    return; // the connection ended before the answer came; the next one asks again
  }
  joined = true;
  say("joined");
});
socket.on("disconnect", (reason) => {
  say("lost", reason);
  if (reason === "io server disconnect") socket.connect();
});
socket.on("news", (number, offset) => {
  say("news", number);
  if (number < 0) process.exit();
});
