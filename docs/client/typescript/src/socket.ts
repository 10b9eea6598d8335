import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "./generated/events.ts";
import type { Session } from "./session.ts";

export type ApiSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

const DENIED = 1008;
const EARLY_SECONDS = 60;

/** Connects with the session's access token, and refreshes it before it expires: the connection outlives its tokens. */
export function connect(session: Session, url: string = session.url): ApiSocket {
  const socket: ApiSocket = io(url, {
    transports: ["websocket"],
    forceNew: true,
    auth: (give) => give({ token: session.tokens?.accessToken }),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const refreshEarly = () => {
    clearTimeout(timer);
    const seconds = (session.tokens?.expiresIn ?? 0) - EARLY_SECONDS;
    if (seconds > 0) timer = setTimeout(() => session.refresh().catch(() => socket.disconnect()), seconds * 1000);
  };
  session.onTokens((tokens) => {
    if (!tokens) socket.disconnect();
    else if (socket.connected) socket.emit("auth.refresh", { token: tokens.accessToken });
    refreshEarly();
  });
  socket.on("connect", refreshEarly);
  socket.on("disconnect", () => clearTimeout(timer));
  socket.on("connect_error", (error: Error & { data?: { code?: number } }) => {
    if (error.data?.code !== DENIED) return; // socket.io-client tries again by itself
    session.refresh().then(() => socket.connect(), () => socket.disconnect());
  });
  return socket;
}
