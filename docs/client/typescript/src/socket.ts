import { io, type Socket } from "socket.io-client";
import { ApiError } from "./errors.ts";
import type { ClientToServerEvents, ServerToClientEvents } from "./generated/events.ts";
import type { Session } from "./session.ts";
import type { Tokens } from "./stores.ts";

export type ApiSocket = Socket<ServerToClientEvents, ClientToServerEvents>;

const DENIED = 1008;
const EARLY_SECONDS = 60;
const RETRY_SECONDS = 5;

/**
 * Connects with the session's access token, and refreshes it before it expires. If the server ends the connection, since
 * the token has expired or the user's roles have changed, it connects again with new tokens, unless the session has ended.
 */
export function connect(session: Session, url: string = session.url): ApiSocket {
  const socket: ApiSocket = io(url, {
    transports: ["websocket"],
    forceNew: true,
    auth: (give) => give({ token: session.tokens?.accessToken }),
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopListening = () => {};
  const refreshEarly = () => {
    clearTimeout(timer);
    const seconds = (session.tokens?.expiresIn ?? 0) - EARLY_SECONDS;
    // If it fails, the server ends the connection when the token expires.
    if (seconds > 0) timer = setTimeout(() => session.refresh().catch(() => undefined), seconds * 1000);
  };
  const reconnect = () => {
    session.refresh().then(
      () => socket.connect(),
      (error: unknown) => {
        if (error instanceof ApiError && error.status === 401) socket.disconnect();
        else timer = setTimeout(reconnect, RETRY_SECONDS * 1000);
      },
    );
  };
  const onTokens = (tokens: Tokens | undefined) => {
    if (tokens) socket.emit("auth.refresh", { token: tokens.accessToken });
    else socket.disconnect();
    refreshEarly();
  };
  socket.on("connect", () => {
    stopListening();
    stopListening = session.onTokens(onTokens);
    refreshEarly();
  });
  socket.on("disconnect", (reason) => {
    stopListening();
    clearTimeout(timer);
    if (reason === "io server disconnect" && session.tokens) reconnect();
  });
  socket.on("connect_error", (error: Error & { data?: { code?: number } }) => {
    if (error.data?.code === DENIED) reconnect(); // otherwise socket.io-client tries again by itself
  });
  return socket;
}
